"""Overhead of --code auto (K <= 256) on every mask of the Deep Learning Matrix Collection at hand, uniform INT8 values.

python benchmarks/overhead_dlmc.py [--error-free] [--seed 0]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from real_inputs import data_folder

from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.files.weight_files import read_smtx
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.figures import figures_of

# Below this many kept weights the stream's ends weigh more than the code.
_ENOUGH = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--error-free", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    choice = CodeChoice.parse("auto", seed=options.seed)
    folder = data_folder() / "dlmc"
    counted = []
    print("| mask | shape | S | kept | code | stride | corrections | overhead | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for path in sorted(folder.rglob("*.smtx")):
        mask = read_smtx(path)
        values = rng.integers(-128, 128, mask.shape).astype(np.int8)
        start = time.perf_counter()
        encode = choice.encode_error_free if options.error_free else choice.encode
        encoded = encode(values, FORMATS["int8"], mask)
        seconds = time.perf_counter() - start
        assert np.array_equal(decode_tensor(encoded), np.where(mask, values, 0)), path
        overhead = figures_of(encoded).ratios()["overhead"]
        assert overhead is not None
        kept = int(mask.sum())
        code = encoded.code
        if kept >= _ENOUGH:
            counted.append(overhead)
        print(
            f"| {path.relative_to(folder).with_suffix('')} | {mask.shape[0]}x{mask.shape[1]} "
            f"| {1 - mask.mean():.3f} | {kept} | {code.n_in} -> {code.n_out}, K = {code.constraint_length} "
            f"| {encoded.scan.stride} | {encoded.correction_format} | {100 * overhead:.2f} % "
            f"| {seconds:.1f} |",
            flush=True,
        )
    print(
        f"\n{len(counted)} masks with at least {_ENOUGH} kept weights: median "
        f"{100 * statistics.median(counted):.3f} %, largest {100 * max(counted):.3f} %."
    )
    print("Every tensor was decoded and found equal, bit for bit.")


if __name__ == "__main__":
    main()
