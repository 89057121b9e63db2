"""The manifest of an engine's package: what decides the engine, for whoever maps and proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xorweave import __version__
from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.hw.engines.spmv_engine import SpmvConfig
from xorweave.hw.package.axis_design import decoder_entries
from xorweave.hw.package.checked import (
    Check,
    inside_path,
    integer,
    line_of_text,
    list_of,
    object_of,
    one_of,
    verilog_name,
)
from xorweave.hw.package.manifest import DECODER, MANIFEST, check_files, read_entries

FORMAT = "xorweave-engine"
VERSION = 2  # a network engine of version 1 has one ring of activations
KINDS = ("network", "product")
"""An engine for layers of any shape with a requantiser behind it, and one for the product with a single matrix."""

_SIZE = integer(1, 1 << 20)
_CHECKS: dict[str, Check] = {
    "format": one_of(FORMAT),
    "version": integer(VERSION, VERSION),
    "generator": line_of_text,
    "kind": one_of(*KINDS),
    "top": verilog_name,
    "verilog": list_of(inside_path, 16, 1),
    "core": inside_path,
    "files": list_of(inside_path, 100, 1),
    "decoder": object_of({}, DECODER),
    "decoder_latency": integer(0, 1 << 12),
    "layout": object_of(
        {
            **dict.fromkeys(("rows", "cols", "lanes", "interleave"), _SIZE),
            **dict.fromkeys(("start_column", "lead"), integer(0, 1 << 20)),
        }
    ),
    **dict.fromkeys(("batch", "load_words", "result_words"), integer(1, 1 << 12)),
}


@dataclass(frozen=True)
class EngineManifest:
    """An engine's package, every field checked.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    top : str
    verilog, files : tuple of str
    core : str
    decoder : mapping
        As in a decoder's manifest; the mask stage is the engine's.
    decoder_latency : int
    layout : LaneLayout
        Of the matrix, or the largest of all layers.
    batch, load_words, result_words : int
    """

    kind: str
    top: str
    verilog: tuple[str, ...]
    files: tuple[str, ...]
    core: str
    decoder: Mapping[str, Any]
    decoder_latency: int
    layout: LaneLayout
    batch: int
    load_words: int
    result_words: int

    @classmethod
    def parse(cls, entries: Any) -> EngineManifest:
        """Check every field.

        Raises
        ------
        InputError
            A field is missing, unknown, of another type, or out of range.
        """
        found = object_of(_CHECKS)(entries, "engine")
        listed = {*found["files"]}
        for path in (*found["verilog"], found["core"], MANIFEST):
            if path not in listed:
                raise InputError(f"the manifest's files must list {path}")
        names = ("kind", "top", "core", "decoder", "decoder_latency", "batch", "load_words", "result_words")
        layout = LaneLayout(**found["layout"])
        layout.load_chunks(found["load_words"])
        if found["result_words"] > layout.lanes:
            raise InputError(
                f"the manifest's result_words must be at most the lanes, {layout.lanes}, not {found['result_words']}"
            )
        return cls(
            **{name: found[name] for name in names},
            verilog=tuple(found["verilog"]),
            files=tuple(found["files"]),
            layout=layout,
        )


def is_engine(directory: Path) -> bool:
    """Whether a folder's manifest says that it holds an engine.

    Raises
    ------
    InputError
        The folder holds none.
    """
    entries = read_entries(directory)
    return isinstance(entries, dict) and entries.get("format") == FORMAT


def read_engine_manifest(directory: Path) -> EngineManifest:
    """Read and check the manifest of an engine's package, and its files as `check_files` does.

    Raises
    ------
    InputError
        The folder holds none, or one that is not right.
    """
    manifest = EngineManifest.parse(read_entries(directory))
    check_files(directory, manifest.files, manifest.verilog)
    return manifest


def engine_entries(config: SpmvConfig, kind: str, top: str, verilog: str, core: str) -> dict[str, Any]:
    """Return the manifest of an engine's package as JSON values."""
    decoder = replace(config.decoder, kind_of_mask=None)
    layout = config.layout
    return {
        "format": FORMAT,
        "version": VERSION,
        "generator": f"xorweave {__version__}",
        "kind": kind,
        "top": top,
        "verilog": [verilog],
        "core": core,
        "files": [verilog, core, MANIFEST],
        "decoder": decoder_entries(decoder),
        "decoder_latency": decoder.latency,
        "layout": {
            name: int(getattr(layout, name))
            for name in ("rows", "cols", "lanes", "interleave", "start_column", "lead")
        },
        "batch": config.batch,
        "load_words": config.load_words,
        "result_words": config.result_words,
    }
