"""The path of a mapped netlist by OpenSTA, where an executable ``sta`` is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from xorweave.golden.base.errors import ToolError
from xorweave.synth.flow.liberty import Library
from xorweave.synth.flow.tool_process import run_tool

_PERIOD = 1000.0  # in the library's unit of time: no path is as long, and slack says how long the longest is

_SCRIPT = """
read_liberty cells.lib
read_verilog netlist.v
link_design {top}
create_clock -name clk -period {period} [get_ports clk]
set_driving_cell -lib_cell {buffer} [all_inputs]
set_input_delay {launch} -clock clk [all_inputs]
set_output_delay {setup} -clock clk [all_outputs]
set_load {load} [all_outputs]
puts "WORST SLACK [get_property [lindex [find_timing_paths -path_delay max] 0] slack]"
"""


def sta_executable() -> str | None:
    """Return OpenSTA's executable, None if it is not installed."""
    return shutil.which("sta")


def sta_version(executable: str) -> str:
    """Return OpenSTA's version."""
    done = subprocess.run([executable, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return f"OpenSTA {found[0]}" if found else "OpenSTA, unknown version"


def read_worst_slack(log: str) -> float:
    """Return the worst slack that the script printed, in the library's unit of time.

    Raises
    ------
    ToolError
        OpenSTA found no path, or stopped before.
    """
    found = re.search(r"^WORST SLACK (\S*)$", log, re.MULTILINE)
    try:
        return float(found[1] if found else "")
    except ValueError:
        errors = re.findall(r"^Error: (.*)$", log, re.MULTILINE)
        raise ToolError(f"OpenSTA gave no path: {errors[0] if errors else log[-200:].strip()}") from None


def longest_path_ns(
    directory: Path, top: str, library: Library, executable: str, *, timeout_s: float = 300
) -> float:
    """Return the longest path in ns from register to register, with both registers' share of it.

    Inputs and outputs count as if a register of the library's smallest kind stood outside: inputs come a
    clock-to-output later, through the smallest buffer, and outputs must be there a set-up earlier, each driving four
    NAND2 inputs. No wires.

    Parameters
    ----------
    directory : Path
        Holds ``netlist.v`` and ``cells.lib`` as `map_to_cells` leaves them.
    top : str
    library : Library
        What ``cells.lib`` says.
    executable : str

    Raises
    ------
    ToolError
        OpenSTA failed, or the library has no timing.
    """
    flip_flops = [cell for cell in library.cells.values() if cell.flip_flop and cell.usable]
    smallest = min(flip_flops, key=lambda cell: (cell.area, cell.name))
    shares = library.flip_flop_parts_ns(smallest.name)
    if shares is None:
        raise ToolError(f"the library {library.name} gives no timing of {smallest.name}")
    launch, setup = (share / library.time_ns for share in shares)
    script = _SCRIPT.format(
        top=top,
        period=_PERIOD,
        buffer=library.buffer.name,
        launch=launch,
        setup=setup,
        load=4 * library.pin_capacitance(library.nand2.name) / library.capacitance_pf,
    )
    (directory / "path.tcl").write_text(script)
    done = run_tool("OpenSTA", [executable, "-no_splash", "-exit", "path.tcl"], directory, timeout_s)
    return (_PERIOD - read_worst_slack(done.stdout)) * library.time_ns
