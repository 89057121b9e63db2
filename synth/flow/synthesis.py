"""Map Verilog to standard cells with Yosys and ABC and report gates, area and timing.

Every figure comes from one flow: Yosys' generic synthesis, flattened, without initial values (an ASIC has
none), then ``dfflibmap`` and ``abc`` on one Liberty file: our own generic library, whose areas are gate
equivalents, or the one given.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

from xorweave.golden.base.errors import InputError, ToolError
from xorweave.synth.flow.liberty import GATES_LIB, Library, read_liberty
from xorweave.synth.flow.netlist import NetlistCount, count_netlist, xor_width
from xorweave.synth.flow.yosys import run_yosys, tool_versions

_NOT_FOR_LOGIC = ("lpflow", "probe", "macro_sparecell")


@dataclass(frozen=True)
class SynthesisResult:
    """Figures of one synthesised block. A figure that was not made is None.

    Attributes
    ----------
    target : str
        ``gates`` (standard cells), ``ice40``, ``ecp5`` or ``xilinx``.
    gate_equivalents : float or None
        Area over the area of the library's smallest two-input NAND.
    xor2 : int or None
        Two-input XOR and XNOR cells in the mapped netlist.
    flip_flops : int or None
        All flip-flops of the block that was synthesised, output registers too if it has any.
    area_um2 : float or None
        Cell area, when a real Liberty file is given.
    critical_path_ns : float or None
        Longest combinational path from ABC, after buffering and sizing (from OpenSTA where it is installed, see
        `timing`); on an FPGA the period reached.
    fmax_mhz : float or None
        Clock reached: 1 / (critical path + flip-flop clock-to-output + set-up). On an FPGA the median over seeds.
    outputs_per_cycle : int or None
        Plane bits given out in a cycle at full rate (N_out times the planes).
    bits_per_cycle_per_kge, gbit_per_s_per_kge : float or None
    equivalence : str
        ``proved``, ``failed`` or ``not run``.
    equivalence_by_part : dict of str to str
        The same of each part, where a netlist is proved by parts: an engine's.
    memory_bits : int or None
        Bits of memories that are macros, and not among the gates: an engine's.
    tool_versions : dict of str to str
    depth : int or None
        Cells (inverters and buffers aside) on the longest path between registers or ports.
    luts : int or None
        Look-up tables, on an FPGA.
    cells : dict of str to int
    library : str or None
    clock_mhz : float or None
        The constraint asked for.
    recipe : str or None
        Which of `RECIPES` gave the netlist.
    timing : str or None
        Which tool made the timing: ``abc``, ``opensta`` or ``nextpnr``.
    device : str or None
        The FPGA it was placed on.
    fmax_mhz_by_seed : tuple of float or None
        Clock reached with each seed of placing and routing.
    notes : tuple of str
        Why a figure was not made.
    """

    target: str = "gates"
    gate_equivalents: float | None = None
    xor2: int | None = None
    flip_flops: int | None = None
    area_um2: float | None = None
    critical_path_ns: float | None = None
    fmax_mhz: float | None = None
    outputs_per_cycle: int | None = None
    bits_per_cycle_per_kge: float | None = None
    gbit_per_s_per_kge: float | None = None
    equivalence: str = "not run"
    equivalence_by_part: dict[str, str] = field(default_factory=dict)
    memory_bits: int | None = None
    tool_versions: dict[str, str] = field(default_factory=dict)
    depth: int | None = None
    luts: int | None = None
    cells: dict[str, int] = field(default_factory=dict)
    library: str | None = None
    clock_mhz: float | None = None
    recipe: str | None = None
    timing: str | None = None
    device: str | None = None
    fmax_mhz_by_seed: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the result as plain JSON values."""
        return asdict(self)


def check_sources(files: Sequence[Path]) -> None:
    """Raise InputError unless every Verilog file is there."""
    for file in files:
        if not file.is_file():
            raise InputError(f"the Verilog file {file} must exist")


def place_liberty(liberty: Path, directory: Path) -> str:
    """Put a plain copy of a Liberty file into `directory` and return its name there."""
    name = "cells.lib"
    if liberty.suffix == ".gz":
        with gzip.open(liberty, "rb") as packed, (directory / name).open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    else:
        shutil.copyfile(liberty, directory / name)
    return name


RECIPES = ("restructured", "as written", "by area", "by area, fewer buffers", "by area, few buffers")
"""How ABC maps: after its own restructuring (Yosys' script), or gate by gate as the source is written, in four ways.

Restructuring finds sharing in plain sources and destroys it in networks that were optimised on the matrix. Of the
two mappers for those, ``&nf`` ("as written") looks at delay first, and where XOR cells are slow it makes parities of
wide NANDs and NORs; ``map -a`` ("by area") takes the smallest cells and leaves the clock to sizes and to buffers: one
for 8 that read, "fewer" for 10, "few" for 12. All
are tried for every block (restructuring up to 20,000 gates), and the smallest netlist that meets the clock is kept.
"""


def _folder_of(recipe: str) -> str:
    return recipe.replace(",", "").replace(" ", "-")


# Restructuring takes more than ten minutes for 80,000 gates, the other recipes one; what it saves there is 1 %.
_MOST_RESTRUCTURED = 20_000

_SCRIPTS = {
    "as written": "strash; &get -n; &nf {D}; &put",
    "by area": "strash; map -a",
    "by area, fewer buffers": "strash; map -a",
    "by area, few buffers": "strash; map -a",
}
_SIZED = {
    "as written": "; buffer -c; topo; upsize {D}; dnsize {D}; stime -p",
    "by area": "; buffer -N 8; topo; upsize {D}; dnsize {D}; stime -p",
    "by area, fewer buffers": "; buffer -N 10; topo; upsize {D}; dnsize {D}; stime -p",
    "by area, few buffers": "; buffer -N 12; topo; upsize {D}; dnsize {D}; stime -p",
}


def _wasteful_parities(library: Library) -> list[str]:
    """Name the XOR cells of more than two inputs that are larger than two-input XORs doing the same.

    ABC, mapping for delay first, takes them in hundreds.
    """
    pair = library.smallest((False, True, True, False)).area
    widths = {name: xor_width(library, name) for name, cell in library.cells.items() if cell.usable}
    return sorted(
        name for name, width in widths.items() if width > 2 and library.cells[name].area > pair * (width - 1)
    )


def _abc_command(library: Library, recipe: str, *, timed: bool, delay_ps: float | None) -> str:
    command = "abc -liberty ../cells.lib"
    avoid = sorted(name for name in library.cells if any(word in name for word in _NOT_FOR_LOGIC))
    avoid += _wasteful_parities(library)
    command += "".join(f" -dont_use {name}" for name in avoid)
    if timed:
        command += " -constr ../constraints"
        if delay_ps is not None:
            command += f" -D {delay_ps:.0f}"
    if recipe in _SCRIPTS:
        script = _SCRIPTS[recipe] + (_SIZED[recipe] if timed else "")
        command += " -script +" + script.replace(" ", ",")
    return command


def map_to_cells(
    files: Sequence[Path],
    top: str,
    directory: Path,
    *,
    liberty: Path | None = None,
    clock_mhz: float | None = None,
    timeout_s: float | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[SynthesisResult, NetlistCount]:
    """Map Verilog to cells; leaves ``netlist.v``, ``netlist.json`` and ``cells.lib`` in `directory`.

    Parameters
    ----------
    files, top, directory, liberty, clock_mhz
        As in `synthesize`.
    timeout_s : float, optional
        For each of the steps. A recipe of `RECIPES` that takes longer is left out, as long as one ends in time; `notes`
        says so.
    progress : callable, optional
        Told what is begun.

    Raises
    ------
    InputError
        A file is missing, the clock is not positive, or the Liberty file does not serve.
    ToolError
        Yosys failed, or no recipe ended in time.
    """
    check_sources(files)
    if clock_mhz is not None and not clock_mhz > 0:
        raise InputError(f"the clock must be a positive number of MHz, not {clock_mhz!r}")
    if clock_mhz is not None and liberty is None:
        raise InputError("a clock constraint must come with a Liberty file: generic gates have no timing")
    path = GATES_LIB if liberty is None else liberty
    library = read_liberty(path)
    place_liberty(path, directory)
    for number, file in enumerate(files):
        shutil.copyfile(file, directory / f"source{number}.v")
    aim = _Aim(top, directory, library, liberty is not None, clock_mhz, timeout_s)
    if aim.timed:
        aim.write_constraints()
    told = progress or (lambda _: None)
    told("reading and flattening the Verilog")
    gates = aim.flatten(len(files))
    recipes: tuple[str, ...] = RECIPES if aim.timed else RECIPES[:-2]  # without a clock there are no buffers
    if gates > _MOST_RESTRUCTURED:
        recipes = recipes[1:]
    told(f"mapping {gates} gates, in {len(recipes)} ways")
    result, count, late = _smallest(aim, recipes)
    best = directory / _folder_of(str(result.recipe))
    for kind in ("v", "json"):
        shutil.copyfile(best / f"netlist.{kind}", directory / f"netlist.{kind}")
    notes = tuple(f"mapped without the recipe {recipe!r}: {error}" for recipe, error in late)
    if RECIPES[0] not in recipes:
        notes += (f"not {RECIPES[0]}: {gates} gates are more than {_MOST_RESTRUCTURED}",)
    return replace(result, notes=notes), count


_Mapped = tuple[SynthesisResult, NetlistCount]


@dataclass(frozen=True)
class _Aim:
    """What is mapped, with which cells, and to which clock.

    Raises
    ------
    InputError
        The flip-flops alone take longer than the clock's period.
    """

    top: str
    directory: Path
    library: Library
    timed: bool
    clock_mhz: float | None
    timeout_s: float | None

    def __post_init__(self) -> None:
        if self.delay_ps is not None and self.delay_ps <= 0:
            raise InputError(
                f"the clock must be slower than {1000 / (self.register_ns or 1):.0f} MHz (flip-flops alone),"
                f" not {self.clock_mhz:g} MHz"
            )

    @cached_property
    def register_ns(self) -> float | None:
        """What a flip-flop takes of the period, in nanoseconds."""
        return _register_ns(self.library) if self.timed else None

    @property
    def delay_ps(self) -> float | None:
        """What is left of the period for logic, in picoseconds."""
        return None if self.clock_mhz is None else 1e6 / self.clock_mhz - 1000 * (self.register_ns or 0.0)

    def write_constraints(self) -> None:
        """Describe the outside world: inputs come from the smallest buffer, every output drives four NAND2 inputs."""
        load_ff = 4000 * self.library.pin_capacitance(self.library.nand2.name)
        (self.directory / "constraints").write_text(
            f"set_driving_cell {self.library.buffer.name}\nset_load {load_ff:.4f} [all_outputs]\n"
        )

    def flatten(self, sources: int) -> int:
        """Read ``source0.v`` and so on into ``before.il``, and return its gates."""
        names = " ".join(f"source{number}.v" for number in range(sources))
        run_yosys(
            f"""
read_verilog {names}
hierarchy -check -top {self.top}
proc
flatten
setattr -unset init w:*
synth -noabc -run coarse:check -top {self.top}
dfflibmap -liberty cells.lib
write_rtlil before.il
tee -q -o before.json stat -json
""",
            self.directory,
            timeout_s=self.timeout_s,
        )
        return int(json.loads((self.directory / "before.json").read_text())["design"]["num_cells"])

    def mapped(self, recipe: str) -> _Mapped:
        """Map ``before.il`` by a recipe, in a folder of its name."""
        folder = self.directory / _folder_of(recipe)
        folder.mkdir(exist_ok=True)
        log = run_yosys(
            f"""
read_rtlil ../before.il
{_abc_command(self.library, recipe, timed=self.timed, delay_ps=self.delay_ps)}
opt_clean -purge
write_verilog -noattr netlist.v
write_json netlist.json
""",
            folder,
            timeout_s=self.timeout_s,
        )
        count = count_netlist(folder / "netlist.json", self.top, self.library)
        result = _result(count, self.library, recipe, timed=self.timed, clock_mhz=self.clock_mhz)
        path_ps = [float(value) for value in re.findall(r"Delay = *([\d.]+) ps", log)]
        if self.timed and path_ps:
            result = _timed(result, count, max(path_ps) / 1000, self.library, self.register_ns)
        return result, count


def _smallest(
    aim: _Aim, recipes: Sequence[str]
) -> tuple[SynthesisResult, NetlistCount, list[tuple[str, ToolError]]]:
    """Map by every recipe, side by side; return the best netlist, and the recipes that did not end in time.

    Raises
    ------
    ToolError
        None of them did.
    """
    found, late = [], []
    with ThreadPoolExecutor(min(len(recipes), os.cpu_count() or 1)) as pool:
        waiting = {pool.submit(aim.mapped, recipe): recipe for recipe in recipes}
        for number, (future, recipe) in enumerate(waiting.items()):
            try:
                result, count = future.result()
            except ToolError as error:
                late.append((recipe, error))
                continue
            found.append((_merit(result), number, result, count))
    if not found:
        raise late[0][1]
    _, _, result, count = min(found, key=lambda item: item[:2])
    return result, count, late


def _result(
    count: NetlistCount, library: Library, recipe: str, *, timed: bool, clock_mhz: float | None
) -> SynthesisResult:
    """Return the figures that counting makes."""
    return SynthesisResult(
        target="gates",
        gate_equivalents=count.area / library.nand2.area,
        xor2=count.xor2,
        flip_flops=count.flip_flops,
        area_um2=count.area if timed else None,
        tool_versions=tool_versions(),
        depth=count.depth,
        cells=count.cells,
        library=library.name,
        clock_mhz=clock_mhz,
        recipe=recipe,
    )


def _timed(
    result: SynthesisResult, count: NetlistCount, path_ns: float, library: Library, register_ns: float | None
) -> SynthesisResult:
    """Add the critical path and the clock that follows from it."""
    used = [name for name in count.cells if library.cells[name].flip_flop]
    # without a flip-flop in the block its neighbours' still bound the clock
    registers = [library.flip_flop_ns(name) for name in used] or [register_ns]
    known = [value for value in registers if value is not None]
    fmax = 1000 / (path_ns + max(known)) if known else None
    return replace(result, critical_path_ns=path_ns, fmax_mhz=fmax, timing="abc")


def _merit(result: SynthesisResult) -> tuple[float, float]:
    """Order netlists: one that meets the clock first (the faster if none does), then the smaller."""
    short = 0.0
    if result.clock_mhz is not None and result.fmax_mhz is not None:
        short = max(0.0, result.clock_mhz - result.fmax_mhz)
    return short, result.gate_equivalents or 0.0


def _register_ns(library: Library) -> float | None:
    """Clock-to-output plus set-up of the smallest usable flip-flop."""
    flip_flops = [cell for cell in library.cells.values() if cell.flip_flop and cell.usable]
    if not flip_flops:
        raise InputError(f"the library {library.name} must hold a flip-flop")
    return library.flip_flop_ns(min(flip_flops, key=lambda cell: (cell.area, cell.name)).name)


def with_rate(result: SynthesisResult, outputs_per_cycle: int) -> SynthesisResult:
    """Add the throughput figures that follow from `outputs_per_cycle` plane bits a cycle at full rate."""
    per_kge = None
    if result.gate_equivalents:
        per_kge = 1000 * outputs_per_cycle / result.gate_equivalents
    return replace(
        result,
        outputs_per_cycle=outputs_per_cycle,
        bits_per_cycle_per_kge=per_kge,
        gbit_per_s_per_kge=per_kge * result.fmax_mhz / 1000 if per_kge and result.fmax_mhz else None,
    )


def synthesize(
    files: Sequence[Path],
    top: str,
    *,
    liberty: Path | None = None,
    clock_mhz: float | None = None,
    outputs_per_cycle: int | None = None,
    timeout_s: float | None = None,
) -> SynthesisResult:
    """Map Verilog to standard cells and report the figures; nothing is left on disk.

    Parameters
    ----------
    files : sequence of Path
        Verilog sources.
    top : str
        Name of the module to synthesise.
    liberty : Path, optional
        A real library, plain or .gz. Without one, our generic library whose unit is the gate equivalent is
        used, and area and timing are not made.
    clock_mhz : float, optional
        Clock constraint for mapping and sizing; needs a Liberty file.
    outputs_per_cycle : int, optional
        Plane bits a cycle at full rate, for the throughput figures.

    Raises
    ------
    InputError, ToolError
    """
    with tempfile.TemporaryDirectory(prefix="xorweave-synth-") as folder:
        result, _ = map_to_cells(
            files, top, Path(folder), liberty=liberty, clock_mhz=clock_mhz, timeout_s=timeout_s
        )
    return result if outputs_per_cycle is None else with_rate(result, outputs_per_cycle)
