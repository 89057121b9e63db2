"""The weights of a model pruned for the code: what is written in their place, and what that moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import from_bfloat16, to_bfloat16
from xorweave.golden.choose.arrangement import Arrangement
from xorweave.golden.files.arranged import END, write_arrangement
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.pruning.encodable import Leeway, Moved, prune_encodable

_FLOATS = ("F64", "F32", "F16", "BF16")


def encodable_tensors(
    tensors: Mapping[str, Tensor],
    masks: Mapping[str, NDArray[np.bool_]],
    leeway: Leeway,
    progress: Callable[[float], None] | None = None,
    before: Mapping[str, Arrangement] | None = None,
) -> tuple[dict[str, Tensor], dict[str, Moved]]:
    """Prune the tensors that masks are of for the code, each within the leeway.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        All of a model, not pruned yet.
    masks : mapping of str to ndarray of bool
        What plain pruning by magnitude keeps, of some of them.
    leeway : Leeway
    progress : callable, optional
        Called with the share of the weights that are done.
    before : mapping of str to Arrangement, optional
        What an earlier pruning arranged, by the tensors' names.

    Returns
    -------
    (dict of str to Tensor, dict of str to Moved)
        All tensors, those with masks pruned, and beside each ``NAME.encodable`` where something was arranged for
        `encode`; what was moved, by tensor.

    Raises
    ------
    InputError
        A tensor holds no floats or cannot be pruned so; the line names it.
    """
    made: dict[str, Tensor] = dict(tensors)
    moved: dict[str, Moved] = {}
    done, total = 0, max(1, sum(mask.size for mask in masks.values()))
    for name, mask in masks.items():
        stored = tensors.get(name)
        if stored is None or stored.dtype not in _FLOATS or stored.values.shape != mask.shape:
            raise InputError(
                f"tensor {name} must hold floats of the mask's shape {mask.shape} to be encodable"
            )
        wide = from_bfloat16(stored.values) if stored.dtype == "BF16" else np.asarray(stored.values)

        def advance(share: float, before: int = done, size: int = mask.size) -> None:
            if progress is not None:
                progress((before + share * size) / total)

        try:
            found = prune_encodable(wide, mask, leeway, advance, (before or {}).get(name))
        except InputError as error:
            raise InputError(f"tensor {name}: {error}") from None
        narrow = to_bfloat16(found.values) if stored.dtype == "BF16" else found.values
        made[name] = Tensor(narrow, stored.dtype)
        if found.arranged is not None:
            made[f"{name}{END}"] = Tensor.of(write_arrangement(found.arranged, mask.shape))
        moved[name] = found.moved
        done += mask.size
        advance(0.0, done)
    return made, moved


def all_moved(parts: Mapping[str, Moved]) -> Moved:
    """Take what was moved in several tensors together; of `largest_dropped` and `largest_error` the largest."""
    rows = list(parts.values())
    kept = sum(row.kept for row in rows)
    squares = sum(row.kept * row.error**2 for row in rows)
    return Moved(
        weights=sum(row.weights for row in rows),
        kept=kept,
        dropped=sum(row.dropped for row in rows),
        added=sum(row.added for row in rows),
        magnitude=sum(row.magnitude for row in rows),
        lost=sum(row.lost for row in rows),
        largest_dropped=max((row.largest_dropped for row in rows), default=0.0),
        rounded=sum(row.rounded for row in rows),
        largest_error=max((row.largest_error for row in rows), default=0.0),
        error=(squares / kept) ** 0.5 if kept else 0.0,
    )
