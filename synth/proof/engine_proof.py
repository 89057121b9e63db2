"""Proof that an engine's mapped logic is the plain engine, part by part.

Memories are macros: they are taken out of the netlist and of the reference alike, must be the same ones, and what goes
to them counts as outputs. What is left is compared by one step of induction (``induction.py``), each difference with
the part that it speaks of, so that one part may be proved where another takes too long. Yosys turns the reference's
``*`` and ``+`` into trees of adders as it does the netlist's: what is proved is what was mapped from them, not those.

What the reference computes is not proved but simulated: the tests run networks through its text.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from xorweave.golden.base.errors import ToolError
from xorweave.synth.flow.memory_ports import MemoryShape, take_out_memories
from xorweave.synth.flow.yosys import run_yosys
from xorweave.synth.proof.aiger import Circuit, read_aiger
from xorweave.synth.proof.correspondence import first_difference, guess
from xorweave.synth.proof.engine_reference import NAME, engine_reference
from xorweave.synth.proof.engine_shape import EngineShape
from xorweave.synth.proof.induction import (
    FAILED,
    FLOATING,
    NOT_RUN,
    PROVED,
    Clock,
    Verdict,
    all_zero,
    graph_script,
    guard_of,
    holds_after_reset,
    induction_step,
    register_faults,
)

PARTS = ("decoder and mask", "control", "activations", "lanes", "results", "requantiser")
_BY_MODULE = {"decoder": 0, "mask": 0, "ring": 2, "ring0": 2, "ring1": 2, "results": 4, "requantiser": 5}
_OF_LANES = re.compile(r"(weights1|taps1|product\d+_\d+|sum\d+|sums\d+)(\[|$)")
_GROUP = 32  # outputs that decision diagrams take together
_CYCLES = 120  # of a first look, with random inputs


def judge_engine(
    netlist: Path,
    top: str,
    shape: EngineShape,
    memories: Sequence[MemoryShape],
    *,
    liberty: Path,
    timeout_s: float = 600,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Verdict]:
    """Prove each part of a mapped engine, its memories taken out.

    Parameters
    ----------
    netlist : Path
        Flat Verilog netlist of library cells, with the memories' pins as ports (``take_out_memories``).
    top : str
    shape : EngineShape
        Which engine it claims to be.
    memories : sequence of MemoryShape
        What was taken out of it.
    liberty : Path
        Plain Liberty file whose cells the netlist uses.
    timeout_s : float
        For each part.
    progress : callable, optional

    Returns
    -------
    dict of str to Verdict
        Of each of `PARTS` that the engine has. A part is proved to do as the plain one if the others do: the whole is
        proved where all parts are.

    Raises
    ------
    ToolError
        Yosys cannot read the netlist.
    """
    tell = progress or (lambda _: None)
    parts = PARTS if shape.described else PARTS[:-1]
    with tempfile.TemporaryDirectory(prefix="xorweave-proof-") as folder:
        directory = Path(folder)
        (directory / "engine.v").write_text(engine_reference(shape))
        logic, wanted = take_out_memories([directory / "engine.v"], NAME, directory, timeout_s=timeout_s)
        logic.replace(directory / "reference.v")
        if list(memories) != wanted:
            return dict.fromkeys(parts, Verdict(FAILED, _other_memories(memories, wanted)))
        (directory / "netlist.v").write_text(netlist.read_text())
        (directory / "cells.lib").write_text(liberty.read_text())
        cells = "read_liberty -ignore_miss_func -ignore_miss_dir cells.lib"
        run_yosys(
            graph_script("netlist", top, cells, named=True)
            + graph_script("reference", NAME, "", arithmetic=True),
            directory,
        )
        faults = register_faults((directory / "netlist.registers").read_text())
        if FLOATING.search((directory / "netlist.v").read_text()):
            faults.append("a constant of the netlist is z")
        gate, gold = (read_aiger(directory / f"{name}.aig") for name in ("netlist", "reference"))
        missing = sorted({*gold.outputs} - {*gate.outputs})
        faults += [f"the netlist has no output {name}" for name in missing[:1]]
        if faults:
            return dict.fromkeys(parts, Verdict(FAILED, "; ".join(faults)))
        tell("looking for a difference")
        guards = {name: guard_of(name, gold) for name in gold.outputs}
        different = first_difference(gold, gate, guards, _CYCLES)
        if different:
            name, cycle = different
            part = part_of(name, memories, parts)
            verdicts = dict.fromkeys(parts, Verdict(NOT_RUN, f"{part} is wrong"))
            verdicts[part] = Verdict(FAILED, f"{name} is not the plain engine's {cycle} cycles after a reset")
            return verdicts
        return _by_parts(gold, gate, shape, memories, parts, directory, timeout_s, tell)


def _by_parts(
    gold: Circuit,
    gate: Circuit,
    shape: EngineShape,
    memories: Sequence[MemoryShape],
    parts: Sequence[str],
    directory: Path,
    timeout_s: float,
    tell: Callable[[str], None],
) -> dict[str, Verdict]:
    """Take one step of induction: what each part does next, if all parts hold what they should."""
    history = max(code.n_s for _, code in shape.decoder.all_groups)
    found = guess(gold, gate, shape.decoder.delayed, history)
    known = {*found.pairs, *found.sums}
    alone = [name for k, name in enumerate(gate.registers) if k not in known]
    if not holds_after_reset(gold, gate, found):
        return dict.fromkeys(parts, Verdict(NOT_RUN, "registers may differ after a reset"))
    graph, differences = induction_step(gold, gate, found)
    of_part: dict[str, list[int]] = {part: [] for part in parts}
    for name, literal in differences:
        of_part[part_of(name, memories, parts)].append(literal)
    verdicts: dict[str, Verdict] = {}
    for part, literals in of_part.items():
        tell(f"proving {part}: {len(literals)} outputs and registers")
        try:
            same = all_zero(graph, literals, _GROUP, directory, Clock(timeout_s))
        except ToolError as error:
            verdicts[part] = Verdict(NOT_RUN, str(error))
            continue
        verdicts[part] = Verdict(PROVED) if same else Verdict(NOT_RUN, _why(same, alone, timeout_s))
    return verdicts


def part_of(name: str, memories: Sequence[MemoryShape], parts: Sequence[str]) -> str:
    """Return the part that an output, or a register of the reference by any of its names, belongs to."""
    memory = re.match(r"memory(\d+)_(wr_data)?", name)
    if memory and memory[2] and memories[int(memory[1])].name.startswith("results."):
        return PARTS[3]  # what lanes give to the queue
    names = [memories[int(memory[1])].name] if memory else name.split()
    for own in names:
        module = own.split(".")[0]
        if "." in own and module in _BY_MODULE:
            return PARTS[_BY_MODULE[module]]
    if any(_OF_LANES.match(own) for own in names):
        return PARTS[3]
    if any(own.startswith("m_axis_") for own in names):
        return parts[-1]
    return PARTS[1]


def _other_memories(memories: Sequence[MemoryShape], wanted: Sequence[MemoryShape]) -> str:
    other = [memory for memory in memories if memory not in wanted]
    lacking = [memory for memory in wanted if memory not in memories]
    return f"the engine's memories differ: it has {other[:1]}, not {lacking[:1]}"


def _why(same: bool | None, alone: Sequence[str], timeout_s: float) -> str:
    reason = f"the proof did not end in {timeout_s:g} s"
    if same is False:
        reason = "a difference is possible, in a state that may never come about"
    if alone:
        reason += f"; {len(alone)} registers correspond to none of the reference, {alone[0]} first"
    return reason
