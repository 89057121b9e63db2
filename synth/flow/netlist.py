"""Read a mapped netlist (Yosys JSON) and count it: cells, area, flip-flops, levels of logic."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from xorweave.golden.base.errors import InputError
from xorweave.synth.flow.liberty import Library

_INVERTING_OR_NOT = ((False, True), (True, False))


@dataclass(frozen=True)
class NetlistCount:
    """What a mapped netlist consists of.

    Attributes
    ----------
    cells : dict of str to int
    area : float
        Sum of the cell areas in the library's unit.
    flip_flops : int
    xor2 : int
        Two-input XOR and XNOR cells; a three-input one counts twice.
    depth : int
        Most cells on a path between registers or ports; inverters and buffers are not counted.
    """

    cells: dict[str, int]
    area: float
    flip_flops: int
    xor2: int
    depth: int


def xor_width(library: Library, name: str) -> int:
    """Return how many inputs a cell XORs (0 when it is no XOR or XNOR)."""
    cell = library.cells[name]
    if len(cell.functions) != 1 or len(cell.inputs) < 2:
        return 0
    truth = cell.truth(cell.functions[0][0])
    if truth is None:
        return 0
    parity = tuple(bool(bin(i).count("1") & 1) for i in range(len(truth)))
    return len(cell.inputs) if truth in (parity, tuple(not bit for bit in parity)) else 0


def count_netlist(path: Path, top: str, library: Library) -> NetlistCount:
    """Count a flat netlist written by Yosys ``write_json`` after mapping to `library`.

    Raises
    ------
    InputError
        A cell of the netlist is not in the library, or its logic runs in a ring.
    """
    module = json.loads(path.read_text())["modules"][top]
    kinds = Counter(cell["type"] for cell in module["cells"].values())
    unknown = sorted(set(kinds) - set(library.cells))
    if unknown:
        raise InputError(
            f"the library {library.name} must hold every cell, but {', '.join(unknown)} did not map"
        )
    free = {
        name
        for name in kinds
        if len(library.cells[name].inputs) == 1
        and library.cells[name].functions
        and library.cells[name].truth(library.cells[name].functions[0][0]) in _INVERTING_OR_NOT
    }
    driver: dict[int, str] = {}
    sources: dict[str, list[int]] = {}
    for name, cell in module["cells"].items():
        if library.cells[cell["type"]].flip_flop:
            continue
        sources[name] = []
        for pin, bits in cell["connections"].items():
            nets = [bit for bit in bits if isinstance(bit, int)]  # the others are constants
            if pin in library.cells[cell["type"]].inputs:
                sources[name] += nets
            else:
                driver.update((net, name) for net in nets)
    level: dict[str, int] = {}
    on_path: set[str] = set()
    for start in sources:
        stack = [start]
        while stack:
            name = stack[-1]
            if name in level:
                stack.pop()
                continue
            before = {driver[bit] for bit in sources[name] if bit in driver}
            waiting = {other for other in before if other not in level}  # a set minus keys copies all keys
            if waiting:
                if name in on_path:
                    raise InputError("the netlist must be free of combinational rings")
                on_path.add(name)
                stack += sorted(waiting)
                continue
            step = 0 if module["cells"][name]["type"] in free else 1
            level[name] = step + max((level[other] for other in before), default=0)
            stack.pop()
    return NetlistCount(
        cells=dict(sorted(kinds.items())),
        area=sum(library.cells[name].area * number for name, number in kinds.items()),
        flip_flops=sum(number for name, number in kinds.items() if library.cells[name].flip_flop),
        xor2=sum(max(0, xor_width(library, name) - 1) * number for name, number in kinds.items()),
        depth=max(level.values(), default=0),
    )
