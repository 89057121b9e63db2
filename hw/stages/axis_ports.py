"""AXI4-Stream names for components whose streams are Amaranth's."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

_PINS = {
    "symbol": "tdata",
    "words": "tdata",
    "records": "tdata",
    "first": "tuser",
    "count": "tuser",
    "last": "tlast",
}


class AxisPorts(wiring.Component):
    """A decoder behind AXI4-Stream ports.

    Parameters
    ----------
    piece : wiring.Component
    prefixes : mapping of str to str
        For each stream of the piece, by name, the prefix of its pins. Data go to ``tdata``; ``first`` and ``count``
        of a payload to ``tuser``, ``last`` to ``tlast``. Ports that are no streams keep their names.
    """

    def __init__(self, piece: wiring.Component, prefixes: Mapping[str, str]) -> None:
        self.piece = piece
        self._wires: list[tuple[str, bool, Value]] = []
        self._fields: dict[str, list[tuple[str, int]]] = {}
        members = {}

        def wire(name: str, inward: bool, value: Value) -> None:
            self._wires.append((name, inward, value))
            members[name] = (In if inward else Out)(len(value))

        for name, member in piece.signature.members.items():
            port = getattr(piece, name)
            inward = member.flow is In
            if not member.is_port:
                prefix = prefixes[name]
                assert isinstance(member.signature, stream.Signature) or hasattr(port, "payload")
                self._fields[prefix] = []
                payload = port.payload
                shape = payload.shape()
                fields = (
                    [(_PINS[key], Value.cast(payload[key])) for key, _ in shape]
                    if isinstance(shape, data.StructLayout)
                    else [("tdata", Value.cast(payload))]
                )
                for pin, value in fields:
                    wire(f"{prefix}_{pin}", inward, value)
                    self._fields[prefix].append((f"{prefix}_{pin}", len(value)))
                wire(f"{prefix}_tvalid", inward, port.valid)
                wire(f"{prefix}_tready", not inward, port.ready)
            else:
                wire(name, inward, Value.cast(port))
        super().__init__(members)

    def pins(self, prefix: str) -> tuple[tuple[str, int], ...]:
        """Return the pins that make a word of a stream, lowest first, and their widths."""
        return tuple(self._fields[prefix])

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder = self.piece
        for name, inward, value in self._wires:
            port = getattr(self, name)
            m.d.comb += value.eq(port) if inward else port.eq(value)
        return m
