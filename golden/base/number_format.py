"""Number formats of weights and the words of n_w bits they are stored as."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError

Words = NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class NumberFormat:
    """A weight's number format.

    Attributes
    ----------
    name : str
        The name on the command line: ``int4``, ``int8``, ``int16``, ``fp16``, ``bf16``, ``fp32`` ...
    n_w : int
        Bits of a weight; bit-plane q is bit q of every word, q = 0 the least significant.
    storage : numpy.dtype
        What an array of this format is held in. INT4 is held in int8 (-8 .. 7), BF16 in its raw uint16 bits.
    safetensors : str
        The dtype name in a safetensors file (INT4, which safetensors lacks, is carried as I8).
    is_float : bool
        Whether the values are floating-point numbers.
    """

    name: str
    n_w: int
    storage: np.dtype
    safetensors: str
    is_float: bool

    @property
    def word(self) -> np.dtype:
        """The unsigned dtype of a word: the smallest that holds n_w bits."""
        return np.dtype({1: np.uint8, 2: np.uint16, 4: np.uint32}[self.storage.itemsize])

    def to_words(self, values: NDArray) -> Words:
        """Reinterpret values as words of n_w bits, same shape, bit for bit (NaN payloads and -0.0 included).

        Raises
        ------
        InputError
            The dtype is not this format's storage dtype, or an INT4 value lies outside -8 .. 7.
        """
        if values.dtype != self.storage:
            raise InputError(f"{self.name} weights must be held in {self.storage}, not {values.dtype}")
        if self.name == "int4":
            if values.size and (values.min() < -8 or values.max() > 7):
                raise InputError("int4 weights must lie between -8 and 7")
            return values.view(np.uint8) & np.uint8(15)
        return np.ascontiguousarray(values).view(self.word)

    def from_words(self, words: Words) -> NDArray:
        """Turn words of n_w bits back into values: the inverse of `to_words`."""
        words = np.ascontiguousarray(words, self.word)
        if self.name == "int4":
            return ((words ^ np.uint8(8)) - np.uint8(8)).view(np.int8)
        return words.view(self.storage)


def _dtype(name: str) -> np.dtype:
    return np.dtype(name)


FORMATS: dict[str, NumberFormat] = {
    fmt.name: fmt
    for fmt in (
        NumberFormat("int4", 4, _dtype("int8"), "I8", False),
        NumberFormat("int8", 8, _dtype("int8"), "I8", False),
        NumberFormat("uint8", 8, _dtype("uint8"), "U8", False),
        NumberFormat("int16", 16, _dtype("int16"), "I16", False),
        NumberFormat("int32", 32, _dtype("int32"), "I32", False),
        NumberFormat("fp16", 16, _dtype("float16"), "F16", True),
        NumberFormat("bf16", 16, _dtype("uint16"), "BF16", True),
        NumberFormat("fp32", 32, _dtype("float32"), "F32", True),
    )
}


def number_format(name: str) -> NumberFormat:
    """Look a number format up by name.

    Raises
    ------
    InputError
        There is no such format.
    """
    try:
        return FORMATS[name]
    except KeyError:
        raise InputError(f"the number format must be one of {', '.join(FORMATS)}, not {name!r}") from None


def plane_words(n_w: int) -> NumberFormat:
    """Return the format of words of `n_w` bits that stand for nothing but themselves: planes side by side.

    Raises
    ------
    InputError
        n_w is not between 1 and 32.
    """
    if not 1 <= n_w <= 32:
        raise InputError(f"the number of planes must be between 1 and 32, not {n_w}")
    storage = next(f"uint{size}" for size in (8, 16, 32) if n_w <= size)
    return NumberFormat(f"planes{n_w}", n_w, _dtype(storage), "U8", False)


def to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Round float32 values to BF16 bits (round to nearest, ties to even; NaN stays a quiet NaN)."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = ((bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) >> 16).astype(np.uint16)
    quiet = ((bits >> 16) | np.uint32(0x40)).astype(np.uint16)
    return np.where(np.isnan(values), quiet, rounded)


def from_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Widen BF16 bits to float32, exactly."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def to_planes(words: Words, n_w: int) -> NDArray[np.uint8]:
    """Split words into bit-planes.

    Parameters
    ----------
    words : ndarray of unsigned integers, shape (n,)
    n_w : int

    Returns
    -------
    ndarray, shape (n_w, n), uint8 of 0 and 1
        Row q is bit-plane q.
    """
    shifts = np.arange(n_w, dtype=words.dtype)[:, None]
    return ((words[None, :] >> shifts) & words.dtype.type(1)).astype(np.uint8)


def from_planes(planes: NDArray[np.uint8], word: np.dtype) -> Words:
    """Join bit-planes, shape (n_w, n), into words of the given unsigned dtype: the inverse of `to_planes`."""
    words = np.zeros(planes.shape[1], word)
    for q, plane in enumerate(planes):
        words |= plane.astype(word) << word.type(q)
    return words
