"""Engines as Verilog for people: memories, products of signed values, chosen parts."""

from collections.abc import Callable

import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from tests.hw.package.plain import Plain
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.hw.engines.layer_ring import LayerRing
from xorweave.hw.engines.requantiser import Requantiser
from xorweave.hw.engines.result_queue import ResultQueue
from xorweave.hw.engines.scan_engine import ScanEngine, ScanEngineConfig
from xorweave.hw.engines.scan_lane import ScanLane
from xorweave.hw.package.manifest import check_verilog
from xorweave.hw.package.verilog import amaranth_verilog, structured_verilog


class _Arithmetic(wiring.Component):
    """Signs, products and parts, with the widths that Verilog would get wrong by itself."""

    a: In(4)
    b: In(3)
    at: In(2)
    y: Out(9)
    z: Out(8)
    part: Out(3)
    none: Out(4)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        nothing = Signal(range(1))
        m.d.comb += [
            self.y.eq(self.a.as_signed() * self.b.as_signed() + self.b.as_signed()),
            self.z.eq(self.a * self.b + Const(1)),
            self.part.eq(self.a.word_select(self.at, 3)),
            nothing.eq(self.a),
            self.none.eq(self.a + nothing),
        ]
        return m


class _Kept(wiring.Component):
    """Memory of a few words: two read ports, one of which sees what is being written."""

    put: In(1)
    place: In(2)
    given: In(2)
    look: In(1)
    seen: Out(4)
    late: Out(1)

    def __init__(self, *, transparent: bool = True) -> None:
        self.transparent = transparent
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.kept = kept = Memory(shape=2, depth=3, init=[])
        write = kept.write_port()
        reads = [kept.read_port(transparent_for=[write] if self.transparent else []), kept.read_port()]
        m.d.comb += [write.addr.eq(self.place), write.data.eq(self.given), write.en.eq(self.put)]
        for k, read in enumerate(reads):
            m.d.comb += [read.addr.eq(self.place), read.en.eq(self.look)]
            m.d.comb += self.seen[2 * k : 2 * k + 2].eq(read.data)
        m.d.sync += self.late.eq(self.put)
        return m


Equivalent = Callable[[str, str, str], bool]
Lint = Callable[[str, str], str]

PIECES: dict[str, Callable[[], wiring.Component]] = {
    "arithmetic": _Arithmetic,
    "memory": _Kept,
    "ring of any length": lambda: LayerRing(LaneLayout(rows=2, cols=5, lanes=2), 1, 1),
    "queue of results": lambda: Plain(ResultQueue(lanes=2, width=1, depth=2, words=1)),
}


@pytest.mark.parametrize("make", PIECES.values(), ids=PIECES.keys())
def test_pieces_are_written_right_and_clean(
    equivalent: Equivalent, lint: Lint, make: Callable[[], wiring.Component]
) -> None:
    text = structured_verilog(make(), "piece")
    check_verilog("piece.v", text)
    assert lint(text, "piece") == ""
    assert equivalent(amaranth_verilog(make(), "piece"), text, "piece")


def test_what_a_memory_gives_while_it_is_written_matters(equivalent: Equivalent) -> None:
    text = structured_verilog(_Kept(transparent=False), "piece")
    assert not equivalent(amaranth_verilog(_Kept(), "piece"), text, "piece")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Requantiser(2, 1),
        lambda: ScanLane(rows=3, columns=2, n_w=4, batch=2),
        lambda: ScanEngine(
            ScanEngineConfig(scan=Interleaver(48, 29, 5), shape=(8, 6), n_out=5, n_w=4, lanes=2)
        ),
    ],
    ids=["requantiser", "lane", "scan engine"],
)
def test_engines_are_plain_verilog(lint: Lint, make: Callable[[], wiring.Component]) -> None:
    text = structured_verilog(make(), "piece")
    check_verilog("piece.v", text)
    assert lint(text, "piece") == ""
