"""One step of induction over two circuits: what a proof that a netlist is its reference consists of.

Both are read as and-inverter graphs. Registers of the one are guessed to hold what registers of the other do; from
every state that this allows, under every input, outputs must agree and the next states correspond again.
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
from xorweave.synth.proof.correspondence import Correspondence

PROVED, FAILED, NOT_RUN = "proved", "failed", "not run"

# Registers that take their input over at the rising edge and do nothing else; resets and enables are synchronous.
FLOATING = re.compile(r"'s?[bodh][0-9a-fx_]*z", re.IGNORECASE)
_PLAIN_REGISTER = re.compile(r"\$_(DFF_P|DFFE_P[NP]|SDFF_P[NP][01]|SDFFC?E_P[NP][01][NP])_")


@dataclass(frozen=True)
class Verdict:
    """What a proof came to: ``proved``, ``failed`` or ``not run``, and why it was not proved."""

    outcome: str
    reason: str = ""


class Clock:
    """What is left of the time that a proof may take."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self, most: float = 1e9) -> float:
        return max(1.0, min(most, self.end - time.monotonic()))


def register_faults(dump: str) -> list[str]:
    """Name what is wrong with registers that Yosys listed (``dump``)."""
    faults: Counter[str] = Counter()
    for cell in re.split(r"^\s*cell ", dump, flags=re.MULTILINE)[1:]:
        kind = cell.split(None, 1)[0]
        clock = re.search(r"connect \\C (.*)", cell)
        if "LATCH" in kind or kind.startswith("$_SR_"):
            faults["latches"] += 1
        elif not _never_reset(kind, cell) and not _PLAIN_REGISTER.fullmatch(kind):
            falling = re.match(r"\$_S?DFF(CE|E)?_N", kind)
            faults["on the falling edge" if falling else "with an asynchronous input"] += 1
        elif clock is None or clock[1].strip() != r"\clk":
            faults["clocked by something else than clk"] += 1
    return [f"{count} registers are {what}" for what, count in faults.items()]


_ARITHMETIC = "flatten; opt; wreduce; peepopt; opt_clean; alumacc; opt"


def _never_reset(kind: str, cell: str) -> bool:
    """Whether a register's asynchronous reset is tied to what leaves it alone: some libraries have no others."""
    found = re.fullmatch(r"\$_DFFE?_P([NP])[01][NP]?_", kind)
    reset = re.search(r"connect \\R (.*)", cell)
    return bool(found and reset and reset[1].strip() == ("1'0" if found[1] == "P" else "1'1"))


def graph_script(
    name: str, top: str, cells: str, *, named: bool = False, arithmetic: bool = False, memories: bool = False
) -> str:
    """Write the Yosys commands that turn ``NAME.v`` into a graph, and list its registers before.

    With `named` what cells are called is forgotten, so that registers keep the names of what they drive. With
    `arithmetic` products and sums become the trees of adders that synthesis makes of them: a SAT sweep compares those
    from the inside out, where it might never end between two ways to multiply. With `memories` those become registers.
    """
    return f"""
design -reset
{cells}
read_verilog {name}.v
{f"rename -hide {top}/c:*" if named else ""}
hierarchy -check -top {top}
proc
{"memory" if memories else ""}
{_ARITHMETIC if arithmetic else ""}
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
        run_yosys(graph_script("netlist", top, "", memories=True), directory)
        return read_aiger(directory / "netlist.aig")


def guard_of(name: str, gold: Circuit) -> str:
    """Return the output that says when another one matters; nothing if it always does."""
    if re.fullmatch(r"m_axis_t(data|user|last)(\[\d+\])?", name):
        return "m_axis_tvalid"
    pin = re.fullmatch(r"(memory\d+_)(rd|wr)_(addr|data)(\[\d+\])?", name)
    if not pin:
        return ""
    # a memory is written bit by bit: each has its own enable
    bit = "" if pin[2] == "rd" else pin[4] if pin[3] == "data" else "[0]"
    whole = f"{pin[1]}{pin[2]}_en"
    return f"{whole}{bit}" if f"{whole}{bit}" in gold.outputs else whole


def outputs_differ(
    graph: Graph, gold: Circuit, gate: Circuit, gold_nodes: Sequence[int], gate_nodes: Sequence[int]
) -> dict[str, int]:
    """Return a literal for every output of the reference: 1 where the netlist differs and it matters.

    What a stream gives out matters while it is valid; a memory's address and word where it is written or read.
    """

    def value(circuit: Circuit, nodes: Sequence[int], name: str) -> int:
        literal = circuit.outputs[name]
        return nodes[literal >> 1] ^ (literal & 1)

    differences = {}
    for name in gold.outputs:
        difference = graph.xor(value(gold, gold_nodes, name), value(gate, gate_nodes, name))
        guard = guard_of(name, gold)
        if guard:
            difference = graph.both(difference, value(gold, gold_nodes, guard))
        differences[name] = difference
    return differences


def joint_inputs(graph: Graph, gold: Circuit, gate: Circuit, **fixed: int) -> tuple[list[int], list[int]]:
    """Return literals of both circuits' inputs: what has one name is one."""
    literals = dict(fixed)
    for name in (*gold.inputs, *gate.inputs):
        if name not in literals:
            literals[name] = graph.add_input()
    return [literals[name] for name in gold.inputs], [literals[name] for name in gate.inputs]


def next_of(circuit: Circuit, nodes: Sequence[int], register: int) -> int:
    literal = circuit.nexts[register]
    return nodes[literal >> 1] ^ (literal & 1)


def induction_step(
    gold: Circuit, gate: Circuit, found: Correspondence
) -> tuple[Graph, list[tuple[str, int]]]:
    """Return a graph, and what must be 0 in it if the correspondence holds in every step and the outputs agree.

    Returns
    -------
    (Graph, list of (str, int))
        With every literal the name of the output, or of the register of the reference, that it speaks of.
    """
    graph = Graph()
    gold_inputs, gate_inputs = joint_inputs(graph, gold, gate)
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
    differences = list(outputs_differ(graph, gold, gate, gold_nodes, gate_nodes).items())
    for register, (partner, inverted) in found.pairs.items():
        after = next_of(gold, gold_nodes, partner) ^ inverted
        differences.append((gold.registers[partner], graph.xor(next_of(gate, gate_nodes, register), after)))
    for register, (other, inverted) in found.same.items():
        after = next_of(gold, gold_nodes, other) ^ inverted
        differences.append((gold.registers[register], graph.xor(next_of(gold, gold_nodes, register), after)))
    for register, known in found.sums.items():
        total = 0
        for term in known.terms:
            total = graph.xor(total, next_of(gold, gold_nodes, term))
        difference = graph.xor(next_of(gate, gate_nodes, register), total)
        differences.append(
            (gate.registers[register], graph.both(difference, next_of(gold, gold_nodes, known.guard)))
        )
    return graph, differences


def holds_after_reset(gold: Circuit, gate: Circuit, found: Correspondence) -> bool:
    """Whether one cycle of reset, from any two states, leaves registers as the correspondence says.

    Registers that correspond one to one and have no reset hold anything then; the reference's are taken to hold the
    same. What cannot be chosen like this must be set by the reset: registers that have a value after it, those that
    correspond to several, and those that guard sums.
    """
    graph = Graph()
    gold_inputs, gate_inputs = joint_inputs(graph, gold, gate, rst=1)
    gold_nodes = graph.copy(gold, gold_inputs, [graph.add_input() for _ in gold.registers])
    gate_nodes = graph.copy(gate, gate_inputs, [graph.add_input() for _ in gate.registers])
    shared = found.shared
    for register, (partner, inverted) in found.pairs.items():
        after = next_of(gold, gold_nodes, partner)
        if (after < 2 or partner in shared) and (
            after > 1 or next_of(gate, gate_nodes, register) != after ^ inverted
        ):
            return False
    for register, (other, inverted) in found.same.items():
        after = next_of(gold, gold_nodes, other)
        if after > 1 or next_of(gold, gold_nodes, register) != after ^ inverted:
            return False
    return all(next_of(gold, gold_nodes, known.guard) == 0 for known in found.sums.values())


def all_zero(
    graph: Graph,
    differences: Sequence[int],
    group: int,
    directory: Path,
    clock: Clock,
    conflicts: Sequence[int] = (1000,),
) -> bool | None:
    """Whether all literals are the constant 0; None where that could not be found out in time.

    What the first SAT sweep leaves open is swept again with so many conflicts each time, before decision diagrams.
    """
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
    for most in conflicts:
        if any(literals) and 1 not in literals:
            literals = _swept_harder(directory, clock, most)
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


def _swept_harder(directory: Path, clock: Clock, conflicts: int) -> list[int]:
    """Give the sweep of ``swept.aig`` more conflicts, and return the outputs' literals.

    It closes most of what word tables leave open in seconds, where decision diagrams take each output by itself.
    """
    swept, harder = directory / "swept.aig", directory / "harder.aig"
    try:
        run_abc(
            f"read_aiger swept.aig; &get; &fraig -C {conflicts}; &put; strash; write_aiger harder.aig",
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


def _decision_diagrams_are_zero(directory: Path, first: int, count: int, clock: Clock) -> bool | None:
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


def from_all_states(gold: Circuit, gate: Circuit, directory: Path, clock: Clock) -> str:
    """Look for a difference after one cycle of reset, from all states of both, and prove that there is none."""
    graph = Graph()
    started = graph.add_input()
    gold_inputs, gate_inputs = joint_inputs(graph, gold, gate)
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
    differences = outputs_differ(graph, gold, gate, gold_nodes, gate_nodes)
    after = [next_of(gold, gold_nodes, k) for k in range(len(gold.registers))]
    after += [next_of(gate, gate_nodes, k) for k in range(len(gate.registers))]
    seen = [graph.both(literal, started) for literal in differences.values()]
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
    return model_check("joint.aig", directory, clock.left())


def model_check(aiger: str, directory: Path, timeout_s: float) -> str:
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
