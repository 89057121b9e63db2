"""Place and route a mapped decoder with nextpnr, several times: the clock an FPGA reaches, and how far seeds scatter.

A decoder has more ports than a package has pins, so it is placed between registers: a shift register feeds its
inputs, a register behind every output takes what comes out, and a tree of registered XORs leads those to one pin.
Every path through the decoder then runs from register to register, as it would inside a larger design.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.base.extras import install_advice
from xorweave.synth.flow.fpga import FAMILIES
from xorweave.synth.flow.tool_process import run_tool
from xorweave.synth.flow.yosys import run_yosys

_ROOM = 0.85  # a device is taken if no more than this share of its logic cells is used
_FAN_IN = 4

# What nextpnr aims at: far above what any decoder reaches, so that no seed stops early at a clock that is met.
_ASKED_MHZ = 1000


@dataclass(frozen=True)
class Device:
    """A part nextpnr places into.

    Attributes
    ----------
    name : str
    cells : int
        Its logic cells, a LUT and a flip-flop each.
    options : tuple of str
        nextpnr's.
    pins : tuple of str
        Where clk, scan and seen of the harness go, if nextpnr does not choose pins itself.
    """

    name: str
    cells: int
    options: tuple[str, ...]
    pins: tuple[str, ...] = ()


DEVICES = {
    "ice40": (Device("iCE40HX8K-CT256", 7680, ("--hx8k", "--package", "ct256")),),
    "ecp5": (
        Device("LFE5U-25F-6", 24288, ("--25k", "--package", "CABGA381", "--speed", "6")),
        Device("LFE5U-85F-6", 83640, ("--85k", "--package", "CABGA756", "--speed", "6")),
    ),
    "gowin": (
        Device(
            "GW2A-LV18PG256C8/I7",
            20736,
            ("--device", "GW2A-LV18PG256C8/I7", "--vopt", "family=GW2A-18", "--vopt", "cst=pins.cst"),
            pins=("H11", "C13", "A13"),
        ),
    ),
}
"""The parts of each family, smallest first; the smallest that holds a decoder is taken."""


@dataclass(frozen=True)
class Placement:
    """What placing and routing gave.

    Attributes
    ----------
    device : str
    fmax_mhz : tuple of float
        Clock reached with each seed, in the order the seeds were given.
    version : str
        Of nextpnr.
    """

    device: str
    fmax_mhz: tuple[float, ...]
    version: str

    @property
    def median_mhz(self) -> float:
        """The middle one of the clocks."""
        return median(self.fmax_mhz)


def nextpnr_package(family: str) -> str:
    """Return the Python package that brings nextpnr for a family."""
    return f"yowasp-nextpnr-{_program(family)}"


def _program(family: str) -> str:
    """Return nextpnr's own name for a family: the newer ones share one program."""
    return {"gowin": "himbaechel-gowin"}.get(family, family)


def available(family: str) -> bool:
    """Whether nextpnr for this family is installed (the extra ``pnr``)."""
    return family in DEVICES and find_spec(nextpnr_package(family).replace("-", "_")) is not None


def _range(width: int) -> str:
    return f"[{width - 1}:0]"


def harness_verilog(ports: Sequence[tuple[str, str, int]], top: str) -> str:
    """Write the module ``harness`` that puts the decoder between registers.

    Parameters
    ----------
    ports : sequence of (direction, name, width)
        Every port of the decoder but ``clk``.
    top : str
        The decoder's module.
    """
    inputs = [(name, width) for direction, name, width in ports if direction == "input"]
    outputs = [(name, width) for direction, name, width in ports if direction == "output"]
    n_in, n_out = sum(width for _, width in inputs), sum(width for _, width in outputs)
    lines = ["module harness (input clk, input scan, output seen);"]
    lines.append(f"  reg {_range(n_in)} feed;")
    lines.append(
        "  always @(posedge clk) feed <= " + (f"{{feed[{n_in - 2}:0], scan}};" if n_in > 1 else "scan;")
    )
    pins, low = [".clk(clk)"], 0
    for name, width in inputs:
        pins.append(f".{name}(feed[{low + width - 1}:{low}])")
        low += width
    low = 0
    for name, width in outputs:
        pins.append(f".{name}(given[{low + width - 1}:{low}])")
        low += width
    lines.append(f"  wire {_range(n_out)} given;")
    lines.append(f"  (* keep *) {top} decoder ({', '.join(pins)});")
    lines.append(f"  reg {_range(n_out)} taken; always @(posedge clk) taken <= given;")
    row, count, level = "taken", n_out, 0
    while count > 1:
        groups = [range(low, min(low + _FAN_IN, count)) for low in range(0, count, _FAN_IN)]
        terms = ["^{" + ", ".join(f"{row}[{k}]" for k in group) + "}" for group in groups]
        level, count = level + 1, len(groups)
        lines.append(f"  reg {_range(count)} level{level};")
        lines.append(f"  always @(posedge clk) level{level} <= {{{', '.join(reversed(terms))}}};")
        row = f"level{level}"
    lines += [f"  assign seen = {row}[0];", "endmodule\n"]
    return "\n".join(lines)


def _run_nextpnr(family: str, arguments: Sequence[str], directory: Path, timeout_s: float) -> str:
    """Run nextpnr in a process of its own and return its log. File names are relative to `directory`."""
    module = nextpnr_package(family).replace("-", "_")
    runner = f"run_nextpnr_{_program(family)}".replace("-", "_")
    child = f"import sys; from {module} import {runner} as run; sys.exit(run(sys.argv[1:]))"
    done = run_tool(f"nextpnr-{family}", [sys.executable, "-c", child, *arguments], directory, timeout_s)
    if done.returncode:
        errors = re.findall(r"^ERROR: (.*)$", done.stdout, re.MULTILINE)
        raise ToolError(f"nextpnr-{family} failed: {errors[0] if errors else done.stdout[-300:].strip()}")
    return done.stdout


def read_fmax(report: str) -> float:
    """Return the clock in MHz that nextpnr's JSON report says was reached (the slowest, if there are several).

    Raises
    ------
    ToolError
        The report holds none.
    """
    clocks = json.loads(report).get("fmax", {})
    if not clocks:
        raise ToolError("nextpnr reported no clock")
    return min(float(clock["achieved"]) for clock in clocks.values())


def place_and_route(
    directory: Path,
    top: str,
    family: str,
    *,
    seeds: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
    timeout_s: float = 300,
) -> Placement:
    """Place and route the netlist that `map_to_fpga` left in `directory`, once with every seed.

    The netlist is taken as it is, cell by cell: what was counted and proved is what is placed. A seed is begun only
    if it can end in time, going by the longest one so far: there may be fewer clocks than seeds.

    Parameters
    ----------
    directory, top, family
        Where the netlist lies, its module, and what it was mapped to.
    seeds : sequence of int
    progress : callable, optional
        Told after each seed: how many are done, and of how many.
    timeout_s : float
        For all of it.

    Raises
    ------
    InputError
        The family has no placer here, its extra is not installed, or no device is large enough.
    ToolError
        Yosys or nextpnr failed, or not even one seed ended in time.
    """
    end = time.monotonic() + timeout_s
    if family not in DEVICES:
        raise InputError(f"the family to place must be one of {', '.join(DEVICES)}, not {family!r}")
    if not available(family):
        raise InputError(f"placing on {family} needs {nextpnr_package(family)}: {install_advice('pnr')}")
    module = json.loads((directory / "netlist.json").read_text())["modules"][top]
    ports = [
        (port["direction"], name, len(port["bits"]))
        for name, port in module["ports"].items()
        if name != "clk"
    ]
    (directory / "harness.v").write_text(harness_verilog(ports, top))
    flow = FAMILIES[family]
    run_yosys(
        f"read_verilog netlist.v harness.v\n{flow.pads or flow.command} -top harness\nwrite_json placed.json\n",
        directory,
        timeout_s=timeout_s,
    )
    cells = json.loads((directory / "placed.json").read_text())["modules"]["harness"]["cells"].values()
    used = max(
        sum(bool(re.fullmatch(kind, cell["type"])) for cell in cells) for kind in (flow.luts, flow.flip_flops)
    )
    device = next((d for d in DEVICES[family] if used <= _ROOM * d.cells), None)
    if device is None:
        largest = DEVICES[family][-1]
        raise InputError(
            f"the decoder must fit {largest.name} ({largest.cells} logic cells), but needs {used} with its harness"
        )
    if device.pins:
        places = zip(("clk", "scan", "seen"), device.pins, strict=True)
        (directory / "pins.cst").write_text("".join(f'IO_LOC "{port}" {pin};\n' for port, pin in places))
    clocks: list[float] = []
    longest = 0.0
    for seed in seeds:
        begun = time.monotonic()
        if clocks and begun + longest > end:
            break
        try:
            _run_nextpnr(
                family,
                [
                    *device.options,
                    *("--json", "placed.json", "--seed", str(seed), "--freq", str(_ASKED_MHZ)),
                    *("--timing-allow-fail", "--report", "report.json", "--threads", "1", "-q"),
                ],
                directory,
                max(1.0, end - begun),
            )
        except ToolError:
            # a seed may fail or be late where others do not
            if clocks:
                break
            raise
        longest = max(longest, time.monotonic() - begun)
        clocks.append(read_fmax((directory / "report.json").read_text()))
        if progress is not None:
            progress(len(clocks), len(seeds))
    return Placement(device=device.name, fmax_mhz=tuple(clocks), version=_version(family))


def _version(family: str) -> str:
    package = nextpnr_package(family)
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package
