"""Writes an engine as a folder: Verilog, a manifest and a FuseSoC core."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from xorweave import __version__
from xorweave.hw.engines.network_engine import NetworkEngine
from xorweave.hw.engines.spmv_engine import SpmvConfig, SpmvEngine
from xorweave.hw.package.engine_manifest import engine_entries
from xorweave.hw.package.manifest import MANIFEST
from xorweave.hw.package.package import write_files
from xorweave.hw.package.verilog import structured_verilog

TOP = "xorweave_engine"


def engine_description(top: str) -> str:
    """Write the FuseSoC core description (CAPI2) of an engine."""
    return f"""CAPI=2:
name: xorweave:engine:{top}:{__version__}
description: Engine for pruned networks of dense layers, their weights in fixed-to-fixed XOR code

filesets:
  rtl:
    files:
      - rtl/{top}.v
    file_type: verilogSource-2005

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
"""


def write_engine(directory: Path | str, config: SpmvConfig, *, kind: str = "network") -> None:
    """Write an engine, all or nothing: ``synth`` maps and proves what is written.

    Parameters
    ----------
    directory : path
        New or empty.
    config : SpmvConfig
    kind : str
        ``network``: the engine that takes any layer up to the largest. ``product``: that of one matrix.

    Raises
    ------
    InputError
        The folder holds something, or cannot be written.
    """
    engine = (NetworkEngine if kind == "network" else SpmvEngine)(replace(config, trace=False))
    path, core = f"rtl/{TOP}.v", f"{TOP}.core"
    entries = engine_entries(config, kind, TOP, path, core)
    files = {
        path: structured_verilog(engine, TOP, header=_header(config, kind)),
        core: engine_description(TOP),
        MANIFEST: json.dumps(entries, indent=1) + "\n",
    }
    write_files(Path(directory).absolute(), files)


def _header(config: SpmvConfig, kind: str) -> str:
    """Say in a few lines what the engine is."""
    layout = config.layout
    what = "any layer of up to" if kind == "network" else "a matrix of"
    return (
        f"Engine for {what} {layout.rows} rows and {layout.cols} columns: {layout.lanes} lanes, batch {config.batch},\n"
        f"one block of the code {config.decoder.code.check_value} a cycle. Written by xorweave {__version__}."
    )
