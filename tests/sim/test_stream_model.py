"""The C++ bench itself, on a register slice and on faulty ones: what a stream may not do is seen."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from xorweave.golden.base.errors import ToolError
from xorweave.sim.simulators import available
from xorweave.sim.stream_model import StreamModel, StreamPort, StreamRun, pack_integers

pytestmark = pytest.mark.skipif(not available("verilator"), reason="needs Verilator, make, g++ and perl")

_SLICE = """
module top(
  input clk, input rst,
  input [7:0] i__payload, input i__valid, output i__ready,
  output reg [7:0] o__payload, output reg o__valid, input o__ready);
  assign i__ready = !o__valid || o__ready;
  always @(posedge clk) begin
    if (i__ready) begin o__valid <= i__valid; o__payload <= i__payload + 1; end
    else begin FAULT end
    if (rst) o__valid <= 0;
  end
endmodule
"""
_I = StreamPort("i", (("i__payload", 8),), "i__valid", "i__ready")
_O = StreamPort("o", (("o__payload", 8),), "o__valid", "o__ready")


@cache
def _model(verilog: str) -> StreamModel:
    """Compiled once for all its runs, as its users do."""
    return StreamModel(verilog, [_I], [_O])


def _run(
    verilog: str,
    stalls: int | tuple[int, int],
    added: int = 1,
    seed: int = 0,
    after: dict[str, NDArray[np.uint64]] | None = None,
) -> StreamRun:
    words = np.random.default_rng(0).integers(0, 256, 200).tolist()
    model = _model(verilog)
    given = {"i": [pack_integers(words, 8)]}
    wanted = {"o": [pack_integers([(word + added) % 256 for word in words], 8)]}
    run = model.run(given, wanted, stalls=stalls, seed=seed, most_cycles=3000, after=after)
    assert model.folder.is_dir()
    return run


def test_a_sound_stream_passes_at_full_rate_and_with_stalls() -> None:
    sound = _SLICE.replace("FAULT", "")
    free = _run(sound, 0)
    assert (free.mismatches, free.cycles, free.passed) == (0, 201, {"i": 200, "o": 200})
    assert free.spans["o"] == (1, 200)
    for stalls in (50, (0, 50), (50, 0)):
        slow = _run(sound, stalls)
        assert slow.mismatches == 0 and slow.cycles > 250
    assert _run(sound, 0, added=2).mismatches == 200


@pytest.mark.parametrize("fault", ["o__valid <= 0;", "o__payload <= o__payload ^ 128;"])
def test_a_word_that_does_not_wait_is_seen(fault: str) -> None:
    faulty = _SLICE.replace("FAULT", fault)
    assert _run(faulty, 0).mismatches == 0  # nobody waits
    run = _run(faulty, (0, 50))
    assert run.mismatches > 0
    assert any(line.startswith("CHANGED o record") for line in run.messages)


def test_a_word_waits_for_results() -> None:
    sound = _SLICE.replace("FAULT", "")
    one_by_one = np.arange(200, dtype=np.uint64)
    run = _run(sound, 0, after={"i": one_by_one})
    assert (run.mismatches, run.cycles, run.spans["o"]) == (0, 400, (1, 399))
    assert _run(sound, 0, after={"i": one_by_one // 4 * 4}).cycles == 250
    assert _run(sound, 50, after={"i": one_by_one}).mismatches == 0
    assert _run(sound, 0).cycles == 201
    # what waits for itself never comes
    assert _run(sound, 0, after={"i": one_by_one + 1}).mismatches == 200


def test_a_word_too_many_is_seen() -> None:
    endless = _SLICE.replace("o__valid <= i__valid", "o__valid <= 1").replace("FAULT", "")
    assert _run(endless, 0).mismatches >= 64


def test_pairs_of_a_stall_and_a_place_are_counted() -> None:
    """Against the definition: nothing is held up where all are willing, and where one side is, the other pauses."""
    sound = _SLICE.replace("FAULT", "")
    places = ("first", "inside", "last")
    pauses, held, waits = (
        {f"{what} {place}" for place in places} for what in ("i pauses", "i is held up", "o is held up")
    )
    for stalls, met in ((0, set()), ((90, 0), pauses), ((0, 90), waits | held - {"i is held up first"})):
        runs = [_run(sound, stalls, seed=seed) for seed in range(8)]
        assert {run.pairs for run in runs} == {9}
        assert (pauses | held | waits) - set.intersection(*(set(run.unmet) for run in runs)) == met


def test_text_that_does_not_compile_is_an_error() -> None:
    with pytest.raises(ToolError, match="verilator could not compile"):
        StreamModel(_SLICE, [_I], [_O])
