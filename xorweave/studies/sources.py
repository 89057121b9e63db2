"""From a file of weights, or of a mask, to tensors ready to be encoded or multiplied."""

from __future__ import annotations

from pathlib import Path

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.prepare import Preparation, Prepared, is_encodable, prepare, synthetic_values
from xorweave.golden.files.weight_files import read_masks, read_smtx, read_weights


def read_prepared(
    src: Path,
    *,
    values: str | None,
    dtype: str | None,
    sparsity: float | None,
    prune: str,
    mask: Path | None,
    seed: int,
) -> dict[str, Prepared]:
    """Read the tensors of a file, pruned and quantised as asked; an .smtx mask gets synthetic values.

    Raises
    ------
    InputError
        The file cannot be read, an option does not fit it, or it holds no tensor of two dimensions.
    """
    if src.suffix.lower() == ".smtx":
        if sparsity is not None or mask is not None:
            raise InputError(
                "an .smtx file is a mask already: --sparsity and --mask must not be given with it"
            )
        kept = read_smtx(src)
        made, fmt = synthetic_values(kept, values or "uniform", dtype or "int8", seed)
        ready = {src.stem: Prepared(values=made, number_format=fmt, mask=kept)}
    else:
        if values is not None:
            raise InputError("--values must be given with an .smtx mask only")
        read = {name: found for name, found in read_weights(src).items() if is_encodable(found)}
        masks = read_masks(mask) if mask is not None else {}
        if len(masks) == 1 and len(read) == 1:
            masks = {next(iter(read)): next(iter(masks.values()))}  # one mask for one tensor needs no name
        how = Preparation(dtype=dtype, sparsity=sparsity, prune=prune, seed=seed, masks=masks)
        ready = {name: prepare(name, found, how) for name, found in read.items()}
    ready = {name: item for name, item in ready.items() if item.values.size}
    if not ready:
        raise InputError(f"{src} must hold at least one tensor of two dimensions or more")
    return ready
