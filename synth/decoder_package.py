"""Synthesise and prove a decoder that ``generate`` wrote: its manifest says what it claims to be."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.code.code import Code
from xorweave.hw.package.manifest import Manifest, read_manifest
from xorweave.synth.flow.fpga import FAMILIES, map_to_fpga
from xorweave.synth.flow.liberty import read_liberty
from xorweave.synth.flow.place_route import DEVICES, place_and_route
from xorweave.synth.flow.sta import longest_path_ns, sta_executable, sta_version
from xorweave.synth.flow.synthesis import SynthesisResult, map_to_cells, with_rate
from xorweave.synth.proof.induction import NOT_RUN, PROVED, Verdict
from xorweave.synth.proof.proof import judge_equivalence, prove_contract
from xorweave.synth.proof.shape import DecoderShape, MaskBook, MaskParities, WordBook, code_from_rows

TARGETS = ("gates", *FAMILIES)


def _code(head: Mapping[str, Any]) -> Code:
    """Return a code that a manifest describes, from its matrix."""
    rows = [int(row, 16) for row in head["generator"]]
    code = code_from_rows(rows, n_in=head["n_in"], n_s=head["n_s"])
    if code.check_value != head["check_value"]:
        raise InputError(
            f"the manifest's matrix must have the check value {head['check_value']}, not {code.check_value}"
        )
    return code


def _mask_code(found: Mapping[str, Any]) -> MaskParities | MaskBook | None:
    """Return the shaped mask or the pattern book that a manifest describes; None where it has neither."""
    if "mask_book" in found:
        head = found["mask_book"]
        groups = tuple((group["planes"], _code(group["code"])) for group in head["groups"])
        if {code.n_out * head["pattern_bits"] for _, code in groups} != {found["n_out"]}:
            raise InputError("the manifest's mask_book must have codes of n_out divided by pattern_bits")
        return MaskBook(head["pattern_bits"], tuple(head["counts"]), head["inverted"], groups)
    if "mask_code" not in found:
        return None
    head = found["mask_code"]
    columns = max(head["n_in"], *(int(row, 16).bit_length() for row in head["generator"]))
    columns = -(-columns // head["n_in"]) * head["n_in"]
    bits = [[int(row, 16) >> column & 1 for column in range(columns)] for row in head["generator"]]
    matrix = np.array(bits, np.uint8).reshape(head["n_out"], head["parities"], columns)
    return MaskParities(head["n_in"], matrix)


def shape_of(manifest: Manifest) -> DecoderShape | None:
    """Return the decoder a manifest describes, its matrices row by row; None where there is no reference for it.

    That is a baseline, and words of a kind that nobody has written the text of.

    Raises
    ------
    InputError
        The manifest lacks something, or a matrix and its check value disagree.
    """
    return shape_of_entries(manifest.decoder, manifest.latency, plane_serial=manifest.kind == "plane-serial")


def shape_of_entries(
    found: Mapping[str, Any], latency: int, *, plane_serial: bool = False
) -> DecoderShape | None:
    """Return the decoder that a manifest's entries describe, as `shape_of` does."""
    if not found.keys() & {"code", "groups"} or "words" in found:
        return None
    try:
        heads = found.get("groups") or [{"planes": found["n_w"], "code": found["code"]}]
        groups = [(head["planes"], _code(head["code"])) for head in heads]
        book = None
        if "book" in found:
            head = found["book"]
            book = WordBook(head["magnitude"], *(tuple(head[k]) for k in ("lengths", "tails", "prefixes")))
            if len(groups) == 1:
                groups = [(book.planes, groups[0][1])]
        return DecoderShape(
            code=groups[0][1],
            n_w=found["n_w"],
            groups=tuple(groups) if book is not None else (),
            book=book,
            mask_code=_mask_code(found),
            stages=max(1, latency - found["output_register"]),
            segments=found.get("segments", 1),
            plane_serial=plane_serial,
            rates=tuple(found["rates"]),
            block_lengths=found.get("block_lengths", False),
            **{name: found[name] for name in _ALIKE},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the manifest must describe a decoder as generate writes it, but: {error!r}"
        ) from None


# What the manifest and the reference call by one name.
_ALIKE = (
    *(
        "patches_per_block",
        "dense_corrections",
        "patch_lanes",
        "gap_bits",
        "bounded",
        "inversion",
        "transform",
    ),
    *("constant_planes", "mask", "length_bits", "input_register", "output_register", "skid_buffers"),
)


def synthesize_decoder(
    directory: Path,
    *,
    target: str = "gates",
    liberty: Path | None = None,
    clock_mhz: float | None = None,
    prove: bool = True,
    seeds: int = 5,
    progress: Callable[[str], None] | None = None,
    timeout_s: float = 600,
) -> SynthesisResult:
    """Map a generated decoder and prove the mapped netlist equal to its matrix and protocol.

    Everything behind the AXI4-Stream ports is counted: shift registers, handshake, correction, inversion and
    mask stages, and output registers if the decoder has them. What a step could not make in its time is None, and
    `notes` says why; the other figures stand. A baseline decoder has no reference to be proved equal to ("not run").

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
        On iCE40, ECP5 and Gowin: how many times to place and route, if the extra ``pnr`` is installed. With 0, without
        the extra, and where no device is large enough, there is no clock; `notes` says why.
    progress : callable, optional
        Told what is begun or done.
    timeout_s : float
        For each step of mapping and for each proof. Placing and routing takes half of it at most, for all seeds.

    Raises
    ------
    InputError
        The directory or an option is wrong.
    ToolError
        A tool of the flow failed, or nothing could be mapped in time.
    """
    if target not in TARGETS:
        raise InputError(f"the target must be one of {', '.join(TARGETS)}, not {target!r}")
    if target != "gates" and (liberty is not None or clock_mhz is not None):
        raise InputError(f"a Liberty file and a clock must come with the target gates, not {target}")
    if not 0 <= seeds <= 99:
        raise InputError(f"the number of seeds must be between 0 and 99, not {seeds}")
    manifest = read_manifest(directory)
    shape = shape_of(manifest) if prove else None
    files = [directory / name for name in manifest.verilog]
    tell = progress or (lambda _: None)
    with tempfile.TemporaryDirectory(prefix="xorweave-synth-") as folder:
        work = Path(folder)
        if target == "gates":
            result, _ = map_to_cells(
                files,
                manifest.top,
                work,
                liberty=liberty,
                clock_mhz=clock_mhz,
                timeout_s=timeout_s,
                progress=tell,
            )
            library, models = work / "cells.lib", None
            if liberty is not None:
                result = _timed(result, work, manifest.top)
        else:
            tell(f"mapping to {target}")
            result = map_to_fpga(files, manifest.top, target, work, timeout_s=timeout_s)
            library, models = None, FAMILIES[target].models
            if target in DEVICES and seeds:
                result = _placed(result, work, manifest.top, range(1, seeds + 1), tell, timeout_s / 2)
        if shape is not None:
            tell("proving the netlist")
            verdict = judge_decoder(
                work / "netlist.v",
                manifest.top,
                shape,
                liberty=library,
                models=models,
                timeout_s=timeout_s,
            )
            result = replace(result, equivalence=verdict.outcome)
            if verdict.reason:
                result = _noted(result, f"equivalence {verdict.outcome}: {verdict.reason}")
        elif prove:
            result = _noted(
                result, f"equivalence not run: there is no reference for the decoder {manifest.kind}"
            )
    return with_rate(result, manifest.outputs_per_cycle)


def _noted(result: SynthesisResult, note: str) -> SynthesisResult:
    return replace(result, notes=(*result.notes, note))


def _timed(result: SynthesisResult, work: Path, top: str) -> SynthesisResult:
    """Take the path from OpenSTA, if that is installed; else ABC's stays."""
    executable = sta_executable()
    if executable is None:
        return result
    try:
        path_ns = longest_path_ns(work, top, read_liberty(work / "cells.lib"), executable)
    except ToolError as error:
        return _noted(result, f"the path is ABC's: {error}")
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
    tell: Callable[[str], None],
    timeout_s: float,
) -> SynthesisResult:
    """Add the clock that placing and routing reaches, or why there is none."""
    tell(f"placing and routing, seed 1 of {len(seeds)}")

    def seed_done(done: int, total: int) -> None:
        tell(f"placed and routed {done} of {total}")

    try:
        placement = place_and_route(
            work, top, result.target, seeds=seeds, progress=seed_done, timeout_s=timeout_s
        )
    except (InputError, ToolError) as reason:
        return _noted(result, f"no clock: {reason}")
    made = len(placement.fmax_mhz)
    if made < len(seeds):
        result = _noted(result, f"placed and routed with {made} seeds, not {len(seeds)}: time was up")
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
    return judge_decoder(netlist, top, shape, liberty=liberty, models=models, timeout_s=timeout_s).outcome


def judge_decoder(
    netlist: Path,
    top: str,
    shape: DecoderShape,
    *,
    liberty: Path | None = None,
    models: str | None = None,
    timeout_s: float = 600,
) -> Verdict:
    """Prove both lemmas as `prove_decoder` does, and say why where they are not proved."""
    try:
        verdict = judge_equivalence(netlist, top, shape, liberty=liberty, models=models, timeout_s=timeout_s)
        if verdict.outcome != PROVED:
            return verdict
        outcome = prove_contract(shape, timeout_s=timeout_s)
    except ToolError as error:
        return Verdict(NOT_RUN, str(error))
    if outcome == PROVED:
        return verdict
    return Verdict(outcome, "the stream contract of the reference was not proved")
