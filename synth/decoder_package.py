"""Synthesise and prove a decoder that ``generate`` wrote: its manifest says what it claims to be."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from xorweave.golden.code import Code
from xorweave.golden.errors import InputError
from xorweave.hw.package import read_manifest
from xorweave.synth.fpga import count_luts
from xorweave.synth.proof import NOT_RUN, prove_contract, prove_equivalent
from xorweave.synth.reference import DecoderShape
from xorweave.synth.synthesis import SynthesisResult, map_to_cells, with_rate

# What `generate` can put into a decoder, and the value at which the proof's reference models it. A decoder with
# anything else is counted, but not proved: its equivalence is "not run", never a guess.
_MODELLED: dict[str, object] = {
    "gap_bits": 0,
    "length_bits": 0,
    "max_depth": None,
}

TARGETS = ("gates", "ice40", "ecp5", "xilinx")


def shape_from_manifest(manifest: Mapping[str, Any]) -> DecoderShape:
    """Return the decoder a manifest describes, its matrix row by row.

    Raises
    ------
    InputError
        The manifest lacks something, or its matrix and its check value disagree.
    """
    try:
        head = manifest["code"]
        columns = head["n_in"] * (head["n_s"] + 1)
        rows = [[int(row, 16) >> column & 1 for column in range(columns)] for row in head["generator"]]
        code = Code(
            n_in=head["n_in"], n_out=head["n_out"], n_s=head["n_s"], generator=np.array(rows, np.uint8)
        )
        shape = DecoderShape(
            code=code,
            n_w=manifest["n_w"],
            patches_per_block=manifest["patches_per_block"],
            dense_corrections=manifest.get("dense_corrections", False),
            inversion=manifest["inversion"],
            transform=manifest.get("transform", "none"),
            mask=manifest["mask"],
            input_register=manifest["input_register"],
            output_register=manifest["output_register"],
            skid_buffers=manifest["skid_buffers"],
        )
        check = head["check_value"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the manifest must describe a decoder as generate writes it, but: {error!r}"
        ) from None
    if code.check_value != check:
        raise InputError(f"the manifest's matrix must have the check value {check}, not {code.check_value}")
    return shape


def beyond_the_proof(manifest: Mapping[str, Any]) -> list[str]:
    """Name the options of a generated decoder that the proof's reference does not model."""
    return [name for name, plain in _MODELLED.items() if manifest.get(name, plain) != plain]


def synthesize_decoder(
    directory: Path,
    *,
    target: str = "gates",
    liberty: Path | None = None,
    clock_mhz: float | None = None,
    prove: bool = True,
    timeout_s: float = 600,
) -> SynthesisResult:
    """Map a generated decoder and prove the mapped netlist equal to its matrix and protocol.

    The proof is left out ("not run") for options that its reference does not model (`beyond_the_proof`).

    Everything behind the AXI4-Stream ports is counted: shift registers, handshake, correction, inversion and
    mask stages, and output registers if the decoder has them.

    Parameters
    ----------
    directory : Path
        What ``generate`` wrote.
    target : str
        ``gates`` (standard cells), or an FPGA family.
    liberty, clock_mhz
        See `xorweave.synth.synthesis.synthesize`.
    prove : bool
    timeout_s : float
        For each proof.

    Raises
    ------
    InputError
        The directory or an option is wrong.
    ToolError
        A tool of the flow failed.
    """
    if target not in TARGETS:
        raise InputError(f"the target must be one of {', '.join(TARGETS)}, not {target!r}")
    if target != "gates" and (liberty is not None or clock_mhz is not None):
        raise InputError(f"a Liberty file and a clock must come with the target gates, not {target}")
    manifest = read_manifest(directory)
    shape = shape_from_manifest(manifest)
    files = [directory / name for name in manifest["verilog"]]
    if target != "gates":
        return replace(count_luts(files, manifest["top"], target), outputs_per_cycle=shape.block_width)
    with tempfile.TemporaryDirectory(prefix="xorweave-synth-") as folder:
        work = Path(folder)
        result, _ = map_to_cells(files, manifest["top"], work, liberty=liberty, clock_mhz=clock_mhz)
        equivalence = NOT_RUN
        if prove and not beyond_the_proof(manifest):
            equivalence = prove_decoder(
                work / "netlist.v", manifest["top"], shape, liberty=work / "cells.lib", timeout_s=timeout_s
            )
    return replace(with_rate(result, shape.block_width), equivalence=equivalence)


def prove_decoder(
    netlist: Path, top: str, shape: DecoderShape, *, liberty: Path | None, timeout_s: float = 600
) -> str:
    """Prove a netlist's behaviour cycle by cycle, then the protocol: both lemmas of ``proof.py``."""
    verdict = prove_equivalent(netlist, top, shape, liberty=liberty, timeout_s=timeout_s)
    return prove_contract(shape, timeout_s=timeout_s) if verdict == "proved" else verdict
