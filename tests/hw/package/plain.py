"""A component behind ports that both writers of Verilog call the same."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In


class Plain(wiring.Component):
    """A component behind ports that both writers call the same."""

    def __init__(self, piece: wiring.Component) -> None:
        self.piece = piece
        flat = piece.signature.flatten(piece)
        self.pairs = [("_".join(map(str, path)), member.flow, Value.cast(pin)) for path, member, pin in flat]
        super().__init__({name: flow(len(pin)) for name, flow, pin in self.pairs})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.piece = self.piece
        for name, flow, pin in self.pairs:
            port = getattr(self, name)
            m.d.comb += pin.eq(port) if flow is In else port.eq(pin)
        return m
