"""The decoder proper: shift registers of symbols and XOR networks, at one block a cycle."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.hw.stages.layouts import block_layout, symbol_layout
from xorweave.hw.stages.xor_planes import XorPlanes
from xorweave.hw.xor.group import XorGroup, check_groups
from xorweave.hw.xor.network import XorNetwork
from xorweave.hw.xor.pipeline import pipeline_cut


class GroupsDecoder(wiring.Component):
    """Shift registers x0 .. xN_s and XOR networks: one symbol of every group in, one block out, in every cycle.

    The registers advance only when a symbol is taken. A symbol that starts a stream clears the older registers
    while it is loaded, so streams follow each other without a bubble. A stream starts with the first symbol
    after reset, with a symbol marked `first`, and after a symbol marked `last`.

    Parameters
    ----------
    groups : sequence of XorGroup
        From the highest planes of a word to the lowest; one N_out for all.
    input_register : bool
        True: the newest symbol is held in a register of its own, so the output depends on registers only.
        False: it goes straight to the network (a flip-flop an encoded bit fewer; the output follows the input).
    max_depth : int, optional
        Most two-input XORs between registers: cuts the networks into pipeline stages, which move on together.
        Needs the input register.
    masked : int
        The planes of so many groups, from the first on, come out as 0 in words whose bit of the port `keep` is 0 (see
        `XorPlanes`).
    gated : int
        So many of the last groups do so by bits of their own, of the port `care`.
    side_bits : int
        Width of a word that goes with a whole stream, beside its blocks.
    starts_marked : bool
        A stream starts with a symbol marked `first`, and in no other way: nothing is held that tells. Without the input
        register only.

    Members
    -------
    i : In(stream.Signature(symbol_layout(all symbol bits + side_bits, 1)))
        Symbols of the groups one after another, the first lowest; in a group, bit ``b * planes + q`` is bit b of x_t
        of its plane q, counted from the lowest. Above them the side word, which counts with a stream's first symbol.
    o : Out(stream.Signature(block_layout(n_out, all planes)))
    side : Out(side_bits)
        Only with side_bits: the word of the stream that the block at `o` belongs to.
    keep : In(n_out)
        Only if `masked`.
    care : In(gated * n_out)
        Only if `gated`: group by group, word r's bit at r.

    Raises
    ------
    InputError
        The groups differ in N_out, or a pipeline is asked for without the input register.
    """

    def __init__(
        self,
        groups: Sequence[XorGroup],
        *,
        input_register: bool = True,
        max_depth: int | None = None,
        masked: int = 0,
        side_bits: int = 0,
        gated: int = 0,
        starts_marked: bool = False,
    ) -> None:
        check_groups(groups)
        if max_depth is not None and not input_register:
            raise InputError("a pipelined network needs the input register")
        if starts_marked and input_register:
            raise InputError("a decoder with the input register tells by itself where streams start")
        self.groups = tuple(groups)
        self.input_register = input_register
        self.symbol_bits = sum(group.symbol_bits for group in groups)
        self.n_out = groups[0].code.n_out
        self.planes = sum(group.planes for group in groups)
        stages = None
        if max_depth is not None:
            # the deepest network says how many stages there are; the others' blocks come as late
            stages = max(pipeline_cut(group.gates, max_depth=max_depth).stages for group in groups)
        self._networks = [
            XorPlanes(
                group.code,
                group.planes,
                group.network,
                max_depth=max_depth,
                stages=stages,
                masked=index < masked or index >= len(groups) - gated,
            )
            for index, group in enumerate(groups)
        ]
        self.latency = self._networks[0].stages if input_register else 0
        self.masked, self.gated = masked, gated
        self.starts_marked = starts_marked
        self.side_bits = side_bits
        members = {
            "i": In(stream.Signature(symbol_layout(self.symbol_bits + side_bits, 1))),
            "o": Out(stream.Signature(block_layout(self.n_out, self.planes))),
        }
        if masked:
            members["keep"] = In(self.n_out)
        if side_bits:
            members["side"] = Out(side_bits)
        if gated:
            members["care"] = In(gated * self.n_out)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        take = Signal()
        start = Signal()
        m.d.comb += take.eq(self.i.valid & self.i.ready)
        if self.starts_marked:
            m.d.comb += start.eq(self.i.p.first)
        else:
            # low from reset or the end of a stream until the next symbol: that symbol starts a stream
            running = Signal()
            m.d.comb += start.eq(self.i.p.first | ~running)
            with m.If(take):
                m.d.sync += running.eq(~self.i.p.last)
        if self.input_register:
            self._registered(m, take, start)
        else:
            m.d.comb += [
                self.i.ready.eq(self.o.ready),
                self.o.valid.eq(self.i.valid),
                self.o.p.first.eq(start),
                self.o.p.last.eq(self.i.p.last),
            ]
        if self.side_bits:
            self._beside(m, take & start, start)
        at = 0
        one = len(self.groups) == 1
        for index, (group, network) in enumerate(zip(self.groups, self._networks, strict=True)):
            m.submodules["network" if one else f"group{index}"] = network
            symbol = self.i.p.symbol[at : at + group.symbol_bits]
            at += group.symbol_bits
            m.d.comb += network.x.eq(
                self._window(m, group, symbol, take, start, name="" if one else f"g{index}_")
            )
            own = index - len(self.groups) + self.gated
            if own >= 0:
                m.d.comb += network.keep.eq(self.care[own * self.n_out : (own + 1) * self.n_out])
            elif network.masked:
                m.d.comb += network.keep.eq(self.keep)
            if network.stages > 1:
                m.d.comb += network.enable.eq(self.i.ready)
        # word by word, the planes of the last group lowest
        m.d.comb += self.o.p.words.eq(
            Cat(
                network.y[r * group.planes : (r + 1) * group.planes]
                for r in range(self.n_out)
                for group, network in zip(reversed(self.groups), reversed(self._networks), strict=True)
            )
            if not one
            else self._networks[0].y
        )
        return m

    def _window(
        self, m: Module, group: XorGroup, symbol: Value, take: Signal, start: Signal, *, name: str
    ) -> Value:
        """Make the shift registers of a group and return its window of symbols, the newest lowest."""
        width = group.symbol_bits
        # data registers need no reset: nothing is read from them before it was written or cleared by a start
        history = [Signal(width, name=f"{name}x{i}", reset_less=True) for i in range(1, group.code.n_s + 1)]
        if self.input_register:
            newest = Signal(width, name=f"{name}x0", reset_less=True)
            with m.If(take):
                m.d.sync += newest.eq(symbol)
                for older, newer in zip(history, [newest, *history], strict=False):
                    m.d.sync += older.eq(Mux(start, 0, newer))
            return Cat(newest, *history)
        window = [Signal(width, name=f"{name}w{i}") for i in range(1, group.code.n_s + 1)]
        for seen, older in zip(window, history, strict=True):
            m.d.comb += seen.eq(Mux(start, 0, older))
        with m.If(take):
            for older, newer in zip(history, [symbol, *window], strict=False):
                m.d.sync += older.eq(newer)
        return Cat(symbol, *window)

    def _beside(self, m: Module, begins: Value, start: Value) -> None:
        """Hold a stream's side word from its first symbol on, and let it go through the stages with the blocks."""
        given = self.i.p.symbol[self.symbol_bits :]
        held = Signal(self.side_bits, name="side0", reset_less=True)
        with m.If(begins):
            m.d.sync += held.eq(given)
        if not self.input_register:
            m.d.comb += self.side.eq(Mux(start, given, held))
            return
        for k in range(1, self.latency):
            later = Signal(self.side_bits, name=f"side{k}", reset_less=True)
            with m.If(self.i.ready):
                m.d.sync += later.eq(held)
            held = later
        m.d.comb += self.side.eq(held)

    def _registered(self, m: Module, take: Signal, start: Signal) -> None:
        """Make the handshake of a decoder with registers: what each stage of the networks works on."""
        full = Signal()
        first = Signal(reset_less=True)
        last = Signal(reset_less=True)
        valids, firsts, lasts = [full], [first], [last]
        for k in range(1, self.latency):
            valids.append(Signal(name=f"full{k}"))
            firsts.append(Signal(name=f"first{k}", reset_less=True))
            lasts.append(Signal(name=f"last{k}", reset_less=True))
        m.d.comb += [
            self.i.ready.eq(~valids[-1] | self.o.ready),
            self.o.valid.eq(valids[-1]),
            self.o.p.first.eq(firsts[-1]),
            self.o.p.last.eq(lasts[-1]),
        ]
        with m.If(self.i.ready):
            m.d.sync += full.eq(self.i.valid)
            for marks in (valids, firsts, lasts):
                for mark, later in pairwise(marks):
                    m.d.sync += later.eq(mark)
        with m.If(take):
            m.d.sync += [first.eq(start), last.eq(self.i.p.last)]


class XorDecoder(GroupsDecoder):
    """The decoder of one code: `GroupsDecoder` with one group of n_w planes.

    Parameters
    ----------
    code : Code
    n_w : int
        Planes side by side.
    network : XorNetwork, optional
        Gates of the generator matrix (see `XorPlanes`).
    input_register, max_depth, masked, side_bits
        As in `GroupsDecoder`.
    """

    def __init__(
        self,
        code: Code,
        n_w: int,
        network: XorNetwork | None = None,
        *,
        input_register: bool = True,
        max_depth: int | None = None,
        masked: bool = False,
        side_bits: int = 0,
    ) -> None:
        self.code = code
        self.n_w = n_w
        group = XorGroup(n_w, code, network)
        super().__init__(
            [group],
            input_register=input_register,
            max_depth=max_depth,
            masked=int(masked),
            side_bits=side_bits,
        )
