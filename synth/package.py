"""Synthesise and prove what a folder holds: a decoder's package, or an engine's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from xorweave.golden.base.errors import InputError
from xorweave.hw.package.engine_manifest import is_engine
from xorweave.synth.decoder_package import synthesize_decoder
from xorweave.synth.engine_package import synthesize_engine_package
from xorweave.synth.flow.synthesis import SynthesisResult


def synthesize_package(
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
    """Map a package and prove it, as `synthesize_decoder` or `synthesize_engine_package` says.

    Raises
    ------
    InputError
        The directory or an option is wrong: engines are mapped to gates only.
    ToolError
        A tool of the flow failed, or nothing could be mapped in time.
    """
    if not is_engine(directory):
        return synthesize_decoder(
            directory,
            target=target,
            liberty=liberty,
            clock_mhz=clock_mhz,
            prove=prove,
            seeds=seeds,
            progress=progress,
            timeout_s=timeout_s,
        )
    if target != "gates":
        raise InputError(f"the target of an engine must be gates, not {target!r}")
    return synthesize_engine_package(
        directory,
        liberty=liberty,
        clock_mhz=clock_mhz,
        prove=prove,
        progress=progress,
        timeout_s=timeout_s,
    )
