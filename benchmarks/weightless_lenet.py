"""Weightless on LeNets: compression against accuracy, and the published pruned LeNet's largest layer.

    python benchmarks/weightless_lenet.py [--data digits|mnist] [--network lenet-300-100|lenet-5] [--seeds 3]
        [--t 6 7 8 9] [--clusters 10] [--epochs 30] [--dns FILE.npz]

The network is trained, pruned by magnitude layer by layer, trained on under the mask, and then stored for each t: only
the largest layer, as the paper does, or all, in both cases with and without retraining what comes later. Layers before
the one just stored, stored layers and their biases stay as they are; biases are not stored in the filter and not
counted. Beside it: Deep Compression of the same pruned layers (32 clusters a matrix, 256 a convolution, Huffman).
Everything is lossy: compare the accuracies. Mean and standard deviation over the seeds; PyTorch runs in one thread.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from real_inputs import IMAGES, load_images

from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.deep_compression import DeepCompressionClustered
from xorweave.golden.mask.masks import magnitude_mask
from xorweave.golden.network.catalogue import named_network
from xorweave.golden.network.digits import Digits
from xorweave.golden.network.network import Network
from xorweave.golden.network.training import accuracy, initial_tensors, train
from xorweave.golden.weightless.layers import store_layer, store_model

Tensors = dict[str, NDArray]
# Sparsity of the layers beside the largest: the last, which is small, and the others.
_LAST, _OTHER = 0.5, 0.9


def published(path: Path, clusters: int) -> None:
    """Print what the largest layer of the published pruned LeNet takes."""
    with np.load(path) as archive:
        weights = archive["ip1.weight"]
    kept = np.count_nonzero(weights)
    print(f"published ip1.weight {weights.shape}, {kept} kept, S = {1 - kept / weights.size:.4f}")
    for layout, k in (("uniform", 3), ("uniform", 4), ("fuse", 3), ("fuse", 4), ("band", 0)):
        for t in range(6, 10):
            layer = store_layer(weights, t=t, clusters=clusters, layout=layout, k=k)
            c = layer.table.bits / (t * kept)  # a band's directory is in it
            print(
                f"  {layout:7s} k={k} t={t}: c {c:.3f}  t*c {t * c:.2f}"
                f"  bits a kept weight {layer.bits_per_kept_weight:.2f}  compression {layer.compression:.1f}x"
                f"  false positives {layer.false_positives / (weights.size - kept):.4f}"
                f" (law {layer.centroids.size / 2**t:.4f})"
            )


def pruned_network(
    network: Network, images: Digits, sparsity: float, epochs: int, seed: int
) -> tuple[Tensors, float]:
    """Train, prune by magnitude and train on; return the tensors and the dense network's accuracy."""
    taught = (images.train_images, images.train_labels)
    tensors = train(network, initial_tensors(network, seed), *taught, epochs=epochs, seed=seed)
    dense = accuracy(network, tensors, images.test_images, images.test_labels)
    names = list(network.weights)
    largest = max(names, key=lambda name: math.prod(network.weights[name]))
    shares = {name: sparsity if name == largest else _OTHER for name in names} | {names[-1]: _LAST}
    masks = {name: magnitude_mask(tensors[name], share) for name, share in shares.items()}
    return dict(train(network, tensors, *taught, masks, epochs=epochs, seed=seed)), dense


def deep_compression(tensors: Tensors, names: list[str]) -> tuple[Tensors, float]:
    """Return the tensors as Deep Compression stores the named ones, and the compression."""
    codec, bits, dense = DeepCompressionClustered(), 0, 0
    now = dict(tensors)
    for name in names:
        tensor = PrunedTensor.from_values(tensors[name], FORMATS["fp32"])
        encoding = codec.encode(tensor)
        words = codec.decode(encoding, tensor.shape, tensor.number_format)
        now[name] = FORMATS["fp32"].from_words(words).reshape(tensor.shape)
        bits, dense = bits + encoding.bits, dense + 32 * tensor.n
    return now, dense / bits


def one_seed(
    network: Network, images: Digits, arguments: argparse.Namespace, seed: int
) -> dict[str, tuple[float, ...]]:
    """Return by row (compression, accuracy as stored, accuracy after retraining what comes later)."""
    taught, tested = (
        (images.train_images, images.train_labels),
        (images.test_images, images.test_labels),
    )
    pruned, dense = pruned_network(network, images, arguments.sparsity, arguments.epochs, seed)

    def retrain(now: Tensors, free: Collection[str], step: int) -> Mapping[str, NDArray]:
        kept = {name: now[name] != 0 for name in network.weights}
        return train(network, now, *taught, kept, epochs=10, rate=5e-4, seed=seed + step, free=free)

    def leave(now: Tensors, free: Collection[str], step: int) -> Mapping[str, NDArray]:
        return now

    found: dict[str, tuple[float, ...]] = {
        "dense": (1.0, dense, math.nan),
        "pruned": (math.nan, accuracy(network, pruned, *tested), math.nan),
    }
    every = list(network.weights)
    largest = [max(every, key=lambda name: math.prod(network.weights[name]))]
    for title, order in (("largest layer", largest), ("all layers", every)):
        clustered, ratio = deep_compression(pruned, order)
        found[f"{title}, Deep Compression"] = (ratio, accuracy(network, clustered, *tested), math.nan)
        for t in arguments.t:
            models = [
                store_model(network, pruned, order, how, t=t, clusters=arguments.clusters, seed=seed)
                for how in (leave, retrain)
            ]
            bits = sum(layer.bits for layer in models[1].layers.values())
            full = 32 * sum(layer.weights.size for layer in models[1].layers.values())
            scores = (accuracy(network, model.tensors, *tested) for model in models)
            found[f"{title}, t = {t}"] = (full / bits, *scores)
    return found


def main() -> None:
    """Train, store, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="digits", choices=IMAGES)
    parser.add_argument("--network", default="lenet-300-100", choices=("lenet-300-100", "lenet-5"))
    parser.add_argument("--sparsity", type=float, default=0.97, help="of the largest layer")
    parser.add_argument("--clusters", type=int, default=10)
    parser.add_argument("--t", type=int, nargs="+", default=[6, 7, 8, 9])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--dns", type=Path, help="the published pruned LeNet-300-100 (.npz, ip1.weight)")
    arguments = parser.parse_args()
    if arguments.dns:
        published(arguments.dns, arguments.clusters)
    network, images = named_network(arguments.network), load_images(arguments.data)
    runs = [one_seed(network, images, arguments, seed) for seed in range(arguments.seeds)]
    print(
        f"{network.name}, {arguments.data}, {len(images.test_labels)} test images, S = {arguments.sparsity} in the "
        f"largest layer, {_LAST} in the last, {_OTHER} in others; {arguments.clusters} clusters, "
        f"{arguments.epochs} epochs, {arguments.seeds} seeds; all lossy"
    )
    print("| | compression | accuracy as stored | accuracy, later layers retrained |\n|---|---|---|---|")
    for row in runs[0]:
        values = np.array([found[row] for found in runs])
        spread = values.std(axis=0, ddof=1) if len(runs) > 1 else np.zeros(3)
        cells = [
            f"{values[:, 0].mean():.1f}x",
            *(f"{m:.4f} +- {d:.4f}" for m, d in zip(values.mean(axis=0)[1:], spread[1:], strict=True)),
        ]
        print("| " + " | ".join([row, *("-" if "nan" in cell else cell for cell in cells)]) + " |")


if __name__ == "__main__":
    main()
