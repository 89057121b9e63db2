"""Which register of a netlist holds what which register of the reference holds.

The guess is made by simulation, from what registers have in common under the same inputs; it need not be right, because
what is made of it is proved afterwards, for every state and every input.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xorweave.synth.proof.aiger import Circuit, simulate

_PATTERNS = 256
_CYCLES = 48
_SEED = 1  # of a guess


@dataclass(frozen=True)
class Sum:
    """A register that is a sum of registers of the reference, as long as another one is 1.

    Attributes
    ----------
    guard : int
        Register of the reference that says when.
    terms : tuple of int
        Registers of the reference.
    """

    guard: int
    terms: tuple[int, ...]


@dataclass
class Correspondence:
    """What is guessed of two circuits' registers, all by index.

    Attributes
    ----------
    pairs : dict of int to (int, bool)
        Register of the netlist: register of the reference, and whether it is that one's inverse.
    same : dict of int to (int, bool)
        Register of the reference: another one of the reference that it always equals (or is the inverse of).
    sums : dict of int to Sum
        Register of the netlist: what it sums up.
    """

    pairs: dict[int, tuple[int, bool]] = field(default_factory=dict)
    same: dict[int, tuple[int, bool]] = field(default_factory=dict)
    sums: dict[int, Sum] = field(default_factory=dict)

    @property
    def shared(self) -> set[int]:
        """Registers of the reference to which more than one of either circuit corresponds."""
        seen: set[int] = set()
        twice = {register for register, _ in self.same.values()}
        for register, _ in self.pairs.values():
            (twice if register in seen else seen).add(register)
        return twice


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return the key by which names are put in order, numbers by their value."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def _stimuli(names: Sequence[str], rng: random.Random, length: int) -> list[dict[str, int]]:
    """Return values of all inputs for every cycle, patterns side by side; the first cycle is a reset.

    A bus is mostly random, or mostly 0, or mostly 1, for the whole of a pattern: what is rare happens somewhere.
    """
    ones = (1 << _PATTERNS) - 1
    bits = _PATTERNS
    moods: dict[str, tuple[int, int]] = {}
    for name in names:
        bus = name.split("[")[0]
        if bus not in moods:
            first = rng.getrandbits(bits)
            moods[bus] = (first, first & rng.getrandbits(bits))
    cycles = []
    calm = ones // 255  # every eighth pattern
    for cycle in range(length):
        values = {}
        for name in names:
            random_now, seldom = moods[name.split("[")[0]]
            value = rng.getrandbits(bits)
            rare = value & rng.getrandbits(bits) & rng.getrandbits(bits)
            # random where the mood says so, else mostly 0 or mostly 1
            mostly = rare ^ (seldom ^ random_now)
            values[name] = (value & seldom) | (mostly & ~seldom & ones)
        rare = values.get("rst", 0)
        values["rst"] = ones if cycle == 0 else rare & rng.getrandbits(bits) & rng.getrandbits(bits)
        if cycle:
            # one pattern in eight is an endless stream at the full rate: else long histories stay empty
            for name in names:
                if name == "rst" or name.endswith(("_tlast", "_tuser")):
                    values[name] &= ~calm
                elif name.endswith(("_tvalid", "_tready")):
                    values[name] |= calm
        cycles.append(values)
    return cycles


def _signatures(circuit: Circuit, cycles: Sequence[Mapping[str, int]]) -> list[int]:
    """Return what every register held in every pattern and cycle after the first."""
    ones = (1 << _PATTERNS) - 1
    gates = circuit.cone(circuit.nexts)
    state = [0] * len(circuit.registers)
    held: list[list[int]] = [[] for _ in state]
    for values in cycles:
        inputs = [values[name] for name in circuit.inputs]
        nodes = simulate(circuit, gates, inputs, state, ones)
        state = [nodes[after >> 1] ^ (ones if after & 1 else 0) for after in circuit.nexts]
        for history, value in zip(held, state, strict=True):
            history.append(value)
    size = _PATTERNS // 8
    return [int.from_bytes(b"".join(v.to_bytes(size, "little") for v in h), "little") for h in held]


def first_difference(
    gold: Circuit, gate: Circuit, guards: Mapping[str, str], cycles: int
) -> tuple[str, int] | None:
    """Run both circuits side by side from a reset, and look for an output of the reference that is not the same.

    Parameters
    ----------
    gold, gate : Circuit
        Reference and netlist, both woken as 0.
    guards : mapping of str to str
        The outputs that are compared, and for each the output that says when it matters; empty: always.
    cycles : int

    Returns
    -------
    (str, int) or None
        The output, and the cycle after the reset.
    """
    ones = (1 << _PATTERNS) - 1
    names = sorted({*gold.inputs, *gate.inputs, "rst"})
    sides = []
    for circuit in (gold, gate):
        gates = circuit.cone([*circuit.nexts, *(circuit.outputs[name] for name in guards)])
        sides.append((circuit, gates, [0] * len(circuit.registers)))
    for cycle, values in enumerate(_stimuli(names, random.Random(_SEED), cycles)):
        given: list[dict[str, int]] = []
        for number, (circuit, gates, state) in enumerate(sides):
            nodes = simulate(circuit, gates, [values[name] for name in circuit.inputs], state, ones)

            def word(literal: int, nodes: list[int] = nodes) -> int:
                return nodes[literal >> 1] ^ (ones if literal & 1 else 0)

            given.append({name: word(circuit.outputs[name]) for name in {*guards, *guards.values()} - {""}})
            sides[number] = (circuit, gates, [word(after) for after in circuit.nexts])
        for name, guard in guards.items():
            matters = given[0][guard] if guard else ones
            if cycle and (given[0][name] ^ given[1][name]) & matters:
                return name, cycle
    return None


class _Span:
    """Sums of some registers, to find out which of them make up a given one."""

    def __init__(self, registers: Sequence[int], signatures: Sequence[int], where: int) -> None:
        self.where = where
        self.rows: dict[int, tuple[int, int]] = {}  # highest bit: reduced signature, which registers
        for register in registers:
            value, members = self._reduced(signatures[register] & where, 1 << register)
            if value:
                self.rows[value.bit_length()] = (value, members)

    def _reduced(self, value: int, members: int) -> tuple[int, int]:
        while value:
            row = self.rows.get(value.bit_length())
            if row is None:
                break
            value ^= row[0]
            members ^= row[1]
        return value, members

    def members(self, signature: int) -> tuple[int, ...] | None:
        """Return the registers whose sum a signature is, None where there are none."""
        value, members = self._reduced(signature & self.where, 0)
        if value:
            return None
        return tuple(k for k in range(members.bit_length()) if members >> k & 1)


_Registers = list[tuple[int, bool]]


def _pair_by_name(
    found: Correspondence, gold: Circuit, gate: Circuit, golds: _Registers, gates: _Registers
) -> tuple[_Registers, _Registers]:
    """Pair what behaves alike and has one name in both, where each has it once; return the others."""
    named = {
        name: (register, inverted)
        for register, inverted in golds
        for name in gold.registers[register].split()
    }
    left = []
    taken: set[int] = set()
    for register, inverted in gates:
        partners = [named[name] for name in gate.registers[register].split() if name in named]
        if partners and partners[0][0] not in taken:
            partner, other = partners[0]
            taken.add(partner)
            found.pairs[register] = (partner, inverted != other)
        else:
            left.append((register, inverted))
    return [item for item in golds if item[0] not in taken], left


def guess(
    gold: Circuit, gate: Circuit, delayed: Sequence[tuple[str, str]] = (), history: int = 0
) -> Correspondence:
    """Guess how the registers of a netlist correspond to those of the reference.

    Parameters
    ----------
    gold, gate : Circuit
        Reference and netlist. Both are started as 0; registers that can be told apart only from other states are put
        in the order of their names.
    delayed : sequence of (str, str)
        Names of a bus of the reference, and of the register that says when it counts: what else the netlist holds may
        be sums of such registers (the middle of an XOR network).
    history : int
        Symbols that the longest history holds: only after so many cycles do its last registers differ.
    """
    names = sorted({*gold.inputs, *gate.inputs, "rst"})
    cycles = _stimuli(names, random.Random(_SEED), _CYCLES + history)
    marks = {"gold": _signatures(gold, cycles), "gate": _signatures(gate, cycles)}
    ones = (1 << (_PATTERNS * len(cycles))) - 1
    classes: dict[int, dict[str, list[tuple[int, bool]]]] = defaultdict(lambda: {"gold": [], "gate": []})
    for side, circuit in (("gold", gold), ("gate", gate)):
        order = sorted(range(len(circuit.registers)), key=lambda k: _natural(circuit.registers[k]))
        for register in order:
            mark = marks[side][register]
            inverted = bool(mark & 1)
            classes[mark ^ ones if inverted else mark][side].append((register, inverted))
    found = Correspondence()
    for members in classes.values():
        golds, gates = _pair_by_name(found, gold, gate, members["gold"], members["gate"])
        if not golds or not gates:
            continue
        alike = len(golds) == len(gates)
        for number, (register, inverted) in enumerate(gates):
            partner, other = golds[number if alike else 0]
            found.pairs[register] = (partner, inverted != other)
        if not alike:
            partner, other = golds[0]
            found.same |= {register: (partner, inverted != other) for register, inverted in golds[1:]}
    left = [register for register in range(len(gate.registers)) if register not in found.pairs]
    for bus, guard in delayed:
        # a register may have several names
        names_of = [name.split() for name in gold.registers]
        terms = [k for k, own in enumerate(names_of) if any(name.split("[")[0] == bus for name in own)]
        when = next((k for k, own in enumerate(names_of) if guard in own), None)
        if when is None or not left:
            continue
        span = _Span(terms, marks["gold"], marks["gold"][when])
        for register in left:
            terms_of = span.members(marks["gate"][register])
            if terms_of is not None:
                found.sums[register] = Sum(when, terms_of)
        left = [register for register in left if register not in found.sums]
    return found
