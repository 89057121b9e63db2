"""Gates, clock and memory bits of the SpMV engines, in the flow of every other figure."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from xorweave.hw.engines.csr_engine import CsrConfig, CsrEngine
from xorweave.hw.engines.scan_engine import ScanEngine, ScanEngineConfig
from xorweave.hw.engines.spmv_engine import SpmvConfig, SpmvEngine
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.synth.flow.memory_ports import MemoryShape, take_out_memories
from xorweave.synth.flow.synthesis import SynthesisResult, map_to_cells


@dataclass(frozen=True)
class EngineSynthesis:
    """Figures of an engine.

    Attributes
    ----------
    logic : SynthesisResult
        Everything but the memories: gate equivalents, flip-flops, and with a real library area and clock. The
        clock leaves the memories' own access times out.
    memories : tuple of MemoryShape
    """

    logic: SynthesisResult
    memories: tuple[MemoryShape, ...]

    @property
    def memory_bits(self) -> int:
        """Bits of all memories."""
        return sum(memory.bits for memory in self.memories)

    def to_json(self) -> dict[str, object]:
        """Return the figures as plain JSON values."""
        return {**self.logic.to_json(), "memory_bits": self.memory_bits, "memories": len(self.memories)}


def synthesize_engine(
    config: SpmvConfig | ScanEngineConfig | CsrConfig,
    *,
    liberty: Path | None = None,
    clock_mhz: float | None = None,
    timeout_s: float | None = None,
) -> EngineSynthesis:
    """Map an engine to standard cells, its memories taken out and counted in bits.

    Parameters
    ----------
    config : SpmvConfig, ScanEngineConfig or CsrConfig
        Trace ports are left out. A scan engine is mapped without its decoder, which is a package of its own.
    liberty, clock_mhz, timeout_s
        As in `xorweave.synth.flow.synthesis.synthesize`.

    Raises
    ------
    InputError, ToolError
    """
    config = replace(config, trace=False)
    engine: ScanEngine | SpmvEngine | CsrEngine
    if isinstance(config, ScanEngineConfig):
        engine = ScanEngine(config)
    else:
        engine = SpmvEngine(config) if isinstance(config, SpmvConfig) else CsrEngine(config)
    with tempfile.TemporaryDirectory(prefix="xorweave-engine-") as name:
        folder = Path(name)
        source = folder / "engine.v"
        source.write_text(amaranth_verilog(engine, "top"))
        logic, memories = take_out_memories([source], "top", folder, timeout_s=timeout_s)
        result, _ = map_to_cells(
            [logic], "top", folder, liberty=liberty, clock_mhz=clock_mhz, timeout_s=timeout_s
        )
        result = replace(result, notes=(*result.notes, _unproved(config)))
    return EngineSynthesis(logic=result, memories=tuple(memories))


def _unproved(config: SpmvConfig | ScanEngineConfig | CsrConfig) -> str:
    """Say why a netlist that is only counted is not proved."""
    if isinstance(config, SpmvConfig):
        return "not proved: only counted; written as a package (write_engine) it is proved by parts"
    return "not proved: there is no reference of this engine; it is simulated, every cycle compared"
