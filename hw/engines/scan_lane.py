"""One lane of a scan engine: a multiplier, its copy of the activations, and accumulators of its own."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from xorweave.hw.engines.spmv_engine import ACCUMULATOR_BITS, ACTIVATION_BITS


class ScanLane(wiring.Component):
    """Lane: adds weight times activation to the sum of any row, one weight a cycle.

    The activation is looked up in the cycle in which a weight is taken, multiplied in the next, and added in the
    third; the sum is read one cycle before it is written, so one of the row that is being written is taken from there.

    Parameters
    ----------
    rows, columns : int
    n_w : int
        Bits of a weight.
    batch : int

    Members
    -------
    taken, counted : In(1); weight : In(n_w); row, column : In
        A weight in this cycle, which counts where `counted` is high.
    load : In(1); loaded_column : In; loaded : In(batch * 8)
        Put the activations of a column.
    clear : In(1); cleared_row : In
        Put zero in a row's sums.
    fetch : In(1); fetched_row : In; sums : Out(batch * 32)
        Read a row's sums: they are there in the next cycle, and stay until the next one is read.
    written : Out(batch * 32)
        What the sum becomes in the third cycle of a weight; 0 for one that does not count.
    """

    def __init__(self, *, rows: int, columns: int, n_w: int, batch: int) -> None:
        self.rows, self.columns, self.n_w, self.batch = rows, columns, n_w, batch
        row, column = (max(1, (size - 1).bit_length()) for size in (rows, columns))
        super().__init__(
            {
                "taken": In(1),
                "counted": In(1),
                "weight": In(n_w),
                "row": In(row),
                "column": In(column),
                "load": In(1),
                "loaded_column": In(column),
                "loaded": In(batch * ACTIVATION_BITS),
                "clear": In(1),
                "cleared_row": In(row),
                "fetch": In(1),
                "fetched_row": In(row),
                "sums": Out(batch * ACCUMULATOR_BITS),
                "written": Out(batch * ACCUMULATOR_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full1 = Signal(name="full1")
        full2 = Signal(name="full2")
        weight1 = Signal(self.n_w, reset_less=True)
        row1 = Signal(len(self.row), reset_less=True, name="row1")
        row2 = Signal(len(self.row), reset_less=True, name="row2")
        m.d.sync += [
            full1.eq(self.taken & self.counted),
            full2.eq(full1),
            weight1.eq(self.weight),
            row1.eq(self.row),
            row2.eq(row1),
        ]
        m.submodules.activations = activations = Memory(shape=len(self.loaded), depth=self.columns, init=[])
        put, look = activations.write_port(), activations.read_port()
        m.d.comb += [
            put.addr.eq(self.loaded_column),
            put.data.eq(self.loaded),
            put.en.eq(self.load),
            look.addr.eq(self.column),
            look.en.eq(self.taken),
        ]
        products = []
        for b in range(self.batch):
            product = Signal(self.n_w + ACTIVATION_BITS, name=f"product{b}", reset_less=True)
            factor = look.data[b * ACTIVATION_BITS : (b + 1) * ACTIVATION_BITS]
            m.d.sync += product.eq(weight1.as_signed() * factor.as_signed())
            products.append(product)
        self._accumulate(m, products, full1, row1, full2, row2)
        return m

    def _accumulate(
        self, m: Module, products: list[Signal], full1: Signal, row1: Signal, full2: Signal, row2: Signal
    ) -> None:
        width = len(self.sums)
        m.submodules.accumulators = memory = Memory(shape=width, depth=self.rows, init=[])
        write, read = memory.write_port(), memory.read_port()
        new = Signal(width, name="new")
        held = Signal(width, reset_less=True, name="held")
        again = Signal(reset_less=True, name="again")
        before = Signal(width)
        m.d.sync += [held.eq(new), again.eq(full2 & (row2 == row1))]
        m.d.comb += [
            read.addr.eq(Mux(full1, row1, self.fetched_row)),
            read.en.eq(full1 | self.fetch),
            before.eq(Mux(again, held, read.data)),
            self.sums.eq(read.data),
            write.addr.eq(Mux(self.clear, self.cleared_row, row2)),
            write.data.eq(Mux(self.clear, 0, new)),
            write.en.eq(self.clear | full2),
            self.written.eq(Mux(full2, new, 0)),
        ]
        for b, product in enumerate(products):
            at = slice(b * ACCUMULATOR_BITS, (b + 1) * ACCUMULATOR_BITS)
            m.d.comb += new[at].eq((before[at] + product.as_signed())[:ACCUMULATOR_BITS])
