"""Seconds to decode the largest layer of each of Weightless's three networks from its filter, beside the paper's.

    python benchmarks/weightless_decode.py [--t 8] [--clusters 10] [--sparsity .97] [--repeats 3]
        [--layout band|fuse|uniform]

LeNet-300-100's and LeNet-5's largest layers, and VGG-16's first fully connected layer for ImageNet, 4096 x 25088;
values are made: normal ones at random places. All positions are looked up, one thread; seconds are processor time, the
least of the repeats, filters filled and kernels compiled before. Lossy: false positives stand beside.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from xorweave.golden.weightless.layers import read_layer, store_layer

# layer, shape, seconds of the paper on an i7-6700K and on an ARM Cortex-A53
LAYERS = (
    ("LeNet-300-100, fc1", (300, 784), 0.52, 7.1),
    ("LeNet-5, fc1", (500, 800), 1.3, 18.0),
    ("VGG-16, first fully connected", (4096, 25088), 22.8, 296.0),
)


def made(shape: tuple[int, int], sparsity: float) -> np.ndarray:
    """Return normal values at random places, zeros elsewhere."""
    rng = np.random.default_rng(0)
    kept = rng.choice(shape[0] * shape[1], round((1 - sparsity) * shape[0] * shape[1]), replace=False)
    values = np.zeros(shape, np.float32)
    values.reshape(-1)[kept] = rng.normal(size=kept.size)
    return values


def main() -> None:
    """Store, decode, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--t", type=int, default=8)
    parser.add_argument("--clusters", type=int, default=10)
    parser.add_argument("--sparsity", type=float, default=0.97)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--layout", default="band", choices=("band", "fuse", "uniform"))
    arguments = parser.parse_args()
    print(
        f"S = {arguments.sparsity}, made values, {arguments.clusters} clusters, t = {arguments.t}, "
        f"{arguments.layout}; lossy"
    )
    print(
        "| largest layer | weights | compression | false positives | seconds to decode | M weights a second | "
        "paper, i7-6700K | paper, ARM A53 |\n|---|---|---|---|---|---|---|---|"
    )
    for name, shape, desktop, phone in LAYERS:
        layer = store_layer(
            made(shape, arguments.sparsity),
            t=arguments.t,
            clusters=arguments.clusters,
            layout=arguments.layout,
        )
        taken = []
        for _ in range(arguments.repeats):
            started = time.process_time()
            back, _found = read_layer(layer.table, layer.centroids, shape)
            taken.append(time.process_time() - started)
            assert np.array_equal(back, layer.weights)
        weights, best = layer.weights.size, min(taken)
        false = layer.false_positives / (weights - layer.table.keys)
        print(
            f"| {name} | {weights:,} | {layer.compression:.0f}x | {100 * false:.2f} % | {best:.3f} | "
            f"{weights / best / 1e6:.1f} | {desktop} s | {phone} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
