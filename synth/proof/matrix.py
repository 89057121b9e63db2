"""The generator matrices of the reference, put between its registers and its words as a graph.

As text they would be an exclusive-or for every 1 of every matrix and plane, a quarter of a million for eight planes
of a dense code, and Yosys takes minutes to read them. The reference is written without them instead: its windows are
outputs, what the matrices make of them is an input.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xorweave.synth.proof.aiger import Circuit
from xorweave.synth.proof.shape import DecoderShape

DECODED = "decoded"


def window_names(shape: DecoderShape) -> list[str]:
    """Return the names of the windows of symbols, one of each group."""
    groups = len(shape.all_groups)
    return ["window"] if groups == 1 else [f"window{index}" for index in range(groups)]


def open_ports(shape: DecoderShape) -> list[tuple[str, str, int]]:
    """Return the ports that a reference without its matrices has: (direction, name, width)."""
    windows = zip(window_names(shape), shape.all_groups, strict=True)
    return [
        ("input", DECODED, shape.code.n_out * shape.planes),
        *(("output", f"{name}_seen", planes * code.constraint_length) for name, (planes, code) in windows),
    ]


def with_matrices(circuit: Circuit, shape: DecoderShape) -> Circuit:
    """Close a reference that was written without its matrices.

    Parameters
    ----------
    circuit : Circuit
        With the inputs and outputs of `open_ports`; none of those outputs depends on those inputs.
    shape : DecoderShape

    Returns
    -------
    Circuit
        Without those ports: each plane of each word is a flat sum of the bits of its window.
    """
    inside = {name for _, name, _ in open_ports(shape)}

    def own(name: str) -> bool:
        return name.split("[")[0] in inside

    inputs = tuple(name for name in circuit.inputs if not own(name))
    first = 1 + len(inputs) + len(circuit.registers)
    gates: list[tuple[int, int]] = []
    literals = [0] * (circuit.first_gate + len(circuit.gates))  # of each node of the open circuit
    places = {name: 2 * (1 + place) for place, name in enumerate(inputs)}
    for node, name in enumerate(circuit.inputs, 1):
        literals[node] = places.get(name, 0)
    for place in range(len(circuit.registers)):
        literals[circuit.first_register + place] = 2 * (1 + len(inputs) + place)

    def gate(a: int, b: int) -> int:
        gates.append((a, b))
        return 2 * (first + len(gates) - 1)

    def placed(literal: int) -> int:
        return literals[literal >> 1] ^ (literal & 1)

    before = circuit.cone([literal for name, literal in circuit.outputs.items() if own(name)])
    for index in before:
        a, b = circuit.gates[index]
        literals[circuit.first_gate + index] = gate(placed(a), placed(b))
    decoded = _sums(shape, {name: placed(literal) for name, literal in circuit.outputs.items()}, gate)
    for node, name in enumerate(circuit.inputs, 1):
        if own(name):
            literals[node] = decoded[_bit(name)]
    done = set(before)
    for index, (a, b) in enumerate(circuit.gates):
        if index not in done:
            literals[circuit.first_gate + index] = gate(placed(a), placed(b))
    return Circuit(
        inputs=inputs,
        registers=circuit.registers,
        nexts=tuple(placed(literal) for literal in circuit.nexts),
        outputs={name: placed(literal) for name, literal in circuit.outputs.items() if not own(name)},
        gates=gates,
    )


def _bit(name: str) -> int:
    """Return which bit of its bus a pin is; a bus of one bit has no number."""
    return int(name.split("[")[1].rstrip("]")) if "[" in name else 0


def _sums(shape: DecoderShape, outputs: dict[str, int], gate: Callable[[int, int], int]) -> list[int]:
    """Build every plane of every word; the planes of the last group are the lowest of a weight."""
    total = shape.planes
    decoded = [0] * (shape.code.n_out * total)
    above = total
    for name, (planes, code) in zip(window_names(shape), shape.all_groups, strict=True):
        above -= planes
        width = planes * code.constraint_length
        pins = [f"{name}_seen[{k}]" for k in range(width)] if width > 1 else [f"{name}_seen"]
        window = [outputs[pin] for pin in pins]
        for row, taps in enumerate(code.generator):
            columns = np.flatnonzero(taps).tolist()
            for q in range(planes):
                if shape.constant_planes >> (above + q) & 1:
                    continue
                value = 0
                for column in columns:
                    bit = window[column * planes + q]
                    value = gate(gate(value, bit) ^ 1, gate(value ^ 1, bit ^ 1) ^ 1) if value else bit
                decoded[row * total + above + q] = value
    return decoded
