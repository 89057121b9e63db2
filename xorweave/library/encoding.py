"""From arrays or a file of weights to stored tensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import to_bfloat16
from xorweave.golden.files.arranged import join_arrangements
from xorweave.golden.files.model import PreparedModel, encode_model, prepare_model
from xorweave.golden.files.prepare import Preparation, Prepared, synthetic_values
from xorweave.golden.files.recipe import Recipe
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.files.sharding import take_shard
from xorweave.golden.files.weight_files import (
    WeightFile,
    plain_name,
    read_masks,
    read_smtx,
    read_weight_files,
)
from xorweave.library.options_file import Table, read_options, write_options
from xorweave.library.recipes import check_options, own_recipes, recipe_of, unmatched
from xorweave.library.stored import Encoded, path_of
from xorweave.library.tensor_record import describe
from xorweave.library.words import DEFAULTS, EncodeWords, check_words

#: The name of a tensor that was given without one.
ONLY = "weights"

Source = str | PathLike[str] | Sequence[str | PathLike[str]] | ArrayLike | Mapping[str, ArrayLike]


def encode(source: Source, **words: Unpack[EncodeWords]) -> Encoded:
    """Encode tensors losslessly.

    Parameters
    ----------
    source : mapping of str to array, array, path, or list of paths
        An array that stands alone is named ``weights``. Files as on the command line: .safetensors (a folder or an
        index of shards, too), .npz, .npy, .onnx, .pt, .gguf, or a mask alone (.smtx). Several files become one.
    **words
        Those of ``xorweave encode``, with their defaults: `dtype` (int8, int4, fp16, bf16, fp32; by default the
        array's own), `sparsity` (by default the zeros are the mask) and `prune`, or `mask` (a path, an array, or arrays
        by name); `goal` (``storage``, ``hardware`` or ``paper``: what ``--for`` says) and `overhead`; `mask_code`,
        `values_code`, `scan`, `code`, `max_k`; `encoder`, `effort`, `corrections`, `error_free`, `transform`,
        `drop_planes`, `segments`; `values`, `negative_zero`, `per_row`, `effective`, `network`; `include` and
        `exclude` (patterns of names; what they leave is carried); `options` (a file of options, of single tensors,
        too: see `xorweave.library.options_file`; words that are given win over its ``[options]``); `shard`
        (``"2/4"``: a part of the tensors, for `merge`); `jobs` (threads), `executor` (any
        ``concurrent.futures.Executor``, in place of threads), `finished` (a `Finished` that keeps stored tensors, to
        go on after an interruption); `seed`; and `progress`, called with the share of the weights that are done. The
        bytes depend on none of `jobs`, `executor`, `finished` and `progress`.

    Returns
    -------
    Encoded
        Stored tensors by name; what was not encoded is listed in its ``carried``.

    Raises
    ------
    InputError
        A word or a weight is not as it must be.

    Examples
    --------
    >>> import numpy as np
    >>> import xorweave as xw
    >>> weights = np.random.default_rng(0).standard_normal((64, 64), np.float32)
    >>> encoded = xw.encode(weights, dtype="int8", sparsity=0.9, goal="hardware")
    >>> encoded["weights"].figures.unmatched_bits <= encoded["weights"].figures["care_bits"]
    True
    >>> xw.encode(weights, dtype="int7")
    Traceback (most recent call last):
    xorweave.golden.base.errors.InputError: the dtype must be one of int8, int4, fp16, bf16, fp32, not 'int7'
    """
    check_words(words)
    file_said, tables = _options_of(words.get("options"))
    said = {**DEFAULTS, **file_said, **words}
    usual = recipe_of(said)
    if said["network"] is not None and not said["effective"]:
        raise InputError("network must be given with effective only")
    read = _Read(source, said, usual, tables)
    model, file = read.model, read.file
    info = _info(read.origin, said, tables)
    dropped: list[str] = []
    if said["effective"]:
        model, dropped = _drop_dead(model, file, said["network"])
    only = None
    if said["shard"] is not None:
        model, only, info = take_shard(model, said["shard"], info)
    container, zeros = encode_model(
        model,
        usual,
        own=read.own,
        info=info,
        metadata=file.metadata,
        progress=_overall(model, only, said["progress"]),
        executor=said["executor"],
        finished=said["finished"],
        only=only,
        describe=None if said["executor"] is None else describe,
    )
    container = replace(container, shards=file.shards)
    remarks = (*unmatched(tables, read.names), *model.remarks, *_negative_zeros(zeros), *dropped)
    return Encoded(container, model.carried, remarks, options=write_options(said, tables))


def _options_of(path: object) -> tuple[Mapping[str, Any], tuple[Table, ...]]:
    if path is None:
        return {}, ()
    file = read_options(path_of(path, "the options"))
    check_options(file)
    return file.words, file.tables


def _info(origin: str, said: Mapping[str, Any], tables: Sequence[Table]) -> dict[str, str]:
    """Return what the container records of how it was made: what is not as usual."""
    names = (
        "code", "encoder", "seed", "prune", "sparsity", "dtype", "values", "effective", "effort", "error_free",
        "overhead",
    )  # fmt: skip
    unusual = {name: str(said[name]) for name in names if str(said[name]) != str(DEFAULTS[name])}
    goal = {"for": said["goal"]} if said["goal"] != DEFAULTS["goal"] else {}
    own = [
        {"match": table.match, **({} if table.encode is None else {"encode": table.encode}), **table.words}
        for table in tables
    ]
    of_tensors = {"tensors": json.dumps(own, separators=(",", ":"))} if own else {}
    return {"source": origin, **unusual, **goal, **of_tensors}


class _Read:
    """The source of `encode`: its tensors, prepared or waiting, and those that are stored in a way of their own.

    Attributes
    ----------
    origin : str
        What the container calls it.
    names : list of str
        All tensors that are there.
    model : PreparedModel
    file : WeightFile
        Empty for a mask alone.
    own : dict of str to Recipe
    """

    def __init__(
        self, source: object, said: Mapping[str, Any], usual: Recipe, tables: Sequence[Table]
    ) -> None:
        paths = _paths(source)
        values, mask = said["values"], said["mask"]
        self.origin = ", ".join(plain_name(path) + path.suffix for path in paths) or "arrays"
        if len(paths) == 1 and paths[0].suffix.lower() == ".smtx":
            path = paths[0]
            self.names = [plain_name(path)]
            self.own = own_recipes(said, tables, self.names)
            how = self.own.get(self.names[0], usual).how
            self.model, self.file = _read_mask(path, values, mask, how), WeightFile({})
            return
        if values is not None:
            raise InputError("values must be given with an .smtx mask only")
        self.file, places = read_weight_files(paths) if paths else (_file_of(source), {})
        self.names = list(self.file.tensors)
        self.own = own_recipes(said, tables, self.names)
        how = replace(usual.how, masks=_masks(mask), arranged=self.file.arranged)
        self.model = prepare_model(self.file.tensors, how, places, self.own, self.file.beside)
        left_out = {name: f"left out: {reason}" for name, reason in self.file.left_out.items()}
        self.model.carried.update(left_out)


def _paths(source: object) -> list[Path]:
    """Return the files that a source names; none if it holds the weights themselves."""
    given = source if isinstance(source, Sequence) and not isinstance(source, str) else [source]
    paths = [Path(path) for path in given if isinstance(path, str | PathLike)]
    if len(paths) < len(given):
        return []
    if len(paths) > 1 and (mask := next((path for path in paths if path.suffix.lower() == ".smtx"), None)):
        raise InputError(f"{mask} is a mask alone: give it with mask, or encode it without other files")
    return paths


def _read_mask(path: Path, values: str | None, mask: Any, how: Preparation) -> PreparedModel:
    """Read a mask alone, which gets values."""
    if how.sparsity is not None or mask is not None:
        raise InputError("an .smtx file is a mask already: sparsity and mask must not be given with it")
    kept = read_smtx(path)
    made, form = synthetic_values(kept, values or "uniform", how.dtype or "int8", how.seed)
    name = plain_name(path)
    if not kept.size:
        return PreparedModel({}, {name: Tensor.of(made)}, {name: "empty"})
    return PreparedModel({name: Prepared(values=made, number_format=form, mask=kept)})


def _array(name: str, value: Any) -> NDArray:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"tensor {name} must be an array of numbers: {error}") from None
    return np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)


def _named(source: object) -> dict[str, Any]:
    given = source if isinstance(source, Mapping) else {ONLY: source}
    for name in given:
        if not isinstance(name, str):
            raise InputError(f"tensors must be named by texts, not by {name!r:.40}")
    return dict(given)


def _tensors(source: object) -> dict[str, Tensor]:
    tensors = {}
    for name, value in _named(source).items():
        try:
            tensors[name] = Tensor.of(_array(name, value))
        except InputError as error:
            text = str(error)
            raise InputError(text if text.startswith("tensor ") else f"tensor {name}: {text}") from None
    return tensors


def _file_of(source: object) -> WeightFile:
    tensors, arranged, taken = join_arrangements(_tensors(source))
    return WeightFile(tensors, arranged=arranged, left_out=taken)


def _masks(mask: Any) -> dict[str, NDArray[np.bool_]]:
    if mask is None:
        return {}
    if isinstance(mask, str | PathLike):
        masks = read_masks(Path(mask))
        if not masks:
            raise InputError(f"{mask} must hold at least one mask")
        return masks
    return {name: _array(name, value) != 0 for name, value in _named(mask).items()}


def _negative_zeros(zeros: int) -> list[str]:
    if not zeros:
        return []
    return [f"{zeros} kept weights are -0.0; where negative_zero is pruned they are zeros like others"]


def _drop_dead(
    model: PreparedModel, file: WeightFile, network: str | None
) -> tuple[PreparedModel, list[str]]:
    """Narrow the masks of a network to its live weights; return what there is to say of it, too."""
    from xorweave.golden.network.effective import make_effective
    from xorweave.golden.network.matching import resolve_network
    from xorweave.golden.network.network_files import as_arrays, stored_order

    if not file.tensors:
        raise InputError("effective needs the weights of a network, not an .smtx mask")
    work = dict(model.work)
    arrays, direct = as_arrays(file.tensors), {name: item.mask for name, item in work.items()}
    found = resolve_network(network, arrays, order=stored_order(file.metadata), ordered=file.ordered)
    alive = make_effective(arrays, direct, found)
    work = {name: replace(item, mask=alive.masks[name]) for name, item in work.items()}
    plain = dict(model.plain)
    for name, values in alive.biases.items():
        narrow = to_bfloat16(values) if plain[name].dtype == "BF16" else values
        plain[name] = replace(plain[name], values=narrow)
    dropped = sum(alive.inactivated.values())
    said = [found.remark] if found.remark else []
    if dropped:
        said.append(f"{dropped} kept weights lay on no live path and became don't-cares")
    return replace(model, work=work, plain=plain), said


def _overall(
    model: PreparedModel, only: Sequence[str] | None, progress: Callable[[float], None] | None
) -> Callable[[str, float], None] | None:
    """Turn the shares of single tensors into the share of all weights."""
    if progress is None:
        return None
    weights = {name: size for name, size in model.sizes().items() if only is None or name in set(only)}
    done = dict.fromkeys(weights, 0.0)
    total = max(1, sum(weights.values()))

    def advance(name: str, share: float) -> None:
        done[name] = share
        progress(sum(weights[key] * part for key, part in done.items()) / total)

    return advance
