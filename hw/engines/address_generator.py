"""The address generator: to which row and column each weight of a block belongs."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.walk import Counter, Walk

_Values = dict[str, Any]


def address_layout(walk: Walk, lanes: int) -> data.StructLayout:
    """Return rows and columns of `lanes` weights, lane 0 lowest, and a bit for each that says it is no padding."""
    row, column = (max(1, (size - 1).bit_length()) for size in (walk.rows, walk.columns))
    return data.StructLayout({"rows": lanes * row, "columns": lanes * column, "inside": lanes})


class AddressGenerator(wiring.Component):
    """Address generator: rows and columns of the weights of a scan, a few scan positions a cycle.

    Counters move by constants (see `Walk`): an adder and a conditional subtraction each, no multiplier, no division.
    Where the scan is a single loop (row-major, affine), every lane adds a constant of its own to the counters; where it
    has several, the lanes follow one another in a chain. Where only live rows or columns are counted, a table for each
    lane says which they are.

    Parameters
    ----------
    walk : Walk
    lanes : int
        Addresses given out together, at least 1.
    short : int, optional
        So many positions the walk moves on where `shortened` is high, 1 to `lanes`; by default `lanes`.

    Members
    -------
    o : Out(stream.Signature(address_layout(walk, lanes)))
        Past the end of the scan the walk goes on: a single loop begins the next round.
    shortened : In(1)
    restart : In(1)
        Begins again at scan position 0 with the next addresses given out.
    """

    def __init__(self, walk: Walk, lanes: int, *, short: int | None = None) -> None:
        if lanes < 1:
            raise InputError(f"lanes must be at least 1, not {lanes}")
        short = lanes if short is None else short
        if not 1 <= short <= lanes:
            raise InputError(f"short must be between 1 and {lanes}, not {short}")
        self.walk, self.lanes, self.short = walk, lanes, short
        members = {"o": Out(stream.Signature(address_layout(walk, lanes))), "restart": In(1)}
        if short != lanes:
            members["shortened"] = In(1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        walk = self.walk
        start: _Values = {f"turn_{k}": turn for k, turn in enumerate(walk.first)}
        limits = {f"turn_{k}": turns for k, turns in enumerate(walk.turns)}
        for name, counter in walk.counters.items():
            start[name], limits[name] = counter.start, counter.modulus
        # modulo 1 there is nothing to count
        now: _Values = {
            name: Signal(range(limits[name]), name=name, init=value) if limits[name] > 1 else C(0, 1)
            for name, value in start.items()
        }
        places = [now]
        for lane in range(1, self.lanes + 1):
            if walk.turns:
                places.append(self._following(m, places[-1], f"lane{lane}"))
            elif lane < self.lanes:
                places.append(self._moved(m, now, [walk.leap(lane)], [], f"lane{lane}"))
        following = (
            places[self.lanes]
            if walk.turns
            else self._moved(m, now, [walk.leap(self.lanes)], [], "following")
        )
        self._give(m, places[: self.lanes])
        with m.If(self.restart):
            m.d.sync += [now[name].eq(value) for name, value in start.items() if limits[name] > 1]
        with m.Elif(self.o.ready):
            if self.short != self.lanes:
                less = places[self.short]
                following = {n: Mux(self.shortened, less[n], value) for n, value in following.items()}
            m.d.sync += [now[n].eq(value) for n, value in following.items() if limits[n] > 1]
        return m

    def _give(self, m: Module, places: list[_Values]) -> None:
        """Put the addresses of the lanes out."""
        walk = self.walk
        inside = []
        for place in places:
            checks = [
                place[name] < bound
                for name, bound in walk.bounds.items()
                if bound < walk.counters[name].modulus
            ]
            inside.append(Cat(checks).all() if checks else C(1, 1))
        rows = len(self.o.p.rows) // self.lanes
        columns = len(self.o.p.columns) // self.lanes
        m.d.comb += [
            self.o.p.rows.eq(Cat(_width(self._number(place, "row"), rows) for place in places)),
            self.o.p.columns.eq(Cat(_width(self._number(place, "column"), columns) for place in places)),
            self.o.p.inside.eq(Cat(inside)),
            self.o.valid.eq(1),
        ]

    def _number(self, place: _Values, name: str) -> Any:
        """Return the row or column of a place, looked up where only live ones are counted."""
        numbers = self.walk.numbers.get(name)
        return place[name] if numbers is None else Array(map(C, numbers))[place[name]]

    def _following(self, m: Module, place: _Values, label: str) -> _Values:
        """Return the next place of several loops: the innermost that is not in its last turn moves on."""
        found: _Values = {}
        over: list[Value] = []  # whether each loop begins again
        moves: Value = C(1, 1)
        for k, turns in enumerate(self.walk.turns):
            name = f"turn_{k}"
            last, following = (
                Signal(name=f"{label}_{name}_last"),
                Signal.like(place[name], name=f"{label}_{name}"),
            )
            m.d.comb += [
                last.eq(moves & (place[name] == turns - 1)),
                following.eq(Mux(last, 0, _width(place[name] + moves, len(following)))),
            ]
            moves = last
            over.append(last)
            found[name] = following
        count = len(self.walk.turns) + 1
        leaps = [{name: c.steps[k] for name, c in self.walk.counters.items()} for k in range(count)]
        return found | self._moved(m, place, leaps, over, label)

    def _moved(
        self, m: Module, place: _Values, leaps: list[dict[str, int]], over: list[Value], label: str
    ) -> _Values:
        """Add to each counter the constant of the loop that moves on: the first that is not `over`."""
        found: _Values = {}
        carried: dict[str, tuple[Value, int]] = {}
        for name, counter in self.walk.counters.items():
            if counter.modulus == 1:
                found[name] = place[name]
                carried |= {other: (C(0, 1), some) for other, some in counter.carry}
                continue
            more, amount = carried.get(name, (None, 0))
            step = _chosen([leap[name] % counter.modulus for leap in leaps], over)
            if more is not None:
                extra = _chosen([(leap[name] + amount) % counter.modulus for leap in leaps], over)
                step = Mux(more, extra, step)
            found[name], past = self._added(m, place[name], step, counter, f"{label}_{name}")
            for other, some in counter.carry:
                assert other not in carried  # each counter is carried to by one at most
                carried[other] = past, some
        return found

    def _added(
        self, m: Module, value: Signal, step: Any, counter: Counter, label: str
    ) -> tuple[Signal, Value]:
        """Return value + step modulo the counter's modulus, and whether it passed it."""
        total, past = Signal(len(value) + 1, name=f"{label}_sum"), Signal(name=f"{label}_past")
        result = Signal.like(value, name=label)
        m.d.comb += [
            total.eq(value + step),
            past.eq(total >= counter.modulus),
            result.eq(Mux(past, _width(total - counter.modulus, len(value)), total[: len(value)])),
        ]
        return result, past


def _width(value: Any, bits: int) -> Value:
    """Return the lowest bits of a value, zeros above it where it is narrower."""
    return Value.cast(value)[:bits] if len(value) >= bits else Cat(value, C(0, bits - len(value)))


def _chosen(constants: list[int], over: list[Value]) -> Any:
    """Return the constant of the innermost loop that is not over."""
    if len(set(constants)) == 1:
        return constants[0]
    chosen: Any = constants[-1]
    for constant, ends in zip(reversed(constants[:-1]), reversed(over), strict=True):
        chosen = Mux(ends, chosen, constant)
    return chosen
