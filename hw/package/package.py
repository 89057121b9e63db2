"""Writes a design as a folder that needs no Python: Verilog, golden vectors, test bench, FuseSoC core, manifest."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from xorweave import __version__
from xorweave.golden.base.errors import InputError
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_design import TOP, axis_design
from xorweave.hw.package.manifest import FORMAT, FORMAT_VERSION, MANIFEST, Manifest, is_package
from xorweave.hw.package.stream_design import Scene, StreamDesign, StreamWords
from xorweave.hw.package.verilog import structured_verilog


def core_description(top: str, files: Sequence[str]) -> str:
    """Write the FuseSoC core description (CAPI2)."""
    hexes = "".join(f"      - {name}: {{file_type: user, copyto: {name}}}\n" for name in files)
    return f"""CAPI=2:
name: xorweave:decoder:{top}:{__version__}
description: Fixed-to-fixed XOR decoder for pruned neural-network weights

filesets:
  rtl:
    files:
      - rtl/{top}.v
    file_type: verilogSource-2005
  tb:
    files:
      - tb/{top}_tb.v: {{file_type: verilogSource-2005}}
{hexes}
targets:
  default: &default
    filesets: [rtl]
    toplevel: {top}
  lint:
    <<: *default
    default_tool: verilator
    tools:
      verilator:
        mode: lint-only
        verilator_options: [-Wall]
      icarus:
        iverilog_options: [-g2001, -Wall]
  sim:
    <<: *default
    filesets: [tb, rtl]  # the bench has the time scale
    toplevel: {top}_tb
    default_tool: icarus
    tools:
      icarus:
        iverilog_options: [-g2001]
      verilator:
        mode: binary
        verilator_options: [--timing]
"""


def librelane_configuration(top: str) -> str:
    """Write the configuration of LibreLane's flow ``Classic``: a macro at a clock that any decoder reaches."""
    entries = {
        "meta": {"version": 2, "flow": "Classic"},
        "DESIGN_NAME": top,
        "VERILOG_FILES": [f"dir::rtl/{top}.v"],
        "CLOCK_PORT": "clk",
        "CLOCK_PERIOD": 10.0,  # ns
        "FP_CORE_UTIL": 40,  # per cent; there are many pins for the area
    }
    return json.dumps(entries, indent=1) + "\n"


def hex_words(words: Sequence[int], bits: int) -> str:
    """Write words as ``$readmemh`` reads them, one a line."""
    digits = (bits + 3) // 4
    return "".join(f"{word:0{digits}x}\n" for word in words)


def binary_words(words: Sequence[int], bits: int) -> bytes:
    """Write words one after the other, each in whole bytes, the lowest byte first."""
    size = (bits + 7) // 8
    return b"".join(word.to_bytes(size, "little") for word in words)


def put_in_place(directory: Path, finished: Path) -> None:
    """Put a finished folder in its place, in place of an older package or of nothing."""
    old = None
    if directory.exists():
        old = finished.parent / "old"
        directory.rename(old)
    try:
        finished.rename(directory)
    except OSError:
        if old is not None:
            old.rename(directory)
        raise


def check_replaceable(directory: Path) -> None:
    """Raise InputError unless a folder is new or empty, or a package of ours and nothing else."""
    if not directory.exists() and not directory.is_symlink():
        return
    if directory.is_symlink() or not directory.is_dir():
        raise InputError(f"{directory} must be a new or empty folder, or one that generate wrote, not a file")
    if any(directory.iterdir()) and not is_package(directory):
        raise InputError(
            f"{directory} must be a new or empty folder, or one that this version of generate wrote"
            " and that has no other files in it"
        )


def write_files(directory: Path, files: Mapping[str, str | bytes]) -> None:
    """Write a package; the folder appears whole or stays as it was."""
    check_replaceable(directory)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        try:
            finished = scratch / "new"
            for name, content in files.items():
                path = finished / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode() if isinstance(content, str) else content)
            put_in_place(directory, finished)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{directory} must be a folder that can be written: {error.strerror}") from None


def write_design(directory: Path | str, design: StreamDesign, *, top: str = TOP) -> Manifest:
    """Write a design with its golden words into a folder, all or nothing.

    Parameters
    ----------
    directory : path
        Made new. A package of ours in it is replaced if it holds no other files; anything else is left alone.
    design : StreamDesign
    top : str
        Name of the top module.

    Raises
    ------
    InputError
        There are no words to give out, the folder holds something else, or it cannot be written.
    """
    directory = Path(directory).absolute()
    check_replaceable(directory)
    if not design.output.words:
        raise InputError("a decoder needs at least one block for its golden vectors")
    title, *lines = design.header
    header = "\n".join([f"{title}, written by xorweave {__version__}.", *lines])
    files: dict[str, str | bytes] = {f"rtl/{top}.v": structured_verilog(design.component, top, header=header)}
    streams = []
    for stream in (*design.inputs, design.output):
        name = stream.file or stream.prefix
        entry: dict[str, Any] = {
            "prefix": stream.prefix,
            "what": stream.what,
            "pins": [list(pin) for pin in stream.pins],
            "file": f"vectors/{name}.hex",
            "words": len(stream.words),
        }
        files[entry["file"]] = hex_words(stream.words, stream.bits)
        if design.scenes:
            entry["restarts"] = f"vectors/{name}_restarts.hex"
            words = [word for scene in design.scenes for word in scene.words[stream.prefix]]
            files[entry["restarts"]] = hex_words(words, stream.bits)
        if stream.prefix in design.images:
            entry["image"] = f"image/{name}"
            entry["image_words"] = len(design.images[stream.prefix])
            files[f"image/{name}.hex"] = hex_words(design.images[stream.prefix], stream.bits)
            files[f"image/{name}.bin"] = binary_words(design.images[stream.prefix], stream.bits)
        streams.append(entry)
    files[f"tb/{top}_tb.v"] = _testbench(design, streams, top)
    files[f"{top}.core"] = core_description(top, [name for name in files if name.startswith("vectors/")])
    files["librelane.json"] = librelane_configuration(top)
    entries = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "generator": f"xorweave {__version__}",
        "kind": design.kind,
        "top": top,
        "streams": {"inputs": streams[:-1], "output": streams[-1]},
        "static": [
            {"pin": pin, "width": width, "value": value} for pin, (width, value) in design.static.items()
        ],
        "flags": [[pin, width] for pin, width in design.flags.items()],
        "scenes": [_scene_entry(scene) for scene in design.scenes],
        "latency": design.latency,
        "outputs_per_cycle": design.outputs_per_cycle,
        "full_rate": design.full_rate,
        "endless": design.endless,
        "vectors": {"blocks": len(design.output.words)},
        "layout": [],
        **design.about,
        "verilog": [f"rtl/{top}.v"],
        "testbench": f"tb/{top}_tb.v",
        "core": f"{top}.core",
        "files": sorted([*files, MANIFEST]),
    }
    files[MANIFEST] = json.dumps(entries, indent=1) + "\n"
    manifest = Manifest.parse(json.loads(files[MANIFEST]))
    write_files(directory, files)
    return manifest


def _scene_entry(scene: Scene) -> dict[str, Any]:
    return {
        "name": scene.name,
        "reset": scene.reset,
        "cut": scene.cut,
        "compared": scene.compared,
        "full_rate": scene.full_rate,
        "words": {prefix: len(words) for prefix, words in scene.words.items()},
        "static": dict(scene.static),
        "pulses": list(scene.pulses),
        "flags": dict(scene.flags),
    }


def _testbench(design: StreamDesign, streams: Sequence[Mapping[str, Any]], top: str) -> str:
    """Write the Verilog test bench: one template for every design."""
    whole = dict.fromkeys((s["prefix"] for s in streams), 0)
    golden = Scene(
        name="the golden tensor",
        words={s.prefix: s.words for s in (*design.inputs, design.output)},
        cut=design.endless,
    )
    scenes = []
    for scene in (golden, *design.scenes):
        for prefix in whole:
            whole[prefix] += len(scene.words[prefix])
        scenes.append(
            {
                "name": scene.name,
                "reset": int(scene.reset),
                "cut": int(scene.cut),
                "compared": int(scene.compared),
                "judged": int(scene.full_rate),
                "ends": dict(whole),
                "static": {pin: scene.static.get(pin, v) for pin, (_, v) in design.static.items()},
                "pulses": {pin: int(pin in scene.pulses) for pin in design.static},
                "flags": {pin: scene.flags.get(pin, 0) for pin in design.flags},
            }
        )

    def port(stream: StreamWords, entry: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": stream.prefix,
            "what": stream.what,
            "pins": stream.placed,
            "bits": stream.bits,
            "golden": entry["words"],
            "count": whole[stream.prefix],
            "file": entry["file"],
            "restarts": entry.get("restarts", ""),
        }

    template = resources.files("xorweave.hw.package").joinpath("testbench.v.j2").read_text()
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template).render(
        top=top,
        inputs=[port(*pair) for pair in zip(design.inputs, streams, strict=False)],
        output=port(design.output, streams[-1]),
        static=[(pin, width) for pin, (width, _) in design.static.items()],
        flags=list(design.flags.items()),
        scenes=scenes,
        latency=design.latency,
        full_rate=int(design.full_rate),
    )


def write_package(
    directory: Path | str,
    config: DecoderConfig,
    tensor: EncodedTensor,
    *,
    tensor_name: str | None = None,
    seed: int | None = None,
    max_blocks: int | None = None,
    top: str = TOP,
) -> Manifest:
    """Write the parallel decoder of one tensor: `axis_design` and `write_design` in one.

    Parameters
    ----------
    directory : path
        See `write_design`.
    config : DecoderConfig
        Must decode the tensor: the same code and word width, enough patches a block.
    tensor : EncodedTensor
        Gives the golden vectors.
    tensor_name : str, optional
        Recorded in the manifest.
    seed : int, optional
        Recorded in the manifest, if the tensor is a random one.
    max_blocks : int, optional
        Vectors for so many blocks at most.
    top : str
        Name of the top module.

    Raises
    ------
    InputError
        The configuration does not decode the tensor, or the folder cannot be written.
    """
    design = axis_design(config, [tensor], names=[tensor_name], seed=seed, max_blocks=max_blocks)
    return write_design(directory, design, top=top)
