"""Proofs that a mapped netlist is the decoder: the matrix, and the stream protocol, for ever and under every
stall.

Two lemmas make the proof.

1. *Equivalence.* After a reset of one cycle, from whatever states the registers of both wake up in, the netlist and the
   plain reference (``reference.py``), fed the same inputs, agree for ever on every ready, valid and flag, and on what
   they give out where it is valid. The proof is one step of induction: a correspondence of registers is guessed
   (``correspondence.py``); from every state that it allows, under every input, the outputs agree and the next states
   correspond again. Each difference is one output of a combinational graph, which must be the constant 0: sums are
   compared as they are (``aiger.Graph``), what is left goes to ABC, a SAT sweep first, then decision diagrams. Where
   registers do not correspond, ``pdr`` must prove or refute it from all states. The reference's matrices are put into
   its graph as they are (``matrix.py``), not by way of Verilog, which would take Yosys minutes.
2. *Contract.* The reference honours the streams (``contract_verilog``): every block is answered once, in
   order, with the right window, patches, mask and marks; nothing is lost or doubled under any pattern of valid, ready
   and reset; valid does not wait for ready; and a block leaves in every cycle as soon as all sides are willing. The
   data path of the reference is the same text for every G and every width, so ``pdr`` proves this on the window
   itself (G = identity, one plane of one-bit symbols, the code's own N_s, one patch slot), from any power-up state.

Before a netlist becomes an and-inverter graph, which knows neither clocks nor edges, its registers are looked at: all
must be clocked by the rising edge of the input ``clk``, and none may be a latch or have an asynchronous input. What
nothing drives is a free input of the graph: it may be anything.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xorweave.golden.base.errors import ToolError
from xorweave.synth.flow.yosys import run_abc, run_yosys
from xorweave.synth.proof.aiger import Circuit, Graph, read_aiger
from xorweave.synth.proof.contract import contract_verilog
from xorweave.synth.proof.correspondence import Correspondence, guess
from xorweave.synth.proof.matrix import with_matrices
from xorweave.synth.proof.reference import reference_verilog
from xorweave.synth.proof.shape import DecoderShape

PROVED, FAILED, NOT_RUN = "proved", "failed", "not run"

# Registers that take their input over at the rising edge and do nothing else; resets and enables are synchronous.
_FLOATING = re.compile(r"'s?[bodh][0-9a-fx_]*z", re.IGNORECASE)
_PLAIN_REGISTER = re.compile(r"\$_(DFF_P|DFFE_P[NP]|SDFF_P[NP][01]|SDFFC?E_P[NP][01][NP])_")


@dataclass(frozen=True)
class Verdict:
    """What a proof came to: ``proved``, ``failed`` or ``not run``, and why it was not proved."""

    outcome: str
    reason: str = ""


class _Clock:
    """What is left of the time that a proof may take."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self, most: float = 1e9) -> float:
        return max(1.0, min(most, self.end - time.monotonic()))


def _register_faults(dump: str) -> list[str]:
    """Name what is wrong with registers that Yosys listed (``dump``)."""
    faults: Counter[str] = Counter()
    for cell in re.split(r"^\s*cell ", dump, flags=re.MULTILINE)[1:]:
        kind = cell.split(None, 1)[0]
        clock = re.search(r"connect \\C (.*)", cell)
        if "LATCH" in kind or kind.startswith("$_SR_"):
            faults["latches"] += 1
        elif not _PLAIN_REGISTER.fullmatch(kind):
            falling = re.match(r"\$_S?DFF(CE|E)?_N", kind)
            faults["on the falling edge" if falling else "with an asynchronous input"] += 1
        elif clock is None or clock[1].strip() != r"\clk":
            faults["clocked by something else than clk"] += 1
    return [f"{count} registers are {what}" for what, count in faults.items()]


def _script(name: str, top: str, cells: str, memories: str = "") -> str:
    """Write the Yosys commands that turn ``NAME.v`` into a graph, and list its registers before.

    `memories` are commands that do away with memories, where there may be some.
    """
    return f"""
design -reset
{cells}
read_verilog {name}.v
hierarchy -check -top {top}
proc
{memories}
techmap
opt_expr
opt_clean
flatten
setattr -unset init w:*
opt_expr
opt_clean
tee -q -o {name}.registers dump t:$_*FF*_ t:$_DLATCH*_ t:$_SR_*
setundef -undriven -anyseq
setundef -anyseq
async2sync
dffunmap
setundef -zero -init
aigmap
opt_clean -purge
write_aiger -symbols -zinit {name}.aig
"""


def circuit_of(verilog: Path, top: str) -> Circuit:
    """Return a module, with those it is made of, as an and-inverter graph; memories are registers in it.

    Raises
    ------
    ToolError
        Yosys cannot read it.
    """
    with tempfile.TemporaryDirectory(prefix="xorweave-circuit-") as folder:
        directory = Path(folder)
        (directory / "netlist.v").write_text(verilog.read_text())
        run_yosys(_script("netlist", top, "", "memory"), directory)
        return read_aiger(directory / "netlist.aig")


def _outputs_differ(
    graph: Graph, gold: Circuit, gate: Circuit, gold_nodes: Sequence[int], gate_nodes: Sequence[int]
) -> list[int]:
    """Return a literal for every output of the reference: 1 where the netlist differs and it matters."""

    def value(circuit: Circuit, nodes: Sequence[int], name: str) -> int:
        literal = circuit.outputs[name]
        return nodes[literal >> 1] ^ (literal & 1)

    differences = []
    for name in gold.outputs:
        difference = graph.xor(value(gold, gold_nodes, name), value(gate, gate_nodes, name))
        if re.fullmatch(r"m_axis_t(data|user|last)(\[\d+\])?", name):
            difference = graph.both(difference, value(gold, gold_nodes, "m_axis_tvalid"))
        differences.append(difference)
    return differences


def _inputs(graph: Graph, gold: Circuit, gate: Circuit, **fixed: int) -> tuple[list[int], list[int]]:
    """Return literals of both circuits' inputs: what has one name is one."""
    literals = dict(fixed)
    for name in (*gold.inputs, *gate.inputs):
        if name not in literals:
            literals[name] = graph.add_input()
    return [literals[name] for name in gold.inputs], [literals[name] for name in gate.inputs]


def _next(circuit: Circuit, nodes: Sequence[int], register: int) -> int:
    literal = circuit.nexts[register]
    return nodes[literal >> 1] ^ (literal & 1)


def _induction_step(gold: Circuit, gate: Circuit, found: Correspondence) -> tuple[Graph, list[int]]:
    """Return the graph whose outputs are all 0 if the correspondence holds in every step, and the outputs agree."""
    graph = Graph()
    gold_inputs, gate_inputs = _inputs(graph, gold, gate)
    gold_state = [0 if k in found.same else graph.add_input() for k in range(len(gold.registers))]
    for register, (other, inverted) in found.same.items():
        gold_state[register] = gold_state[other] ^ inverted
    gate_state = []
    for register in range(len(gate.registers)):
        if register in found.pairs:
            partner, inverted = found.pairs[register]
            gate_state.append(gold_state[partner] ^ inverted)
            continue
        free = graph.add_input()  # while it does not count, or always: whatever it holds
        if register in found.sums:
            known = found.sums[register]
            total = 0
            for term in known.terms:
                total = graph.xor(total, gold_state[term])
            free = graph.choose(gold_state[known.guard], total, free)
        gate_state.append(free)
    gold_nodes = graph.copy(gold, gold_inputs, gold_state)
    gate_nodes = graph.copy(gate, gate_inputs, gate_state)
    differences = _outputs_differ(graph, gold, gate, gold_nodes, gate_nodes)
    for register, (partner, inverted) in found.pairs.items():
        after = _next(gold, gold_nodes, partner) ^ inverted
        differences.append(graph.xor(_next(gate, gate_nodes, register), after))
    for register, (other, inverted) in found.same.items():
        after = _next(gold, gold_nodes, other) ^ inverted
        differences.append(graph.xor(_next(gold, gold_nodes, register), after))
    for register, known in found.sums.items():
        total = 0
        for term in known.terms:
            total = graph.xor(total, _next(gold, gold_nodes, term))
        difference = graph.xor(_next(gate, gate_nodes, register), total)
        differences.append(graph.both(difference, _next(gold, gold_nodes, known.guard)))
    return graph, differences


def _holds_after_reset(gold: Circuit, gate: Circuit, found: Correspondence) -> bool:
    """Whether one cycle of reset, from any two states, leaves registers as the correspondence says.

    Registers that correspond one to one and have no reset hold anything then; the reference's are taken to hold the
    same. What cannot be chosen like this must be set by the reset: registers that have a value after it, those that
    correspond to several, and those that guard sums.
    """
    graph = Graph()
    gold_inputs, gate_inputs = _inputs(graph, gold, gate, rst=1)
    gold_nodes = graph.copy(gold, gold_inputs, [graph.add_input() for _ in gold.registers])
    gate_nodes = graph.copy(gate, gate_inputs, [graph.add_input() for _ in gate.registers])
    shared = found.shared
    for register, (partner, inverted) in found.pairs.items():
        after = _next(gold, gold_nodes, partner)
        if (after < 2 or partner in shared) and (
            after > 1 or _next(gate, gate_nodes, register) != after ^ inverted
        ):
            return False
    for register, (other, inverted) in found.same.items():
        after = _next(gold, gold_nodes, other)
        if after > 1 or _next(gold, gold_nodes, register) != after ^ inverted:
            return False
    return all(_next(gold, gold_nodes, known.guard) == 0 for known in found.sums.values())


def _all_zero(
    graph: Graph, differences: Sequence[int], group: int, directory: Path, clock: _Clock
) -> bool | None:
    """Whether all literals are the constant 0; None where that could not be found out in time."""
    left = sorted({literal for literal in differences if literal})
    if not left:
        return True
    if 1 in left:
        return False
    graph.write(directory / "cut.aig", left)
    try:
        run_abc(
            "read_aiger cut.aig; strash; ifraig; strash; write_aiger swept.aig",
            directory,
            timeout_s=clock.left(120),
        )
    except ToolError:
        (directory / "swept.aig").write_bytes((directory / "cut.aig").read_bytes())
    literals = [int(line) for line in _output_lines(directory / "swept.aig")]
    if any(literals) and 1 not in literals:
        literals = _swept_harder(directory, clock)
    if 1 in literals:
        return False
    open_ones = [k for k, literal in enumerate(literals) if literal]
    undecided = False
    for first in range(0, len(open_ones), group):
        part = open_ones[first : first + group]
        cones = len(part) == part[-1] - part[0] + 1
        picks = [(part[0], len(part))] if cones else [(k, 1) for k in part]
        for start, count in picks:
            zero = _decision_diagrams_are_zero(directory, start, count, clock)
            if zero is False:
                return False
            undecided |= zero is None
    return None if undecided else True


def _swept_harder(directory: Path, clock: _Clock) -> list[int]:
    """Give the sweep of ``swept.aig`` ten times the conflicts, and return the outputs' literals.

    It closes most of what word tables leave open in seconds, where decision diagrams take each output by itself.
    """
    swept, harder = directory / "swept.aig", directory / "harder.aig"
    try:
        run_abc(
            "read_aiger swept.aig; &get; &fraig -C 1000; &put; strash; write_aiger harder.aig",
            directory,
            timeout_s=clock.left(60),
        )
        harder.replace(swept)
    except (ToolError, FileNotFoundError):
        pass  # as it was
    return [int(line) for line in _output_lines(swept)]


def _output_lines(path: Path) -> list[bytes]:
    """Return the literals of a binary AIGER file's outputs, as they are written."""
    head, _, rest = path.read_bytes().partition(b"\n")
    registers, outputs = map(int, head.split()[3:5])
    return rest.split(b"\n", registers + outputs)[registers : registers + outputs]


def _decision_diagrams_are_zero(directory: Path, first: int, count: int, clock: _Clock) -> bool | None:
    """Whether outputs of ``swept.aig`` are 0 by their decision diagrams; None where those could not be built."""
    rest = directory / "rest.aig"
    rest.unlink(missing_ok=True)
    try:
        run_abc(
            f"read_aiger swept.aig; cone -O {first} -R {count}; strash; collapse -r -B 100000000; strash; "
            "write_aiger rest.aig",
            directory,
            timeout_s=clock.left(),
        )
        lines = _output_lines(rest)
    except (ToolError, FileNotFoundError):
        return None
    if len(lines) != count:
        return None
    return all(line == b"0" for line in lines)


def _from_all_states(gold: Circuit, gate: Circuit, directory: Path, clock: _Clock) -> str:
    """Look for a difference after one cycle of reset, from all states of both, and prove that there is none."""
    graph = Graph()
    started = graph.add_input()
    gold_inputs, gate_inputs = _inputs(graph, gold, gate)
    reset = gold_inputs[gold.inputs.index("rst")]
    held = graph.either(reset, started ^ 1)
    gold_inputs = [held if literal == reset else literal for literal in gold_inputs]
    gate_inputs = [held if literal == reset else literal for literal in gate_inputs]
    latches: list[int] = []

    def state(circuit: Circuit) -> list[int]:
        values = []
        for _ in circuit.registers:
            latch, wakes = graph.add_input(), graph.add_input()
            latches.append(latch)
            values.append(graph.choose(started, latch, wakes))
        return values

    gold_nodes = graph.copy(gold, gold_inputs, state(gold))
    gate_nodes = graph.copy(gate, gate_inputs, state(gate))
    differences = _outputs_differ(graph, gold, gate, gold_nodes, gate_nodes)
    after = [_next(gold, gold_nodes, k) for k in range(len(gold.registers))]
    after += [_next(gate, gate_nodes, k) for k in range(len(gate.registers))]
    seen = [graph.both(literal, started) for literal in differences]
    registers = [(started, 1), *zip(latches, after, strict=True)]
    graph.write(directory / "joint.aig", seen, registers)
    # a decoder that is wrong mostly shows it within a few cycles of random inputs
    try:
        glance = run_abc(
            "read_aiger joint.aig; orpos; sim3 -F 24 -W 4 -R 20 -T 5", directory, timeout_s=clock.left(60)
        )
    except ToolError:
        glance = ""
    if "was asserted in frame" in glance:
        return FAILED
    return _model_check("joint.aig", directory, clock.left())


def _model_check(aiger: str, directory: Path, timeout_s: float) -> str:
    """Ask pdr whether any output of an AIGER file can ever be 1."""
    try:
        quick = run_abc(f"read_aiger {aiger}; strash; orpos; bmc3 -F 6 -T 20", directory, timeout_s=timeout_s)
        if "was asserted in frame" in quick:
            return FAILED
        log = run_abc(f"read_aiger {aiger}; strash; orpos; pdr", directory, timeout_s=timeout_s)
    except ToolError:
        return NOT_RUN
    if "Property proved" in log:
        return PROVED
    return FAILED if "was asserted in frame" in log else NOT_RUN


def prove_equivalent(
    netlist: Path,
    top: str,
    shape: DecoderShape,
    *,
    liberty: Path | None = None,
    models: str | None = None,
    timeout_s: float = 300,
) -> str:
    """Prove lemma 1: a netlist and the plain reference agree on every output in every cycle in which it matters.

    Parameters
    ----------
    netlist : Path
        Flat Verilog netlist of library cells (or any Verilog, without `liberty`).
    top : str
    shape : DecoderShape
        Which decoder it claims to be.
    liberty : Path, optional
        Plain Liberty file whose cells the netlist uses.
    models : str, optional
        Verilog of the netlist's cells, such as Yosys' own simulation models of an FPGA family.
    timeout_s : float

    Returns
    -------
    str
        ``proved``, ``failed`` (a difference was found), or ``not run`` when the tools ran out of time.

    Raises
    ------
    ToolError
        Yosys cannot read the netlist.
    """
    return judge_equivalence(netlist, top, shape, liberty=liberty, models=models, timeout_s=timeout_s).outcome


def judge_equivalence(
    netlist: Path,
    top: str,
    shape: DecoderShape,
    *,
    liberty: Path | None = None,
    models: str | None = None,
    timeout_s: float = 300,
) -> Verdict:
    """Prove lemma 1 as `prove_equivalent` does, and say why where it is not proved."""
    clock = _Clock(timeout_s)
    with tempfile.TemporaryDirectory(prefix="xorweave-proof-") as folder:
        directory = Path(folder)
        (directory / "netlist.v").write_text(netlist.read_text())
        whole = shape.plane_serial or shape.segments > 1
        (directory / "reference.v").write_text(reference_verilog(shape, matrices=whole))
        cells = ""
        if liberty is not None:
            (directory / "cells.lib").write_text(liberty.read_text())
            cells = "read_liberty -ignore_miss_func -ignore_miss_dir cells.lib"
        elif models is not None:
            # only cells that the netlist has are worked out: some family's memories take minutes
            cells = f"read_verilog -defer {models}"
        run_yosys(_script("netlist", top, cells) + _script("reference", "reference", ""), directory)
        faults = _register_faults((directory / "netlist.registers").read_text())
        if _FLOATING.search((directory / "netlist.v").read_text()):
            faults.append("a constant of the netlist is z")
        if faults:
            return Verdict(FAILED, "; ".join(faults))
        gate, gold = (read_aiger(directory / f"{name}.aig") for name in ("netlist", "reference"))
        if not whole:
            gold = with_matrices(gold, shape)
        missing = sorted({*gold.outputs} - {*gate.outputs})
        if missing:
            return Verdict(FAILED, f"the netlist has no output {missing[0]}")
        found = guess(gold, gate, shape.delayed, max(code.n_s for _, code in shape.all_groups))
        if _holds_after_reset(gold, gate, found):
            graph, differences = _induction_step(gold, gate, found)
            if _all_zero(graph, differences, shape.code.n_out, directory, clock):
                return Verdict(PROVED)
        outcome = _from_all_states(gold, gate, directory, clock)
    if outcome == PROVED:
        return Verdict(PROVED)
    if outcome == FAILED:
        return Verdict(FAILED, "the netlist gives out something else than matrix and protocol say")
    alone = [gate.registers[k] for k in range(len(gate.registers)) if k not in {*found.pairs, *found.sums}]
    reason = f"the proof did not end in {timeout_s:g} s"
    if alone:
        reason += f"; {len(alone)} registers correspond to none of the reference, {alone[0]} first"
    return Verdict(NOT_RUN, reason)


def prove_contract(shape: DecoderShape, *, timeout_s: float = 300) -> str:
    """Prove lemma 2: the reference of this shape honours its streams.

    Parameters
    ----------
    shape : DecoderShape
        Its matrix and widths do not matter to the proof, which runs on one plane of one-bit symbols with G =
        identity: the reference's text moves symbols, patches and masks as words, whatever their width.
    timeout_s : float

    Returns
    -------
    str
        ``proved``, ``failed``, or ``not run`` when pdr ran out of time.
    """
    window = shape.with_identity(n_in=1)
    return prove_contract_of(reference_verilog(window), "reference", window, timeout_s=timeout_s)


def prove_contract_of(verilog: str, top: str, shape: DecoderShape, *, timeout_s: float = 300) -> str:
    """Prove the contract of any decoder whose block is its window of symbols, given as Verilog."""
    with tempfile.TemporaryDirectory(prefix="xorweave-proof-") as folder:
        directory = Path(folder)
        (directory / "decoder.v").write_text(verilog)
        (directory / "contract.v").write_text(contract_verilog(shape, top))
        run_yosys(
            """
read_verilog decoder.v contract.v
hierarchy -check -top contract
proc
flatten
opt_clean
techmap
dffunmap
aigmap
opt_clean -purge
write_aiger -zinit contract.aig
""",
            directory,
        )
        return _model_check("contract.aig", directory, timeout_s)
