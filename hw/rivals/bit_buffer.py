"""What decoders of variable length stand on: the next bits of a stream, however many were used last."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value


class BitBuffer:
    """Registers and shifters of a lane that uses 0 to `longest` bits of a stream a cycle.

    Parameters
    ----------
    longest : int
        Most bits used in a cycle, and the bits of a beat.

    Attributes
    ----------
    level : Signal
        Bits that are there, up to three beats.
    head : Value
        The next `longest` bits, the first one to decode highest.
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.depth = 3 * longest
        # bit 0 is the next to decode
        self.bits = Signal(self.depth, reset_less=True)
        self.level = Signal(range(self.depth + 1))

    @property
    def head(self) -> Value:
        """The next bits, the first one to decode highest."""
        return Cat(self.bits[self.longest - 1 - k] for k in range(self.longest))

    def refill(self, m: Module, beats: Any, spent: Value, restart: Value) -> None:
        """Add to a module what drops the bits that were used and takes a beat when there is room for it.

        Parameters
        ----------
        m : Module
        beats : stream of `longest` bits
            The first bit to decode is the highest one.
        spent : Value
            Bits used in this cycle.
        restart : Value
            Drops everything.
        """
        longest, depth = self.longest, self.depth
        used = Signal(range(longest + 1))
        left = Signal(range(depth + 1))
        accept = Signal()
        m.d.comb += [
            used.eq(spent),
            left.eq((self.level - used)[: len(left)]),
            beats.ready.eq((self.level <= 2 * longest) & ~restart),
            accept.eq(beats.valid & beats.ready),
        ]
        kept: Value = self.bits
        for stage in range(len(used)):
            moved = Signal(depth, name=f"kept{stage}")
            m.d.comb += moved.eq(
                Mux(used[stage], Cat(kept[1 << stage :], Const(0, min(depth, 1 << stage))), kept)
            )
            kept = moved
        placed: Value = Signal(depth, name="beat")
        m.d.comb += placed.eq(Cat(beats.payload[longest - 1 - k] for k in range(longest)))
        for stage in range(len(left)):
            step = min(depth, 1 << stage)
            moved = Signal(depth, name=f"placed{stage}")
            m.d.comb += moved.eq(Mux(left[stage], Cat(Const(0, step), placed[: depth - step]), placed))
            placed = moved
        m.d.sync += self.bits.eq(Cat(Mux(left > k, kept[k], placed[k]) for k in range(depth)))
        with m.If(restart):
            m.d.sync += self.level.eq(0)
        with m.Elif(accept):
            m.d.sync += self.level.eq((left + longest)[: len(self.level)])
        with m.Else():
            m.d.sync += self.level.eq(left)
