"""What `encode --effort` buys: size and time of the default format at each effort, in one process.

    python benchmarks/efforts.py [--weights N] [--efforts 0 1 4 16] [--repeats 3] [MODEL.safetensors ...]

Made tensors, INT8, S = .9, and the matrices of models that are given. Bits are everything that is stored of the tensor,
decoded and compared; the bound is n h(S) and the order-0 entropy of the kept words. Seconds are processor time of one
thread, kernels compiled before: the median of the repeats, and their spread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import xorweave as xw


def made(n: int) -> dict[str, NDArray]:
    """Return matrices of about n weights: normal ones, which are pruned, and uniform INT8 under a random mask."""
    rng = np.random.default_rng(0)
    shape = (max(1, n // 512), 512)
    uniform = rng.integers(1, 128, shape).astype(np.int8) * rng.choice(np.array([-1, 1], np.int8), shape)
    return {
        "normal, magnitude-pruned": rng.standard_normal(shape, np.float32),
        "uniform, random mask": uniform * (rng.random(shape) < 0.1),
    }


def measured(weights: NDArray, effort: int, repeats: int) -> tuple[float, float, list[float]]:
    """Encode one tensor; return bits a weight, all over the bound, and the seconds that each repeat took."""
    how = {} if weights.dtype == np.int8 else {"dtype": "int8", "sparsity": 0.9}
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        encoded = xw.encode(weights, effort=effort, jobs=1, **how)
        seconds.append(time.process_time() - started)
    (tensor,) = encoded.values()
    if weights.dtype == np.int8 and not (tensor.decode() == weights).all():
        raise SystemExit("a tensor came back otherwise")
    figures = tensor.figures
    return figures["bits_per_weight_with_mask"], figures["over_bound"], seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--weights", type=int, default=1 << 17)
    parser.add_argument("--efforts", type=int, nargs="+", default=[0, 1, 4, 16])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    tensors = made(arguments.weights)
    for path in arguments.models:
        tensors |= {
            f"{path.stem}: {name}": values for name, values in xw.load(path).items() if values.ndim == 2
        }
    xw.encode(made(1 << 14)["normal, magnitude-pruned"], dtype="int8", sparsity=0.9, jobs=1)
    print("| tensor | weights | effort | bits a weight | all / bound | us a weight | weights a second |")
    print("|---|---|---|---|---|---|---|")
    for name, weights in tensors.items():
        for effort in arguments.efforts:
            bits, over, seconds = measured(weights, effort, arguments.repeats)
            each = [1e6 * s / weights.size for s in sorted(seconds)]
            print(
                f"| {name} | {weights.size:,} | {effort} | {bits:.3f} | {over:.3f} |"
                f" {statistics.median(each):.2f} ({each[0]:.2f} .. {each[-1]:.2f}) |"
                f" {1e6 / statistics.median(each):,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
