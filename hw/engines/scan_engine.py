"""Sparse matrix times vector in hardware for every stored form: it stands behind a decoder and walks each block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.scan import Scan
from xorweave.golden.scan.walk import Walk, walk_of
from xorweave.hw.engines.address_generator import AddressGenerator
from xorweave.hw.engines.scan_lane import ScanLane
from xorweave.hw.engines.spmv_engine import ACCUMULATOR_BITS, ACTIVATION_BITS


@dataclass(frozen=True, kw_only=True)
class ScanEngineConfig:
    """Everything that decides what engine is generated.

    Attributes
    ----------
    scan : Scan
        Where each weight belongs.
    shape : tuple of int
        Of the tensor: its first side are the rows, the others multiplied the columns.
    n_out : int
        Weights of a block, as they leave the decoder.
    n_w : int
        Bits of a weight, 4 or 8, two's complement.
    lanes : int
        Weights multiplied in a cycle, 1 to n_out.
    batch : int
        Vectors multiplied in one pass.
    trace : bool
        Whether there are ports that show every weight, its address, and every sum.

    Raises
    ------
    InputError
        A size is out of range.
    """

    scan: Scan
    shape: tuple[int, ...]
    n_out: int
    n_w: int = 8
    lanes: int = 1
    batch: int = 1
    trace: bool = False

    def __post_init__(self) -> None:
        if self.n_w not in (4, 8):
            raise InputError(f"the engine multiplies INT4 and INT8 weights, not {self.n_w} bits")
        if not 1 <= self.lanes <= self.n_out:
            raise InputError(f"the lanes must be between 1 and n_out = {self.n_out}, not {self.lanes}")
        if self.batch < 1:
            raise InputError(f"the batch must be at least 1, not {self.batch}")
        _ = self.walk

    @cached_property
    def walk(self) -> Walk:
        """The scan as counters."""
        return walk_of(self.scan, self.shape)

    @property
    def blocks(self) -> int:
        """Blocks of the tensor."""
        return -(-self.walk.length // self.n_out)

    @property
    def block_cycles(self) -> int:
        """Cycles that a block takes, whatever the mask."""
        return -(-self.n_out // self.lanes)

    @property
    def short(self) -> int:
        """Weights of a block's last cycle."""
        return self.n_out - (self.block_cycles - 1) * self.lanes

    @property
    def memory_bits(self) -> dict[str, int]:
        """Bits of the memories: each lane has a copy of the activations, and accumulators of its own."""
        walk, words = self.walk, self.lanes * self.batch
        return {
            "activations": walk.columns * words * ACTIVATION_BITS,
            "accumulators": walk.rows * words * ACCUMULATOR_BITS,
        }


class ScanEngine(wiring.Component):
    """Scan engine: y = W x for weights in the order in which they were stored, `lanes` of them a cycle.

    A vector is loaded while the accumulators are cleared; then every block of the decoder takes ceil(n_out / lanes)
    cycles, whatever its mask; then the sums leave, a row a cycle. Each lane has a copy of the activations, and
    accumulators of its own, so no two weights of a cycle ever want the same memory, whatever the scan; a row's sum is
    that of all lanes. Whatever stalls outside makes the engine wait and changes nothing else.

    Parameters
    ----------
    config : ScanEngineConfig

    Members
    -------
    s_axis_tdata : In(n_out * n_w)
        With valid and ready: blocks as they leave a decoder (`m_axis` of `AxisDecoder`), all of the tensor for every
        vector. The words of padding may be anything.
    s_axis_x_tdata : In(batch * 8)
        With valid and ready: one activation of each vector, vector b from bit ``b * 8``; column after column.
    m_axis_tdata : Out(batch * 32)
        With valid, ready and last: one sum of each vector, vector b from bit ``b * 32``; row after row.
    trace_taken : Out(1); trace_weights : Out(lanes * n_w); trace_rows, trace_columns : Out; trace_inside : Out(lanes)
        Only with trace: the weights of a cycle, their addresses, and which are no padding (others show zeros).
    trace_summed : Out(1); trace_sums : Out(lanes * batch * 32)
        Only with trace: the accumulators as they are written, zeros where none is.
    """

    def __init__(self, config: ScanEngineConfig) -> None:
        self.config = config
        lanes, batch = config.lanes, config.batch
        short = config.short if config.short != lanes else None
        self._addresses = AddressGenerator(config.walk, lanes, short=short)
        members: dict[str, wiring.Member] = {
            "s_axis_tdata": In(config.n_out * config.n_w),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
            "s_axis_x_tdata": In(batch * ACTIVATION_BITS),
            "s_axis_x_tvalid": In(1),
            "s_axis_x_tready": Out(1),
            "m_axis_tdata": Out(batch * ACCUMULATOR_BITS),
            "m_axis_tlast": Out(1),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
        }
        if config.trace:
            members |= {
                "trace_taken": Out(1),
                "trace_weights": Out(lanes * config.n_w),
                "trace_rows": Out(len(self._addresses.o.p.rows)),
                "trace_columns": Out(len(self._addresses.o.p.columns)),
                "trace_inside": Out(lanes),
                "trace_summed": Out(1),
                "trace_sums": Out(lanes * batch * ACCUMULATOR_BITS),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, walk = self.config, self.config.walk
        m.submodules.addresses = addresses = self._addresses
        loading = Signal(init=1, name="loading")
        sending = Signal(name="sending")
        # the last block is done with; the last sum has left
        ended = Signal(name="ended")
        sent = Signal(name="sent")
        taken, words, inside = self._walk(m, ~loading & ~sending, ended)
        with m.If(ended):
            m.d.sync += sending.eq(1)
        with m.If(sent):
            m.d.sync += [sending.eq(0), loading.eq(1)]
        load, column, clear, row = self._load(m, loading)
        # one cycle after `taken`, as all lanes: whether weights are on their way to the sums
        summing = Signal(2)
        m.d.sync += summing.eq(Cat(taken, summing[0]))
        fetch, fetched = self._send(m, sending & ~summing.any(), sent)
        lanes = []
        for k in range(config.lanes):
            lane = ScanLane(rows=walk.rows, columns=walk.columns, n_w=config.n_w, batch=config.batch)
            m.submodules[f"lane{k}"] = lane
            m.d.comb += [
                lane.taken.eq(taken),
                lane.counted.eq(inside[k]),
                lane.weight.eq(words.word_select(k, config.n_w)),
                lane.row.eq(addresses.o.p.rows.word_select(k, len(lane.row))),
                lane.column.eq(addresses.o.p.columns.word_select(k, len(lane.column))),
                lane.load.eq(load),
                lane.loaded_column.eq(column),
                lane.loaded.eq(self.s_axis_x_tdata),
                lane.clear.eq(clear),
                lane.cleared_row.eq(row),
                lane.fetch.eq(fetch),
                lane.fetched_row.eq(fetched),
            ]
            lanes.append(lane)
        for b in range(config.batch):
            total: Value = Const(0, ACCUMULATOR_BITS)
            for lane in lanes:
                total = (total + lane.sums.word_select(b, ACCUMULATOR_BITS))[:ACCUMULATOR_BITS]
            m.d.comb += self.m_axis_tdata.word_select(b, ACCUMULATOR_BITS).eq(total)
        if config.trace:
            rows, columns = addresses.o.p.rows, addresses.o.p.columns
            m.d.comb += [
                self.trace_taken.eq(taken),
                self.trace_weights.eq(_where(inside, words)),
                self.trace_rows.eq(_where(inside, rows)),
                self.trace_columns.eq(_where(inside, columns)),
                self.trace_inside.eq(inside),
                self.trace_summed.eq(summing[1]),
                self.trace_sums.eq(Cat(lane.written for lane in lanes)),
            ]
        return m

    def _walk(self, m: Module, walking: Value, ended: Signal) -> tuple[Signal, Signal, Signal]:
        """Take `lanes` words of a block a cycle; return that it is done, the words, and which are no padding."""
        config, addresses = self.config, self._addresses
        lanes, cycles, short = config.lanes, config.block_cycles, config.short
        taken = Signal(name="taken")
        turned = Signal(name="turned")
        words = Signal(lanes * config.n_w, name="words")
        inside = Signal(lanes, name="inside")
        group = Signal(range(cycles))
        # positions that are still to come: those of padding at the end are none
        left = Signal(range(config.walk.length + 1), init=config.walk.length)
        padded = Cat(self.s_axis_tdata, Const(0, (lanes - short) * config.n_w))
        final = group == cycles - 1
        count = Mux(final, short, lanes)
        m.d.comb += [
            taken.eq(walking & self.s_axis_tvalid),
            turned.eq(taken & final),
            self.s_axis_tready.eq(walking & final),
            words.eq(padded.word_select(group, lanes * config.n_w)),
            inside.eq(
                addresses.o.p.inside & Cat((left > lane) & ((lane < short) | ~final) for lane in range(lanes))
            ),
            ended.eq(turned & (left <= short)),
            addresses.o.ready.eq(taken),
            addresses.restart.eq(ended),
        ]
        if short != lanes:
            m.d.comb += addresses.shortened.eq(final)
        with m.If(taken):
            m.d.sync += [
                group.eq(Mux(final, 0, group + 1)),
                left.eq(Mux(ended, config.walk.length, Mux(left <= count, 0, left - count))),
            ]
        return taken, words, inside

    def _load(self, m: Module, loading: Signal) -> tuple[Value, Signal, Value, Signal]:
        """Load activations while the accumulators are cleared; return when and which column, when and which row."""
        walk = self.config.walk
        column = Signal(range(walk.columns + 1), name="column")
        row = Signal(range(walk.rows + 1), name="row")
        load = Signal(name="load")
        clear = Signal(name="clear")
        m.d.comb += [
            self.s_axis_x_tready.eq(loading & (column != walk.columns)),
            load.eq(self.s_axis_x_tready & self.s_axis_x_tvalid),
            clear.eq(loading & (row != walk.rows)),
        ]
        m.d.sync += [column.eq(column + load), row.eq(row + clear)]
        with m.If(loading & (column + load == walk.columns) & (row + clear == walk.rows)):
            m.d.sync += [loading.eq(0), column.eq(0), row.eq(0)]
        return load, column, clear, row

    def _send(self, m: Module, ready: Value, sent: Signal) -> tuple[Signal, Signal]:
        """Send row after row; return whether a row is fetched from the accumulators in this cycle, and which."""
        rows = self.config.walk.rows
        row = Signal(range(rows + 1), name="row")
        fetch = Signal(name="fetch")
        m.d.comb += [
            fetch.eq(ready & (row != rows) & (~self.m_axis_tvalid | self.m_axis_tready)),
            sent.eq(self.m_axis_tvalid & self.m_axis_tready & self.m_axis_tlast),
        ]
        with m.If(fetch):
            m.d.sync += [self.m_axis_tvalid.eq(1), self.m_axis_tlast.eq(row == rows - 1), row.eq(row + 1)]
        with m.Elif(self.m_axis_tready):
            m.d.sync += self.m_axis_tvalid.eq(0)
        with m.If(sent):
            m.d.sync += row.eq(0)
        return fetch, row


def _where(inside: Value, words: Value) -> Value:
    """Return the words whose bit is set, zeros for the others."""
    width = len(words) // len(inside)
    return Cat(words.word_select(k, width) & bit.replicate(width) for k, bit in enumerate(inside))
