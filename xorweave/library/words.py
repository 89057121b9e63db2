"""The words of `encode`: what each may be, what it is when it is not given, and what it is for.

One table makes the options of the command line, the keys of an options file and the checks of the library.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from types import UnionType
from typing import TYPE_CHECKING, Any, TypedDict, get_args, get_origin, get_type_hints

from xorweave.golden.base.errors import InputError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike

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
    seed: int
    options: str | PathLike[str] | None
    shard: str | None
    jobs: int
    executor: Executor | None
    finished: Finished | None
    progress: Callable[[float], None] | None


@dataclass(frozen=True)
class Word:
    """A word that decides what is stored.

    Attributes
    ----------
    name : str
    default : object
    about : str
        What it is for, as ``--help`` and the options file say it.
    of_tensor : bool
        Whether a single tensor may have its own.
    is_path : bool
        Whether it is a file.
    """

    name: str
    default: Any
    about: str
    of_tensor: bool = True
    is_path: bool = False

    @property
    def option(self) -> str:
        """Its name on the command line, without the dashes in front, and in an options file."""
        return "for" if self.name == "goal" else self.name.replace("_", "-")


#: In the order of ``--help`` and of the options file.
WORDS = (
    Word("values", None, "Values for an .smtx mask: uniform (default) or normal", of_tensor=False),
    Word("dtype", None, "int8 int4 (quantised), fp16 bf16 fp32; default: as it is"),
    Word("sparsity", None, "Share to prune, 0 to 1; default: zeros are the mask"),
    Word("prune", "magnitude", "magnitude or random"),
    Word("mask", None, "A mask file; every non-zero is a kept weight", of_tensor=False, is_path=True),
    Word(
        "negative_zero", "kept",
        "Where zeros are the mask, -0.0 is kept (bit for bit) or pruned (reads back as 0)",
    ),
    Word("per_row", False, "One scale for each row when quantising"),
    Word(
        "goal", "storage",
        "storage (fewest bits), hardware (fewest gates, one decoder for all tensors), products (multiplied "
        "fastest on a processor) or paper (its format)",
    ),
    Word(
        "overhead", 0.05, "With --for hardware: (payload + corrections) / care bits - 1, at most",
        of_tensor=False,
    ),
    Word("mask_code", "auto", "auto, bitmap, book or shaped"),
    Word("values_code", "auto", "auto, raw or prefix"),
    Word(
        "scan", "auto",
        "auto, row-major, affine, lanes (the engine), cells (products on a processor) or tiles (on a GPU)",
    ),
    Word(
        "code", "auto",
        "auto, paper[,n_s=2,invert=0], KEY=VALUE,... (n_in, n_out, n_s, family, seed), or a name",
    ),
    Word(
        "max_k", None, "Longest window that may be chosen; default: 256 for raw planes, 512 for a book"
    ),
    Word("encoder", "auto", "auto, elimination or viterbi"),
    Word(
        "effort", 1,
        "0 (fast), 1 (default) or more: paths of a mask's search, alternatives of a code that is given; or exact",
    ),
    Word("corrections", "auto", "auto, paper, joint, plane, bounded[:PATCHES A BLOCK] or none"),
    Word("error_free", False, "Find a code that needs no corrections at all"),
    Word("transform", "none", "none, difference, sign-magnitude or auto: a map that may make planes constant"),
    Word("drop_planes", False, "Leave (nearly) constant planes out of the payload"),
    Word("effective", False, "Drop weights that no live path of the network uses", of_tensor=False),
    Word(
        "network", None, "With --effective: a named network, a .json description or an .onnx file",
        of_tensor=False, is_path=True,
    ),
    Word("segments", None, "Cut each tensor into so many segments, for decoders side by side"),
    Word(
        "include", (), "Encode only tensors whose names match (* and ?); may be given again", of_tensor=False
    ),
    Word("exclude", (), "Carry tensors whose names match; may be given again", of_tensor=False),
    Word("seed", 0, "Of every random choice", of_tensor=False),
)  # fmt: skip

#: Words of `encodable`, and options of ``prune --encodable``, that say how much may be moved: what each is for.
ENCODABLE_WORDS = {
    "flips": "Share of the kept weights that may be dropped for others near the threshold (default 0.1)",
    "lost": "Share of the kept |w| that may be lost with that, too",
    "dtype": "int8 or int4: round values for it, as encode will be asked for it; default: as they are",
    "step": "Steps of dtype that the values' grid has (default 1): none moves farther than one of the grid",
    "per_row": "One scale for each row when rounding",
    "effort": "1 (default) or more: paths of the mask's search",
}

#: Words that decide how the work is done, not what is stored.
_WORK = {
    "options": None, "shard": None, "jobs": 1, "executor": None, "finished": None, "progress": None,
}  # fmt: skip
DEFAULTS: dict[str, Any] = {word.name: word.default for word in WORDS} | _WORK

_NAMES = {str: "a text", bool: "True or False", int: "an integer", float: "a number", type(None): "None"}
_KINDS: dict[type, type] = {str: str, int: numbers.Integral, float: numbers.Real, type(None): type(None)}


def kinds_of(name: str) -> tuple[Any, ...]:
    """Return the types that a word may have."""
    hint = _hints()[name]
    return get_args(hint) if get_origin(hint) is UnionType else (hint,)


@lru_cache(maxsize=1)
def _hints() -> dict[str, Any]:
    # what no line of a command can say is not looked at, so it need not be loaded for its help
    return get_type_hints(EncodeWords, localns=dict.fromkeys(("ArrayLike", "Executor", "Finished"), object))


def check_words(words: Mapping[str, Any]) -> None:
    """Refuse words that are not known or of the wrong type.

    Raises
    ------
    InputError
        The line names the word.
    """
    for name, value in words.items():
        if name not in DEFAULTS:
            raise InputError(f"encode takes {', '.join(DEFAULTS)}, not {name!r}")
        kinds = kinds_of(name)
        known = [kind for kind in kinds if kind in _NAMES]
        if len(known) == len(kinds) and not any(_is_a(value, kind) for kind in kinds):
            raise InputError(
                f"{name} must be {' or '.join(_NAMES[kind] for kind in known)}, not {value!r:.60}"
            )


def _is_a(value: object, kind: Any) -> bool:
    # NumPy's integers and floats are welcome; True is no number here
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, _KINDS[kind])
