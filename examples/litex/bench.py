"""cocotb bench of the chip: a master on its bus sets the DMAs' registers, waits, and reads the weights back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

_PATIENCE = 400  # cycles a word of the weights


class Host:
    """Loads and stores, as a processor's."""

    def __init__(self, dut: Any, registers: dict[str, Any]) -> None:
        self.dut, self.registers, self.cycles = dut, registers, 0

    async def cycle(self) -> None:
        """Let one cycle pass; signals are set and looked at in its middle."""
        await FallingEdge(self.dut.clk)
        self.cycles += 1

    async def _access(self, address: int, write: int, word: int) -> int:
        dut = self.dut
        dut.host_adr.value, dut.host_we.value, dut.host_dat_w.value = address >> 2, write, word
        dut.host_cyc.value = dut.host_stb.value = 1
        while True:
            await self.cycle()
            if int(dut.host_ack.value):
                break
        read = int(dut.host_dat_r.value)
        # the edge after this middle ends the access
        await self.cycle()
        dut.host_cyc.value = dut.host_stb.value = 0
        return read

    async def store(self, address: int, word: int) -> None:
        """Write 32 bits."""
        await self._access(address, 1, word)

    async def load(self, address: int) -> int:
        """Read 32 bits."""
        return await self._access(address, 0, 0)

    async def set(self, name: str, value: int) -> None:
        """Write a register, its highest word first."""
        register = self.registers[f"xorweave_{name}"]
        for place in range(register["size"]):
            shift = 32 * (register["size"] - 1 - place)
            await self.store(register["addr"] + 4 * place, value >> shift & 0xFFFFFFFF)

    async def get(self, name: str) -> int:
        """Read a register of 32 bits or fewer."""
        return await self.load(self.registers[f"xorweave_{name}"]["addr"])


@cocotb.test()
async def decode_what_lies_in_memory(dut: Any) -> None:
    """For each tensor: where it lies, go, wait; then read its weights."""
    said = json.loads(Path(os.environ["JOB"]).read_text())
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    for pin in ("cyc", "stb", "we", "adr", "dat_w", "cti", "bte"):
        getattr(dut, f"host_{pin}").value = 0
    dut.host_sel.value = 0xF
    dut.rst.value = 1
    host = Host(dut, said["csr"]["csr_registers"])
    for _ in range(3):
        await host.cycle()
    dut.rst.value = 0
    found = []
    for job in said["jobs"]:
        await host.set("blocks", job["blocks"])
        for pin, value in job["said"].items():
            if f"xorweave_{pin}" in host.registers:
                await host.set(pin, value)
        streams = {**job["streams"], "writer": [job["weights"], 4 * job["words"]]}
        for name, (base, length) in streams.items():
            await host.set(f"{name}_base", base)
            await host.set(f"{name}_length", length)
        begun = host.cycles
        for name in reversed(streams):  # the writer first: while it is off, the decoder is reset
            await host.set(f"{name}_enable", 1)
        while not await host.get("writer_done"):
            assert host.cycles - begun < _PATIENCE * job["words"], f"{job['tensor']}: the DMA did not end"
            for _ in range(20):
                await host.cycle()
        cycles = host.cycles - begun
        for name in streams:
            await host.set(f"{name}_enable", 0)
        memory = [await host.load(job["weights"] + 4 * place) for place in range(job["words"])]
        found.append({"cycles": cycles, "memory": memory})
    (Path(os.environ["JOB"]).parent / "found.json").write_text(json.dumps(found))
