"""Look-up tables and flip-flops of a decoder on FPGA families, by Yosys' own flow for each."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from xorweave.golden.errors import InputError
from xorweave.synth.synthesis import SynthesisResult, check_sources
from xorweave.synth.yosys import run_yosys, tool_versions

FAMILIES = {
    "ice40": ("synth_ice40 -flatten", r"SB_LUT4", r"SB_DFF\w*"),
    "ecp5": ("synth_ecp5", r"LUT4", r"TRELLIS_FF"),
    "xilinx": ("synth_xilinx -flatten -noiopad -noclkbuf", r"LUT[1-6]", r"FD[RSCP]E(_1)?"),
}
"""Yosys' command, look-up table cells and flip-flop cells of each family (xilinx is the 7 series)."""


def count_luts(files: Sequence[Path], top: str, family: str) -> SynthesisResult:
    """Map Verilog to one FPGA family and count; nothing is placed or routed, so the clock is not measured.

    Raises
    ------
    InputError
        The family is unknown or a file is missing.
    ToolError
        Yosys failed.
    """
    if family not in FAMILIES:
        raise InputError(f"the FPGA family must be one of {', '.join(FAMILIES)}, not {family!r}")
    check_sources(files)
    command, luts, flip_flops = FAMILIES[family]
    with tempfile.TemporaryDirectory(prefix="xorweave-fpga-") as folder:
        directory = Path(folder)
        for number, file in enumerate(files):
            shutil.copyfile(file, directory / f"source{number}.v")
        names = " ".join(f"source{number}.v" for number in range(len(files)))
        run_yosys(f"read_verilog {names}\n{command} -top {top}\nwrite_json netlist.json\n", directory)
        module = json.loads((directory / "netlist.json").read_text())["modules"][top]
    cells = Counter(cell["type"] for cell in module["cells"].values())
    return SynthesisResult(
        target=family,
        luts=sum(number for name, number in cells.items() if re.fullmatch(luts, name)),
        flip_flops=sum(number for name, number in cells.items() if re.fullmatch(flip_flops, name)),
        cells=dict(sorted(cells.items())),
        tool_versions=tool_versions(),
    )
