"""The XOR network in hardware: one network, applied to words of n_w bits so that all planes share it."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.hw.xor.network import XorNetwork, balanced_trees
from xorweave.hw.xor.pipeline import pipeline_cut


class XorPlanes(wiring.Component):
    """XOR network: y = G * [x0; x1; ...] over GF(2), every plane alike. Combinational.

    Parameters
    ----------
    code : Code
    n_w : int
        Planes side by side (bits of a word).
    network : XorNetwork, optional
        Gates that compute the generator matrix; balanced trees without sharing when left out.

    Members
    -------
    x : In(n_in * (n_s + 1) * n_w)
        Window of symbols, the newest lowest: bit ``(i * n_in + b) * n_w + q`` is bit b of x_(t-i) in plane q.
    y : Out(n_out * n_w)
        Block of words, bit ``r * n_w + q``.
    enable : In(1)
        Only with more than one stage.

    max_depth : int, optional
        Most two-input XORs between registers: the network is cut into pipeline stages (`pipeline_cut`), which
        move on in the cycles in which `enable` is 1. `stages` says how many; y comes stages - 1 cycles late.
    stages : int, optional
        At least so many, with `max_depth`: for networks that must be equally late.
    keep : In(n_out)
        Only if `masked`: words whose bit is 0 come out as 0, in the same cycle.

    masked : bool
        Whether the mask stage is folded into the network. Exclusive-or and mask together are two complex gates,
        ``!((a & b) | !((a | b) & keep))``, 2.5 gate equivalents a bit instead of 3.5. Logic optimisers do not see it.

    Raises
    ------
    InputError
        The network does not compute the code's generator matrix.
    """

    def __init__(
        self,
        code: Code,
        n_w: int,
        network: XorNetwork | None = None,
        *,
        max_depth: int | None = None,
        stages: int | None = None,
        masked: bool = False,
    ) -> None:
        if network is None:
            network = balanced_trees(code.generator)
        elif not (network.matrix() == code.generator).all():
            raise InputError(f"the XOR network must compute the generator of the code {code.check_value}")
        if masked and max_depth is not None:
            raise InputError("the mask can be folded only into a network without pipeline stages")
        self.code = code
        self.n_w = n_w
        self.network = network
        self.masked = masked
        self._cut = None if max_depth is None else pipeline_cut(network, max_depth=max_depth)
        self.stages = 1 if self._cut is None else self._cut.stages
        if self._cut is not None and stages is not None:
            self._cut = replace(self._cut, stages=max(stages, self._cut.stages))
            self.stages = self._cut.stages
        if self._cut is not None:
            self.network = self._cut.network  # the cut drops gates that no output needs
        members = {"x": In(code.constraint_length * n_w), "y": Out(code.n_out * n_w)}
        if self.stages > 1:
            members["enable"] = In(1)
        if masked:
            members["keep"] = In(code.n_out)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        code, n_w = self.code, self.n_w
        signals: list[Signal] = []
        fanout = self.network.fanout
        for column in range(code.constraint_length):
            age, bit = divmod(column, code.n_in)
            tap = Signal(n_w, name=f"x{age}_b{bit}")
            m.d.comb += tap.eq(self.x[column * n_w : (column + 1) * n_w])
            signals.append(tap)
        idle = [signals[column] for column in range(code.constraint_length) if not fanout[column]]
        if idle:  # lint tools accept a signal of this name that nothing reads
            unused = Signal()
            m.d.comb += unused.eq(Cat(idle).any())
        # gates that only one other gate reads stay inside its expression: a tree is one line, sharing has a name
        roots = {signal for signal in self.network.outputs if signal is not None}
        if self.stages > 1:
            self._pipeline(m, signals)
            return m
        kept = [bit.replicate(n_w) for bit in self.keep] if self.masked else []
        folded: set[int] = set()
        for index, (a, b) in enumerate(self.network.gates):
            value = signals[a] ^ signals[b]
            signal = code.constraint_length + index
            if self.masked and signal in roots and fanout[signal] == 1:
                # read by one output and nothing else: made together with that output's mask
                row = self.network.outputs.index(signal)
                value = ~((signals[a] & signals[b]) | ~((signals[a] | signals[b]) & kept[row]))
                folded.add(row)
            if fanout[signal] > 1 and signal not in roots:
                shared = Signal(n_w, name=f"g{index}")
                m.d.comb += shared.eq(value)
                value = shared
            elif signal in roots:
                named = Signal(n_w, name=f"y{self.network.outputs.index(signal)}")
                m.d.comb += named.eq(value)
                value = named
            signals.append(value)
        words = [Const(0, n_w) if s is None else signals[s] for s in self.network.outputs]
        if self.masked:
            words = [word if row in folded else word & kept[row] for row, word in enumerate(words)]
        m.d.comb += self.y.eq(Cat(words))
        return m

    def _pipeline(self, m: Module, taps: list[Signal]) -> None:
        """Make the network of the cut: each signal with the registers that carry it to its readers' stages."""
        cut = self._cut
        assert cut is not None
        late: list[list[Signal]] = []  # late[s][d]: signal s, d cycles after it was made

        def carried(signal: Signal, name: str, delay: int) -> None:
            line = [signal]
            for d in range(1, delay + 1):
                register = Signal(self.n_w, name=f"{name}_r{d}", reset_less=True)
                with m.If(self.enable):
                    m.d.sync += register.eq(line[-1])
                line.append(register)
            late.append(line)

        for tap, delay in zip(taps, cut.delays, strict=False):
            carried(tap, tap.name, delay)
        for index, (a, b) in enumerate(self.network.gates):
            signal = self.network.inputs + index
            stage = cut.stage_of[signal]
            gate = Signal(self.n_w, name=f"g{index}")
            m.d.comb += gate.eq(late[a][stage - cut.stage_of[a]] ^ late[b][stage - cut.stage_of[b]])
            carried(gate, f"g{index}", cut.delays[signal])
        last = self.stages - 1
        m.d.comb += self.y.eq(
            Cat(
                Const(0, self.n_w) if s is None else late[s][last - cut.stage_of[s]]
                for s in self.network.outputs
            )
        )
