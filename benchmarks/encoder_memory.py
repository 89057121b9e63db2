"""Peak memory of encoding one large INT8 tensor with --code auto.

python benchmarks/encoder_memory.py [--mib 1024] [--sparsity 0.9] [--jobs 1]
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.tensor.encode import EncodeOptions
from xorweave.golden.tensor.figures import figures_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    weights = np.zeros((options.mib, 1 << 20), np.int8)
    for (
        row
    ) in weights:  # row by row, so that making the input takes no memory that the encoder is then blamed for
        row[:] = rng.integers(1, 128, row.size, np.int8)
        row[rng.random(row.size, np.float32) < options.sparsity] = 0
    start = time.perf_counter()
    encoded = CodeChoice.parse("auto").encode(
        weights, FORMATS["int8"], weights != 0, options=EncodeOptions(jobs=options.jobs)
    )
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    overhead = figures_of(encoded).ratios()["overhead"]
    assert overhead is not None
    print(
        f"{options.mib} MiB of INT8 weights, S = {options.sparsity}: {peak:.2f} GiB at the peak of the whole process, "
        f"{seconds:.0f} s with {options.jobs} thread(s), overhead {100 * overhead:.2f} %"
    )


if __name__ == "__main__":
    main()
