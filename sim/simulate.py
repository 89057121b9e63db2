"""Simulates a generated decoder against its golden vectors, cycle for cycle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xorweave.hw.package.manifest import Manifest, read_manifest
from xorweave.sim.run_bench import SimulationResult, run_bench


def simulate(
    directory: Path | str,
    *,
    simulator: str = "verilator",
    stalls: str = "none",
    restarts: bool = False,
    seed: int = 0,
    waves: Path | str | None = None,
) -> SimulationResult:
    """Run a generated decoder on its golden vectors in a simulator.

    Parameters
    ----------
    directory : path
        What ``generate`` wrote. Nothing is written there.
    simulator : str
        ``verilator`` or ``icarus``.
    stalls : str
        ``none``; ``regular``: every port pauses with a period of its own; ``random``: 3 cycles in 10; ``sink`` and
        ``source``: at random, that side only.
    restarts : bool
        Play the package's scenes too: short streams, starts in mid-stream, resets, errors and their flags.
    seed : int
        Of the random stalls.
    waves : path, optional
        Write the waves there: .vcd, of Icarus .fst. Only waves that lie there are replaced.

    Raises
    ------
    InputError
        The directory holds no generated decoder, the simulator is not there, or the waves must not be written there.
    """
    directory = Path(directory).resolve()
    manifest = read_manifest(directory)
    return run_bench(
        [directory / name for name in manifest.verilog],
        manifest,
        scenes_of(directory, manifest, restarts=restarts),
        simulator=simulator,
        stalls=stalls,
        seed=seed,
        waves=waves,
    )


def scenes_of(directory: Path, manifest: Manifest, *, restarts: bool) -> list[dict[str, Any]]:
    """Return what the bench plays: the golden words and, with `restarts`, the scenes of a package."""
    words = {stream.prefix: manifest.words(directory, stream) for stream in manifest.streams}
    static = {pin: value for pin, (_, value) in manifest.static.items()}
    golden = {
        "name": "golden",
        "reset": True,
        "cut": manifest.endless,
        "compared": True,
        "full_rate": True,
        "static": static,
        "pulses": [],
        "flags": dict.fromkeys(manifest.flags, 0),
        "words": [words[stream.prefix][0] for stream in manifest.inputs],
        "expected": words[manifest.output.prefix][0],
    }
    if not restarts:
        return [golden]
    begin = dict.fromkeys(words, 0)
    scenes = [golden]
    for scene in manifest.scenes:
        some = {
            prefix: rest[begin[prefix] : begin[prefix] + scene.words[prefix]]
            for prefix, (_, rest) in words.items()
        }
        begin = {prefix: at + scene.words[prefix] for prefix, at in begin.items()}
        scenes.append(
            {
                "name": scene.name,
                "reset": scene.reset,
                "cut": scene.cut,
                "compared": scene.compared,
                "full_rate": scene.full_rate,
                "static": {**static, **scene.static},
                "pulses": list(scene.pulses),
                "flags": {**dict.fromkeys(manifest.flags, 0), **scene.flags},
                "words": [some[stream.prefix] for stream in manifest.inputs],
                "expected": some[manifest.output.prefix],
            }
        )
    return scenes
