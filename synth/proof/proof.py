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

import tempfile
from pathlib import Path

from xorweave.synth.flow.yosys import run_yosys
from xorweave.synth.proof.aiger import read_aiger
from xorweave.synth.proof.contract import contract_verilog
from xorweave.synth.proof.correspondence import guess
from xorweave.synth.proof.induction import (
    FAILED,
    FLOATING,
    NOT_RUN,
    PROVED,
    Clock,
    Verdict,
    all_zero,
    from_all_states,
    graph_script,
    holds_after_reset,
    induction_step,
    model_check,
    register_faults,
)
from xorweave.synth.proof.matrix import with_matrices
from xorweave.synth.proof.reference import reference_verilog
from xorweave.synth.proof.shape import DecoderShape


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
    clock = Clock(timeout_s)
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
        run_yosys(graph_script("netlist", top, cells) + graph_script("reference", "reference", ""), directory)
        faults = register_faults((directory / "netlist.registers").read_text())
        if FLOATING.search((directory / "netlist.v").read_text()):
            faults.append("a constant of the netlist is z")
        if faults:
            return Verdict(FAILED, "; ".join(faults))
        gate, gold = (read_aiger(directory / f"{name}.aig") for name in ("netlist", "reference"))
        if not whole:
            gold = with_matrices(gold, shape)
        missing = sorted({*gold.outputs} - {*gate.outputs})
        if missing:
            return Verdict(FAILED, f"the netlist has no output {missing[0]}")
        found = guess(gold, gate, shape.delayed, shape.history)
        if holds_after_reset(gold, gate, found):
            graph, differences = induction_step(gold, gate, found)
            if all_zero(graph, [literal for _, literal in differences], shape.code.n_out, directory, clock):
                return Verdict(PROVED)
        outcome = from_all_states(gold, gate, directory, clock)
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
        return model_check("contract.aig", directory, timeout_s)
