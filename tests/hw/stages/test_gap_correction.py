"""Unpacked corrections against the golden formats."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.hw.equivalence import proved_equal
from xorweave.golden.tensor.corrections import JointCorrections
from xorweave.golden.tensor.stored import Patches
from xorweave.hw.package.verilog import structured_verilog
from xorweave.hw.stages.fields import pack_patch, patch_bits
from xorweave.hw.stages.gap_correction import BoundedUnpacker, GapUnpacker

N_OUT, N_W, BLOCKS = 10, 4, 60


def _patches(seed: int, share: float) -> Patches:
    rng = np.random.default_rng(seed)
    positions = np.flatnonzero(rng.random(N_OUT * BLOCKS) < share).astype(np.int64)
    return Patches(positions, rng.integers(1, 1 << N_W, positions.size).astype(np.uint8))


def _beats(records: list[int], width: int, lanes: int) -> list[int]:
    """Pack records into beats; the last beat may be short, or empty."""
    beats = []
    for start in range(0, len(records) + 1, lanes):
        some = records[start : start + lanes]
        word = sum(record << (k * width) for k, record in enumerate(some))
        word |= len(some) << (lanes * width)
        beats.append(word | int(start + lanes > len(records)) << (lanes * width + lanes.bit_length()))
    return beats


def _lists(words: list[int], lanes: int) -> list[set[int]]:
    """Return each block's patches that do something."""
    width = patch_bits(N_OUT, N_W)
    found = []
    for word in words:
        slots = {word >> (k * width) & ((1 << width) - 1) for k in range(lanes)}
        found.append({slot for slot in slots if slot >> (width - 1) and slot & ((1 << N_W) - 1)})
    return found


def _expected(patches: Patches) -> list[set[int]]:
    lists: list[set[int]] = [set() for _ in range(BLOCKS)]
    for position, difference in zip(patches.positions, patches.differences, strict=True):
        block, at = divmod(int(position), N_OUT)
        lists[block].add(pack_patch(at, int(difference), n_out=N_OUT, n_w=N_W))
    return lists


@pytest.mark.parametrize("gap_bits", [2, 5])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.15])
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_gaps(run_streams: Callable[..., list[int]], gap_bits: int, share: float, stall: float) -> None:
    patches = _patches(3, share)
    gaps, differences = JointCorrections(gap_bits).records(patches)
    at = np.cumsum(gaps + 1) - 1
    lanes = max(1, int(np.bincount(at // N_OUT).max(initial=0)))
    records = [int(g) | int(d) << gap_bits for g, d in zip(gaps, differences, strict=True)]
    dut = GapUnpacker(N_OUT, N_W, gap_bits, lanes)
    cycles: list[int] = []
    words = run_streams(
        dut, {"i": _beats(records, gap_bits + N_W, lanes)}, BLOCKS, stall=stall, cycles=cycles, seed=4
    )
    assert _lists(words, lanes) == _expected(patches)
    if not stall:
        assert cycles == [BLOCKS + 1]  # line rate: a list in every cycle after the first beat


def test_one_record_too_many_is_reported(run_streams: Callable[..., list[int]]) -> None:
    dut = GapUnpacker(N_OUT, N_W, 3, 1)
    seen: list[int] = []
    records = [1 | 5 << 3, 0 | 6 << 3]  # two in block 0, but only one lane
    run_streams(
        dut, {"i": _beats(records, 3 + N_W, 1)}, 6, before=lambda ctx, i: seen.append(ctx.get(dut.overflow))
    )
    assert seen[0] == 0
    assert seen[-1] == 1


# What an unpacker shows while no block had too many records; afterwards its patches mean nothing.
_SHOWN = """
module top(input clk, input rst, input [{records}:0] i_records, input [1:0] i_count, input i_last, input i_valid,
    input o_ready, input restart, output overflow, output ready, output valid, output [{list}:0] payload);
  wire i_ready, o_valid;
  wire [{list}:0] o_payload;
  assign ready = i_ready & ~overflow;
  assign valid = o_valid & ~overflow;
  assign payload = valid ? o_payload : 0;
  unpacker unpacker(.clk(clk), .rst(rst), .i_records(i_records), .i_count(i_count), .i_last(i_last),
    .i_valid(i_valid), .i_ready(i_ready), .o_payload(o_payload), .o_valid(o_valid), .o_ready(o_ready),
    .restart(restart), .overflow(overflow));
endmodule
"""


@pytest.mark.parametrize(("gap_bits", "slot", "equal"), [(3, 0, True), (3, 1, False), (4, 0, False)])
def test_a_record_at_the_next_blocks_first_place(
    gap_bits: int, slot: int, equal: bool, tmp_path: Path
) -> None:
    """To take it with this block is a fault, but of the oldest record only where a gap reaches over a whole block.

    With 3 bits the next record is at most 8 places on, so each of 9 places meets one: proved for every stream.
    """
    dut = GapUnpacker(9, 1, gap_bits, 2)
    right = structured_verilog(dut, "unpacker")
    kept = f"(position{slot} < 8'h9)"
    assert right.count(kept) == 1
    wrong = right.replace(kept, kept.replace("<", "<="))
    top = _SHOWN.format(records=2 * (gap_bits + 1) - 1, list=2 * patch_bits(9, 1) - 1)
    assert proved_equal(right + top, wrong + top, tmp_path) == equal


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_bounded(run_streams: Callable[..., list[int]], stall: float) -> None:
    patches = _patches(8, 0.12)
    counts = np.bincount(patches.positions // N_OUT, minlength=BLOCKS)
    lanes = int(counts.max())
    records = [
        int(p % N_OUT) | int(d) << 4 for p, d in zip(patches.positions, patches.differences, strict=True)
    ]
    dut = BoundedUnpacker(N_OUT, N_W, lanes)
    cycles: list[int] = []
    feeds = {"i": _beats(records, 4 + N_W, lanes), "count": [int(c) for c in counts]}
    words = run_streams(dut, feeds, BLOCKS, stall=stall, cycles=cycles)
    assert _lists(words, lanes) == _expected(patches)
    if not stall:
        assert cycles[0] <= BLOCKS + 1
