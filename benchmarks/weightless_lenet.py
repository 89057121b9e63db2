"""Weightless on LeNets: compression against accuracy, Deep Compression beside it, and the published pruned LeNet.

    python benchmarks/weightless_lenet.py [--data digits|mnist] [--network lenet-300-100|lenet-5] [--seeds 3]
        [--t 6 7 8 9] [--clusters 4 10] [--deep 2 3 4 8 16 32] [--epochs 30] [--retrain 5] [--record FILE]
        [--layout band|fuse|uniform] [--dns FILE.npz]

The network is trained, pruned by magnitude layer by layer, trained on under the mask, and then stored: only the largest
layer, as the paper does, or all, in both cases with and without retraining what comes later. Layers before the one just
stored, stored layers and their biases stay as they are; biases are not stored in the filter and not counted. Beside it,
from the same pruned network, by the same procedure and with the same retraining: Deep Compression with each number of
clusters (Huffman coded runs and values). Everything is lossy: compare the accuracies. The last table does: it gives
the highest compression by Deep Compression whose mean accuracy is at least that of each row of Weightless. Mean and
standard deviation over the seeds; PyTorch runs in one thread.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from real_inputs import IMAGES, load_images
from seed_record import SeedRecord

from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.deep_compression import DeepCompressionClustered
from xorweave.golden.mask.masks import magnitude_mask
from xorweave.golden.network.catalogue import named_network
from xorweave.golden.network.digits import Digits
from xorweave.golden.network.network import Network
from xorweave.golden.network.training import Schedule, accuracy, initial_tensors, train
from xorweave.golden.weightless.layers import Store, store_layer, store_model

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
    taught, plan = (images.train_images, images.train_labels), Schedule(epochs=epochs)
    tensors = train(network, initial_tensors(network, seed), *taught, schedule=plan, seed=seed)
    dense = accuracy(network, tensors, images.test_images, images.test_labels)
    names = list(network.weights)
    largest = max(names, key=lambda name: math.prod(network.weights[name]))
    shares = {name: sparsity if name == largest else _OTHER for name in names} | {names[-1]: _LAST}
    masks = {name: magnitude_mask(tensors[name], share) for name, share in shares.items()}
    return dict(train(network, tensors, *taught, masks, schedule=plan, seed=seed)), dense


@dataclass(frozen=True, eq=False)
class DeepLayer:
    """A layer as Deep Compression stores it."""

    weights: NDArray[np.float32]
    bits: int


def clusters_for(shape: tuple[int, ...], clusters: int) -> int:
    """Return a layer's number of clusters: 32, Deep Compression's own for a matrix, are 256 for a convolution."""
    return 256 if clusters == 32 and len(shape) > 2 else clusters


def deep_compression(weights: NDArray, *, clusters: int, run_bits: int | None = None) -> DeepLayer:
    """Store a layer by Deep Compression; runs of its own 5 bits (matrix) and 8 (convolution), unless they are given."""
    codec = DeepCompressionClustered()
    codec.clusters_of_matrix = codec.clusters_of_convolution = clusters_for(weights.shape, clusters)
    if run_bits is not None:
        codec.run_bits_of_matrix = codec.run_bits_of_convolution = run_bits
    tensor = PrunedTensor.from_values(weights, FORMATS["fp32"])
    encoding = codec.encode(tensor)
    words = codec.decode(encoding, tensor.shape, tensor.number_format)
    return DeepLayer(FORMATS["fp32"].from_words(words).reshape(tensor.shape), encoding.bits)


def one_seed(network: Network, images: Digits, arguments: argparse.Namespace, seed: int) -> dict:
    """Return by row (compression, accuracy as stored, accuracy after retraining what comes later)."""
    taught, tested = (images.train_images, images.train_labels), (images.test_images, images.test_labels)
    pruned, dense = pruned_network(network, images, arguments.sparsity, arguments.epochs, seed)

    def retrain(now: Tensors, free: Collection[str], step: int) -> Mapping[str, NDArray]:
        kept = {name: now[name] != 0 for name in network.weights}
        plan = Schedule(epochs=arguments.retrain, rate=5e-4)
        return train(network, now, *taught, kept, schedule=plan, seed=seed + step, free=free)

    def leave(now: Tensors, free: Collection[str], step: int) -> Mapping[str, NDArray]:
        return now

    ways: dict[str, Store] = {
        f"t = {t}, {c} clusters": partial(store_layer, t=t, clusters=c, layout=arguments.layout, seed=seed)
        for c in arguments.clusters
        for t in arguments.t
    }
    ways |= {f"Deep Compression, {c} clusters": partial(deep_compression, clusters=c) for c in arguments.deep}
    found: dict[str, tuple[float, float | None, float | None]] = {
        "dense": (1.0, dense, None),
        "pruned": (1.0, accuracy(network, pruned, *tested), None),
    }
    every = list(network.weights)
    largest = [max(every, key=lambda name: math.prod(network.weights[name]))]
    for title, order in (("largest layer", largest), ("all layers", every)):
        for way, store in ways.items():
            models = [store_model(network, pruned, order, store, how) for how in (leave, retrain)]
            bits = sum(layer.bits for layer in models[1].layers.values())
            full = 32 * sum(math.prod(network.weights[name]) for name in order)
            as_stored, retrained = (accuracy(network, model.tensors, *tested) for model in models)
            found[f"{title}, {way}"] = (full / bits, as_stored, retrained)
    return found


def equal_accuracy(means: dict[str, list[float]]) -> None:
    """Print the highest compression by Deep Compression that is as accurate, retrained, as each row of Weightless."""
    print("| Weightless (lossy) | compression | accuracy | Deep Compression at least as accurate (lossy) |")
    print("|---|---|---|---|")
    for row, (ratio, _stored, accurate) in means.items():
        layers, _, way = row.partition(", ")
        if not way.startswith("t = "):
            continue
        rivals = [
            (value[0], name, value[2])
            for name, value in means.items()
            if name.startswith(f"{layers}, Deep") and value[2] >= accurate
        ]
        best = max(rivals, default=None)
        text = "none" if best is None else f"{best[0]:.1f}x, {best[2]:.4f}, {best[1].rsplit(', ', 1)[1]}"
        print(f"| {row} | {ratio:.1f}x | {accurate:.4f} | {text} |")


def main() -> None:
    """Train, store, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="digits", choices=IMAGES)
    parser.add_argument("--network", default="lenet-300-100", choices=("lenet-300-100", "lenet-5"))
    parser.add_argument("--sparsity", type=float, default=0.97, help="of the largest layer")
    parser.add_argument("--clusters", type=int, nargs="+", default=[4, 10])
    parser.add_argument("--layout", default="band", choices=("band", "fuse", "uniform"))
    parser.add_argument("--t", type=int, nargs="+", default=[6, 7, 8, 9])
    # Deep Compression's own are 32 for a matrix and 256 for a convolution
    parser.add_argument("--deep", type=int, nargs="+", default=[2, 3, 4, 8, 16, 32], help="its clusters")
    parser.add_argument("--epochs", type=int, default=30, help="before pruning, and as many after it")
    parser.add_argument("--retrain", type=int, default=5, help="epochs of the later layers after each step")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--record", type=Path, help="measured seeds, to go on from")
    parser.add_argument("--dns", type=Path, help="the published pruned LeNet-300-100 (.npz, ip1.weight)")
    arguments = parser.parse_args()
    if arguments.dns:
        published(arguments.dns, max(arguments.clusters))
    network, images = named_network(arguments.network), load_images(arguments.data)
    names = ("data", "network", "sparsity", "clusters", "deep", "t", "layout", "epochs", "retrain")
    record = SeedRecord(arguments.record, {name: getattr(arguments, name) for name in names})
    runs = [record.of(seed, partial(one_seed, network, images, arguments)) for seed in range(arguments.seeds)]
    print(
        f"{network.name}, {arguments.data}, {len(images.test_labels)} test images, S = {arguments.sparsity} in the "
        f"largest layer, {_LAST} in the last, {_OTHER} in others; "
        f"{arguments.epochs} epochs, then {arguments.epochs} under the mask, {arguments.retrain} after each stored "
        f"layer; {arguments.seeds} seeds; all lossy"
    )
    print(
        "| lossy but the first two | compression | accuracy as stored | accuracy, later layers retrained |\n"
        "|---|---|---|---|"
    )
    means: dict[str, list[float]] = {}
    for row in runs[0]:
        values = np.array([found[row] for found in runs], float)
        means[row] = list(values.mean(axis=0))
        spread = values.std(axis=0, ddof=1) if len(runs) > 1 else np.zeros(3)
        cells = [
            f"{means[row][0]:.1f}x",
            *(
                "-" if math.isnan(m) else f"{m:.4f} +- {d:.4f}"
                for m, d in zip(means[row][1:], spread[1:], strict=True)
            ),
        ]
        print("| " + " | ".join([row, *cells]) + " |")
    print()
    equal_accuracy(means)


if __name__ == "__main__":
    main()
