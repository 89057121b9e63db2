"""Contracts of stream components, to be proved: nothing lost, nothing doubled, nothing late, whatever the stalls.

A contract holds a component, a queue of what it still owes, and one output that must never be 1. All inputs stay
free, reset included; a model checker (Yosys, AIGER, pdr) does the rest.
"""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.code.code import Code
from xorweave.hw.stages.layouts import symbol_layout
from xorweave.hw.stages.xor_decoder import XorDecoder

Owed = Callable[[Module, Value, Value], Value]
"""Given the module, the accepted payload and the accept strobe: what must come out for it."""


class StreamContract(wiring.Component):
    """Contract of a component with streams `i` and `o` that gives one word for each word it takes, in order.

    `violation` is 1 when

    - a word comes out that is not owed, or is not the one owed next (lost, doubled, reordered, wrong);
    - more words are owed than the component can hold;
    - an offered word is taken back or changed before it has passed;
    - the far side was ready, and words on offer, for `latency` cycles and this one, and no word comes;
    - the far side was ready for `latency` cycles and this one, and no word is taken;
    - for `latency` cycles and this one a word was owed or on offer to it, and none is offered, whatever ready was.

    Full rate is the two before the last: after `latency` cycles of fill, one word a cycle in and out. The last says
    that valid does not wait for ready, and that what is owed appears within a known number of cycles: no livelock.

    Parameters
    ----------
    dut : wiring.Component
        With members i and o, streams.
    owed : callable
        Makes the word owed for one that is taken (see `Owed`).
    capacity : int
        Words the component can hold.
    latency : int
        Cycles from a word taken to its coming out, with nothing in its way.

    Members
    -------
    i_payload, i_valid, o_ready : In
        Free inputs.
    violation : Out(1)
    """

    def __init__(self, dut: wiring.Component, owed: Owed, *, capacity: int, latency: int) -> None:
        self.dut, self.owed = dut, owed
        self.capacity, self.latency = capacity, latency
        width = len(Value.cast(dut.i.payload))
        super().__init__({"i_payload": In(width), "i_valid": In(1), "o_ready": In(1), "violation": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        i, o = dut.i, dut.o
        # the source keeps to the protocol: an offered word stays
        kept = Signal()
        word = Signal(len(self.i_payload))
        valid = Signal()
        payload = Value.cast(i.payload)
        m.d.comb += [
            valid.eq(self.i_valid | kept),
            payload.eq(Mux(kept, word, self.i_payload)),
            i.valid.eq(valid),
            o.ready.eq(self.o_ready),
        ]
        m.d.sync += [kept.eq(valid & ~i.ready), word.eq(payload)]

        accept, emit = Signal(), Signal()
        m.d.comb += [accept.eq(valid & i.ready), emit.eq(o.valid & o.ready)]
        due = self.owed(m, payload, accept)
        out = Value.cast(o.payload)
        # a component without registers gives a word in the cycle in which it takes it: one place more
        places = [Signal(len(out), name=f"owed{k}") for k in range(self.capacity + 1)]
        count = Signal(range(self.capacity + 2))
        queue = [Signal(len(out), name=f"next{k}") for k in range(self.capacity + 2)]
        for k in range(self.capacity + 1):
            m.d.comb += queue[k].eq(Mux(accept & (count == k), due, places[k]))
            m.d.sync += places[k].eq(Mux(emit, queue[k + 1], queue[k]))
        total = Signal(range(self.capacity + 3))
        m.d.comb += total.eq(count + accept)
        m.d.sync += count.eq(total - emit)

        waiting, waited = Signal(), Signal(len(out))
        m.d.sync += [waiting.eq(o.valid & ~o.ready), waited.eq(out)]
        willing, offered = Signal(range(self.latency + 1)), Signal(range(self.latency + 1))
        idle, at_hand = Signal(range(self.latency + 1)), Signal()
        m.d.comb += at_hand.eq((valid | (count != 0)) & ~o.valid)
        for counter, condition in (
            (willing, self.o_ready),
            (offered, valid & self.o_ready),
            (idle, at_hand),
        ):
            with m.If(~condition):
                m.d.sync += counter.eq(0)
            with m.Elif(counter != self.latency):
                m.d.sync += counter.eq(counter + 1)
        broken = Signal(6)
        m.d.comb += [
            # what is offered may be the word that is just being offered to it, if nothing older is owed
            broken[0].eq(
                (o.valid & Mux(count == 0, ~valid | (out != due), out != places[0])) | (emit & (total == 0))
            ),
            broken[1].eq(count > self.capacity),
            broken[2].eq(waiting & ~(o.valid & (out == waited))),
            broken[3].eq((offered == self.latency) & valid & self.o_ready & ~o.valid),
            broken[4].eq((willing == self.latency) & self.o_ready & ~i.ready),
            broken[5].eq((idle == self.latency) & at_hand),
        ]
        # nothing is asked of a cycle that ends in a broken count: the first violation is what is reported
        m.d.comb += self.violation.eq(broken.any())
        return m


def passes_on(m: Module, payload: Value, accept: Value) -> Value:
    """Owe each word itself: the contract of register slices and skid buffers."""
    return payload


def decoded_by(code: Code, n_w: int) -> Owed:
    """Owe the block of the window of symbols, straight from the generator: the contract of `XorDecoder`."""

    def owed(m: Module, payload: Value, accept: Value) -> Value:
        symbols = symbol_layout(code.n_in, n_w)(payload)
        running = Signal()
        start = Signal()
        m.d.comb += start.eq(symbols.first | ~running)
        width = code.n_in * n_w
        older = [Signal(width, name=f"older{k}") for k in range(code.n_s)]
        window = [symbols.symbol, *(Mux(start, 0, symbol) for symbol in older)]
        with m.If(accept):
            m.d.sync += running.eq(~symbols.last)
            for register, newer in zip(older, window, strict=False):
                m.d.sync += register.eq(newer)
        bits = Cat(*(Cat(symbol)[:width] for symbol in window))
        words: list[Value] = []
        for row in code.generator:
            for q in range(n_w):
                taps = [bits[c * n_w + q] for c in range(code.constraint_length) if row[c]]
                words.append(Cat(taps).xor() if taps else Cat(bits[0] & ~bits[0]))
        return Cat(*words, start, symbols.last)

    return owed


def decoder_contract(
    code: Code, n_w: int, *, input_register: bool = True, max_depth: int | None = None
) -> StreamContract:
    """Make the contract of an `XorDecoder`."""
    dut = XorDecoder(code, n_w, input_register=input_register, max_depth=max_depth)
    return StreamContract(dut, decoded_by(code, n_w), capacity=dut.latency, latency=dut.latency)
