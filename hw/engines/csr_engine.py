"""The rival: sparse matrix times vector from compressed rows, with a banked activation memory."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError

ACCUMULATOR_BITS = 32
ACTIVATION_BITS = 8
# Finished rows of a lane that may be on their way to the result port.
QUEUE = 4


@dataclass(frozen=True, kw_only=True)
class CsrConfig:
    """Everything that decides what engine is generated.

    Attributes
    ----------
    cols : int
        Length of the vector.
    lanes : int
        Multiply-accumulate lanes.
    banks : int
        Banks of the activation memory, a power of two; column c lies in bank c mod banks.
    n_w : int
        Bits of a weight, 4 or 8.
    batch : int
        Vectors multiplied at once.
    load_words : int
        Activations (of every vector) loaded in a cycle, a power of two, at most the banks.
    result_words : int
        Result ports; port s serves the lanes l with l mod result_words = s. At most the lanes.
    trace : bool
        Whether there are ports that show every lane's accumulator, and counts of waiting lanes.

    Raises
    ------
    InputError
        A size is out of range.
    """

    cols: int
    lanes: int
    banks: int
    n_w: int = 8
    batch: int = 1
    load_words: int = 1
    result_words: int = 1
    trace: bool = False

    def __post_init__(self) -> None:
        if self.cols < 1 or not 1 <= self.lanes <= 255 or self.batch < 1:
            raise InputError(
                "an engine must have at least one column, 1 to 255 lanes, and a batch of at least 1"
            )
        for name, value in (("banks", self.banks), ("load_words", self.load_words)):
            if value < 1 or value & (value - 1):
                raise InputError(f"{name} must be a power of two, not {value}")
        if self.load_words > self.banks:
            raise InputError(
                f"the words loaded in a cycle must be at most the banks, {self.banks}, not {self.load_words}"
            )
        if self.n_w not in (4, 8):
            raise InputError(f"the engine multiplies INT4 and INT8 weights, not {self.n_w} bits")
        if not 1 <= self.result_words <= self.lanes:
            raise InputError(f"result_words must be between 1 and {self.lanes}, not {self.result_words}")

    @property
    def column_bits(self) -> int:
        """Bits of a column index."""
        return max(1, (self.cols - 1).bit_length())

    @property
    def item_bits(self) -> int:
        """Bits of an item: weight, column, and whether it ends its row."""
        return self.n_w + self.column_bits + 1

    @property
    def load_beats(self) -> int:
        """Cycles that loading a vector takes."""
        return -(-self.cols // self.load_words)

    @property
    def memory_bits(self) -> dict[str, int]:
        """Bits of the engine's memories; accumulators and result queues are registers."""
        return {"activations": self.banks * -(-self.cols // self.banks) * self.batch * ACTIVATION_BITS}


class CsrEngine(wiring.Component):
    """CSR engine: y = W x from the kept weights alone (Park et al., Algorithm 1), rows dealt to lanes beforehand.

    Every lane has a stream of items of its own, row after row, and asks the bank of its item's column for the
    activation. A bank serves one lane a cycle, in turn among those that ask (round robin). Lanes do not wait for
    each other: a lane that was not served asks again. A row's end sends the sum to the lane's queue and from
    there to its result port. Rows without a kept weight have no items and no result.

    Parameters
    ----------
    config : CsrConfig

    Members
    -------
    item{l}_tdata : In(item_bits)
        With valid and ready, lane l: weight (lowest), column, last item of its row (highest). Items of the next
        product may be offered once its vector is being loaded.
    s_axis_x_tdata : In(load_words * batch * 8)
        With valid and ready: activations in order; word k, vector b from bit ``(k * batch + b) * 8``.
    rows : In(32)
        Rows that have items: when so many results were made, the next vector is loaded. To be held still.
    result{s}_tdata : Out(lane bits + batch * 32)
        With valid and ready, port s: lane (lowest) and sum of one of its rows. A lane's rows come in their order.
    waiting, working : Out(8)
        Only with trace: lanes that asked and were not served in this cycle; lanes that were.
    trace_sum{l} : Out(batch * 32); trace_summed{l} : Out(1)
        Only with trace: accumulator of lane l as each item leaves it.
    """

    def __init__(self, config: CsrConfig) -> None:
        self.config = config
        self.lane_bits = max(1, (config.lanes - 1).bit_length())
        members = {
            "s_axis_x_tdata": In(config.load_words * config.batch * ACTIVATION_BITS),
            "s_axis_x_tvalid": In(1),
            "s_axis_x_tready": Out(1),
            "rows": In(32),
        }
        for lane in range(config.lanes):
            members |= {
                f"item{lane}_tdata": In(config.item_bits),
                f"item{lane}_tvalid": In(1),
                f"item{lane}_tready": Out(1),
            }
        for port in range(config.result_words):
            members |= {
                f"result{port}_tdata": Out(self.lane_bits + config.batch * ACCUMULATOR_BITS),
                f"result{port}_tvalid": Out(1),
                f"result{port}_tready": In(1),
            }
        if config.trace:
            members |= {"waiting": Out(8), "working": Out(8)}
            for lane in range(config.lanes):
                members |= {
                    f"trace_sum{lane}": Out(config.batch * ACCUMULATOR_BITS),
                    f"trace_summed{lane}": Out(1),
                }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        lanes, banks, n_w, width = config.lanes, config.banks, config.n_w, config.batch * ACTIVATION_BITS
        bank_bits = (banks - 1).bit_length()
        loading = Signal(init=1)

        # items: every lane's head, as vectors over the lanes
        items = [getattr(self, f"item{lane}_tdata") for lane in range(lanes)]
        columns = [item[n_w : n_w + config.column_bits] for item in items]
        ends = Cat(item[n_w + config.column_bits] for item in items)
        open_, asks, served = Signal(lanes), Signal(lanes), Signal(lanes)
        valid = Cat(getattr(self, f"item{lane}_tvalid") for lane in range(lanes))
        m.d.comb += asks.eq(valid & (~ends | open_) & (~loading).replicate(lanes))
        for lane in range(lanes):
            m.d.comb += getattr(self, f"item{lane}_tready").eq(served[lane])
        # bit k of every lane's column, as a vector
        bits: list[Value] = []
        for k in range(config.column_bits):
            vector = Signal(lanes, name=f"column_bit{k}")
            m.d.comb += vector.eq(Cat(column[k] for column in columns))
            bits.append(vector)

        found = self._banks(m, loading, asks, bits, served)

        # a lane: pick its bank's word, multiply, accumulate
        served1 = Signal(lanes)
        m.d.sync += served1.eq(served)
        finished = Signal(lanes)
        sums: list[Value] = []
        for lane in range(lanes):
            value1 = Signal(n_w, name=f"value{lane}", reset_less=True)
            bank1 = Signal(bank_bits, name=f"bank{lane}", reset_less=True)
            end1 = Signal(name=f"end{lane}", reset_less=True)
            m.d.sync += [
                value1.eq(items[lane][:n_w]),
                bank1.eq(columns[lane][:bank_bits]),
                end1.eq(ends[lane]),
            ]
            word = Signal(width, name=f"word{lane}")
            m.d.comb += word.eq(found.word_select(bank1, width) if banks > 1 else found)
            full2, end2 = Signal(name=f"full2_{lane}"), Signal(name=f"end2_{lane}", reset_less=True)
            m.d.sync += [full2.eq(served1[lane]), end2.eq(end1)]
            old = Signal(config.batch * ACCUMULATOR_BITS, name=f"sum{lane}")
            new = Signal(config.batch * ACCUMULATOR_BITS, name=f"new{lane}")
            for b in range(config.batch):
                product = Signal(n_w + ACTIVATION_BITS, name=f"product{lane}_{b}", reset_less=True)
                activation = word[b * ACTIVATION_BITS : (b + 1) * ACTIVATION_BITS].as_signed()
                m.d.sync += product.eq(value1.as_signed() * activation)
                low, high = b * ACCUMULATOR_BITS, (b + 1) * ACCUMULATOR_BITS
                m.d.comb += new[low:high].eq((old[low:high] + product.as_signed())[:ACCUMULATOR_BITS])
            with m.If(full2):
                m.d.sync += old.eq(Mux(end2, 0, new))
            m.d.comb += finished[lane].eq(full2 & end2)
            sums.append(new)
            if config.trace:
                m.d.comb += [
                    getattr(self, f"trace_sum{lane}").eq(new),
                    getattr(self, f"trace_summed{lane}").eq(full2),
                ]
        self._results(m, sums, finished, ends & served, open_)
        self._load(m, loading, finished)
        if config.trace:
            m.d.comb += [
                self.waiting.eq(sum(asks[lane] & ~served[lane] for lane in range(lanes))),
                self.working.eq(sum(served[lane] for lane in range(lanes))),
            ]
        return m

    def _banks(self, m: Module, loading: Signal, asks: Value, bits: list[Value], served: Signal) -> Value:
        """Make the banks and their arbiters; returns their outputs side by side, one cycle after the grants."""
        config = self.config
        lanes, banks, width = config.lanes, config.banks, config.batch * ACTIVATION_BITS
        bank_bits = (banks - 1).bit_length()
        depth = -(-config.cols // banks)
        beat = self._beat = Signal(range(config.load_beats), name="beat")
        parts = banks // config.load_words  # beats that fill one row of all banks
        loaded = self.s_axis_x_tvalid & loading
        outputs, grants = [], []
        for b in range(banks):
            ask = Signal(lanes, name=f"ask{b}")
            here: Value = asks
            for k in range(bank_bits):
                vector = bits[k] if k < len(bits) else Const(0, lanes)
                here = here & (vector if b >> k & 1 else ~vector)
            # round robin: the lowest lane above the one served last, else the lowest
            above = Signal(lanes, name=f"above{b}")
            later = Signal(lanes, name=f"later{b}")
            grant = Signal(lanes, name=f"grant{b}")
            chosen = Mux(later.any(), later, ask)
            m.d.comb += [ask.eq(here), later.eq(ask & above), grant.eq(chosen & (~chosen + 1)[:lanes])]
            with m.If(ask.any()):
                m.d.sync += above.eq(~(grant | (grant - 1)[:lanes]))
            grants.append(grant)
            memory = Memory(shape=width, depth=depth, init=[])
            m.submodules[f"bank{b}"] = memory
            write, read = memory.write_port(), memory.read_port()
            word = b % config.load_words
            m.d.comb += [
                write.addr.eq(beat // parts),
                write.data.eq(self.s_axis_x_tdata[word * width : (word + 1) * width]),
                write.en.eq(loaded & (beat % parts == b // config.load_words)),
                read.en.eq(1),
            ]
            for k in range(len(read.addr)):
                m.d.comb += read.addr[k].eq((grant & bits[bank_bits + k]).any())
            outputs.append(read.data)
        any_grant: Value = grants[0]
        for grant in grants[1:]:
            any_grant = any_grant | grant
        m.d.comb += served.eq(any_grant)
        found = Signal(banks * width)
        m.d.comb += found.eq(Cat(outputs))
        return found

    def _load(self, m: Module, loading: Signal, finished: Signal) -> None:
        """Count the beats of a vector and the rows of the product."""
        made = Signal(32)
        total = Signal(32)
        m.d.comb += [
            self.s_axis_x_tready.eq(loading),
            total.eq(made + sum(finished[lane] for lane in range(self.config.lanes))),
        ]
        with m.If(loading), m.If(self.s_axis_x_tvalid):
            m.d.sync += self._beat.eq(self._beat + 1)
            with m.If(self._beat == self.config.load_beats - 1):
                m.d.sync += [self._beat.eq(0), loading.eq(0), made.eq(0)]
        with m.Else():
            m.d.sync += made.eq(total)
            with m.If(total == self.rows):
                m.d.sync += loading.eq(1)

    def _results(self, m: Module, sums: list[Value], finished: Signal, begun: Value, open_: Signal) -> None:
        """Queue the finished rows of each lane and send them through the lane's port, lanes in turn."""
        config = self.config
        total = config.batch * ACCUMULATOR_BITS
        queues: list[Signal] = []
        filled, taken = Signal(config.lanes), Signal(config.lanes)
        for lane in range(config.lanes):
            slots = [Signal(total, name=f"queue{lane}_{k}", reset_less=True) for k in range(QUEUE)]
            level = Signal(range(QUEUE + 1), name=f"level{lane}")
            promised = Signal(range(QUEUE + 1), name=f"promised{lane}")  # queued, or in the lane's pipeline
            pop, push = taken[lane], finished[lane]
            m.d.sync += [level.eq(level + push - pop), promised.eq(promised + begun[lane] - pop)]
            m.d.comb += [open_[lane].eq(promised != QUEUE), filled[lane].eq(level != 0)]
            for k, slot in enumerate(slots):
                following = slots[k + 1] if k + 1 < QUEUE else slot
                with m.If(push & (level - pop == k)):
                    m.d.sync += slot.eq(sums[lane])
                with m.Elif(pop):
                    m.d.sync += slot.eq(following)
            queues.append(slots[0])
        for port in range(config.result_words):
            served = list(range(port, config.lanes, config.result_words))
            count = len(served)
            ask = Signal(count, name=f"full{port}")
            above, later, grant = (Signal(count, name=f"{name}{port}") for name in ("past", "next", "sent"))
            # what is offered stays until it is taken, whoever asks meanwhile
            kept = Signal(count, name=f"kept{port}")
            chosen = Mux(kept.any(), kept, Mux(later.any(), later, ask))
            ready = getattr(self, f"result{port}_tready")
            m.d.comb += [
                ask.eq(Cat(filled[lane] for lane in served)),
                later.eq(ask & above),
                grant.eq(chosen & (~chosen + 1)[:count]),
                getattr(self, f"result{port}_tvalid").eq(ask.any()),
            ]
            payload: Value = Const(0, self.lane_bits + total)
            for k, lane in enumerate(served):
                word = Cat(Const(lane, self.lane_bits), queues[lane])
                payload = payload | (word & grant[k].replicate(len(word)))
                m.d.comb += taken[lane].eq(grant[k] & ready)
            m.d.comb += getattr(self, f"result{port}_tdata").eq(payload)
            m.d.sync += kept.eq(Mux(ready, 0, grant))
            with m.If(ask.any() & ready):
                m.d.sync += above.eq(~(grant | (grant - 1)[:count]))
