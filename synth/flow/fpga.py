"""Look-up tables and flip-flops of a decoder on FPGA families, by Yosys' own flow for each."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xorweave.golden.base.errors import InputError
from xorweave.synth.flow.synthesis import SynthesisResult, check_sources
from xorweave.synth.flow.yosys import run_yosys, tool_versions


@dataclass(frozen=True)
class Family:
    """An FPGA family as Yosys knows it.

    Attributes
    ----------
    command : str
        Yosys' flow for it.
    luts, flip_flops : str
        Regular expressions of its look-up table and flip-flop cells.
    models : str
        Yosys' simulation models of its cells, as words for its ``read_verilog``: what a netlist of them means.
    memories : str
        Regular expression of its block memories.
    pads : str
        What `command` must be for a whole chip, whose ports are pins, where it is not the same.
    """

    command: str
    luts: str
    flip_flops: str
    models: str
    memories: str
    pads: str = ""


# What decides is the number of tables. Multiplexers that join them to wider ones (left out by -nowidelut) make XOR
# networks a third to twice as large; carry chains take tables of their own on ECP5 and Gowin, and more of them than
# short adders need (-noccu2, -noalu).
FAMILIES = {
    "ice40": Family("synth_ice40", r"SB_LUT4", r"SB_DFF\w*", "+/ice40/cells_sim.v", r"SB_RAM40_4K\w*"),
    "ecp5": Family(
        "synth_ecp5 -nowidelut -noccu2",
        r"LUT4",
        r"TRELLIS_FF",
        "-DNO_INCLUDES +/ecp5/cells_sim.v",
        r"DP16KD|PDPW16KD",
    ),
    "gowin": Family(
        "synth_gowin -noiopads -nowidelut -noalu",
        r"LUT[1-4]",
        r"DFF\w*",
        "+/gowin/cells_sim.v",
        r"p?ROM(X9)?|SPX?9?|SDPB|SDPX9B|DPB|DPX9B",
        pads="synth_gowin -nowidelut -noalu",
    ),
    "xilinx": Family(
        "synth_xilinx -flatten -noiopad -noclkbuf",
        r"LUT[1-6]",
        r"FD[RSCP]E(_1)?",
        "+/xilinx/cells_sim.v",
        r"RAMB\w*",
    ),
}
"""The families there are; xilinx is the 7 series."""


def map_to_fpga(
    files: Sequence[Path], top: str, family: str, directory: Path, *, timeout_s: float | None = None
) -> SynthesisResult:
    """Map Verilog to one FPGA family and count; leaves ``netlist.v`` and ``netlist.json`` in `directory`.

    Nothing is placed or routed (see `place_and_route`), so there is no clock.

    Raises
    ------
    InputError
        The family is unknown or a file is missing.
    ToolError
        Yosys failed, or took longer than `timeout_s` seconds.
    """
    if family not in FAMILIES:
        raise InputError(f"the FPGA family must be one of {', '.join(FAMILIES)}, not {family!r}")
    check_sources(files)
    flow = FAMILIES[family]
    for number, file in enumerate(files):
        shutil.copyfile(file, directory / f"source{number}.v")
    names = " ".join(f"source{number}.v" for number in range(len(files)))
    run_yosys(
        f"read_verilog {names}\n{flow.command} -top {top}\n"
        "write_verilog -noattr netlist.v\nwrite_json netlist.json\n",
        directory,
        timeout_s=timeout_s,
    )
    module = json.loads((directory / "netlist.json").read_text())["modules"][top]
    cells = Counter(cell["type"] for cell in module["cells"].values() if cell["type"] != "$scopeinfo")
    return SynthesisResult(
        target=family,
        luts=sum(number for name, number in cells.items() if re.fullmatch(flow.luts, name)),
        flip_flops=sum(number for name, number in cells.items() if re.fullmatch(flow.flip_flops, name)),
        cells=dict(sorted(cells.items())),
        tool_versions=tool_versions(),
    )


def count_memories(result: SynthesisResult) -> int:
    """Return the block memories among the cells of what `map_to_fpga` made."""
    kind = FAMILIES[result.target].memories
    return sum(number for name, number in result.cells.items() if re.fullmatch(kind, name))


def count_luts(files: Sequence[Path], top: str, family: str) -> SynthesisResult:
    """Map Verilog to one FPGA family and count, as `map_to_fpga`; nothing is left on disk."""
    with tempfile.TemporaryDirectory(prefix="xorweave-fpga-") as folder:
        return map_to_fpga(files, top, family, Path(folder))
