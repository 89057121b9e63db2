"""Overhead of --code auto on random masks: 2048 x 2048, uniform INT8 values.

python benchmarks/overhead_random.py [--side 2048] [--seed 0] [--error-free]
"""

from __future__ import annotations

import argparse

import numpy as np

from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions
from xorweave.golden.tensor.figures import figures_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--error-free", action="store_true", help="K <= 256, codes without an unmatched bit only"
    )
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    print("| S | K at most | code | corrections | overhead | bits unmatched | lossless |")
    print("|---|---|---|---|---|---|---|")
    for sparsity in (0.5, 0.7, 0.9):
        mask = rng.random((options.side, options.side)) >= sparsity
        values = rng.integers(-128, 128, mask.shape).astype(np.int8)
        for max_k in (256,) if options.error_free else (72, 256, 512):
            choice = CodeChoice.parse("auto", max_k=max_k, seed=options.seed)
            encode = choice.encode_error_free if options.error_free else choice.encode
            encoded = encode(values, FORMATS["int8"], mask, options=EncodeOptions(encoder="elimination"))
            figures = figures_of(encoded)
            lossless = np.array_equal(decode_tensor(encoded), np.where(mask, values, 0))
            code = encoded.code
            print(
                f"| {sparsity} | {max_k} | {code.n_in} -> {code.n_out}, N_s = {code.n_s} "
                f"| {encoded.correction_format} | {100 * float(figures.ratios()['overhead'] or 0):.2f} % "
                f"| {figures.unmatched_bits} | {'yes' if lossless else 'NO'} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
