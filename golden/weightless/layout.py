"""Where the k cells of a key lie: in k separate banks, or in neighbouring segments ("binary fuse")."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xorweave.golden.base.bit_fields import width_for
from xorweave.golden.base.errors import InputError

# a field scaled to 0 .. size-1 by (field * size) >> width favours some cells by at most 2^-6
_SLACK_BITS = 6

PEELING_THRESHOLD = {("uniform", 3): 1.222, ("uniform", 4): 1.295, ("fuse", 3): 1.125, ("fuse", 4): 1.075}


@dataclass(frozen=True)
class Layout:
    """The cells of a key as a function of its hash.

    ``uniform``: cell j is in bank j of `bank` cells, at (field_j * bank) >> width. ``fuse`` (Graf and Lemire,
    "Binary fuse filters", 2022): cell j is in segment s + j, s = (field * starts) >> width, at an offset of
    log2(segment) hash bits, so that all cells of a key lie near each other and fewer are needed.

    Attributes
    ----------
    kind : str
        ``uniform`` or ``fuse``.
    k : int
        Cells of a key, 3 or 4.
    bank : int
        Cells of a bank (uniform) or of a segment (fuse; a power of two).
    starts : int
        Number of segments in which a key's first cell may lie (fuse); 1 for uniform.
    """

    kind: str
    k: int
    bank: int
    starts: int

    def __post_init__(self) -> None:
        if (self.kind, self.k) not in PEELING_THRESHOLD:
            raise InputError(
                f"layout must be uniform or fuse with k = 3 or 4, not {self.kind!r} with {self.k}"
            )
        if self.bank < 1 or self.starts < 1:
            raise InputError(f"bank and starts must be positive, not {self.bank} and {self.starts}")

    @classmethod
    def for_keys(cls, kind: str, k: int, keys: int, c: float | None = None) -> Layout:
        """Choose sizes for a number of keys; c is cells a key, by default just above what peeling needs.

        Raises
        ------
        InputError
            There is no such layout.
        """
        if (kind, k) not in PEELING_THRESHOLD:
            raise InputError(f"layout must be uniform or fuse with k = 3 or 4, not {kind!r} with {k}")
        keys = max(keys, 1)
        if kind == "uniform":
            # below some thousand keys, chance needs more room than the threshold of infinitely many
            cells = (c or PEELING_THRESHOLD[kind, k] + 0.006 + 2.0 / math.sqrt(keys)) * keys
            return cls(kind, k, max(2, math.ceil(cells / k)), 1)
        if k == 3:
            bank = 1 << max(1, math.floor(math.log(keys) / math.log(3.33) + 2.25))
            factor = max(1.125, 0.875 + 0.25 * math.log(1e6) / math.log(max(keys, 2)))
        else:
            bank = 1 << max(1, math.floor(math.log(keys) / math.log(2.91) - 0.5))
            factor = max(1.075, 0.77 + 0.305 * math.log(6e5) / math.log(max(keys, 2)))
        bank = min(bank, 1 << 18)
        segments = math.ceil((c or factor) * keys / bank)
        return cls(kind, k, bank, max(1, segments - k + 1))

    @property
    def cells(self) -> int:
        """m, the cells of the whole table."""
        return self.bank * (self.k if self.kind == "uniform" else self.starts + self.k - 1)

    @property
    def field_bits(self) -> int:
        """Hash bits of the scaled field: of each bank (uniform), or of the first segment (fuse)."""
        return width_for((self.bank if self.kind == "uniform" else self.starts) - 1) + _SLACK_BITS

    @property
    def offset_bits(self) -> int:
        """Hash bits of a cell's place in its segment (fuse)."""
        return (self.bank - 1).bit_length() if self.kind == "fuse" else 0

    @property
    def hash_bits(self) -> int:
        """Hash bits the places take: fields from bit 0 up, for fuse the segment first and then k offsets."""
        if self.kind == "uniform":
            return self.k * self.field_bits
        return self.field_bits + self.k * self.offset_bits
