"""Pruning for the code, from arrays: lossy by choice; what comes of it is encoded losslessly, in fewer bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.arranged import join_arrangements
from xorweave.golden.files.outputs import check_output
from xorweave.golden.files.safetensors_file import Tensor, write_safetensors
from xorweave.golden.mask.masks import magnitude_mask
from xorweave.golden.pruning.encodable import Leeway, Moved
from xorweave.golden.pruning.encodable_tensors import encodable_tensors

#: What `encode` calls an array that stands alone.
ONLY = "weights"


class EncodableWords(TypedDict, total=False):
    """What `encodable` may be told."""

    sparsity: float | None
    flips: float
    lost: float | None
    dtype: str | None
    step: float
    per_row: bool
    effort: int
    seed: int
    progress: Callable[[float], None] | None


@dataclass(frozen=True, eq=False)
class EncodablyPruned:
    """Weights that were pruned for the code.

    Attributes
    ----------
    tensors : dict of str to ndarray
        The pruned weights, and beside each ``NAME.encodable``, what was arranged for `encode`: give it all of them.
    moved : dict of str to Moved
        What was moved beside plain pruning, by tensor.
    """

    tensors: dict[str, NDArray]
    moved: dict[str, Moved] = field(default_factory=dict)

    def save(self, path: str | PathLike[str]) -> None:
        """Write a safetensors file, which `encode` reads.

        Raises
        ------
        InputError
            The path cannot be written to.
        """
        from pathlib import Path

        check_output(Path(path))
        write_safetensors(Path(path), {name: Tensor.of(array) for name, array in self.tensors.items()}, {})


def leeway_of(words: Mapping[str, Any]) -> Leeway:
    """Return the leeway that words give; what is None or missing is as usual.

    Raises
    ------
    InputError
        A word is out of range.
    """
    given = {
        name: words[name]
        for name in ("flips", "lost", "dtype", "step", "per_row", "seed")
        if words.get(name) is not None
    }
    effort = 1 if words.get("effort") is None else words["effort"]
    if not isinstance(effort, int) or effort < 1:
        raise InputError(f"effort must be a whole number of at least 1, not {effort!r}")
    return Leeway(**given, beam=min(32768, 1024 * effort))


def encodable(
    source: Mapping[str, ArrayLike] | ArrayLike, **words: Unpack[EncodableWords]
) -> EncodablyPruned:
    """Prune weights by magnitude so that they take few bits: lossy by choice, within a leeway that is given.

    As many weights are kept as without. `encode` stores the result losslessly, as ever.

    Parameters
    ----------
    source : mapping of str to array of float, or array
        An array that stands alone is named ``weights``. Tensors of rank below 2 are handed on as they are. Weights that
        were trained on under a mask found here keep it, if their ``NAME.encodable`` is given with them.
    **words
        `sparsity` (share to prune of each tensor; by default its zeros are pruned already), `flips` (share of the
        kept weights that may be dropped for others near the threshold, 0.1), `lost` (share of their magnitudes that may
        be lost with that), `dtype` (int8 or int4: values are rounded for it), `step` (steps of dtype that their grid
        has, 1), `per_row`, `effort` (1), `seed` (0), `progress` (called with the share of the weights that are done).

    Returns
    -------
    EncodablyPruned

    Raises
    ------
    InputError
        A word or a weight is not as it must be.

    Examples
    --------
    >>> import numpy as np
    >>> import xorweave as xw
    >>> weights = np.random.default_rng(0).standard_normal((64, 64), np.float32)
    >>> pruned = xw.encodable(weights, sparsity=0.9, dtype="int8", flips=0.2)
    >>> pruned.moved["weights"].dropped <= 0.2 * pruned.moved["weights"].kept
    True
    >>> encoded = xw.encode(pruned.tensors, dtype="int8")
    >>> bool(((encoded["weights"].decode() != 0) == (pruned.tensors["weights"] != 0)).all())
    True
    """
    if unknown := [name for name in words if name not in EncodableWords.__annotations__]:
        known = ", ".join(EncodableWords.__annotations__)
        raise InputError(f"encodable takes {known}, not {unknown[0]!r}")
    leeway = leeway_of(words)
    named = dict(source) if isinstance(source, Mapping) else {ONLY: source}
    tensors, masks = {}, {}
    for name, value in named.items():
        try:
            tensors[name] = Tensor.of(np.asarray(value))
        except InputError as error:
            raise InputError(f"tensor {name}: {error}") from None
    tensors, before, _ = join_arrangements(tensors)
    for name, tensor in tensors.items():
        array = tensor.values
        try:
            if array.ndim >= 2 and array.size and array.dtype.kind == "f":
                sparsity = words.get("sparsity")
                masks[name] = array != 0 if sparsity is None else magnitude_mask(array, sparsity)
        except InputError as error:
            raise InputError(f"tensor {name}: {error}") from None
    if not masks:
        raise InputError("there must be a matrix of floats to prune")
    made, moved = encodable_tensors(tensors, masks, leeway, words.get("progress"), before)
    return EncodablyPruned({name: tensor.values for name, tensor in made.items()}, moved)
