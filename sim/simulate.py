"""Simulates a generated decoder against its golden vectors, cycle for cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xorweave.golden.base.errors import InputError
from xorweave.hw.package.package import read_manifest
from xorweave.sim.run_bench import Port, SimulationResult, run_bench


def simulate(
    directory: Path | str,
    *,
    simulator: str = "verilator",
    stalls: str = "none",
    seed: int = 0,
    waves: Path | str | None = None,
    order: Sequence[int] | None = None,
    reset_after: Sequence[int] = (),
) -> SimulationResult:
    """Run a generated decoder on its golden vectors in a simulator.

    Parameters
    ----------
    directory : path
        What ``generate`` wrote. Nothing is written there.
    simulator : str
        ``verilator`` or ``icarus``.
    stalls : str
        ``none``; ``regular``: every port pauses with a period of its own; ``random``: 3 cycles in 10.
    seed : int
        Of the random stalls.
    waves : path, optional
        Write the waves there (VCD; Icarus writes FST if the name ends in .fst).
    order : sequence of int, optional
        Send these blocks in this order: a stream that is given up and started again, for instance.
    reset_after : sequence of int
        After so many received blocks, reset the decoder and start from the first block again; once for each.

    Raises
    ------
    InputError
        The directory holds no generated decoder, or the simulator is not there.
    """
    directory = Path(directory).resolve()
    manifest = read_manifest(directory)
    if "streams" in manifest:
        return _simulate_streams(
            directory,
            manifest,
            simulator=simulator,
            stalls=stalls,
            seed=seed,
            waves=waves,
            order=order,
            reset_after=reset_after,
        )
    code, n_w = manifest["code"], manifest["n_w"]
    vectors = directory / "vectors"

    def marked(name: str, width: int, file: str) -> Port:
        fields = ((f"{name}data", width), (f"{name}user", 1), (f"{name}last", 1))
        return Port(name, fields, vectors / file)

    inputs = [marked("s_axis_t", code["n_in"] * n_w, "symbols.hex")]
    if manifest["mask"]:
        inputs.append(Port("s_axis_mask_t", (("s_axis_mask_tdata", code["n_out"]),), vectors / "masks.hex"))
    if manifest["patches_per_block"]:
        fields = tuple((pin, width) for pin, width in manifest["patch_fields"])
        inputs.append(Port("s_axis_patch_t", fields, vectors / "patches.hex"))
    static = {}
    if manifest["inversion_port"]:
        static["inversion"] = manifest["vectors"]["inversion"]
    if manifest["gap_bits"]:
        static["patch_restart"] = 0
        if order is not None:
            raise InputError("gap-coded corrections belong to the whole tensor: blocks must be sent in order")
    if manifest["length_bits"]:
        static |= {"stream_length": manifest["vectors"]["segment_blocks"], "stream_clear": 0}
    return run_bench(
        [directory / name for name in manifest["verilog"]],
        manifest["top"],
        inputs,
        marked("m_axis_t", code["n_out"] * n_w, "weights.hex"),
        latency=manifest["latency"],
        static=static,
        simulator=simulator,
        stalls=stalls,
        seed=seed,
        waves=waves,
        order=order,
        reset_after=reset_after,
    )


def _simulate_streams(directory: Path, manifest: Mapping[str, Any], **options: Any) -> SimulationResult:
    """Run a decoder whose manifest names its streams one by one."""

    def port(stream: Mapping[str, Any]) -> Port:
        pins = tuple((name, width) for name, width in stream["pins"])
        return Port(f"{stream['prefix']}_t", pins, directory / stream["file"])

    streams = manifest["streams"]
    return run_bench(
        [directory / name for name in manifest["verilog"]],
        manifest["top"],
        [port(stream) for stream in streams["inputs"]],
        port(streams["output"]),
        latency=manifest["latency"],
        static=manifest["static"],
        **options,
    )
