"""And-inverter graphs: read as Yosys writes them, joined, simplified, and written for ABC.

A literal is twice a node's number, and one more where it is inverted; node 0 is the constant 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xorweave.golden.base.errors import ToolError

# A sum that no other sum can be compared with any more costs memory and helps nothing.
_MOST_TERMS = 1 << 14


@dataclass(frozen=True)
class Circuit:
    """A circuit as an AIGER file describes it: inputs, then registers, then gates are numbered from 1.

    Attributes
    ----------
    inputs : tuple of str
    registers : tuple of str
        Names of what the registers drive, with spaces between them where there are several.
    nexts : tuple of int
        Literal that each register takes over at the clock.
    outputs : dict of str to int
        Literal of each output.
    gates : list of (int, int)
        Literals whose AND each gate is.
    """

    inputs: tuple[str, ...]
    registers: tuple[str, ...]
    nexts: tuple[int, ...]
    outputs: dict[str, int]
    gates: list[tuple[int, int]]

    @property
    def first_register(self) -> int:
        """Node of the first register."""
        return 1 + len(self.inputs)

    @property
    def first_gate(self) -> int:
        """Node of the first gate."""
        return self.first_register + len(self.registers)

    def cone(self, roots: Sequence[int]) -> list[int]:
        """Return the gates that literals depend on, as indices into `gates`, rising."""
        first = self.first_gate
        needed = bytearray(len(self.gates))
        for root in roots:
            if root >> 1 >= first:
                needed[(root >> 1) - first] = 1
        for index in range(len(self.gates) - 1, -1, -1):
            if needed[index]:
                for literal in self.gates[index]:
                    if literal >> 1 >= first:
                        needed[(literal >> 1) - first] = 1
        return [index for index, need in enumerate(needed) if need]


def read_aiger(path: Path) -> Circuit:
    """Read a binary AIGER file with names, whose registers wake as 0 (which is not looked at).

    Raises
    ------
    ToolError
        It is no such file.
    """
    content = path.read_bytes()
    head, _, rest = content.partition(b"\n")
    try:
        kind, *numbers = head.split()
        _, n_inputs, n_registers, n_outputs, n_gates = map(int, numbers[:5])
        if kind != b"aig":
            raise ValueError
    except ValueError:
        raise ToolError(f"{path.name} must be a binary AIGER file") from None
    lines = rest.split(b"\n", n_registers + n_outputs)
    nexts = tuple(int(line.split()[0]) for line in lines[:n_registers])
    outputs = [int(line) for line in lines[n_registers : n_registers + n_outputs]]
    body = lines[-1]
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = body[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    gates = []
    for node in range(1 + n_inputs + n_registers, 1 + n_inputs + n_registers + n_gates):
        first = 2 * node - number()
        gates.append((first, first - number()))
    names: dict[str, str] = {}
    for line in body[at:].split(b"\nc\n")[0].decode(errors="replace").splitlines():
        place, _, name = line.partition(" ")
        names[place] = name
    return Circuit(
        inputs=tuple(names.get(f"i{k}", f"?{k}") for k in range(n_inputs)),
        registers=tuple(names.get(f"l{k}", f"?{k}") for k in range(n_registers)),
        nexts=nexts,
        outputs={
            name: literal for k, literal in enumerate(outputs) for name in names.get(f"o{k}", f"?{k}").split()
        },
        gates=gates,
    )


def simulate(
    circuit: Circuit, gates: Sequence[int], inputs: Sequence[int], state: Sequence[int], ones: int
) -> list[int]:
    """Return the value of every node, patterns side by side in the bits of an integer (`ones` has them all).

    Parameters
    ----------
    circuit : Circuit
    gates : sequence of int
        Indices of the gates to work out, rising (`Circuit.cone`); the others stay 0.
    inputs, state : sequence of int
        A value for every input and every register.
    ones : int
    """
    first = circuit.first_gate
    values = [0, *inputs, *state, *([0] * len(circuit.gates))]
    table = circuit.gates
    for index in gates:
        a, b = table[index]
        left, right = values[a >> 1], values[b >> 1]
        values[first + index] = (left ^ ones if a & 1 else left) & (right ^ ones if b & 1 else right)
    return values


class Graph:
    """A graph under construction, in which equal gates are one gate, and equal sums are one sum.

    Exclusive-ors are found in it as they are built, and each is known as the set of terms it sums up: two trees of
    exclusive-ors over the same terms are the same literal, in whatever order they add. That decides most of what there
    is to decide between an XOR network and its matrix, in time proportional to their size, where SAT solvers and
    decision diagrams need minutes or do not finish.
    """

    def __init__(self) -> None:
        self._gates: dict[int, tuple[int, int]] = {}
        self._known: dict[tuple[int, int], int] = {}
        self._count = 1
        self._order: list[int] = []  # inputs
        self._term: dict[int, int] = {}  # a node that sums are made of: which bit of a sum
        self._sum: dict[int, int] = {}  # node: the terms it is the sum of
        self._summed: dict[int, int] = {}  # terms: literal
        self._node_of_term: list[int] = []

    def add_input(self) -> int:
        """Return the literal of a new input."""
        node = self._count
        self._count += 1
        self._order.append(node)
        return 2 * node

    def both(self, a: int, b: int) -> int:
        """Return the AND of two literals."""
        if a < b:
            a, b = b, a
        if b == 0 or a == b ^ 1:
            return 0
        if b == 1 or a == b:
            return a
        literal = self._known.get((a, b))
        if literal is None:
            literal = self._add(a, b)
            self._known[a, b] = literal
        return literal

    def _add(self, a: int, b: int) -> int:
        """Make a gate, or find the sum that it is."""
        if a & 1 and b & 1:
            left, right = self._gates.get(a >> 1), self._gates.get(b >> 1)
            if left is not None and right is not None:
                x, y = left
                if right in ((x ^ 1, y ^ 1), (y ^ 1, x ^ 1)):
                    # not both, and not neither: their sum
                    return self._plus(x, y, (a, b))
        return self._gate(a, b)

    def _gate(self, a: int, b: int) -> int:
        node = self._count
        self._count += 1
        self._gates[node] = (a, b)
        return 2 * node

    def _terms(self, literal: int) -> int | None:
        """Return the terms of a literal's node as a set of bits, or None where there are too many to keep."""
        node = literal >> 1
        terms = self._sum.get(node)
        if terms is None:
            place = self._term.get(node)
            if place is None:
                if len(self._node_of_term) >= _MOST_TERMS:
                    return None
                place = len(self._node_of_term)
                self._term[node] = place
                self._node_of_term.append(node)
            terms = 1 << place
        return terms

    def _plus(self, x: int, y: int, gate: tuple[int, int] | None = None) -> int:
        """Return the exclusive-or of two literals; `gate` says of which AND it is the outcome, if it is there."""
        odd = (x ^ y) & 1
        x, y = x & ~1, y & ~1
        if x == y:
            return odd
        if not x or not y:
            return (x | y) ^ odd
        left, right = self._terms(x), self._terms(y)
        if left is None or right is None:
            return self._gate(*gate) if gate else self._xor_gates(x, y) ^ odd
        terms = left ^ right
        if not terms:
            return odd
        if not terms & (terms - 1):
            return 2 * self._node_of_term[terms.bit_length() - 1] ^ odd
        literal = self._summed.get(terms)
        if literal is None:
            literal = self._xor_gates(x, y)
            self._sum[literal >> 1] = terms
            # the gates of a sum are an AND, not inverted
            self._summed[terms] = literal
        return literal ^ odd

    def _xor_gates(self, x: int, y: int) -> int:
        """Return x ^ y of two literals that are not inverted, by three gates, without looking for its sum."""
        x, y = max(x, y), min(x, y)
        pairs = []
        for a, b in ((x, y), (x ^ 1, y ^ 1)):
            literal = self._known.get((a, b))
            if literal is None:
                literal = self._gate(a, b)
                self._known[a, b] = literal
            pairs.append(literal ^ 1)
        return self._gate(max(pairs), min(pairs))

    def xor(self, a: int, b: int) -> int:
        """Return the exclusive-or of two literals."""
        return self._plus(a, b)

    def either(self, a: int, b: int) -> int:
        """Return the OR of two literals."""
        return self.both(a ^ 1, b ^ 1) ^ 1

    def choose(self, condition: int, yes: int, no: int) -> int:
        """Return `yes` where the condition holds, else `no`."""
        if yes == no:
            return yes
        if yes == no ^ 1:
            return self.xor(condition, no)
        return self.either(self.both(condition, yes), self.both(condition ^ 1, no))

    def copy(self, circuit: Circuit, inputs: Sequence[int], state: Sequence[int]) -> list[int]:
        """Build a circuit's gates on the given literals of its inputs and registers; return all nodes' literals."""
        literals = [0, *inputs, *state]
        for a, b in circuit.gates:
            literals.append(self.both(literals[a >> 1] ^ (a & 1), literals[b >> 1] ^ (b & 1)))
        return literals

    def write(self, path: Path, outputs: Sequence[int], registers: Sequence[tuple[int, int]] = ()) -> None:
        """Write what the outputs need as binary AIGER.

        Parameters
        ----------
        path : Path
        outputs : sequence of int
        registers : sequence of (int, int)
            Literals of inputs of the graph that are registers waking as 0, and of what each becomes.
        """
        held = {literal >> 1 for literal, _ in registers}
        roots = [*outputs, *(literal for _, literal in registers)]
        needed: set[int] = set()
        stack = [root >> 1 for root in roots]
        while stack:
            node = stack.pop()
            if node in needed or node not in self._gates:
                continue
            needed.add(node)
            stack += [literal >> 1 for literal in self._gates[node]]
        free = [node for node in self._order if node not in held]
        places = {0: 0}
        for node in [*free, *(literal >> 1 for literal, _ in registers), *sorted(needed)]:
            places[node] = len(places)
        total = len(places) - 1

        def placed(literal: int) -> int:
            return 2 * places[literal >> 1] ^ (literal & 1)

        lines = [f"aig {total} {len(free)} {len(registers)} {len(outputs)} {len(needed)}"]
        lines += [str(placed(after)) for _, after in registers]
        lines += [str(placed(output)) for output in outputs]
        body = bytearray()
        for node in sorted(needed):
            a, b = sorted((placed(literal) for literal in self._gates[node]), reverse=True)
            for delta in (2 * places[node] - a, a - b):
                while delta > 127:
                    body.append(delta & 127 | 128)
                    delta >>= 7
                body.append(delta)
        path.write_bytes(("\n".join(lines) + "\n").encode() + bytes(body))
