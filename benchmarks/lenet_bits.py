"""Bits a weight of a whole LeNet at a tenth of a point of accuracy: ours, Weightless and Deep Compression.

    python benchmarks/lenet_bits.py [--network lenet-300-100|lenet-5] [--seeds 3] [--epochs 15]
        [--sparsity .95 .97] [--loss .001] [--record FILE]

Of 10,000 images of MNIST 6,000 train, 2,000 choose and 2,000 others tell the accuracy that is reported. A network is
trained, pruned (LAMP, all layers ranked together) and trained on under its masks, each sparsity from the one before.
All methods store the same pruned networks; only flips make masks of their own, from the same network before, and are
trained on as long. Every setting of every method is stored, read back and judged. What is counted is everything of the
network, its biases as 16-bit floats: of ours the size of the file, of the others bits without a file around them.
Accuracies are held against the dense network that was pruned, or with ``--against-long`` against it trained on, without
a mask, as often as the sparsest one.

Deep Compression: k-means a layer, centroids trained as its authors do (each moves by the sum of its weights' gradients)
or not; a Huffman table each for runs and values; runs of the authors' bits, or of the best number for each layer.
Weightless: layer by layer, those after it trained on, in a peeled filter (the smaller of two) or on a band; the largest
layer, and the others clustered and stored by Deep Compression, or with ``--every-layer`` all, too.

The first table chooses for each seed the fewest bits at which at most ``--loss`` less of the choosing images are right
than by the dense network; the second one setting for all seeds, by their means. Both give the median over the seeds,
the lowest and the highest. Needs the extras `train` and `baselines`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from real_inputs import load_images
from seed_record import SeedRecord
from weightless_lenet import DeepLayer, clusters_for, deep_compression

import xorweave as xw
from xorweave.golden.files.arranged import END
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.network.catalogue import named_network
from xorweave.golden.network.digits import Digits
from xorweave.golden.network.network import Network
from xorweave.golden.network.torch_model import import_torch, torch_forward
from xorweave.golden.network.training import Schedule, initial_tensors, train
from xorweave.golden.pruning.encodable import Leeway
from xorweave.golden.pruning.encodable_tensors import encodable_tensors
from xorweave.golden.pruning.pruners import prune
from xorweave.golden.weightless.clustering import cluster_weights
from xorweave.golden.weightless.layers import StoredLayer, store_layer, store_model

Tensors = dict[str, NDArray]
Images = tuple[NDArray, NDArray]
# What is stored of a network: bits of everything, of them those of a file's header, and the tensors read back.
Stored = tuple[int, int, Mapping[str, NDArray]]
METHODS = {
    "plain INT8": "plain INT8, lossless",
    "plain, coarser": "plain INT4 or coarser, lossless",
    "grid": "encodable, values only",
    "flips": "encodable, flips and values",
    "flips, trained": "encodable, flips and values, levels trained",
    "clusters": "Deep Compression's clusters, stored by ours",
    "flips, clusters": "flips and clusters, stored by ours",
    "peeled": "Weightless, peeled",
    "band": "Weightless, band",
    "deep": "Deep Compression, as its authors",
    "deep, long": "Deep Compression, best runs",
}
_MOST_LEVELS = 255
_TRAINED_STEPS = (16.0, 24.0)
_GRIDS = (("int8", 8.0), ("int8", 12.0), ("int8", 16.0), ("int8", 24.0), ("int4", 1.0))


@dataclass(frozen=True, eq=False)
class Bench:
    """A network, its images, how it is trained, and the seed."""

    network: Network
    taught: Images
    chosen: Images
    told: Images
    plan: Schedule
    short: int
    seed: int

    @classmethod
    def of(cls, network: Network, images: Digits, arguments: argparse.Namespace, seed: int) -> Bench:
        """Keep the last 2,000 training images to choose by."""
        parts = [
            (images.train_images[:6000], images.train_labels[:6000]),
            (images.train_images[6000:], images.train_labels[6000:]),
            (images.test_images, images.test_labels),
        ]
        plan = Schedule(epochs=arguments.epochs, decay=3e-4, drops=(0.6, 0.85))
        return cls(network, *parts, plan, arguments.retrain, seed)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image, as the network takes it."""
        return next(iter(self.network.nodes.values())).shape

    @property
    def biases(self) -> list[str]:
        return list(self.network.parameters)

    @property
    def parameters(self) -> int:
        """How many weights and biases there are."""
        shapes = [*self.network.weights.values(), *self.network.parameters.values()]
        return int(sum(np.prod(shape) for shape in shapes))

    def trained(self, tensors: Mapping[str, NDArray]) -> Tensors:
        """Train on under the zeros, as long as the dense network."""
        masks = {name: tensors[name] != 0 for name in self.network.weights}
        return dict(train(self.network, tensors, *self.taught, masks, schedule=self.plan, seed=self.seed))

    def dense(self) -> Tensors:
        """Train from scratch."""
        start = initial_tensors(self.network, self.seed)
        return dict(train(self.network, start, *self.taught, schedule=self.plan, seed=self.seed))

    def scores(self, tensors: Mapping[str, NDArray]) -> list[float]:
        """Score by the choosing and by the telling images."""
        return [self.score(tensors, images) for images in (self.chosen, self.told)]

    def trained_on(self, dense: Tensors, rounds: int) -> Tensors:
        """Train the dense network on, as often as the sparsest one is."""
        for _ in range(rounds):
            dense = dict(train(self.network, dense, *self.taught, schedule=self.plan, seed=self.seed))
        return dense

    def retrain(self, now: Tensors, free: Collection[str], step: int) -> Mapping[str, NDArray]:
        """Train what comes after a stored layer for a few epochs."""
        masks = {name: now[name] != 0 for name in self.network.weights}
        plan = Schedule(epochs=self.short, rate=5e-4, drops=(0.5,))
        seed = self.seed + step
        return train(self.network, now, *self.taught, masks, schedule=plan, seed=seed, free=free)

    def judge(self, stored: Stored) -> tuple[float, float, float, float]:
        """Return bits a parameter, those without a file's header, and accuracy on both sets of images."""
        bits, header, back = stored
        scores = [self.score(back, images) for images in (self.chosen, self.told)]
        return bits / self.parameters, (bits - header) / self.parameters, scores[0], scores[1]

    def score(self, tensors: Mapping[str, NDArray], images: Images) -> float:
        """Return the share of images that are right, run in PyTorch."""
        torch = import_torch()
        held = {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in tensors.items()}
        right = 0
        with torch.no_grad():
            for some, labels in zip(*(np.array_split(part, 8) for part in images), strict=True):
                out = torch_forward(self.network, held, torch.from_numpy(some).reshape(-1, *self.shape))
                right += int((out.argmax(dim=1).numpy() == labels).sum())
        return right / len(images[1])


def in_file(bench: Bench, tensors: Mapping[str, NDArray], **words: str) -> Stored:
    """Store by the default format, in a file, and read the file."""
    given = {name: array for name, array in tensors.items() if name not in bench.biases}
    given |= {name: tensors[name].astype(np.float16) for name in bench.biases}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        size = xw.encode(given, **words).save(path)
        header = 8 + int.from_bytes(path.read_bytes()[:8], "little")
        back = xw.open(path).decode(dequantized=True)
    return 8 * size, 8 * header, {name: array.astype(np.float32) for name, array in back.items()}


def coarser(bench: Bench, tensors: Mapping[str, NDArray], step: float) -> Stored:
    """Round to the nearest on a grid of so many steps of INT8, plainly; what rounds to 0 is pruned."""
    given = dict(tensors)
    for name in bench.network.weights:
        scale = np.float32(np.abs(tensors[name]).max() / 127 * step)
        given[name] = np.rint(tensors[name] / scale).astype(np.int8)
        given[f"{name}.scale"] = np.array([scale], np.float32)
    return scaled(bench, in_file(bench, given))


def scaled(bench: Bench, stored: Stored) -> Stored:
    """Multiply the words that were read by the scales beside them."""
    bits, header, back = stored
    made = {name: back[name] * back.get(f"{name}.scale", np.float32(1)) for name in bench.network.weights}
    return bits, header, {**back, **made}


def rounded(bench: Bench, tensors: Mapping[str, NDArray], flips: float, dtype: str, step: float) -> Stored:
    """Round the values as encodable pruning does, under the masks that are there."""
    weights = {
        name: array for name, array in tensors.items() if name.removesuffix(END) in bench.network.weights
    }
    made = xw.encodable(weights, dtype=dtype, step=step, flips=flips).tensors
    return in_file(bench, {**tensors, **made}, dtype=dtype)


def flipped(bench: Bench, before: Mapping[str, NDArray], sparsity: float, flips: float) -> Tensors:
    """Prune the network before with flips and train on; what was arranged stands beside."""
    masks = prune(bench.network, before, method="lamp", sparsity=sparsity)
    given = {name: Tensor.of(array) for name, array in before.items()}
    made, _ = encodable_tensors(given, masks, Leeway(flips=flips, seed=bench.seed))
    arrays = {name: tensor.values for name, tensor in made.items()}
    own = {name: arrays[name] for name in before}
    return {**arrays, **bench.trained(own)}


def levels_trained(bench: Bench, tensors: Mapping[str, NDArray], flips: float, step: float) -> Stored:
    """Round as encodable pruning does, then train the levels of each layer as if they were centroids."""
    weights = {
        name: array for name, array in tensors.items() if name.removesuffix(END) in bench.network.weights
    }
    made = xw.encodable(weights, dtype="int8", step=step, flips=flips).tensors
    levels = {name: made.get(name, array) for name, array in tensors.items() if not name.endswith(END)}
    return as_words(bench, {**tensors, **clustered(bench, levels, _MOST_LEVELS, bench.short)})


def clustered(bench: Bench, tensors: Mapping[str, NDArray], clusters: int, epochs: int) -> Tensors:
    """Make centroids of a network's weights and train them: each moves by the sum of its weights' gradients."""
    torch = import_torch()
    own = {name: torch.tensor(tensors[name], requires_grad=True) for name in bench.biases}
    places, centroids, labels = {}, {}, {}
    for name, shape in bench.network.weights.items():
        flat = tensors[name].reshape(-1)
        positions = np.flatnonzero(flat)
        found, label = cluster_weights(flat[positions], clusters_for(shape, clusters))
        places[name], labels[name] = torch.from_numpy(positions), torch.from_numpy(label)
        centroids[name] = torch.tensor(found.astype(np.float32), requires_grad=True)

    def whole() -> dict:
        return own | {
            name: torch.zeros(int(np.prod(shape)))
            .index_put((places[name],), centroids[name][labels[name]])
            .reshape(shape)
            for name, shape in bench.network.weights.items()
        }

    rate = 3e-4
    optimiser = torch.optim.Adam([*own.values(), *centroids.values()], lr=rate)
    order, (images, targets) = np.random.default_rng(bench.seed), map(torch.from_numpy, bench.taught)
    images = images.reshape(-1, *bench.shape)
    for _ in range(epochs):
        for batch in np.array_split(order.permutation(len(images)), len(images) // bench.plan.batch):
            optimiser.zero_grad()
            out = torch_forward(bench.network, whole(), images[batch])
            torch.nn.functional.cross_entropy(out, targets[batch]).backward()
            optimiser.step()
    return {name: tensor.detach().numpy().copy() for name, tensor in whole().items()}


def as_deep(bench: Bench, tensors: Mapping[str, NDArray], clusters: int, *, long: bool) -> Stored:
    """Store a clustered network by Deep Compression, with its own bits for a run or the best ones."""
    store = partial(shortest, clusters=clusters, choices=(4, 5, 6, 7, 8) if long else (None,))
    layers = {name: store(tensors[name]) for name in bench.network.weights}
    return counted(bench, layers, tensors)


def shortest(weights: NDArray, *, clusters: int, choices: tuple[int | None, ...]) -> DeepLayer:
    """Store a layer by Deep Compression with the best number of bits for a run."""
    ways = [deep_compression(weights, clusters=clusters, run_bits=bits) for bits in choices]
    return min(ways, key=lambda layer: layer.bits)


def counted(bench: Bench, layers: Mapping[str, StoredLayer], tensors: Mapping[str, NDArray]) -> Stored:
    """Count the layers and the biases, in 16 bits each."""
    biases = {name: tensors[name].astype(np.float16) for name in bench.biases}
    bits = sum(layer.bits for layer in layers.values()) + 16 * sum(array.size for array in biases.values())
    back = {name: layer.weights for name, layer in layers.items()}
    return bits, 0, back | {name: array.astype(np.float32) for name, array in biases.items()}


def as_words(bench: Bench, tensors: Mapping[str, NDArray]) -> Stored:
    """Store a clustered network by our default format, its centroids rounded to INT8."""
    return in_file(bench, tensors, dtype="int8")


def weightless(
    bench: Bench, tensors: Mapping[str, NDArray], *, layout: str, every: bool, t: int, clusters: int
) -> Stored:
    """Store layer by layer in filters, or only the largest; layers after a stored one are trained on."""
    sizes = {name: int(np.prod(shape)) for name, shape in bench.network.weights.items()}
    forms = [("band", 4)] if layout == "band" else [("fuse", 4), ("uniform", 3)]

    def store(weights: NDArray) -> StoredLayer:
        if not every and weights.size < max(sizes.values()):
            return shortest(weights, clusters=16, choices=(4, 5, 6, 7, 8))
        ways = [
            store_layer(weights, t=t, clusters=clusters, layout=form, k=k, seed=bench.seed)
            for form, k in forms
        ]
        return min(ways, key=lambda layer: layer.bits)

    model = store_model(bench.network, tensors, list(sizes), store, bench.retrain)
    return counted(bench, model.layers, model.tensors)


def settings(
    bench: Bench, sparsity: float, plain: Tensors, before: Tensors, arguments: argparse.Namespace
) -> Iterator[tuple[str, str, Callable[[], Stored]]]:
    """Name every way to store the network of one sparsity."""
    at = f"S {sparsity:g}"
    yield "plain INT8", at, partial(in_file, bench, plain, dtype="int8")
    yield "plain, coarser", f"{at}, INT4", partial(in_file, bench, plain, dtype="int4")
    for dtype, step in _GRIDS:
        grid = f"{dtype.upper()}, step {step:g}"
        if dtype == "int8":
            yield "plain, coarser", f"{at}, {grid}", partial(coarser, bench, plain, step)
        yield "grid", f"{at}, {grid}", partial(rounded, bench, plain, 0.0, dtype, step)
    for flips in arguments.flips:
        network = flipped(bench, before, sparsity, flips)
        for dtype, step in _GRIDS:
            name = f"{at}, flips {flips:g}, {dtype.upper()}, step {step:g}"
            yield "flips", name, partial(rounded, bench, network, flips, dtype, step)
        for step in _TRAINED_STEPS:
            name = f"{at}, flips {flips:g}, INT8, step {step:g}"
            yield "flips, trained", name, partial(levels_trained, bench, network, flips, step)
        for clusters in arguments.deep[1:-1]:
            made = {**network, **clustered(bench, network, clusters, arguments.retrain)}
            name = f"{at}, flips {flips:g}, {clusters} clusters, trained"
            yield "flips, clusters", name, partial(as_words, bench, made)
    for clusters in arguments.deep:
        for epochs in (0, arguments.retrain):
            network = clustered(bench, plain, clusters, epochs)
            name = f"{at}, {clusters} clusters" + (", trained" if epochs else "")
            yield "deep", name, partial(as_deep, bench, network, clusters, long=False)
            yield "deep, long", name, partial(as_deep, bench, network, clusters, long=True)
            yield "clusters", name, partial(as_words, bench, network)
    for every in (True, False) if arguments.every_layer else (False,):
        for t in arguments.t:
            for clusters in arguments.clusters:
                name = f"{at}, {'all layers' if every else 'largest'}, t {t}, {clusters} clusters"
                for layout in ("peeled", "band"):
                    words = {"layout": layout, "every": every, "t": t, "clusters": clusters}
                    yield layout, name, partial(weightless, bench, plain, **words)


def one_seed(network: Network, images: Digits, arguments: argparse.Namespace, seed: int) -> dict:
    """Return the dense network's accuracies, and of every method and setting what `Bench.judge` gives."""
    bench = Bench.of(network, images, arguments, seed)
    began = time.perf_counter()
    before = bench.dense()
    rungs = (*arguments.on_the_way, *arguments.sparsity)
    found: dict = {
        "dense": bench.scores(before),
        "long": bench.scores(bench.trained_on(before, len(rungs))),
        "rows": [],
    }
    for sparsity in rungs:
        masks = prune(network, before, method="lamp", sparsity=sparsity)
        plain = bench.trained({**before, **{name: before[name] * mask for name, mask in masks.items()}})
        if sparsity in arguments.on_the_way:
            before = plain
            continue
        for method, setting, store in settings(bench, sparsity, plain, before, arguments):
            if method not in arguments.methods:
                continue
            found["rows"].append([method, setting, *bench.judge(store())])
            passed = time.perf_counter() - began
            print(f"seed {seed}, {passed:.0f} s: {found['rows'][-1]}", file=sys.stderr, flush=True)
        before = plain
    return found | {"seconds": time.perf_counter() - began}


def fewest(rows: list[list], dense: float, loss: float) -> list | None:
    """Return the row of fewest bits, of as many the most accurate, among those that lose at most so much."""
    fits = [row for row in rows if row[4] >= dense - loss - 1e-9]
    return min(fits, key=lambda row: (row[2], -row[4]), default=None)


def span(values: list[float], form: str) -> str:
    """Median, lowest and highest."""
    low, middle, high = min(values), float(np.median(values)), max(values)
    return f"{middle:{form}} ({low:{form}} .. {high:{form}})"


def line(method: str, taken: list[tuple[list, float]], note: str) -> str:
    """Return a line of a table from rows and the dense accuracies on the telling images."""
    lost = [100 * (dense - row[5]) for row, dense in taken]
    cells = [
        METHODS[method],
        span([row[2] for row, _ in taken], ".3f"),
        f"{np.median([row[3] for row, _ in taken]):.3f}",
        span(lost, ".2f"),
        note,
    ]
    return "| " + " | ".join(cells) + " |"


def show(runs: list[dict], loss: float, against: str = "dense") -> None:
    """Print both tables; accuracies are held `against` the dense network or the one trained as long."""
    head = (
        "| stored | bits a weight | without a file's header | points lost | setting |\n|---|---|---|---|---|"
    )
    print(f"\nChosen for each seed:\n\n{head}")
    methods = [name for name in METHODS if any(row[0] == name for row in runs[0]["rows"])]
    for method in methods:
        taken = []
        for run in runs:
            row = fewest([row for row in run["rows"] if row[0] == method], run[against][0], loss)
            if row is not None:
                taken.append((row, run[against][1]))
        note = "; ".join(row[1] for row, _ in taken)
        missing = len(runs) - len(taken)
        note += f"; none fits in {missing}" if missing else ""
        print(line(method, taken, note) if taken else f"| {METHODS[method]} | - | - | - | none fits |")
    print(f"\nOne setting for all seeds:\n\n{head}")
    dense = float(np.mean([run[against][0] for run in runs]))
    for method in methods:
        alike = [rows for rows in zip(*(run["rows"] for run in runs), strict=True) if rows[0][0] == method]
        means = [[*rows[0][:2], *np.mean([row[2:] for row in rows], axis=0), rows] for rows in alike]
        best = fewest(means, dense, loss)
        if best is None:
            print(f"| {METHODS[method]} | - | - | - | none fits |")
            continue
        told = [(row, run[against][1]) for row, run in zip(best[-1], runs, strict=True)]
        print(line(method, told, best[1]))


def main() -> None:
    """Train, prune, store, choose, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="lenet-300-100", choices=("lenet-300-100", "lenet-5"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15, help="dense, and at each sparsity")
    parser.add_argument(
        "--retrain", type=int, default=2, help="epochs of centroids, and after a stored layer"
    )
    parser.add_argument("--sparsity", type=float, nargs="+", default=[0.95, 0.97])
    parser.add_argument(
        "--on-the-way", type=float, nargs="*", default=[0.9], help="sparsities before them, not stored"
    )
    parser.add_argument("--flips", type=float, nargs="+", default=[0.1, 0.2])
    parser.add_argument("--deep", type=int, nargs="+", default=[4, 8, 16, 32], help="clusters")
    parser.add_argument("--t", type=int, nargs="+", default=[9, 10, 11, 12])
    parser.add_argument("--clusters", type=int, nargs="+", default=[8, 16], help="of Weightless")
    parser.add_argument("--every-layer", action="store_true", help="Weightless of all layers, too")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--loss", type=float, default=0.001)
    parser.add_argument("--against-long", action="store_true", help="the dense network trained on as long")
    parser.add_argument("--record", type=Path, help="measured seeds, to go on from")
    arguments = parser.parse_args()
    import_torch().set_num_threads(1)
    network, images = named_network(arguments.network), load_images("mnist")
    names = (
        "network",
        "epochs",
        "retrain",
        "sparsity",
        "on_the_way",
        "flips",
        "deep",
        "t",
        "clusters",
        "every_layer",
        "methods",
    )
    record = SeedRecord(arguments.record, {name: getattr(arguments, name) for name in names})
    runs = [record.of(seed, partial(one_seed, network, images, arguments)) for seed in range(arguments.seeds)]
    once, long = (np.mean([run[name] for run in runs], axis=0) for name in ("dense", "long"))
    print(
        f"{network.name}: dense {once[0]:.4f} of the choosing images right, {once[1]:.4f} of the telling ones, trained "
        f"as long as the sparsest {long[0]:.4f} and {long[1]:.4f}; {len(runs)} seeds, "
        f"{sum(run['seconds'] for run in runs):.0f} s"
    )
    show(runs, arguments.loss, "long" if arguments.against_long else "dense")


if __name__ == "__main__":
    main()
