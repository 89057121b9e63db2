"""What every way to store a pruned tensor has in common: encode, decode, and say how it decodes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.byte_fields import ByteWriter
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words


@dataclass(frozen=True, eq=False, kw_only=True)
class PrunedTensor:
    """A pruned tensor as words.

    Attributes
    ----------
    words : ndarray of unsigned words, shape (n,)
        Row-major; 0 wherever the mask is False.
    mask : ndarray of bool, shape (n,)
        True = kept. A kept weight may be zero.
    shape : tuple of int
    number_format : NumberFormat

    Raises
    ------
    InputError
        Sizes disagree, or a pruned position holds another word than 0.
    """

    words: Words
    mask: NDArray[np.bool_]
    shape: tuple[int, ...]
    number_format: NumberFormat

    def __post_init__(self) -> None:
        n = math.prod(self.shape)
        if self.words.shape != (n,) or self.mask.shape != (n,):
            raise InputError(
                f"words and mask must both have shape ({n},), not {self.words.shape} and {self.mask.shape}"
            )
        if self.words[~self.mask].any():
            raise InputError("pruned positions must hold the word 0")

    @classmethod
    def from_values(
        cls, values: NDArray, number_format: NumberFormat, mask: NDArray[np.bool_] | None = None
    ) -> PrunedTensor:
        """Take an array of any shape; without a mask its zeros (-0.0 too) are the pruned positions."""
        words = number_format.to_words(np.ascontiguousarray(values)).reshape(-1)
        kept = (np.asarray(values).reshape(-1) != 0) if mask is None else np.asarray(mask, bool).reshape(-1)
        if mask is None and number_format.name == "bf16":
            kept = (words & np.uint16(0x7FFF)) != 0
        words = np.where(kept, words, words.dtype.type(0))
        return cls(words=words, mask=kept, shape=tuple(values.shape), number_format=number_format)

    @property
    def n(self) -> int:
        """Number of weights."""
        return int(self.words.size)

    @property
    def kept(self) -> int:
        """Number of unpruned weights."""
        return int(self.mask.sum())

    @property
    def n_w(self) -> int:
        """Bits of a weight."""
        return self.number_format.n_w

    @property
    def rows(self) -> int:
        """Rows of the tensor as a matrix: its first dimension (1 for a vector)."""
        return self.shape[0] if len(self.shape) > 1 else 1

    @property
    def cols(self) -> int:
        """Columns of the tensor as a matrix: the product of all dimensions but the first."""
        return self.n // self.rows if self.rows else 0

    @property
    def head_bits(self) -> int:
        """Bits that say what is stored, in the fewest bytes that a container takes for it (docs/format.md).

        Three bytes for version, kinds and number format, the rank, the sides, and four bytes of checksum.
        """
        head = ByteWriter()
        for number in (len(self.shape), *self.shape):
            head.varint(number)
        return 8 * (3 + len(head.data) + 4)


@dataclass(frozen=True, eq=False)
class Encoding:
    """What a codec stored.

    Attributes
    ----------
    stream : bytes
        Everything that a decoder reads besides shape and number format.
    parts : mapping of str to int
        Stored bits by purpose: ``mask`` (says where the kept weights lie: indices, pointers, bitmap),
        ``values``, ``table`` (code tables, centroids), ``padding`` (entries that carry nothing),
        ``correction``, or ``mixed`` where place and value cannot be told apart. Bits that only round the
        stream up to whole bytes are in none.
    """

    stream: bytes
    parts: Mapping[str, int] = field(default_factory=dict)

    @property
    def bits(self) -> int:
        """All stored bits."""
        return sum(self.parts.values())

    @property
    def bits_without_mask(self) -> int | None:
        """Stored bits besides the mask; None where the format does not separate the two."""
        return None if "mixed" in self.parts else self.bits - self.parts.get("mask", 0)


@dataclass(frozen=True)
class DecodeTraits:
    """How a decoder of the format can run in parallel: properties of the format, not measurements.

    Attributes
    ----------
    rate : str
        ``fixed`` (as many stored bits for every block of weights) or ``variable``.
    worst_case_stall : str
        The longest wait for the next weights that data can cause, in words.
    random_access : str
        What must be read to get one weight.
    """

    rate: str
    worst_case_stall: str
    random_access: str


class Codec(ABC):
    """A way to store a pruned tensor."""

    name: str
    title: str
    lossless: ClassVar[bool] = True
    traits: DecodeTraits
    #: Above so many weights encoding takes minutes: measured where the format is asked for by name.
    slow_above: int | None = None
    #: Whether the stream says its shape and number format and has a checksum; all others are counted `head_bits` more.
    complete: ClassVar[bool] = False

    def objection(self, tensor: PrunedTensor) -> str | None:
        """Say why the format cannot hold this tensor, or None where it can."""
        return None

    @abstractmethod
    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor."""

    @abstractmethod
    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words, shape (n,), back from the stream alone."""
