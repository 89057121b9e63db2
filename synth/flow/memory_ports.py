"""Takes the memories out of a design: what is left is logic to be mapped to cells, what is out is counted in bits.

A memory is a macro of its own in any technology; mapped to flip-flops it would say nothing about the design. Its
address, data and enable pins become ports of the design, so that the logic that makes and uses them stays.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xorweave.synth.flow.synthesis import check_sources
from xorweave.synth.flow.yosys import run_yosys

_READ_BACK = "RD_DATA"
_TO_MEMORY = ("RD_ADDR", "RD_EN", "WR_ADDR", "WR_DATA", "WR_EN")


@dataclass(frozen=True)
class MemoryShape:
    """A memory of the design: its name, words, bits of a word, and its ports.

    Attributes
    ----------
    name : str
        With those of the modules that it is in, dots between them.
    words, width, read_ports, write_ports : int
    clocked : bool
        Reading and writing go by the rising edge of the clock.
    transparent : bool
        What is read while it is being written is what is written.
    """

    name: str
    words: int
    width: int
    read_ports: int
    write_ports: int
    clocked: bool
    transparent: bool

    @property
    def bits(self) -> int:
        """Bits it holds."""
        return self.words * self.width


def _number(cell: dict[str, Any], name: str) -> int:
    return int(cell["parameters"][name], 2)


def take_out_memories(
    files: Sequence[Path], top: str, directory: Path, *, timeout_s: float | None = None
) -> tuple[Path, list[MemoryShape]]:
    """Write a design with its memories' pins as ports.

    Parameters
    ----------
    files : sequence of Path
        Verilog.
    top : str
    directory : Path
        Takes the result, ``logic.v``, and what lies between.

    Returns
    -------
    (Path, list of MemoryShape)
        Verilog of a flat module with the same name, and the memories in the order of their names.

    Raises
    ------
    InputError
        A file is missing.
    ToolError
        Yosys failed.
    """
    check_sources(files)
    sources = []
    for number, file in enumerate(files):
        (directory / f"memory_source{number}.v").write_text(file.read_text())
        sources.append(f"memory_source{number}.v")
    script = f"""
read_verilog {" ".join(sources)}
hierarchy -check -top {top}
proc
flatten
opt
memory -nomap
opt_clean
write_json with_memories.json
"""
    run_yosys(script, directory, timeout_s=timeout_s)
    netlist = json.loads((directory / "with_memories.json").read_text())
    module = netlist["modules"][top]
    shapes = []
    for number, name in enumerate(sorted(n for n, c in module["cells"].items() if c["type"] == "$mem_v2")):
        cell = module["cells"].pop(name)
        shapes.append(
            MemoryShape(
                name=name,
                words=_number(cell, "SIZE"),
                width=_number(cell, "WIDTH"),
                read_ports=_number(cell, "RD_PORTS"),
                write_ports=_number(cell, "WR_PORTS"),
                clocked=all(
                    set(cell["parameters"][kind]) == {"1"}
                    for kind in ("RD_CLK_ENABLE", "RD_CLK_POLARITY", "WR_CLK_ENABLE", "WR_CLK_POLARITY")
                ),
                transparent="1" in cell["parameters"]["RD_TRANSPARENCY_MASK"],
            )
        )
        for pin in (_READ_BACK, *_TO_MEMORY):
            bits = cell["connections"][pin]
            if bits:
                direction = "input" if pin == _READ_BACK else "output"
                module["ports"][f"memory{number}_{pin.lower()}"] = {"direction": direction, "bits": bits}
    (directory / "logic.json").write_text(json.dumps(netlist))
    script = f"""
read_json logic.json
hierarchy -check -top {top}
opt_clean
write_verilog -noattr logic.v
"""
    run_yosys(script, directory, timeout_s=timeout_s)
    return directory / "logic.v", shapes
