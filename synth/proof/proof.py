"""Proofs that a mapped netlist is the decoder: the matrix, and the stream protocol, for ever and under every
stall.

Two lemmas make the proof.

1. *Equivalence.* The netlist and the plain reference (``reference.py``), fed the same inputs, agree on every
output in
   every cycle: one miter output a port bit, written as AIGER. ABC finds the registers that correspond by
   induction (``lcorr``), which leaves combinational functions, and builds their BDDs (``collapse``): parities
   have small BDDs, while SAT solvers do not finish on them.
2. *Contract.* The reference honours the streams (``contract_verilog``): every block is answered once, in
order, with
   the right window, patches, mask and marks; nothing is lost or doubled under any pattern of valid, ready and
   reset; and a block leaves in every cycle as soon as all sides are willing. The data path of the reference
   is the same text for every G and every width, so ``pdr`` proves this on the window itself (G = identity,
   one plane of one-bit symbols, the code's own N_s, one patch slot), from any power-up state.

Lemma 1 starts both sides with equal registers. Registers correspond one to one, so it holds from whatever
state the flip-flops of a chip wake up in, and lemma 2 says what is seen from there after a reset.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from xorweave.golden.base.errors import ToolError
from xorweave.synth.flow.yosys import run_abc, run_yosys
from xorweave.synth.proof.contract import contract_verilog
from xorweave.synth.proof.reference import DecoderShape, reference_verilog, vector

PROVED, FAILED, NOT_RUN = "proved", "failed", "not run"


def _miter(shape: DecoderShape, top: str) -> str:
    """Write the module that drives netlist and reference alike and gives out one difference a port bit."""
    inputs = [(name, width) for direction, name, width in shape.ports() if direction == "input"]
    outputs = [(name, width) for direction, name, width in shape.ports() if direction == "output"]
    total = sum(width for _, width in outputs)
    lines = ["module miter (input clk, input rst,"]
    lines.append("".join(f"  input {vector(width)} {name},\n" for name, width in inputs))
    lines.append(f"  output {vector(total)} different);")
    for side in ("gold", "gate"):
        lines += [f"  wire {vector(width)} {side}_{name};" for name, width in outputs]
    for module, side in (("reference", "gold"), (top, "gate")):
        pins = [".clk(clk)", ".rst(rst)", *(f".{name}({name})" for name, _ in inputs)]
        pins += [f".{name}({side}_{name})" for name, _ in outputs]
        lines.append(f"  {module} {side} ({', '.join(pins)});")
    # outputs of a plane side by side, so that a plane can be taken out and proved on its own
    order = [
        f"{{side}}_m_axis_tdata[{r * shape.n_w + q}]"
        for q in reversed(range(shape.n_w))
        for r in reversed(range(shape.code.n_out))
    ]
    order += [f"{{side}}_{name}" for name, _ in outputs if name != "m_axis_tdata"]
    both = ["{" + ", ".join(order).format(side=side) + "}" for side in ("gold", "gate")]
    lines += [f"  assign different = {both[0]} ^ {both[1]};", "endmodule\n"]
    return "\n".join(lines)


def _aiger(path: Path) -> tuple[list[int], bytes]:
    """Split a binary AIGER file into its header's numbers (M I L O A) and the rest."""
    head, _, rest = path.read_bytes().partition(b"\n")
    return [int(number) for number in head.split()[1:6]], rest


def _free_registers(sequential: Path, combinational: Path) -> None:
    """Turn every register of an AIGER file into an input: what holds then holds in every state.

    In binary AIGER the registers are numbered right after the inputs, so only the header changes and the
    lines of the next-state functions go.
    """
    (largest, inputs, registers, outputs, ands), rest = _aiger(sequential)
    rest = rest.split(b"\n", registers)[registers]
    head = f"aig {largest} {inputs + registers} 0 {outputs} {ands}\n".encode()
    combinational.write_bytes(head + rest)


def _all_outputs_zero(path: Path) -> bool:
    """Whether every output of a binary AIGER file is the constant 0."""
    (_, _, registers, outputs, _), rest = _aiger(path)
    lines = rest.split(b"\n", registers + outputs)
    return all(line == b"0" for line in lines[registers : registers + outputs])


def _all_zero_by_planes(directory: Path, shape: DecoderShape, timeout_s: float) -> bool:
    """Whether the BDDs of all outputs of ``cut.aig`` could be built and are 0, plane after plane.

    A plane's outputs see its own symbols only: apart, the BDDs and the search for a good order of their variables are
    a fraction of what they are together.
    """
    (_, _, _, outputs, _), _ = _aiger(directory / "cut.aig")
    control = outputs - shape.block_width
    groups = [(0, control)] + [(control + q * shape.code.n_out, shape.code.n_out) for q in range(shape.n_w)]
    for first, count in groups:
        try:
            run_abc(
                f"read_aiger cut.aig; cone -O {first} -R {count}; strash; collapse -r -B 100000000; strash; "
                "write_aiger rest.aig",
                directory,
                timeout_s=timeout_s,
            )
            rest = directory / "rest.aig"
            if _aiger(rest)[0][3] != count or not _all_outputs_zero(rest):
                return False
        except (ToolError, FileNotFoundError):
            return False
        finally:
            (directory / "rest.aig").unlink(missing_ok=True)
    return True


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
    """Prove lemma 1: a netlist and the plain reference agree on every output in every cycle.

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
    with tempfile.TemporaryDirectory(prefix="xorweave-proof-") as folder:
        directory = Path(folder)
        (directory / "netlist.v").write_text(netlist.read_text())
        (directory / "reference.v").write_text(reference_verilog(shape))
        (directory / "miter.v").write_text(_miter(shape, top))
        cells = ""
        if liberty is not None:
            (directory / "cells.lib").write_text(liberty.read_text())
            cells = "read_liberty -ignore_miss_func -ignore_miss_dir cells.lib"
        elif models is not None:
            # only cells that the netlist has are worked out: some family's memories take minutes
            cells = f"read_verilog -defer {models}"
        run_yosys(
            f"""
{cells}
read_verilog netlist.v reference.v miter.v
hierarchy -check -top miter
proc
flatten
async2sync
setattr -unset init w:*
opt_clean
techmap
dffunmap
setundef -zero -init
aigmap
opt_clean -purge
write_aiger -zinit miter.aig
""",
            directory,
        )
        # a decoder that is wrong mostly shows it within a few cycles of random inputs
        glance = run_abc("read_aiger miter.aig; orpos; sim3 -F 24 -W 4 -R 20 -T 5", directory, timeout_s=60)
        if "was asserted in frame" in glance:
            return FAILED
        try:
            run_abc(
                "read_aiger miter.aig; lcorr; strash; write_aiger merged.aig", directory, timeout_s=timeout_s
            )
        except ToolError:
            return NOT_RUN
        _free_registers(directory / "merged.aig", directory / "cut.aig")
        if _all_zero_by_planes(directory, shape, timeout_s):
            return PROVED
        # what differs may have no small BDD: pdr looks for the difference
        return _model_check("merged.aig", directory, timeout_s)


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
