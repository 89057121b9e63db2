"""Synthesise and prove a decoder that ``generate`` wrote: its manifest says what it claims to be."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.hw.package.manifest import Manifest, read_manifest
from xorweave.synth.flow.fpga import FAMILIES, map_to_fpga
from xorweave.synth.flow.liberty import read_liberty
from xorweave.synth.flow.place_route import DEVICES, place_and_route
from xorweave.synth.flow.sta import longest_path_ns, sta_executable, sta_version
from xorweave.synth.flow.synthesis import SynthesisResult, map_to_cells, with_rate
from xorweave.synth.proof.proof import NOT_RUN, prove_contract, prove_equivalent
from xorweave.synth.proof.shape import DecoderShape

# What `generate` can put into a decoder, and the value at which the proof's reference models it. A decoder with
# anything else is counted, but not proved: its equivalence is "not run", never a guess.
_MODELLED: dict[str, object] = {
    "rates": [],
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
            constant_planes=manifest.get("constant_planes", 0),
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


def beyond_the_proof(manifest: Manifest) -> list[str]:
    """Name the options of a generated decoder that the proof's reference does not model."""
    if manifest.kind != "xor":
        return [f"the decoder {manifest.kind}"]
    return [name for name, plain in _MODELLED.items() if manifest.decoder.get(name, plain) != plain]


def synthesize_decoder(
    directory: Path,
    *,
    target: str = "gates",
    liberty: Path | None = None,
    clock_mhz: float | None = None,
    prove: bool = True,
    seeds: int = 5,
    progress: Callable[[int, int], None] | None = None,
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
        See `xorweave.synth.flow.synthesis.synthesize`.
    prove : bool
    seeds : int
        On iCE40 and ECP5: how many times to place and route, if the extra ``pnr`` is installed. With 0, without the
        extra, and where no device is large enough, there is no clock; `notes` says why.
    progress : callable, optional
        Told after each placement: how many are done, and of how many.
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
    if not 0 <= seeds <= 99:
        raise InputError(f"the number of seeds must be between 0 and 99, not {seeds}")
    manifest = read_manifest(directory)
    shape = shape_from_manifest(manifest.decoder) if manifest.kind == "xor" else None
    outputs = manifest.outputs_per_cycle
    files = [directory / name for name in manifest.verilog]
    provable = prove and not beyond_the_proof(manifest)
    equivalence = NOT_RUN
    with tempfile.TemporaryDirectory(prefix="xorweave-synth-") as folder:
        work = Path(folder)
        if target == "gates":
            result, _ = map_to_cells(files, manifest.top, work, liberty=liberty, clock_mhz=clock_mhz)
            library, models = work / "cells.lib", None
            if liberty is not None:
                result = _timed(result, work, manifest.top)
        else:
            result = map_to_fpga(files, manifest.top, target, work)
            library, models = None, FAMILIES[target].models
            if target in DEVICES and seeds:
                result = _placed(result, work, manifest.top, range(1, seeds + 1), progress)
        if shape is not None and provable:
            equivalence = prove_decoder(
                work / "netlist.v",
                manifest.top,
                shape,
                liberty=library,
                models=models,
                timeout_s=timeout_s,
            )
    return replace(with_rate(result, outputs), equivalence=equivalence)


def _timed(result: SynthesisResult, work: Path, top: str) -> SynthesisResult:
    """Take the path from OpenSTA, if that is installed; else ABC's stays."""
    executable = sta_executable()
    if executable is None:
        return result
    path_ns = longest_path_ns(work, top, read_liberty(work / "cells.lib"), executable)
    return replace(
        result,
        critical_path_ns=path_ns,
        fmax_mhz=1000 / path_ns,
        timing="opensta",
        tool_versions={**result.tool_versions, "opensta": sta_version(executable)},
    )


def _placed(
    result: SynthesisResult,
    work: Path,
    top: str,
    seeds: Sequence[int],
    progress: Callable[[int, int], None] | None,
) -> SynthesisResult:
    """Add the clock that placing and routing reaches, or why there is none."""
    try:
        placement = place_and_route(work, top, result.target, seeds=seeds, progress=progress)
    except InputError as reason:
        return replace(result, notes=(*result.notes, f"no clock: {reason}"))
    return replace(
        result,
        fmax_mhz=placement.median_mhz,
        critical_path_ns=1000 / placement.median_mhz,
        fmax_mhz_by_seed=placement.fmax_mhz,
        device=placement.device,
        timing="nextpnr",
        tool_versions={**result.tool_versions, "nextpnr": placement.version},
    )


def prove_decoder(
    netlist: Path,
    top: str,
    shape: DecoderShape,
    *,
    liberty: Path | None = None,
    models: str | None = None,
    timeout_s: float = 600,
) -> str:
    """Prove a netlist's behaviour cycle by cycle, then the protocol: both lemmas of ``proof.py``."""
    verdict = prove_equivalent(netlist, top, shape, liberty=liberty, models=models, timeout_s=timeout_s)
    return prove_contract(shape, timeout_s=timeout_s) if verdict == "proved" else verdict
