"""The kinds of patches: how the corrections of each block come to the correction stage.

Each kind owns its pins, what stands between them and the stage, what the header says of it, and the words of its
streams. A decoder without patches has none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.tensor.corrections import JointCorrections
from xorweave.golden.tensor.stored import Patches
from xorweave.hw.stages.fields import (
    beats,
    correction_bits,
    dense_corrections,
    pack_patch,
    patch_bits,
    position_bits,
)

if TYPE_CHECKING:  # what a kind costs is told without Amaranth
    from amaranth.hdl import Module
    from amaranth.lib import wiring

    from xorweave.hw.stages.gap_correction import BoundedUnpacker, GapUnpacker

Pins = tuple[tuple[str, int], ...]
"""The pins that make a word of a stream, lowest first, and their widths."""


class PatchKind(Protocol):
    """What every kind of patches can do. Sizes are those of a block: n_out words of n_w bits."""

    name: ClassVar[str]
    lanes: ClassVar[bool]

    @property
    def limit(self) -> int:
        """Most patches (or records) of a block."""
        ...

    @property
    def lists(self) -> bool:
        """Whether the correction stage always takes lists (see `CorrectionStage`)."""
        ...

    def streams(self, n_out: int, n_w: int) -> dict[str, Pins]:
        """Return the input streams by the prefix of their pins."""
        ...

    def flags(self) -> dict[str, wiring.Member]:
        """Return the pins that belong to no stream."""
        ...

    def connect(self, m: Module, ports: Any, patches: Any, *, n_out: int, n_w: int, skid: bool) -> None:
        """Put between the pins of `ports` and the stream `patches` of a correction stage what belongs there."""
        ...

    def header(self, n_out: int, n_w: int) -> list[str]:
        """Say in the Verilog header what the streams carry."""
        ...

    def words(self, patches: Patches, n_out: int, n_w: int, blocks: int) -> dict[str, list[int]]:
        """Return the words of each stream for the first `blocks` blocks of a tensor."""
        ...

    def needed(self, patches: Patches, n_out: int, blocks: int) -> int:
        """Return the least limit that these patches of so many blocks fit in."""
        ...


def most_in_a_block(positions: np.ndarray, n_out: int) -> int:
    """Return how many of these positions fall into the fullest block."""
    return int(np.bincount(positions // n_out).max(initial=0)) if positions.size else 0


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise InputError(f"the patches of a block must be at least 1, not {limit}")


@dataclass(frozen=True)
class ListPatches:
    """One list of patches with every block, or the differences of all its words where that is no longer.

    Attributes
    ----------
    limit : int
        Slots of a list.
    """

    limit: int
    name: ClassVar[str] = "list"
    lanes: ClassVar[bool] = False
    lists: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_limit(self.limit)

    def streams(self, n_out: int, n_w: int) -> dict[str, Pins]:
        """One word with every block."""
        return {"s_axis_patch": (("s_axis_patch_tdata", correction_bits(n_out, n_w, self.limit)),)}

    def flags(self) -> dict[str, wiring.Member]:
        """None."""
        return {}

    def connect(self, m: Module, ports: Any, patches: Any, *, n_out: int, n_w: int, skid: bool) -> None:
        """Straight to the stage, or through a skid buffer."""
        if skid:
            from amaranth.lib import wiring

            from xorweave.hw.stages.register_slice import SkidBuffer

            m.submodules.patch_skid = buffer = SkidBuffer(patches.payload.shape())
            wiring.connect(m, buffer.o, patches)
            patches = buffer.i
        m.d.comb += [
            patches.payload.eq(ports.s_axis_patch_tdata),
            patches.valid.eq(ports.s_axis_patch_tvalid),
            ports.s_axis_patch_tready.eq(patches.ready),
        ]

    def header(self, n_out: int, n_w: int) -> list[str]:
        """Layout of the list."""
        if dense_corrections(n_out, n_w, self.limit):
            return [
                f"s_axis_patch  {n_out * n_w} bits with every block: difference of word r from bit {n_w}*r."
            ]
        return [
            f"s_axis_patch  one list of {self.limit} patches with every block; patch p from bit "
            f"{patch_bits(n_out, n_w)}*p:",
            f"              difference ({n_w} bits, lowest), position in the block "
            f"({position_bits(n_out)} bits), valid (1 bit).",
        ]

    def words(self, patches: Patches, n_out: int, n_w: int, blocks: int) -> dict[str, list[int]]:
        """One list a block."""
        lists = [0] * blocks
        held = [0] * blocks
        dense = dense_corrections(n_out, n_w, self.limit)
        for position, difference in zip(
            patches.positions.tolist(), patches.differences.tolist(), strict=True
        ):
            block, at = divmod(position, n_out)
            if block >= blocks:
                break
            if dense:
                lists[block] |= difference << (at * n_w)
            else:
                patch = pack_patch(at, difference, n_out=n_out, n_w=n_w)
                lists[block] |= patch << (held[block] * patch_bits(n_out, n_w))
            held[block] += 1
        return {"s_axis_patch": lists}

    def needed(self, patches: Patches, n_out: int, blocks: int) -> int:
        """Patches of the fullest block."""
        return most_in_a_block(patches.positions, n_out)


@dataclass(frozen=True)
class LanePatches(ListPatches):
    """A slot for every lane of a block, lane p being the words p, p + limit, p + 2 limit ...

    As many patches a block as lanes, for the gates of one, where no two of a block are in one lane.

    Attributes
    ----------
    limit : int
        Lanes.
    """

    name: ClassVar[str] = "lanes"
    lanes: ClassVar[bool] = True

    def streams(self, n_out: int, n_w: int) -> dict[str, Pins]:
        """One word with every block."""
        return {"s_axis_patch": (("s_axis_patch_tdata", self.limit * patch_bits(self._rows(n_out), n_w)),)}

    def header(self, n_out: int, n_w: int) -> list[str]:
        """Layout of the slots."""
        rows = self._rows(n_out)
        return [
            f"s_axis_patch  {self.limit} slots with every block; slot p from bit {patch_bits(rows, n_w)}*p repairs",
            f"              weight p + {self.limit}*k: difference ({n_w} bits, lowest), k ({position_bits(rows)} bits),"
            " valid.",
        ]

    def words(self, patches: Patches, n_out: int, n_w: int, blocks: int) -> dict[str, list[int]]:
        """The slots of each block.

        Raises
        ------
        InputError
            Two patches of a block are in one lane.
        """
        inside = patches.positions < blocks * n_out
        rows = self._rows(n_out)
        width = patch_bits(rows, n_w)
        slots = [0] * blocks
        pairs = zip(patches.positions[inside].tolist(), patches.differences[inside].tolist(), strict=True)
        for position, difference in pairs:
            block, at = divmod(position, n_out)
            k, lane = divmod(at, self.limit)
            if slots[block] >> (lane * width) & ((1 << width) - 1):
                raise InputError(f"a block must have at most one patch in each of {self.limit} lanes")
            slots[block] |= pack_patch(k, difference, n_out=rows, n_w=n_w) << (lane * width)
        return {"s_axis_patch": slots}

    def needed(self, patches: Patches, n_out: int, blocks: int) -> int:
        """Lanes, a power of two or one for every word, in which no two patches of a block meet."""
        lanes = 1
        while lanes < n_out:
            keys = patches.positions // n_out * lanes + patches.positions % n_out % lanes
            if np.unique(keys).size == keys.size:
                return lanes
            lanes = min(2 * lanes, n_out)
        return n_out

    def _rows(self, n_out: int) -> int:
        return -(-n_out // self.limit)


@dataclass(frozen=True)
class GapPatches:
    """The gap-coded records of the joint format, in beats (see `GapUnpacker`).

    Attributes
    ----------
    limit : int
        Records of a beat, and most records of a block, those that bridge long gaps included.
    gap_bits : int
        1 to 32.
    """

    limit: int
    gap_bits: int
    name: ClassVar[str] = "gap"
    lanes: ClassVar[bool] = False
    lists: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_limit(self.limit)
        if not 1 <= self.gap_bits <= 32:
            raise InputError(f"gap_bits must be between 1 and 32, not {self.gap_bits}")

    def streams(self, n_out: int, n_w: int) -> dict[str, Pins]:
        """Beats of records."""
        return {"s_axis_patch": _beat_pins(self.gap_bits + n_w, self.limit)}

    def flags(self) -> dict[str, wiring.Member]:
        """Restart of the next tensor, and too many records seen."""
        from amaranth.lib.wiring import In, Out

        return {"patch_restart": In(1), "patch_overflow": Out(1)}

    def connect(self, m: Module, ports: Any, patches: Any, *, n_out: int, n_w: int, skid: bool) -> None:
        """Through the unpacker; its ready needs no skid buffer: it comes from registers."""
        from amaranth.lib import wiring

        from xorweave.hw.stages.gap_correction import GapUnpacker

        m.submodules.unpacker = unpacker = GapUnpacker(n_out, n_w, self.gap_bits, self.limit)
        wiring.connect(m, unpacker.o, patches)
        _connect_beats(m, ports, unpacker)
        m.d.comb += ports.patch_overflow.eq(unpacker.overflow)

    def header(self, n_out: int, n_w: int) -> list[str]:
        """Layout of a record."""
        gap = self.gap_bits
        return [
            f"s_axis_patch  beats of up to {self.limit} records (tuser says how many); record p",
            f"              from bit {gap + n_w}*p: gap ({gap} bits, lowest), difference ({n_w} bits).",
            "              A record moves on by gap + 1 weights, counted through all blocks since reset. A tensor's",
            "              last position always has a record, so the next tensor's records follow at once.",
            "              tlast says that nothing follows until patch_restart; it may always stay 0.",
            "              patch_restart empties the buffer: only needed after a tensor that was given up.",
            f"patch_overflow  a block had more than {self.limit} records; stays until patch_restart.",
        ]

    def words(self, patches: Patches, n_out: int, n_w: int, blocks: int) -> dict[str, list[int]]:
        """Beats of the records of these blocks."""
        gaps, changes = self.records(patches, blocks * n_out)
        records = [
            gap | change << self.gap_bits for gap, change in zip(gaps.tolist(), changes.tolist(), strict=True)
        ]
        return {"s_axis_patch": beats(records, self.gap_bits + n_w, self.limit, ended=False)}

    def needed(self, patches: Patches, n_out: int, blocks: int) -> int:
        """Records of the fullest block."""
        gaps, _ = self.records(patches, blocks * n_out)
        return most_in_a_block(np.cumsum(gaps + 1) - 1, n_out)

    def records(self, patches: Patches, positions: int) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Return (gaps, differences) of the records of so many positions, the last of which always has one.

        So the records of the next tensor follow without a gap of their own: positions are counted on from tensor to
        tensor, and the decoder needs not be told where one ends.
        """
        near = patches.positions < positions
        where, changes = patches.positions[near], patches.differences[near].astype(np.uint64)
        if positions and (not where.size or where[-1] != positions - 1):
            where = np.append(where, np.int64(positions - 1))
            changes = np.append(changes, np.uint64(0))
        return JointCorrections(self.gap_bits).records(Patches(where, changes))


@dataclass(frozen=True)
class BoundedPatches:
    """The entries of the bounded format in beats, and how many belong to each block (see `BoundedUnpacker`).

    Attributes
    ----------
    limit : int
        Most entries of a block.
    """

    limit: int
    name: ClassVar[str] = "bounded"
    lanes: ClassVar[bool] = False
    lists: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_limit(self.limit)

    def streams(self, n_out: int, n_w: int) -> dict[str, Pins]:
        """Counts, and beats of entries."""
        return {
            "s_axis_count": (("s_axis_count_tdata", self.limit.bit_length()),),
            "s_axis_patch": _beat_pins(position_bits(n_out) + n_w, self.limit),
        }

    def flags(self) -> dict[str, wiring.Member]:
        """Restart of the next tensor."""
        from amaranth.lib.wiring import In

        return {"patch_restart": In(1)}

    def connect(self, m: Module, ports: Any, patches: Any, *, n_out: int, n_w: int, skid: bool) -> None:
        """Through the unpacker."""
        from amaranth.lib import wiring

        from xorweave.hw.stages.gap_correction import BoundedUnpacker
        from xorweave.hw.stages.register_slice import SkidBuffer

        m.submodules.unpacker = unpacker = BoundedUnpacker(n_out, n_w, self.limit)
        counts = unpacker.count
        if skid:
            m.submodules.count_skid = buffer = SkidBuffer(counts.payload.shape())
            wiring.connect(m, buffer.o, counts)
            counts = buffer.i
        m.d.comb += [
            counts.payload.eq(ports.s_axis_count_tdata),
            counts.valid.eq(ports.s_axis_count_tvalid),
            ports.s_axis_count_tready.eq(counts.ready),
        ]
        wiring.connect(m, unpacker.o, patches)
        _connect_beats(m, ports, unpacker)

    def header(self, n_out: int, n_w: int) -> list[str]:
        """Layout of an entry."""
        address = position_bits(n_out)
        return [
            f"s_axis_patch  beats of up to {self.limit} entries (tuser says how many); entry p from bit "
            f"{address + n_w}*p:",
            f"              position in the block ({address} bits, lowest), difference ({n_w} bits).",
            "s_axis_count  with every block: how many entries belong to it. patch_restart begins the next tensor.",
        ]

    def words(self, patches: Patches, n_out: int, n_w: int, blocks: int) -> dict[str, list[int]]:
        """Counts, and beats of the entries of these blocks."""
        inside = patches.positions < blocks * n_out
        positions, differences = patches.positions[inside], patches.differences[inside]
        address = position_bits(n_out)
        entries = [
            at % n_out | difference << address
            for at, difference in zip(positions.tolist(), differences.tolist(), strict=True)
        ]
        return {
            "s_axis_count": np.bincount(positions // n_out, minlength=blocks).tolist(),
            "s_axis_patch": beats(entries, address + n_w, self.limit, ended=False),
        }

    def needed(self, patches: Patches, n_out: int, blocks: int) -> int:
        """Patches of the fullest block."""
        return most_in_a_block(patches.positions, n_out)


def _beat_pins(record: int, lanes: int) -> Pins:
    return (
        ("s_axis_patch_tdata", lanes * record),
        ("s_axis_patch_tuser", lanes.bit_length()),
        ("s_axis_patch_tlast", 1),
    )


def _connect_beats(m: Module, ports: Any, unpacker: GapUnpacker | BoundedUnpacker) -> None:
    m.d.comb += [
        unpacker.i.p.records.eq(ports.s_axis_patch_tdata),
        unpacker.i.p.count.eq(ports.s_axis_patch_tuser),
        unpacker.i.p.last.eq(ports.s_axis_patch_tlast),
        unpacker.i.valid.eq(ports.s_axis_patch_tvalid),
        ports.s_axis_patch_tready.eq(unpacker.i.ready),
        unpacker.restart.eq(ports.patch_restart),
    ]


def patch_kind(limit: int, *, gap_bits: int = 0, bounded: bool = False) -> PatchKind | None:
    """Return the kind of patches that these three settings mean; None without any slot.

    Raises
    ------
    InputError
        The settings exclude each other, or are out of range.
    """
    if bounded and (gap_bits or not limit):
        raise InputError("bounded corrections must have patches_per_block, and no gap_bits")
    if not 0 <= gap_bits <= 32 or (gap_bits and not limit):
        raise InputError(
            f"gap_bits must be between 0 and 32, and 0 without a correction stage, not {gap_bits}"
        )
    if not limit:
        return None
    if bounded:
        return BoundedPatches(limit)
    return GapPatches(limit, gap_bits) if gap_bits else ListPatches(limit)
