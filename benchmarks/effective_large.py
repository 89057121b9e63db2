"""Time and memory of exact effective masks on a network of 100 million connections.

    python benchmarks/effective_large.py [--kind dense|conv] [--connections 100e6] [--compression 100]

Memory is the peak of all NumPy arrays made while the effective masks are worked out (tracemalloc), on top
of the direct masks and in units of their size; the effective masks themselves are one of these units.
"""

from __future__ import annotations

import argparse
import math
import time
import tracemalloc

import numpy as np

from xorweave.golden.network.catalogue import perceptron
from xorweave.golden.network.layers import GlobalPool
from xorweave.golden.network.network import Network
from xorweave.golden.network.reachability import effective_masks
from xorweave.golden.pruning.pruners import prune
from xorweave.golden.pruning.sparsity import measure_sparsity


def dense_network(connections: float) -> Network:
    """Four equal fully connected layers."""
    width = round(math.sqrt(connections / 4))
    return perceptron((width,) * 5, name=f"{width} x 4 layers, dense")


def conv_network(connections: float) -> Network:
    """Residual 3x3 convolutions on 14x14 maps, twelve of equal width."""
    width = round(math.sqrt(connections / 108))
    network = Network(f"{width} channels, 12 residual convolutions")
    x = network.input((width, 14, 14))
    for i in range(12):
        x = network.relu(network.sum(x, network.conv(x, f"conv{i}.weight", width, 3, padding=1)))
    network.flatten(network.add(GlobalPool("average"), x))
    return network


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=("dense", "conv"), default="dense")
    parser.add_argument("--connections", type=float, default=100e6)
    parser.add_argument("--compression", type=float, default=1000)
    arguments = parser.parse_args()
    network = (dense_network if arguments.kind == "dense" else conv_network)(arguments.connections)
    started = time.perf_counter()
    masks = prune(network, None, method="random", sparsity=1 - 1 / arguments.compression, seed=0)
    drawn = time.perf_counter() - started
    started, processor = time.perf_counter(), time.process_time()
    effective_masks(network, masks)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    tracemalloc.start()
    alive = effective_masks(network, masks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = sum(np.asarray(mask).nbytes for mask in masks.values())
    total = measure_sparsity(network, masks, alive)[1]
    print(f"{network.name}: {network.connections:,} connections, direct {total.direct_compression:.0f}x")
    print(f"masks drawn in {drawn:.2f} s, {size / 1e6:.0f} MB")
    print(
        f"effective masks in {seconds:.2f} s ({processor:.2f} s of processor time), "
        f"peak {peak / 1e6:.0f} MB = {peak / size:.2f} times the masks"
    )
    print(f"effective {total.effective_compression:.1f}x, {total.inactivated:,} connections inactivated")


if __name__ == "__main__":
    main()
