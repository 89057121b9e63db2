"""What the interleaver costs in address hardware: gate equivalents of the address generator, one flow.

python benchmarks/interleaver_cost.py [--rows 2048] [--cols 512]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.strides import candidate_strides
from xorweave.golden.scan.walk import walk_of
from xorweave.hw.engines.address_generator import AddressGenerator
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.synth.flow.synthesis import synthesize


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--cols", type=int, default=512)
    options = parser.parse_args()
    n = options.rows * options.cols
    golden = candidate_strides(n, 2, 0)[1]
    print(
        f"| scan of {options.rows} x {options.cols} | addresses a cycle | GE | GE an address | flip-flops |"
    )
    print("|---|---|---|---|---|")
    for name, scan in (("row-major", Interleaver(n)), (f"stride {golden}", Interleaver(n, golden))):
        for lanes in (1, 8, 32):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "address_generator.v"
                path.write_text(
                    amaranth_verilog(AddressGenerator(walk_of(scan, (n,)), lanes), "address_generator")
                )
                result = synthesize([path], "address_generator")
            assert result.gate_equivalents is not None
            print(
                f"| {name} | {lanes} | {result.gate_equivalents:.0f} | {result.gate_equivalents / lanes:.0f} "
                f"| {result.flip_flops} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
