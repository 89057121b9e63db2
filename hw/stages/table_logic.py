"""Tables as few gates: logic of several outputs, found for the inputs that can come and for no others.

A table of codewords is asked for a few dozen of the thousands of values that its input bits could have. What it says of
those is written as sums of products first. Then gate after gate is put in place of others: a gate may become any
function of one or two gates that are there already, as long as no output changes for an input that comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from xorweave.hw.stages.class_logic import products

Literal = int
"""Twice the number of a signal, plus 1 for its inverse; signal 0 is the constant 0."""
Gate = tuple[Literal, Literal]

_ROUNDS = 200  # of all gates
_TRIED = 6  # replacements of one kind that are tried for a gate
_READ = 200  # literals of which pairs are looked for
_WIDE = 400  # gates above which a gate is replaced by one gate only, not by two
_WORK = 12_000_000  # gates and literals looked at, some seconds
_NEW = 1 << 40  # the literal of a gate that is not there yet


@dataclass(frozen=True)
class TableLogic:
    """A table as AND gates.

    Attributes
    ----------
    inputs : int
        Signals 1 .. inputs are the input bits, bit 0 first.
    gates : tuple of (literal, literal)
        Signal ``inputs + 1 + k`` is the AND of gate k's two literals, which stand before it.
    outputs : tuple of literal
    """

    inputs: int
    gates: tuple[Gate, ...]
    outputs: tuple[Literal, ...]

    @property
    def fanout(self) -> list[int]:
        """How many gates and outputs read each signal."""
        read = [0] * (1 + self.inputs + len(self.gates))
        for literal in (*(literal for gate in self.gates for literal in gate), *self.outputs):
            read[literal >> 1] += 1
        return read

    def values(self, points: Sequence[int]) -> list[int]:
        """Return each output's value for inputs, given as whole numbers: bit k is that for ``points[k]``."""
        found = _values(self.inputs, self.gates, points)
        ones = (1 << len(points)) - 1
        return [_of(literal, found, ones) for literal in self.outputs]


def _of(literal: Literal, values: Sequence[int], ones: int) -> int:
    return values[literal >> 1] ^ (ones if literal & 1 else 0)


def _values(inputs: int, gates: Iterable[Gate], points: Sequence[int]) -> list[int]:
    ones = (1 << len(points)) - 1
    found = [0] + [sum((point >> bit & 1) << k for k, point in enumerate(points)) for bit in range(inputs)]
    for a, b in gates:
        found.append(_of(a, found, ones) & _of(b, found, ones))
    return found


def table_logic(
    inputs: int,
    points: Sequence[int],
    outputs: Sequence[Sequence[bool]],
    reads: Sequence[int] = (),
    *,
    rounds: int = _ROUNDS,
) -> TableLogic:
    """Find gates for a table.

    Parameters
    ----------
    inputs : int
        Input bits.
    points : sequence of int
        The inputs that can come, all different.
    outputs : sequence of sequence of bool
        What each output is for each of the points.
    reads : sequence of int, optional
        Of each output: the lowest input bit that it may depend on. It must not depend on others for the points.
    rounds : int
        How often every gate is looked at.

    Returns
    -------
    TableLogic
        The same for the same arguments, everywhere.
    """
    lowest = [*reads, *[0] * (len(outputs) - len(reads))]
    search = _Search(inputs, points, lowest, _sums_of_products(inputs, points, outputs))
    best = search.network
    order = Random(1)
    for _ in range(rounds):
        search.round(order)
        if len(search.network.gates) < len(best.gates):
            best = search.network
        if search.work > _WORK or not best.gates:
            break
    return best


def _sums_of_products(inputs: int, points: Sequence[int], outputs: Sequence[Sequence[bool]]) -> TableLogic:
    """Write every output as products of input bits, of itself or of its complement, whichever has fewer."""
    open_ = np.ones(1 << inputs, bool)
    open_[list(points)] = False
    gates: list[Gate] = []
    known: dict[Gate, Literal] = {}

    def both(a: Literal, b: Literal) -> Literal:
        gate = (min(a, b), max(a, b))
        if gate not in known:
            gates.append(gate)
            known[gate] = 2 * (inputs + len(gates))
        return known[gate]

    found = []
    for column in outputs:
        ones = np.zeros(1 << inputs, bool)
        ones[[point for point, one in zip(points, column, strict=True) if one]] = True
        plain, inverse = products(ones, open_), products(~ones & ~open_, open_)
        turned = sum(map(len, inverse)) < sum(map(len, plain))
        none: Literal = 1  # whether no product is 1
        for cube in inverse if turned else plain:
            term: Literal = 1
            for bit, wanted in cube:
                literal = 2 * (1 + bit) + (not wanted)
                term = literal if term == 1 else both(term, literal)
            none = term ^ 1 if none == 1 else both(none, term ^ 1)
        found.append(none if turned else none ^ 1)
    return TableLogic(inputs, tuple(gates), tuple(found))


class _Search:
    """A network under change."""

    def __init__(
        self, inputs: int, points: Sequence[int], lowest: Sequence[int], network: TableLogic
    ) -> None:
        self.inputs, self.points, self.lowest = inputs, points, lowest
        self.ones = (1 << len(points)) - 1
        self.work = 0
        self._set(_swept(network))

    def _set(self, network: TableLogic) -> None:
        """Take a network, and note what is known of its signals."""
        self.network = network
        self.values = _values(self.inputs, network.gates, self.points)
        size = len(self.values)
        # the lowest input bit that a signal depends on, and that whatever reads it may depend on
        self.depends = [self.inputs, *range(self.inputs)]
        for a, b in network.gates:
            self.depends.append(min(self.depends[a >> 1], self.depends[b >> 1]))
        self.may = [0] * size
        for literal, low in zip(network.outputs, self.lowest, strict=True):
            self.may[literal >> 1] = max(self.may[literal >> 1], low)
        for k in range(len(network.gates) - 1, -1, -1):
            for literal in network.gates[k]:
                self.may[literal >> 1] = max(self.may[literal >> 1], self.may[1 + self.inputs + k])

    def round(self, order: Random) -> None:
        """Try to replace as many gates as there are, picked at random."""
        for _ in range(len(self.network.gates)):
            count = len(self.network.gates)
            if not count or self.work > _WORK:
                return
            self._replace(int(order.random() * count), order)

    def _replace(self, k: int, order: Random) -> None:
        """Put something in place of gate k that takes no more gates, if there is anything."""
        network, ones = self.network, self.ones
        signal = 1 + self.inputs + k
        behind, seen = self._behind(k)
        value = self.values[signal]
        on, off = value & seen, ~value & seen & ones
        literals = []
        for other, held in enumerate(self.values):
            if other and not behind[other] and self.depends[other] >= self.may[signal]:
                literals += [(2 * other, held), (2 * other + 1, held ^ ones)]
        _shuffle(literals, order)
        self.work += len(network.gates) + 8 * len(literals)
        alone, size = self._alone(k), len(network.gates)
        same = None
        for gates, literal in _replacements(on, off, literals, two=alone > 1 and size <= _WIDE):
            if gates == [network.gates[k]]:
                continue
            self.work += size
            changed = _swept(_replaced(network, k, gates, literal))
            if len(changed.gates) < size:
                self._set(changed)
                return
            if len(changed.gates) == size and same is None:
                same = changed
                if alone == 1:
                    break  # no replacement saves more than what nothing else reads
        if same is not None:
            # walking over networks of one size is what leads to smaller ones
            self._set(same)

    def _alone(self, k: int) -> int:
        """Count the gates that go with gate k, as nothing else reads them."""
        first = 1 + self.inputs
        read = self.network.fanout
        count, waiting = 0, [k]
        while waiting:
            count += 1
            for literal in self.network.gates[waiting.pop()]:
                read[literal >> 1] -= 1
                if not read[literal >> 1] and literal >> 1 >= first:
                    waiting.append((literal >> 1) - first)
        return count

    def _behind(self, k: int) -> tuple[list[bool], int]:
        """Return which signals depend on gate k, itself among them, and for which points an output does."""
        network, ones = self.network, self.ones
        signal = 1 + self.inputs + k
        behind = [False] * len(self.values)
        behind[signal] = True
        flipped = {signal: self.values[signal] ^ ones}
        for index in range(k + 1, len(network.gates)):
            a, b = network.gates[index]
            if behind[a >> 1] or behind[b >> 1]:
                number = 1 + self.inputs + index
                behind[number] = True
                first, second = (
                    flipped.get(literal >> 1, self.values[literal >> 1]) ^ (ones if literal & 1 else 0)
                    for literal in (a, b)
                )
                flipped[number] = first & second
        seen = 0
        for literal in network.outputs:
            if behind[literal >> 1]:
                seen |= flipped[literal >> 1] ^ self.values[literal >> 1]
        return behind, seen


def _replacements(
    on: int, off: int, literals: Sequence[tuple[Literal, int]], *, two: bool
) -> list[tuple[list[Gate], Literal]]:
    """Return gates to add, and the literal that is then 1 on `on` and 0 on `off`; that of new gate j is _NEW + 2 j."""
    for literal, value in ((0, 0), (1, on | off), *literals):
        if not on & ~value and not off & value:
            return [([], literal)]
    found = _and_forms(on, off, literals, two)
    return found + [(gates, literal ^ 1) for gates, literal in _and_forms(off, on, literals, two)]


def _and_forms(
    on: int, off: int, literals: Sequence[tuple[Literal, int]], two: bool
) -> list[tuple[list[Gate], Literal]]:
    """Return those whose last gate gives what is wanted, not its inverse."""
    above = [(a, v) for a, v in literals if not on & ~v and off & ~v]
    found: list[tuple[list[Gate], Literal]] = [([pair], _NEW) for pair in _pairs(above, off, _TRIED)]
    if not two:
        return found
    for a, v in above[:_TRIED]:
        rest = off & v
        found += [([pair, (a, _NEW)], _NEW + 2) for pair in _pairs(above, rest, 1)]
        beyond = [(b, w) for b, w in literals if not rest & ~w and on & ~w]
        found += [([pair, (a, _NEW ^ 1)], _NEW + 2) for pair in _pairs(beyond, on, 1)]
    return found


def _pairs(literals: Sequence[tuple[Literal, int]], never: int, most: int) -> list[Gate]:
    """Return pairs that are both 1 for none of `never`, so many at most."""
    found: list[Gate] = []
    for place, (a, v) in enumerate(literals[:_READ]):
        left = never & v
        for b, w in literals[place + 1 : _READ]:
            if not left & w:
                found.append((a, b) if a < b else (b, a))
                if len(found) == most:
                    return found
                break
    return found


def _replaced(network: TableLogic, k: int, gates: list[Gate], literal: Literal) -> TableLogic:
    """Put gates before gate k's readers and a literal of them, or of what is there, in its place."""
    # what the new gates read may stand behind gate k: an order is found anew
    first = 1 + network.inputs
    count = len(network.gates)
    every = [*network.gates, *gates]

    def moved(read: Literal) -> Literal:
        return 2 * (first + count) + (read - _NEW) if read >= _NEW else read

    def placed(read: Literal) -> Literal:
        return moved(literal) ^ (read & 1) if read >> 1 == first + k else moved(read)

    taken = [(placed(a), placed(b)) for a, b in every]
    return TableLogic(network.inputs, tuple(taken), tuple(placed(read) for read in network.outputs))


def _swept(network: TableLogic) -> TableLogic:
    """Leave out gates that no output needs, that are there twice, or that are another literal; put them in order."""
    first = 1 + network.inputs
    gates: list[Gate] = []
    known: dict[Gate, Literal] = {}
    literals: dict[int, Literal] = {signal: 2 * signal for signal in range(first)}

    def ready(signal: int) -> bool:
        return signal in literals

    for output in network.outputs:
        waiting = [output >> 1]
        while waiting:
            signal = waiting[-1]
            if ready(signal):
                waiting.pop()
                continue
            needed = [read >> 1 for read in network.gates[signal - first] if not ready(read >> 1)]
            if needed:
                waiting += needed
                continue
            waiting.pop()
            a, b = sorted(literals[read >> 1] ^ (read & 1) for read in network.gates[signal - first])
            if a == 0 or a ^ b == 1:
                literals[signal] = 0
            elif a == 1 or a == b:
                literals[signal] = b
            else:
                if (a, b) not in known:
                    gates.append((a, b))
                    known[a, b] = 2 * (first + len(gates) - 1)
                literals[signal] = known[a, b]
    outputs = tuple(literals[read >> 1] ^ (read & 1) for read in network.outputs)
    return TableLogic(network.inputs, tuple(gates), outputs)


def _shuffle(some: list[tuple[Literal, int]], order: Random) -> None:
    for place in range(len(some) - 1, 0, -1):
        other = int(order.random() * (place + 1))
        some[place], some[other] = some[other], some[place]
