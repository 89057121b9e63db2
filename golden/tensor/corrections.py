"""Correction formats: how the words that the decoder gets wrong are stored, and what they cost in bits.

Whatever the format, what the decoder needs is a list of patches (scan position, difference word). A format turns
the list into bits and back; the bits are what is stored and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.bitstream import pack_fields, unpack_fields
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import to_planes
from xorweave.golden.tensor.stored import EncodedTensor, Patches

Bits = NDArray[np.uint8]


def no_patches(word: np.dtype) -> Patches:
    """Return the empty list of patches for words of the given unsigned dtype."""
    return Patches(positions=np.zeros(0, np.int64), differences=np.zeros(0, word))


class CorrectionFormat(Protocol):
    """What every correction format can do. `n` is the number of scan positions, `n_w` the planes."""

    @property
    def name(self) -> str:
        """The format's name, as in ``--corrections``."""
        ...

    def bits(self, patches: Patches, n: int, n_w: int) -> int:
        """Return the number of bits `pack` gives, without packing."""
        ...

    def pack(self, patches: Patches, n: int, n_w: int) -> Bits:
        """Write the patches as bits (uint8 of 0 and 1)."""
        ...

    def unpack(self, bits: Bits, n: int, n_w: int, word: np.dtype) -> Patches:
        """Read the patches back. Raises InputError when the bits are not what `pack` can have written."""
        ...


@njit(cache=True, nogil=True)
def expected_patch_bits(dependent: float, n: int, n_w: int, planes: int) -> float:
    """Return the bits that patches for so many dependent equations are expected to take in the joint format.

    An equation that depends on others holds by luck in each plane; a patch of n_w bits is needed where it fails in any
    of the planes that share it. Also for use in compiled code.
    """
    if dependent <= 0.0:
        return 0.0
    patches = dependent * (1.0 - 2.0**-planes)
    return patches * (np.log2(max(2.0, n / patches)) + 1.5 + n_w)


def _set_bits(patches: Patches) -> int:
    return int(np.bitwise_count(patches.differences).sum())


@dataclass(frozen=True)
class NoCorrections:
    """No correction stream at all: for codes with no unmatched bit."""

    name: str = "none"

    def bits(self, patches: Patches, n: int, n_w: int) -> int:
        if patches.positions.size:
            raise InputError(
                f"{patches.positions.size} words are unmatched, so corrections must not be 'none'"
            )
        return 0

    def pack(self, patches: Patches, n: int, n_w: int) -> Bits:
        self.bits(patches, n, n_w)
        return np.zeros(0, np.uint8)

    def unpack(self, bits: Bits, n: int, n_w: int, word: np.dtype) -> Patches:
        if bits.size:
            raise InputError("a stream without corrections must not carry correction bits")
        return no_patches(word)


@dataclass(frozen=True)
class PaperCorrections:
    """The paper's format: each plane on its own, in vectors of p = 512 scan positions.

    A vector is a flag bit (has it unmatched bits?) and, if it has, an entry of log2(p) address bits and one bit
    "another entry follows" for each unmatched bit: 10 bits each at p = 512.
    """

    vector: int = 512
    name: str = "paper"

    def _address_bits(self) -> int:
        return (self.vector - 1).bit_length()

    def bits(self, patches: Patches, n: int, n_w: int) -> int:
        return _set_bits(patches) * (self._address_bits() + 1) + n_w * -(-n // self.vector)

    def pack(self, patches: Patches, n: int, n_w: int) -> Bits:
        vectors = -(-n // self.vector)
        width = self._address_bits() + 1
        out: list[Bits] = []
        for plane in to_planes(patches.differences, n_w):
            where = patches.positions[plane == 1]
            home = where // self.vector
            counts = np.bincount(home, minlength=vectors)
            # an entry's last bit says whether the next one belongs to the same vector
            more = np.zeros(where.size, np.int64)
            more[:-1] = home[:-1] == home[1:]
            entries = pack_fields(where % self.vector | more << (width - 1), width)
            # vector v starts after its predecessors' flags and entries
            start = np.arange(vectors) + width * (np.cumsum(counts) - counts)
            bits = np.zeros(vectors + entries.size, np.uint8)
            bits[start] = counts > 0
            rest = np.ones(bits.size, bool)
            rest[start] = False
            bits[rest] = entries
            out.append(bits)
        return np.concatenate(out) if out else np.zeros(0, np.uint8)

    def unpack(self, bits: Bits, n: int, n_w: int, word: np.dtype) -> Patches:
        width = self._address_bits() + 1
        positions = np.empty(bits.size // width, np.int64)
        planes = np.empty(positions.size, np.uint8)
        count, wrong, where = _read_vectors(bits, n, n_w, self.vector, width, positions, planes)
        if wrong == _TOO_EARLY:
            raise InputError("the correction stream ends too early")
        if wrong == _BEYOND:
            raise InputError(f"a correction points at position {where} of {n}")
        if wrong == _OUT_OF_ORDER:
            vector, plane = where // self.vector, planes[count]
            raise InputError(f"vector {vector} of plane {plane} has a correction out of order")
        if wrong == _TOO_LONG:
            raise InputError("the correction stream is longer than its contents")
        found, index = np.unique(positions[:count], return_inverse=True)
        differences = np.zeros(found.size, word)
        np.bitwise_or.at(differences, index, np.left_shift(word.type(1), planes[:count].astype(word)))
        return Patches(positions=found, differences=differences)


_TOO_EARLY, _BEYOND, _OUT_OF_ORDER, _TOO_LONG = 1, 2, 3, 4


@njit(cache=True, nogil=True)
def _read_vectors(bits, n, n_w, vector, width, positions, planes):  # type: ignore[no-untyped-def]
    """Read the paper's format: return (entries, what is wrong or 0, the position there)."""
    at = np.int64(0)
    count = np.int64(0)
    for q in range(n_w):
        for begin in range(0, n, vector):
            if at >= bits.size:
                return count, _TOO_EARLY, np.int64(0)
            more = bits[at] != 0
            at += 1
            last = np.int64(-1)
            while more:
                if at + width > bits.size:
                    return count, _TOO_EARLY, np.int64(0)
                position = np.int64(begin)
                for b in range(width - 1):
                    position += np.int64(bits[at + b]) << b
                more = bits[at + width - 1] != 0
                at += width
                planes[count] = q
                if position >= n:
                    return count, _BEYOND, position
                if position <= last:
                    return count, _OUT_OF_ORDER, position
                last = position
                positions[count] = position
                count += 1
    return count, (_TOO_LONG if at != bits.size else 0), np.int64(0)


@dataclass(frozen=True)
class JointCorrections:
    """All planes together: records of a gap and an n_w-bit difference, every record of the same width.

    A record moves on by gap + 1 positions (from position -1) and applies its difference there. Gaps longer than
    the field allows are bridged by records whose difference is 0, so that hardware needs one counter and no
    special case. A dependent equation is unmatched in about half of the planes at once, which is why this is
    cheaper than correcting each plane.
    """

    gap_bits: int
    name: str = "joint"

    def __post_init__(self) -> None:
        if not 1 <= self.gap_bits <= 32:
            raise InputError(f"gap_bits must be between 1 and 32, not {self.gap_bits}")

    @classmethod
    def cheapest(cls, patches: Patches, n_w: int) -> JointCorrections:
        """Choose the gap width that stores these patches in the fewest bits."""
        widths = range(1, 33)
        costs = [cls(g)._records(patches) * (g + n_w) for g in widths]
        return cls(widths[int(np.argmin(costs))])

    def _bridges(self, patches: Patches) -> NDArray[np.int64]:
        steps = np.diff(patches.positions, prepend=np.int64(-1))
        return (steps - 1) // (1 << self.gap_bits)

    def _records(self, patches: Patches) -> int:
        return patches.positions.size + int(self._bridges(patches).sum())

    def bits(self, patches: Patches, n: int, n_w: int) -> int:
        return self._records(patches) * (self.gap_bits + n_w)

    def records(self, patches: Patches) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Return (gaps, differences) of every record, bridges included, in stream order."""
        bridges = self._bridges(patches)
        last = np.cumsum(bridges + 1) - 1
        total = int(last[-1]) + 1 if last.size else 0
        gaps = np.full(total, (1 << self.gap_bits) - 1, np.int64)
        differences = np.zeros(total, np.uint64)
        steps = np.diff(patches.positions, prepend=np.int64(-1))
        gaps[last] = (steps - 1) % (1 << self.gap_bits)
        differences[last] = patches.differences
        return gaps, differences

    def pack(self, patches: Patches, n: int, n_w: int) -> Bits:
        gaps, differences = self.records(patches)
        both = [
            pack_fields(gaps, self.gap_bits).reshape(gaps.size, self.gap_bits),
            pack_fields(differences, n_w).reshape(gaps.size, n_w),
        ]
        return np.concatenate(both, axis=1).reshape(-1)

    def unpack(self, bits: Bits, n: int, n_w: int, word: np.dtype) -> Patches:
        width = self.gap_bits + n_w
        if bits.size % width:
            raise InputError(f"the correction stream must be a whole number of {width}-bit records")
        table = bits.reshape(-1, width)
        gaps = unpack_fields(table[:, : self.gap_bits].reshape(-1), self.gap_bits).astype(np.int64)
        differences = unpack_fields(table[:, self.gap_bits :].reshape(-1), n_w)
        positions = np.cumsum(gaps + 1) - 1
        if positions.size and positions[-1] >= n:
            raise InputError(f"a correction points at position {positions[-1]} of {n}")
        real = differences != 0
        patches = Patches(positions=positions[real], differences=differences[real].astype(word))
        # one list of patches has one stream: bridges are full and lead to a patch
        if not np.array_equal(self.records(patches)[0], gaps):
            raise InputError("the correction stream has a bridge that leads nowhere")
        return patches


@dataclass(frozen=True)
class PlaneCorrections:
    """Each plane on its own, as gaps: every record is the number of positions passed over before an unmatched bit.

    The planes are read one after another as one row of n * n_w bits. The highest gap stands for "that many
    positions without an unmatched bit". Cheaper than the joint format where an effort has left single bits.
    """

    gap_bits: int
    name: str = "plane"

    def __post_init__(self) -> None:
        if not 2 <= self.gap_bits <= 32:
            raise InputError(f"gap_bits must be between 2 and 32, not {self.gap_bits}")

    @classmethod
    def cheapest(cls, patches: Patches, n: int, n_w: int) -> PlaneCorrections:
        """Choose the gap width that stores these patches in the fewest bits."""
        gaps = cls._gaps(patches, n, n_w)
        widths = range(2, 33)
        return cls(widths[int(np.argmin([cls(g)._count(gaps) * g for g in widths]))])

    @staticmethod
    def _gaps(patches: Patches, n: int, n_w: int) -> NDArray[np.int64]:
        planes = to_planes(patches.differences, n_w)
        rows = [patches.positions[plane == 1] + q * n for q, plane in enumerate(planes)]
        where = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        return np.diff(where, prepend=np.int64(-1)) - 1

    def _count(self, gaps: NDArray[np.int64]) -> int:
        return gaps.size + int((gaps // ((1 << self.gap_bits) - 1)).sum())

    def bits(self, patches: Patches, n: int, n_w: int) -> int:
        return self._count(self._gaps(patches, n, n_w)) * self.gap_bits

    def pack(self, patches: Patches, n: int, n_w: int) -> Bits:
        gaps = self._gaps(patches, n, n_w)
        longest = (1 << self.gap_bits) - 1
        last = np.cumsum(gaps // longest + 1) - 1
        fields = np.full(self._count(gaps), longest, np.int64)
        fields[last] = gaps % longest
        return pack_fields(fields, self.gap_bits)

    def unpack(self, bits: Bits, n: int, n_w: int, word: np.dtype) -> Patches:
        if bits.size % self.gap_bits:
            raise InputError(f"the correction stream must be a whole number of {self.gap_bits}-bit gaps")
        longest = (1 << self.gap_bits) - 1
        gaps = unpack_fields(bits, self.gap_bits).astype(np.int64)
        real = gaps != longest
        if real.size and not real[-1]:
            raise InputError("the correction stream has a bridge that leads nowhere")
        where = (np.cumsum(gaps + real) - 1)[real]
        if where.size and where[-1] >= n * n_w:
            raise InputError(f"a correction points at bit {where[-1]} of {n * n_w}")
        positions, index = np.unique(where % n if n else where, return_inverse=True)
        differences = np.zeros(positions.size, word)
        np.bitwise_or.at(differences, index, np.left_shift(word.type(1), (where // max(n, 1)).astype(word)))
        return Patches(positions=positions.astype(np.int64), differences=differences)


@dataclass(frozen=True)
class BoundedCorrections:
    """The joint format with a promise: at most `limit` records fall into any block of n_out positions.

    So hardware of fixed width corrects at line rate, without buffers and without ever stalling. The encoder keeps
    the promise for the patches (``xorweave.golden.encoders.bounding``); the gap width is chosen so that bridging
    records, which may fall into a block beside its patches, do not break it.
    """

    limit: int
    gap_bits: int
    n_out: int
    name: str = "bounded"

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise InputError(f"the patches a block must be at least 1, not {self.limit}")
        if 1 << self.gap_bits < self.n_out:
            raise InputError(
                f"gap_bits must be at least {(self.n_out - 1).bit_length()}, not {self.gap_bits}"
            )

    @classmethod
    def cheapest(cls, patches: Patches, n_w: int, limit: int, n_out: int) -> BoundedCorrections:
        """Choose the gap width that stores these patches in the fewest bits without a block too full."""
        forms = [cls(limit, gap_bits, n_out) for gap_bits in range(max(1, (n_out - 1).bit_length()), 33)]
        # the widest field needs no bridge: if that breaks the promise, the patches themselves do
        kept = [form for form in forms if form._fullest(patches) <= limit] or forms[-1:]
        return min(kept, key=lambda form: form.records.bits(patches, 0, n_w))

    @property
    def records(self) -> JointCorrections:
        """The joint format that the records are written in."""
        return JointCorrections(self.gap_bits)

    def _fullest(self, patches: Patches) -> int:
        gaps, _differences = self.records.records(patches)
        return int(np.bincount((np.cumsum(gaps + 1) - 1) // self.n_out).max(initial=0))

    def _check(self, patches: Patches) -> None:
        fullest = self._fullest(patches)
        if fullest > self.limit:
            raise InputError(f"a block needs {fullest} patches, but the format allows {self.limit}")

    def bits(self, patches: Patches, n: int, n_w: int) -> int:
        self._check(patches)
        return self.records.bits(patches, n, n_w)

    def pack(self, patches: Patches, n: int, n_w: int) -> Bits:
        self._check(patches)
        return self.records.pack(patches, n, n_w)

    def unpack(self, bits: Bits, n: int, n_w: int, word: np.dtype) -> Patches:
        patches = self.records.unpack(bits, n, n_w, word)
        self._check(patches)
        return patches


def parse_format(text: str, n_out: int) -> CorrectionFormat:
    """Make a format from its stored text: ``none``, ``paper``, ``joint:GAP_BITS``, ``plane:GAP_BITS``
    or ``bounded:LIMIT:GAP_BITS``.

    Raises
    ------
    InputError
        The text is none of these.
    """
    name, *numbers = text.split(":")
    small = all(number.isdecimal() and len(number) < 6 for number in numbers)
    match (name, numbers):
        case ("none", []):
            return NoCorrections()
        case ("paper", []):
            return PaperCorrections()
        case ("joint", [gap]) if small:
            return JointCorrections(int(gap))
        case ("plane", [gap]) if small:
            return PlaneCorrections(int(gap))
        case ("bounded", [limit, gap]) if small and int(gap) <= 32:
            return BoundedCorrections(int(limit), int(gap), n_out)
    raise InputError(
        "the correction format must be none, paper, joint:GAP_BITS, plane:GAP_BITS or bounded:LIMIT:GAP_BITS, "
        f"not {text!r:.60}"
    )


def format_text(chosen: CorrectionFormat) -> str:
    """Write a format as `parse_format` reads it."""
    if isinstance(chosen, JointCorrections | PlaneCorrections):
        return f"{chosen.name}:{chosen.gap_bits}"
    if isinstance(chosen, BoundedCorrections):
        return f"bounded:{chosen.limit}:{chosen.gap_bits}"
    return chosen.name


def correction_format_of(tensor: EncodedTensor) -> CorrectionFormat:
    """Return the format that the tensor's patches are stored in."""
    return parse_format(tensor.correction_format, tensor.n_out)
