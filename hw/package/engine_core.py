"""Writes an engine as a folder: Verilog and a FuseSoC core."""

from __future__ import annotations

from pathlib import Path

from xorweave import __version__
from xorweave.hw.engines.network_engine import NetworkEngine
from xorweave.hw.engines.spmv_engine import SpmvConfig
from xorweave.hw.package.package import write_files
from xorweave.hw.package.verilog import amaranth_verilog

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
        # Yosys writes this Verilog: it leaves widths to the language, and wires that only name things
        verilator_options: [-Wno-lint]
      icarus:
        iverilog_options: [-g2001, -Wall]
"""


def write_engine(directory: Path | str, config: SpmvConfig) -> None:
    """Write the engine that takes any layer up to the largest of a configuration, all or nothing.

    Parameters
    ----------
    directory : path
        New or empty.
    config : SpmvConfig

    Raises
    ------
    InputError
        The folder holds something, or cannot be written.
    """
    verilog = amaranth_verilog(NetworkEngine(config), TOP)
    write_files(Path(directory).absolute(), {f"rtl/{TOP}.v": verilog, f"{TOP}.core": engine_description(TOP)})
