"""Gates of the decoders that exist in RTL, one after another, into the table that `xorweave codecs` shows.

    python benchmarks/decoder_gates.py xorweave/pages/decoder_gates.json [NAME ...]

One tensor, one synthesis flow (see ``synth/codec_gates.py``). A name that the file holds already is measured again.
Dense codes of long windows take minutes each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from xorweave.synth.codec_gates import BUILDERS, measure_gates, sample_tensor
from xorweave.synth.flow.yosys import tool_versions


def main() -> None:
    """Measure and write, decoder by decoder."""
    path = Path(sys.argv[1])
    found = json.loads(path.read_text()) if path.exists() else {"decoders": {}}
    tensor = sample_tensor()
    found["setting"] = (
        f"random mask of {tensor.n:,} weights, S = {1 - tensor.kept / tensor.n:.2f}, normal INT8 values;"
        " generic cells, gate equivalents (NAND2 = 1); corrections not included"
    )
    found["command"] = "python benchmarks/decoder_gates.py xorweave/pages/decoder_gates.json"
    found["tools"] = tool_versions()
    for name in sys.argv[2:] or BUILDERS:
        gates = measure_gates(name, tensor)
        found["decoders"][name] = {
            "gate_equivalents": round(gates.gate_equivalents),
            "weights_per_cycle": gates.weights_per_cycle,
            "parts": {part: round(value) for part, value in gates.parts.items()},
            "memory_bits": gates.memory_bits,
            "note": gates.note,
        }
        path.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{name}: {gates.gate_equivalents:.0f}, {gates.per_weight:.1f} a weight", flush=True)


if __name__ == "__main__":
    main()
