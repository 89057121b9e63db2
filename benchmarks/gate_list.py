"""Lists of XOR gates as text, as examples/xor_networks/check.py reads them; of each matrix the best is kept."""

from __future__ import annotations

import re
from pathlib import Path

from linear_layers import Matrix, to_columns

from xorweave.hw.xor.network import XorNetwork

_HEAD = re.compile(r"# .+: (\d+) XORs, depth (\d+)\n# (.*)\n")


def gate_list(name: str, matrix: Matrix, network: XorNetwork, note: str) -> str:
    """Write a matrix and a network that computes it; no row of the matrix may be empty."""
    lines = [f"# {name}: {network.xor2} XORs, depth {network.depth}", f"# {note}"]
    lines += [f"column {column}" for column in to_columns(matrix)]
    signals = [f"x{i}" for i in range(network.inputs)]
    for index, (a, b) in enumerate(network.gates):
        lines.append(f"t{index} = {signals[a]} + {signals[b]}")
        signals.append(f"t{index}")
    for row, output in enumerate(network.outputs):
        assert output is not None
        lines.append(f"y{row} = {signals[output]}")
    return "\n".join(lines) + "\n"


def path_of(folder: Path, name: str) -> Path:
    """Return where the list of a matrix lies."""
    return folder / (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".txt")


def claimed(path: Path) -> tuple[int, int, str]:
    """Return the XORs and the depth that a list claims, and its note; check.py looks whether they are true."""
    head = _HEAD.match(path.read_text())
    if head is None:
        raise ValueError(f"{path} must begin with its name, its gates and a note")
    return int(head[1]), int(head[2]), head[3]


def keep_best(folder: Path, name: str, matrix: Matrix, network: XorNetwork, note: str) -> tuple[int, int]:
    """Write a network where it has fewer gates than the one there, or less depth; return the best's two."""
    path = path_of(folder, name)
    found = network.xor2, network.depth
    if path.exists() and (held := claimed(path)[:2]) <= found:
        return held
    path.write_text(gate_list(name, matrix, network, note))
    return found
