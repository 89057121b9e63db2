"""A LiteX system on chip whose DMA decodes stored tensors, simulated with Verilator (extra ``soc``).

    xorweave encode model.npz -o model.safetensors --dtype int8 --sparsity 0.9 --for hardware
    xorweave generate model.safetensors -o decoder
    python examples/litex/soc.py decoder model.safetensors

The chip has memory, a Wishbone bus, the decoder with its DMAs (`decoder_core.py`) and, in place of a processor, a port
through which the bench (`bench.py`) loads and stores as a processor's program would: a processor needs a compiler for
RISC-V, which pip does not bring. What the DMA left in memory is compared with what the software decodes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from cocotb_tools.runner import get_runner
from decoder_core import XorweaveDMA, packed
from litex.build.generic_platform import Pins, Subsignal
from litex.build.sim import SimPlatform
from litex.soc.integration.export import get_csr_json
from litex.soc.integration.soc_core import SoCMini
from litex.soc.interconnect import wishbone
from migen import ClockDomain

import xorweave as xw
from xorweave.sim.simulators import search_path
from xorweave.sim.verilator_build import build_folder, compile_model

RAM = 0x40000000


def host_pads() -> list[Any]:
    """Return clock, reset and the port of a bus master."""
    layout = wishbone.Interface(data_width=32, adr_width=30, addressing="word").layout
    host = [Subsignal(name, Pins(width)) for name, width, _ in layout]
    return [("clk", 0, Pins(1)), ("rst", 0, Pins(1)), ("host", 0, *host)]


class DecoderSoC(SoCMini):
    """Memory, decoder with DMA, and a master outside.

    Parameters
    ----------
    decoder : path
        What ``xorweave generate`` wrote.
    contents : list of int
        32-bit words at the beginning of the memory.
    size : int
        Bytes of the memory.
    """

    def __init__(self, decoder: Path, contents: list[int], size: int) -> None:
        platform = SimPlatform("SIM", host_pads())
        self.cd_sys = ClockDomain()
        super().__init__(platform, clk_freq=int(100e6), ident="", with_timer=False, with_uart=False)
        self.comb += [
            self.cd_sys.clk.eq(platform.request("clk")),
            self.cd_sys.rst.eq(platform.request("rst")),
        ]
        self.add_ram("main_ram", origin=RAM, size=size, contents=contents)
        host = wishbone.Interface(data_width=32, adr_width=30, addressing="word")
        self.comb += host.connect_to_pads(platform.request("host"), mode="slave")
        self.bus.add_master(name="host", master=host)
        self.xorweave = XorweaveDMA(self, decoder)


def memory_of(tensors: Mapping[str, Any], decoder: Path) -> tuple[list[int], list[dict[str, Any]]]:
    """Lay the streams of all tensors out in a memory; say of each tensor where they lie and what goes with them."""
    manifest = json.loads((decoder / "manifest.json").read_text())
    images = {
        entry["prefix"]: (
            entry["pins"][0][1],
            [int(line, 16) for line in (decoder / f"{entry['image']}.hex").read_text().split()],
        )
        for entry in manifest["streams"]["inputs"]
    }
    memory: list[int] = []
    jobs = []
    begin = 0
    for entry, stored in zip(manifest["layout"], tensors.values(), strict=True):
        blocks = entry["blocks"]
        if entry["segment_blocks"] != blocks:
            raise SystemExit(f"{entry['tensor']} must be one stream: encode it without --segments")
        job: dict[str, Any] = {"tensor": entry["tensor"], "blocks": blocks, "streams": {}}
        job["said"] = {"s_axis_block_length": entry["block"], "s_axis_inversion": entry["inversion"]}
        for prefix, (width, words) in images.items():
            part = packed(words[begin : begin + blocks], width)
            job["streams"][prefix] = [RAM + 4 * len(memory), 4 * len(part)]
            memory += part
        job["words"] = -(-blocks * manifest["n_out"] * stored.tensor.number_format.n_w // 32)
        begin += blocks
        jobs.append(job)
    for job in jobs:
        job["weights"] = RAM + 4 * len(memory)
        memory += [0xDEADBEEF] * job["words"]
    return memory, jobs


def simulate(soc: DecoderSoC, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compile the chip, let the bench do the jobs in it, and return what it found."""
    with build_folder() as folder:
        soc.platform.output_dir = str(folder)
        verilog = soc.platform.get_verilog(soc, name="soc")
        here = Path.cwd()
        os.chdir(folder)  # LiteX writes the memory's contents where it stands
        verilog.write("soc.v")
        os.chdir(here)
        registers = get_csr_json(soc.csr_regions, soc.constants, soc.mem_regions)
        (folder / "job.json").write_text(json.dumps({"csr": json.loads(registers), "jobs": jobs}))
        sources = [folder / "soc.v", *(Path(name) for name, *_ in soc.platform.sources)]
        (folder / "model").mkdir()
        os.environ["PATH"] = search_path()
        compile_model(sources, "soc", folder / "model", waves=False)
        for contents in folder.glob("*.init"):
            shutil.copy(contents, folder / "model")
        runner = get_runner("verilator")
        runner.build_dir, runner.sim_hdl_toplevel, runner.waves = folder / "model", "soc", False
        runner.test(
            hdl_toplevel="soc",
            hdl_toplevel_lang="verilog",
            test_module="bench",
            build_dir=folder / "model",
            test_dir=folder / "model",
            timescale=("1ns", "1ps"),
            extra_env={
                "JOB": str(folder / "job.json"),
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
                "COCOTB_LOG_LEVEL": "WARNING",
            },
        )
        found = folder / "found.json"
        if not found.exists():
            raise SystemExit("the simulation did not end: see above")
        return json.loads(found.read_text())


def wrong_weights(stored: Any, memory: list[int], n_out: int) -> int:
    """Return how many weights in memory are not those that software decodes; blocks are n_out weights apart."""
    tensor = stored.tensor
    words = np.array(memory, "<u4").view(tensor.number_format.word)
    blocks = words[: tensor.blocks * n_out].reshape(tensor.blocks, n_out)[:, : tensor.n_out]
    decoded = tensor.scan.from_scan(blocks.reshape(-1)[: tensor.scan.length])
    expected = tensor.number_format.to_words(stored.decode())
    return int(np.count_nonzero(decoded.reshape(-1) != expected.reshape(-1)))


def main() -> None:
    """Build the chip, simulate it, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("decoder", type=Path, help="what generate wrote")
    parser.add_argument("container", type=Path, help="what encode wrote")
    said = parser.parse_args()
    stored = xw.open(said.container)
    decoder = said.decoder.resolve()
    memory, jobs = memory_of(stored, decoder)
    soc = DecoderSoC(decoder, memory, max(4096, 4 << (len(memory) - 1).bit_length()))
    soc.finalize()
    n_out = soc.xorweave.decoder.manifest["n_out"]
    wrong = 0
    for job, found in zip(jobs, simulate(soc, jobs), strict=True):
        tensor = stored[job["tensor"]]
        differ = wrong_weights(tensor, found["memory"], n_out)
        wrong += differ
        print(
            f"{job['tensor']}: {tensor.tensor.n} weights in {job['blocks']} blocks, read and written in"
            f" {found['cycles']} cycles, {differ} differ from the software decoder's"
        )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
