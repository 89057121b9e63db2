"""Writes any component with AXI4-Stream ports as a folder that needs no Python: Verilog, vectors, test bench, manifest.

The weight decoder has a package of its own (`xorweave.hw.package`); decoders of other kinds are written here, and
``simulate`` and ``synth`` read from the manifest which streams they have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from amaranth.lib import wiring

from xorweave import __version__
from xorweave.golden.base.errors import InputError
from xorweave.hw.package.package import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    TOP,
    core_description,
    hex_words,
    write_files,
)
from xorweave.hw.package.verilog import structured_verilog


@dataclass(frozen=True)
class StreamWords:
    """A stream and its golden words.

    Attributes
    ----------
    prefix : str
        Of the pins: ``s_axis``, ``s_axis_mask`` ...; pins ``{prefix}_tvalid`` and ``{prefix}_tready`` go with it.
    what : str
        What it carries, in words.
    pins : tuple of (str, int)
        The pins that make a word, lowest first, and their widths.
    words : list of int
    """

    prefix: str
    what: str
    pins: tuple[tuple[str, int], ...]
    words: Sequence[int]

    @property
    def bits(self) -> int:
        """Width of a word."""
        return sum(width for _, width in self.pins)

    @property
    def placed(self) -> list[tuple[str, int, int]]:
        """Pin, lowest bit and width of each field."""
        found, low = [], 0
        for pin, width in self.pins:
            found.append((pin, low, width))
            low += width
        return found


@dataclass(frozen=True, kw_only=True)
class StreamDesign:
    """A component with its streams, ready to be written.

    Attributes
    ----------
    kind : str
        Which decoder it is (``--decoder``).
    component : wiring.Component
        Its ports are named as they shall be in Verilog.
    header : tuple of str
        Comment at the top of the Verilog.
    inputs : tuple of StreamWords
    output : StreamWords
    static : mapping of str to (int, int)
        Width and value of further input pins.
    open_pins : tuple of str
        Output pins that the test bench leaves open.
    latency : int
        Cycles from an input to its output when nothing is in the way.
    outputs_per_cycle : int
        Plane bits given out in a cycle at full rate.
    about : mapping
        Further entries of the manifest.
    """

    kind: str
    component: wiring.Component
    header: tuple[str, ...]
    inputs: tuple[StreamWords, ...]
    output: StreamWords
    latency: int
    outputs_per_cycle: int
    static: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    open_pins: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


def _port(stream: StreamWords) -> dict[str, Any]:
    return {
        "name": f"{stream.prefix}_bench",
        "prefix": stream.prefix,
        "what": stream.what,
        "pins": stream.placed,
        "bits": stream.bits,
        "count": len(stream.words),
        "file": _file(stream),
    }


def _file(stream: StreamWords) -> str:
    return f"vectors/{stream.prefix}.hex"


def write_stream_package(directory: Path | str, design: StreamDesign, *, top: str = TOP) -> dict[str, Any]:
    """Write a design with its golden vectors into a folder, all or nothing, and return the manifest.

    Raises
    ------
    InputError
        There are no words to give out, or the folder holds something that generate did not write.
    """
    directory = Path(directory).absolute()
    if not design.output.words:
        raise InputError("a decoder needs at least one block for its golden vectors")
    if directory.exists() and (
        not directory.is_dir() or (any(directory.iterdir()) and not (directory / MANIFEST).exists())
    ):
        raise InputError(f"{directory} must be a new or empty folder, or one that generate wrote")
    template = resources.files("xorweave.hw.package").joinpath("stream_testbench.v.j2").read_text()
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    testbench = environment.from_string(template).render(
        top=top,
        inputs=[_port(stream) for stream in design.inputs],
        output=_port(design.output),
        static=[(pin, width, value) for pin, (width, value) in design.static.items()],
        open=design.open_pins,
    )
    header = "\n".join([f"{design.header[0]}, written by xorweave {__version__}.", *design.header[1:]])
    files = {
        f"rtl/{top}.v": structured_verilog(design.component, top, header=header),
        f"tb/{top}_tb.v": testbench,
    }
    for stream in (*design.inputs, design.output):
        files[_file(stream)] = hex_words(list(stream.words), stream.bits)
    files[f"{top}.core"] = core_description(top, [name for name in files if name.startswith("vectors/")])
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "generator": f"xorweave {__version__}",
        "kind": design.kind,
        "top": top,
        "streams": {
            "inputs": [
                {"prefix": s.prefix, "what": s.what, "pins": list(s.pins), "file": _file(s)}
                for s in design.inputs
            ],
            "output": {
                "prefix": design.output.prefix,
                "what": design.output.what,
                "pins": list(design.output.pins),
                "file": _file(design.output),
            },
        },
        "static": {pin: value for pin, (_, value) in design.static.items()},
        "latency": design.latency,
        "outputs_per_cycle": design.outputs_per_cycle,
        **design.about,
        "verilog": [f"rtl/{top}.v"],
        "testbench": f"tb/{top}_tb.v",
        "core": f"{top}.core",
        "vectors": {"blocks": len(design.output.words)},
        "files": sorted([*files, MANIFEST]),
    }
    write_files(directory, files, manifest)
    return manifest
