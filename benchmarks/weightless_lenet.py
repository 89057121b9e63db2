"""Weightless on LeNet-300-100: compression against accuracy, and the published pruned LeNet's largest layer.

    python benchmarks/weightless_lenet.py [--sparsity 0.97] [--clusters 10] [--epochs 30] [--dns FILE.npz]

The network is trained on scikit-learn's digits (enlarged to 28x28), pruned by magnitude layer by layer, trained on
under the mask, and then stored for each t: only the largest layer, as the paper does, or all three, in both cases
with and without retraining what comes later. Lossy: compare the accuracies.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.mask.masks import magnitude_mask
from xorweave.golden.network.catalogue import lenet_300_100
from xorweave.golden.network.digits import load_digits
from xorweave.golden.network.training import accuracy, initial_tensors, train
from xorweave.golden.weightless.layers import store_layer, store_model


def main() -> None:
    """Train, store, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sparsity", type=float, default=0.97, help="of the largest layer; others 0.9 and 0.5"
    )
    parser.add_argument("--clusters", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dns", type=Path, help="the published pruned LeNet-300-100 (.npz, ip1.weight)")
    arguments = parser.parse_args()
    if arguments.dns:
        with np.load(arguments.dns) as archive:
            weights = archive["ip1.weight"]
        kept = np.count_nonzero(weights)
        print(f"published ip1.weight {weights.shape}, {kept} kept, S = {1 - kept / weights.size:.4f}")
        for layout, k in (("uniform", 3), ("uniform", 4), ("fuse", 3), ("fuse", 4)):
            for t in range(6, 10):
                layer = store_layer(weights, t=t, clusters=arguments.clusters, layout=layout, k=k)
                print(
                    f"  {layout:7s} k={k} t={t}: c {layer.table.cells_a_key:.3f}  t*c {t * layer.table.cells_a_key:.2f}"
                    f"  bits a kept weight {layer.bits_per_kept_weight:.2f}  compression {layer.compression:.1f}x"
                    f"  false positives {layer.false_positives / (weights.size - kept):.4f}"
                    f" (law {layer.centroids.size / 2**t:.4f})"
                )
    network, digits = lenet_300_100(), load_digits()
    train_set, test_set = (digits.train_images, digits.train_labels), (digits.test_images, digits.test_labels)
    tensors = train(
        network,
        initial_tensors(network, arguments.seed),
        *train_set,
        epochs=arguments.epochs,
        seed=arguments.seed,
    )
    print(f"dense accuracy {accuracy(network, tensors, *test_set):.4f} on {len(digits.test_labels)} digits")
    masks: dict[str, NDArray] = {}
    for name, share in zip(network.weights, (arguments.sparsity, 0.9, 0.5), strict=True):
        masks[name] = magnitude_mask(tensors[name], share)
    pruned = train(network, tensors, *train_set, masks, epochs=arguments.epochs, seed=arguments.seed)
    before = accuracy(network, pruned, *test_set)
    print(f"pruned accuracy {before:.4f}, S = {arguments.sparsity} / 0.9 / 0.5")

    def retrain(now: dict[str, NDArray], free: Collection[str], step: int) -> dict[str, NDArray]:
        kept = {name: now[name] != 0 for name in network.weights}
        return train(
            network, now, *train_set, kept, epochs=10, rate=5e-4, seed=arguments.seed + step, free=free
        )

    def leave(now: dict[str, NDArray], free: Collection[str], step: int) -> dict[str, NDArray]:
        return now

    layers = list(network.weights)
    for title, order in (("largest layer", layers[:1]), ("all layers", layers)):
        for t in range(6, 10):
            found = []
            for how in (leave, retrain):
                model = store_model(
                    network, pruned, order, how, t=t, clusters=arguments.clusters, seed=arguments.seed
                )
                found.append((model, accuracy(network, model.tensors, *test_set)))
            model = found[1][0]
            dense = 32 * sum(layer.weights.size for layer in model.layers.values())
            bits = sum(layer.bits for layer in model.layers.values())
            print(
                f"{title}, t={t}: {dense / bits:.1f}x (lossy), accuracy {found[0][1]:.4f} as stored,"
                f" {found[1][1]:.4f} after retraining what comes later"
            )


if __name__ == "__main__":
    main()
