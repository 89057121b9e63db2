"""Sparse matrix times vector in hardware: the decoder in front of lanes that multiply and accumulate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.hw.decoders.axis_decoder import AxisDecoder
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.engines.activation_ring import ActivationRing
from xorweave.hw.engines.result_queue import ResultQueue
from xorweave.hw.stages.mask import MaskStage

ACCUMULATOR_BITS = 32
ACTIVATION_BITS = 8


@dataclass(frozen=True, kw_only=True)
class SpmvConfig:
    """Everything that decides what engine is generated.

    Attributes
    ----------
    layout : LaneLayout
        Shape of the matrix, lanes, and rows that a lane works on in turn.
    decoder : DecoderConfig
        Decoder with N_out = lanes; its mask stage is the engine's own. Weights are n_w-bit two's complement.
    batch : int
        Vectors multiplied in one pass.
    load_words : int
        Activations (of every vector) loaded in a cycle; at most the lanes.
    result_words : int
        Results (of every vector) sent in a cycle; enough for a pass's results to leave during the next pass.
    trace : bool
        Whether there are ports that show every block, every masked block and every sum.

    Raises
    ------
    InputError
        A size is out of range, or the decoder does not fit the lanes.
    """

    layout: LaneLayout
    decoder: DecoderConfig
    batch: int = 1
    load_words: int = 1
    result_words: int = 1
    trace: bool = False

    def __post_init__(self) -> None:
        lanes, cols = self.layout.lanes, self.layout.cols
        if self.decoder.code.n_out != lanes:
            raise InputError(
                f"the decoder must give out one weight a lane, {lanes}, not {self.decoder.code.n_out}"
            )
        if self.decoder.n_w not in (4, 8):
            raise InputError(f"the engine multiplies INT4 and INT8 weights, not {self.decoder.n_w} bits")
        if self.batch < 1:
            raise InputError(f"the batch must be at least 1, not {self.batch}")
        self.layout.load_chunks(self.load_words)
        if not -(-lanes // cols) <= self.result_words <= lanes:
            raise InputError(
                f"the results sent in a cycle must be between {-(-lanes // cols)}, so that a pass's results leave "
                f"during the next pass, and {lanes}, not {self.result_words}"
            )

    @property
    def memory_bits(self) -> dict[str, int]:
        """Bits of the engine's memories: activations, accumulators and results on their way out."""
        layout = self.layout
        sums = layout.lanes * layout.interleave * self.batch * ACCUMULATOR_BITS
        return {
            "activations": layout.cols * self.batch * ACTIVATION_BITS,
            "accumulators": sums,
            "results": sums,
        }


@dataclass(frozen=True)
class Place:
    """Where the block that is being taken belongs.

    Attributes
    ----------
    works : Value
        It is taken in this cycle, and is none of the lead.
    turn : Value
        Which of a lane's rows.
    first, last : Value
        Of a row's products.
    """

    works: Value
    turn: Value
    first: Value
    last: Value


class SpmvEngine(wiring.Component):
    """SpMV engine: y = W x for a pruned, encoded W; one block of weights, and L * batch products, in every cycle.

    A vector is loaded, the blocks of the matrix are taken one a cycle, and the sums leave while the next pass or
    the next vector is worked on. No cycle depends on the mask. Whatever stalls outside (symbols, patches, mask,
    activations, results) makes the engine wait and changes nothing else.

    Parameters
    ----------
    config : SpmvConfig

    Members
    -------
    s_axis_t*, s_axis_patch_t*, inversion, ...
        Of `AxisDecoder`.
    s_axis_mask_tdata : In(lanes)
        With valid and ready: one mask word with every block.
    s_axis_x_tdata : In(load_words * batch * 8)
        With valid and ready: activations in the order of `LaneLayout.load_beats`; word k, vector b from bit
        ``(k * batch + b) * 8``.
    m_axis_tdata : Out(result_words * batch * 32)
        With valid, ready and last: sums in the order of `LaneLayout.group_rows`; word k, vector b from bit
        ``(k * batch + b) * 32``. A group of L rows takes ceil(L / result_words) beats.
    trace_block, trace_weights : Out(lanes * n_w); trace_taken : Out(1)
        Only with trace: the decoded block before and after the mask, in the cycle in which it is taken.
    trace_sums : Out(lanes * batch * 32); trace_summed : Out(1)
        Only with trace: the accumulators of all lanes as they are written, lane i, vector b from bit
        ``(i * batch + b) * 32``.
    """

    # whether a lane may work on one row alone though there is room for more: its sum is read while it is written
    _any_turns = False

    def __init__(self, config: SpmvConfig) -> None:
        self.config = config
        super().__init__(self._members())

    def _members(self) -> dict[str, wiring.Member]:
        """Make the decoder, and return the ports."""
        config = self.config
        layout, batch, n_w = config.layout, config.batch, config.decoder.n_w
        self._decoder = AxisDecoder(replace(config.decoder, kind_of_mask=None))
        members = {
            name: member for name, member in self._decoder.signature.members.items() if name[:7] != "m_axis_"
        }
        members |= {
            "s_axis_mask_tdata": In(layout.lanes),
            "s_axis_mask_tvalid": In(1),
            "s_axis_mask_tready": Out(1),
            "s_axis_x_tdata": In(config.load_words * batch * ACTIVATION_BITS),
            "s_axis_x_tvalid": In(1),
            "s_axis_x_tready": Out(1),
            "m_axis_tdata": Out(config.result_words * batch * ACCUMULATOR_BITS),
            "m_axis_tlast": Out(1),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
        }
        if config.trace:
            members |= {
                "trace_block": Out(layout.lanes * n_w),
                "trace_weights": Out(layout.lanes * n_w),
                "trace_taken": Out(1),
                "trace_sums": Out(layout.lanes * batch * ACCUMULATOR_BITS),
                "trace_summed": Out(1),
            }
        return members

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        layout = config.layout
        block = self._weights(m)
        m.submodules.ring = ring = ActivationRing(layout, config.batch * ACTIVATION_BITS, config.load_words)
        m.submodules.results = results = ResultQueue(
            lanes=layout.lanes,
            width=config.batch * ACCUMULATOR_BITS,
            depth=layout.interleave,
            words=config.result_words,
            groups=layout.passes * layout.interleave,
        )
        m.d.comb += [
            self.m_axis_tdata.eq(results.o.payload),
            self.m_axis_tlast.eq(results.last),
            self.m_axis_tvalid.eq(results.o.valid),
            results.o.ready.eq(self.m_axis_tready),
        ]
        go = Signal()  # the stages behind move on
        sums, summed, finished = self._lanes(m, block, ring.taps, self._control(m, block, ring, go), go)
        m.d.comb += [
            results.i.payload.eq(Cat(sums)),
            results.i.valid.eq(finished),
            go.eq(~finished | results.i.ready),
        ]
        if config.trace:
            m.d.comb += [self.trace_sums.eq(Cat(sums)), self.trace_summed.eq(summed & go)]
        return m

    def _weights(self, m: Module) -> Any:
        """Make decoder and mask stage, and return the stream of blocks of weights."""
        config = self.config
        m.submodules.decoder = decoder = self._decoder
        for name, member in decoder.signature.members.items():
            if name[:7] == "m_axis_":
                continue
            inside, outside = getattr(decoder, name), getattr(self, name)
            m.d.comb += inside.eq(outside) if member.flow is In else outside.eq(inside)
        m.submodules.mask = mask = MaskStage(config.layout.lanes, config.decoder.n_w)
        m.d.comb += [
            mask.i.p.words.eq(decoder.m_axis_tdata),
            mask.i.p.first.eq(decoder.m_axis_tuser),
            mask.i.p.last.eq(decoder.m_axis_tlast),
            mask.i.valid.eq(decoder.m_axis_tvalid),
            decoder.m_axis_tready.eq(mask.i.ready),
            mask.mask.payload.eq(self.s_axis_mask_tdata),
            mask.mask.valid.eq(self.s_axis_mask_tvalid),
            self.s_axis_mask_tready.eq(mask.mask.ready),
        ]
        if config.trace:
            m.d.comb += [
                self.trace_block.eq(decoder.m_axis_tdata),
                self.trace_weights.eq(mask.o.p.words),
                self.trace_taken.eq(mask.o.valid & mask.o.ready),
            ]
        return mask.o

    def _control(self, m: Module, block: Any, ring: ActivationRing, go: Signal) -> Place:
        """Load a vector, then take block after block; say where the block being taken belongs."""
        layout = self.config.layout
        turns = layout.interleave
        beats = max(length for _, length in ring.chunks)
        loading = Signal(init=1, name="loading")
        beat = Signal(range(beats), name="beat")
        lead = Signal(range(layout.lead + 1), name="lead")
        turn = Signal(range(turns), name="turn")
        step = Signal(range(layout.cols), name="step")
        passed = Signal(range(layout.passes), name="passed")
        loaded = Signal(name="loaded")
        taken = Signal(name="taken")
        works = Signal(name="works")
        turned = Signal(name="turned")
        ended = Signal(name="ended")
        m.d.comb += [
            self.s_axis_x_tready.eq(loading),
            loaded.eq(loading & self.s_axis_x_tvalid),
            block.ready.eq(~loading & go),
            taken.eq(block.valid & block.ready),
            works.eq(taken & (lead == layout.lead)),
            turned.eq(works & (turn == turns - 1)),
            ended.eq(turned & (step == layout.cols - 1)),
            ring.turn.eq(loaded | turned),
            ring.load.eq(loading),
            ring.loaded.eq(self.s_axis_x_tdata),
        ]
        with m.If(loaded):
            m.d.sync += [beat.eq(Mux(beat == beats - 1, 0, beat + 1)), loading.eq(beat != beats - 1)]
        with m.If(taken & ~works):
            m.d.sync += lead.eq(lead + 1)
        with m.If(works):
            m.d.sync += turn.eq(Mux(turn == turns - 1, 0, turn + 1))
        with m.If(turned):
            m.d.sync += step.eq(Mux(ended, 0, step + 1))
        with m.If(ended):
            m.d.sync += passed.eq(passed + 1)
            with m.If(passed == layout.passes - 1):
                m.d.sync += [passed.eq(0), lead.eq(0), loading.eq(1)]
        return Place(works, turn, step == 0, step == layout.cols - 1)

    def _lanes(
        self, m: Module, block: Any, taps: Value, place: Place, go: Signal
    ) -> tuple[list[Value], Value, Value]:
        """Multiply and accumulate: return the lanes' sums, whether they are made, and whether they are finished."""
        config = self.config
        layout, batch, n_w = config.layout, config.batch, config.decoder.n_w
        lanes, turns = layout.lanes, layout.interleave
        full1 = Signal(name="full1")
        first1 = Signal(reset_less=True, name="first1")
        last1 = Signal(reset_less=True, name="last1")
        turn1 = Signal(range(turns), reset_less=True)
        weights1 = Signal(lanes * n_w, reset_less=True)
        taps1 = Signal(lanes * batch * ACTIVATION_BITS, reset_less=True)
        with m.If(go):
            m.d.sync += full1.eq(place.works)
        with m.If(place.works):
            m.d.sync += [
                weights1.eq(block.p.words),
                taps1.eq(taps),
                turn1.eq(place.turn),
                first1.eq(place.first),
                last1.eq(place.last),
            ]
        full2 = Signal(name="full2")
        first2 = Signal(reset_less=True, name="first2")
        last2 = Signal(reset_less=True, name="last2")
        turn2 = Signal(range(turns), reset_less=True)
        with m.If(go):
            m.d.sync += full2.eq(full1)
            m.d.sync += [turn2.eq(turn1), first2.eq(first1), last2.eq(last1)]
        total = batch * ACCUMULATOR_BITS
        sums: list[Value] = []
        for lane in range(lanes):
            weight = weights1[lane * n_w : (lane + 1) * n_w].as_signed()
            old = Signal(total, name=f"old{lane}")
            new = Signal(total, name=f"new{lane}")
            for b in range(batch):
                at = (lane * batch + b) * ACTIVATION_BITS
                product = Signal(n_w + ACTIVATION_BITS, name=f"product{lane}_{b}", reset_less=True)
                with m.If(go):
                    m.d.sync += product.eq(weight * taps1[at : at + ACTIVATION_BITS].as_signed())
                low, high = b * ACCUMULATOR_BITS, (b + 1) * ACCUMULATOR_BITS
                before = Mux(first2, Const(0, ACCUMULATOR_BITS), old[low:high])
                m.d.comb += new[low:high].eq((before + product.as_signed())[:ACCUMULATOR_BITS])
            self._accumulator(m, lane, old, new, turn1, turn2, go & full1, go & full2)
            sums.append(new)
        return sums, full2, full2 & last2

    def _accumulator(
        self,
        m: Module,
        lane: int,
        old: Signal,
        new: Signal,
        read_at: Signal,
        write_at: Signal,
        read: Value,
        write: Value,
    ) -> None:
        """Keep a lane's sums: a memory of one word a row in turn, which is read one block before it is written."""
        turns = self.config.layout.interleave
        if turns == 1:
            held = Signal(len(old), name=f"sum{lane}", reset_less=True)
            with m.If(write):
                m.d.sync += held.eq(new)
            m.d.comb += old.eq(held)
            return
        memory = Memory(shape=len(old), depth=turns, init=[])
        m.submodules[f"sums{lane}"] = memory
        writer = memory.write_port()
        reader = memory.read_port(transparent_for=[writer] if self._any_turns else [])
        m.d.comb += [
            reader.addr.eq(read_at),
            reader.en.eq(read),
            old.eq(reader.data),
            writer.addr.eq(write_at),
            writer.data.eq(new),
            writer.en.eq(write),
        ]
