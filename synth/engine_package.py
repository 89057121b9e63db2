"""Synthesise and prove an engine that was written as a package: its manifest says what it claims to be."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from xorweave.golden.base.errors import InputError, ToolError
from xorweave.hw.package.engine_manifest import EngineManifest, read_engine_manifest
from xorweave.synth.decoder_package import shape_of_entries
from xorweave.synth.flow.memory_ports import take_out_memories
from xorweave.synth.flow.synthesis import SynthesisResult, map_to_cells, with_rate
from xorweave.synth.proof.engine_proof import judge_engine
from xorweave.synth.proof.engine_shape import EngineShape
from xorweave.synth.proof.induction import FAILED, NOT_RUN, PROVED, Verdict


def engine_shape(manifest: EngineManifest) -> EngineShape:
    """Return the engine that a manifest describes.

    Raises
    ------
    InputError
        The manifest lacks something, or a matrix and its check value disagree.
    """
    decoder = shape_of_entries(manifest.decoder, manifest.decoder_latency)
    if decoder is None or decoder.mask or decoder.segments > 1 or decoder.code.n_out != manifest.layout.lanes:
        raise InputError("the manifest must describe a decoder of one weight a lane, without a mask stage")
    return EngineShape(
        decoder=decoder,
        layout=manifest.layout,
        batch=manifest.batch,
        load_words=manifest.load_words,
        result_words=manifest.result_words,
        described=manifest.kind == "network",
    )


def synthesize_engine_package(
    directory: Path,
    *,
    liberty: Path | None = None,
    clock_mhz: float | None = None,
    prove: bool = True,
    progress: Callable[[str], None] | None = None,
    timeout_s: float = 600,
) -> SynthesisResult:
    """Map an engine, its memories taken out and counted in bits, and prove the netlist part by part.

    Parameters
    ----------
    directory : Path
        What ``infer --engine`` or `xorweave.hw.package.engine_core.write_engine` wrote.
    liberty, clock_mhz
        See `xorweave.synth.flow.synthesis.synthesize`. The clock leaves the memories' own access times out.
    prove : bool
    progress : callable, optional
    timeout_s : float
        For each step of mapping, and for each part of the proof.

    Returns
    -------
    SynthesisResult
        `equivalence` is that of all parts together, `equivalence_by_part` of each; `notes` says why one is not proved.

    Raises
    ------
    InputError
        The directory or an option is wrong.
    ToolError
        A tool of the flow failed, or nothing could be mapped in time.
    """
    manifest = read_engine_manifest(directory)
    shape = engine_shape(manifest)
    tell = progress or (lambda _: None)
    with tempfile.TemporaryDirectory(prefix="xorweave-engine-") as folder:
        work = Path(folder)
        tell("taking the memories out")
        sources = [directory / name for name in manifest.verilog]
        logic, memories = take_out_memories(sources, manifest.top, work, timeout_s=timeout_s)
        result, _ = map_to_cells(
            [logic],
            manifest.top,
            work,
            liberty=liberty,
            clock_mhz=clock_mhz,
            timeout_s=timeout_s,
            progress=tell,
        )
        result = replace(result, memory_bits=sum(memory.bits for memory in memories))
        if prove:
            try:
                verdicts = judge_engine(
                    work / "netlist.v",
                    manifest.top,
                    shape,
                    memories,
                    liberty=work / "cells.lib",
                    timeout_s=timeout_s,
                    progress=tell,
                )
            except ToolError as error:
                verdicts = {"engine": Verdict(NOT_RUN, str(error))}
            result = _with_proof(result, verdicts)
    return with_rate(result, shape.layout.lanes * shape.decoder.n_w)


def _with_proof(result: SynthesisResult, verdicts: dict[str, Verdict]) -> SynthesisResult:
    """Add what the proof of each part came to, and why one is missing."""
    outcomes = {verdict.outcome for verdict in verdicts.values()}
    whole = FAILED if FAILED in outcomes else NOT_RUN if NOT_RUN in outcomes else PROVED
    notes = [
        f"{part}: not proved: {verdict.reason}"
        for part, verdict in verdicts.items()
        if verdict.outcome != PROVED
    ]
    return replace(
        result,
        equivalence=whole,
        equivalence_by_part={part: verdict.outcome for part, verdict in verdicts.items()},
        notes=(*result.notes, *notes),
    )
