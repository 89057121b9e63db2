"""The words of `encode`, which are those of the command line, and what they are when they are not given."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from os import PathLike
from types import UnionType
from typing import Any, TypedDict, get_args, get_origin, get_type_hints

from numpy.typing import ArrayLike

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.finished import Finished


class EncodeWords(TypedDict, total=False):
    """What `encode` may be told; ``goal`` is the command line's ``--for``."""

    values: str | None
    dtype: str | None
    sparsity: float | None
    prune: str
    mask: str | PathLike[str] | ArrayLike | Mapping[str, ArrayLike] | None
    negative_zero: str
    per_row: bool
    goal: str
    overhead: float
    mask_code: str
    values_code: str
    scan: str
    code: str
    max_k: int | None
    encoder: str
    effort: int | str
    corrections: str
    error_free: bool
    transform: str
    drop_planes: bool
    effective: bool
    network: str | None
    segments: int | None
    include: str | Sequence[str]
    exclude: str | Sequence[str]
    shard: str | None
    jobs: int
    executor: Executor | None
    finished: Finished | None
    seed: int
    progress: Callable[[float], None] | None


DEFAULTS: EncodeWords = {
    "values": None,
    "dtype": None,
    "sparsity": None,
    "prune": "magnitude",
    "mask": None,
    "negative_zero": "kept",
    "per_row": False,
    "goal": "storage",
    "overhead": 0.05,
    "mask_code": "auto",
    "values_code": "auto",
    "scan": "auto",
    "code": "auto",
    "max_k": None,
    "encoder": "auto",
    "effort": 1,
    "corrections": "auto",
    "error_free": False,
    "transform": "none",
    "drop_planes": False,
    "effective": False,
    "network": None,
    "segments": None,
    "include": (),
    "exclude": (),
    "shard": None,
    "jobs": 1,
    "executor": None,
    "finished": None,
    "seed": 0,
    "progress": None,
}
_NAMES = {str: "a text", bool: "True or False", int: "an integer", float: "a number", type(None): "None"}
_KINDS: dict[type, type] = {str: str, int: numbers.Integral, float: numbers.Real, type(None): type(None)}


def complete(words: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the defaults, and refuse words that are not known or of the wrong type.

    Raises
    ------
    InputError
        The line names the word.
    """
    hints = get_type_hints(EncodeWords)
    for name, value in words.items():
        if name not in hints:
            raise InputError(f"encode takes {', '.join(hints)}, not {name!r}")
        kinds = get_args(hints[name]) if get_origin(hints[name]) is UnionType else (hints[name],)
        known = [kind for kind in kinds if kind in _NAMES]
        if len(known) == len(kinds) and not any(_is_a(value, kind) for kind in kinds):
            raise InputError(
                f"{name} must be {' or '.join(_NAMES[kind] for kind in known)}, not {value!r:.60}"
            )
    return {**DEFAULTS, **words}


def _is_a(value: object, kind: Any) -> bool:
    # NumPy's integers and floats are welcome; True is no number here
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, _KINDS[kind])
