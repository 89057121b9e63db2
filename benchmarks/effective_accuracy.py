"""Accuracy of pruned LeNets on small images, every method pruned to the same effective compression.

    python benchmarks/effective_accuracy.py [--data digits|mnist] [--network lenet-300-100] [--compressions 10 50 200]
        [--seeds 5]

Random, SNIP and SynFlow masks are made at initialisation and trained from there; magnitude and LAMP masks
are made after dense training, and the network is trained on. Each seed has its own initial weights, masks
and order of examples; the split into training and test images is the same for all. Shown are mean and
standard deviation over the seeds.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from real_inputs import IMAGES, load_images

from xorweave.golden.network.catalogue import CATALOGUE, named_network
from xorweave.golden.network.digits import Digits
from xorweave.golden.network.network import Network
from xorweave.golden.network.training import Tensors, accuracy, initial_tensors, loss_gradients, train
from xorweave.golden.pruning.pruners import prune
from xorweave.golden.pruning.sparsity import measure_sparsity

# name, method, quota, pruned after dense training
METHODS = (
    ("random, uniform", "random", "uniform", False),
    ("random, ERK", "random", "erk", False),
    ("random, IGQ", "random", "igq", False),
    ("SNIP", "snip", None, False),
    ("SynFlow", "synflow", None, False),
    ("magnitude, global", "magnitude", None, True),
    ("LAMP, global", "lamp", None, True),
)


def one_seed(
    network: Network, digits: Digits, compressions: list[float], seed: int, epochs: int
) -> tuple[float, dict[tuple[str, float], tuple[float, float, float]]]:
    """Return the dense accuracy and (accuracy, direct, effective compression) by method and target."""
    start = initial_tensors(network, seed)

    def trained(tensors: Tensors, masks: dict | None) -> Tensors:
        return train(
            network, tensors, digits.train_images, digits.train_labels, masks, epochs=epochs, seed=seed
        )

    dense = trained(start, None)
    gradients = loss_gradients(network, start, digits.train_images, digits.train_labels)
    found = {}
    for name, method, quota, after_training in METHODS:
        tensors = dense if after_training else start
        for compression in compressions:
            masks = prune(
                network,
                tensors,
                method=method,
                sparsity=1 - 1 / compression,
                quota=quota,
                effective=True,
                seed=seed,
                gradients=gradients,
            )
            total = measure_sparsity(network, masks)[1]
            judged = accuracy(network, trained(tensors, masks), digits.test_images, digits.test_labels)
            found[name, compression] = judged, total.direct_compression, total.effective_compression
            if sys.stderr.isatty():
                print(f"seed {seed}: {name} at {compression:g}x: {judged:.4f}", file=sys.stderr)
    return accuracy(network, dense, digits.test_images, digits.test_labels), found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="digits", choices=IMAGES)
    parser.add_argument("--network", default="lenet-300-100", choices=sorted(CATALOGUE))
    parser.add_argument("--compressions", type=float, nargs="+", default=[10, 50, 200])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    network, digits = named_network(arguments.network), load_images(arguments.data)
    runs = [
        one_seed(network, digits, arguments.compressions, seed, arguments.epochs)
        for seed in range(arguments.seeds)
    ]
    dense = np.array([accurate for accurate, _ in runs]) * 100
    print(
        f"{network.name}, {arguments.data}, {len(digits.test_labels)} test images, {arguments.epochs} epochs, "
        f"{arguments.seeds} seeds; dense: {dense.mean():.1f} +- {dense.std(ddof=1):.1f} %"
    )
    print(
        "| method | "
        + " | ".join(f"effective {c:g}x: accuracy % (direct)" for c in arguments.compressions)
        + " |"
    )
    print("|---" * (len(arguments.compressions) + 1) + "|")
    for name, *_ in METHODS:
        cells = []
        for compression in arguments.compressions:
            results = np.array([found[name, compression] for _, found in runs])
            mean, deviation = results[:, 0].mean() * 100, results[:, 0].std(ddof=1) * 100
            cells.append(f"{mean:.1f} +- {deviation:.1f} ({np.median(results[:, 1]):.1f}x)")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
