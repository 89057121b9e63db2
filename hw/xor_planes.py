"""The XOR network in hardware: one network, applied to words of n_w bits so that all planes share it."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.code import Code
from xorweave.golden.errors import InputError
from xorweave.hw.xor_network import XorNetwork, balanced_trees


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

    Raises
    ------
    InputError
        The network does not compute the code's generator matrix.
    """

    def __init__(self, code: Code, n_w: int, network: XorNetwork | None = None) -> None:
        if network is None:
            network = balanced_trees(code.generator)
        elif not (network.matrix() == code.generator).all():
            raise InputError(f"the XOR network must compute the generator of the code {code.check_value}")
        self.code = code
        self.n_w = n_w
        self.network = network
        super().__init__({"x": In(code.constraint_length * n_w), "y": Out(code.n_out * n_w)})

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
        for index, (a, b) in enumerate(self.network.gates):
            value = signals[a] ^ signals[b]
            signal = code.constraint_length + index
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
        m.d.comb += self.y.eq(Cat(words))
        return m
