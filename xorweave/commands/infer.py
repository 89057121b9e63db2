"""``xorweave infer``: a pruned network on images, every layer through one simulated engine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from xorweave.commands.console import say, tell


def infer(
    model: Annotated[
        Path,
        typer.Argument(help="Dense layers in order, NAME.weight and NAME.bias: .npz .safetensors .onnx .pt"),
    ],
    images: Annotated[
        Path, typer.Option(help="An .npz with the arrays images (0 to 255, or 0 to 1) and labels")
    ],
    count: Annotated[int, typer.Option(help="So many images, the first ones")] = 100,
    each: Annotated[int | None, typer.Option(help="Instead: so many images of each label")] = None,
    lanes: Annotated[int, typer.Option(help="Multiply-accumulate lanes")] = 64,
    batch: Annotated[int, typer.Option(help="Images that go through the engine together")] = 1,
    in_flight: Annotated[
        int, typer.Option(help="Batches whose layers take turns, so that loads are hidden")
    ] = 2,
    csr: Annotated[
        bool, typer.Option("--csr", help="The CSR engine beside it, at as many bytes a cycle")
    ] = False,
    engine: Annotated[
        Path | None, typer.Option(help="Write the engine into this new folder: Verilog, FuseSoC core")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> int:
    """Run a pruned network on images: quantised to INT8, every layer through one simulated engine."""
    from xorweave.commands.console import print_json
    from xorweave.studies.inference import infer_network

    def progress(what: str) -> None:
        if sys.stderr.isatty():
            tell(what)

    found = infer_network(
        model,
        images,
        count=count,
        each=each,
        lanes=lanes,
        batch=batch,
        in_flight=in_flight,
        csr=csr,
        engine=engine,
        progress=progress,
    )
    if as_json:
        print_json(found)
    else:
        _print(found)
    return int(bool(found["mismatches"] or found.get("csr", {}).get("mismatches")))


def _print(found: dict[str, Any]) -> None:
    from xorweave.commands.console import percent
    from xorweave.golden.base.printable import printable

    for layer in found["layers"]:
        rows, cols = layer["shape"]
        say(f"{printable(layer['name'])}: {rows} x {cols}, {percent(layer['sparsity'], 1)} zeros")
    say(
        f"{found['images']} images: {percent(found['accuracy_int8'])} right in INT8,"
        f" {percent(found['accuracy_float'])} in floats"
    )
    say(
        f"engine of {found['lanes']} lanes, batch {found['batch']}: {found['cycles_per_image']:.0f} cycles and"
        f" {found['bytes_per_image']:.0f} bytes an image, {found['stall_cycles']} stall cycles,"
        f" {found['mismatches']} mismatches"
    )
    say(
        f"batches in flight: {found['in_flight']}; {found['empty_cycles']} of {found['cycles']} cycles without a loaded"
        f" layer, at most {found['outside_bytes']} bytes of activations outside"
    )
    if "csr" in found:
        other = found["csr"]
        say(
            f"CSR engine of {'/'.join(map(str, other['lanes']))} lanes, {found['bytes_per_cycle']:.2f} bytes a cycle:"
            f" {other['cycles_per_image']:.0f} cycles and {other['bytes_per_image']:.0f} bytes an image,"
            f" {other['mismatches']} mismatches"
        )
    for message in found["messages"]:
        say(message)
