"""Bits a weight against accuracy: pruning for the code beside plain pruning, both stored by the same lossless encoder.

    python benchmarks/encodable.py [--network dns|lenet-300-100|lenet-5] [--sparsity .85 .9 .93] [--flips 0 .1 .2 .3]
        [--step 1 4 8 12 16] [--seeds 3] [--epochs 30] [--at 0 .001 .003 .01]

``dns`` is the published dense LeNet-300-100 (where Dynamic Network Surgery starts), pruned in one shot, never trained
on, and judged by 10,000 images of MNIST. The others are trained here (PyTorch) on 8,000 of them, pruned by magnitude,
trained on under the mask, and judged by the other 2,000; mean over the seeds. Every layer is pruned to the sparsity,
but the last to half of it. Bits are everything that is stored of the weights: mask, payload, patches, books, headers.
Plain pruning gets the grids of the values, too (flips 0 with a step), and INT4. `--at` says for each loss of accuracy
which row takes the fewest bits with flips and without. Rows come on standard error as they are measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from real_inputs import data_folder, load_images

import xorweave as xw
from xorweave.golden.code.limits import bound_bits
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.mask.masks import magnitude_mask
from xorweave.golden.network.catalogue import lenet_300_100, named_network
from xorweave.golden.network.network import Network
from xorweave.golden.network.training import Schedule, accuracy, initial_tensors, train
from xorweave.golden.pruning.encodable import Leeway
from xorweave.golden.pruning.encodable_tensors import encodable_tensors

Tensors = dict[str, NDArray]


@dataclass(frozen=True)
class Row:
    """One way to prune and store: sparsity, flips, grid, and the dtype."""

    sparsity: float
    flips: float
    step: float
    dtype: str = "int8"


@dataclass(frozen=True)
class Task:
    """A network, what it is judged by, and what it is trained on under a mask (None: never)."""

    network: Network
    dense: Tensors
    judged: tuple[NDArray, NDArray]
    taught: tuple[NDArray, NDArray] | None = None
    epochs: int = 0
    seed: int = 0

    def masks(self, sparsity: float) -> dict[str, NDArray[np.bool_]]:
        names = list(self.network.weights)
        shares = {name: sparsity / 2 if name == names[-1] else sparsity for name in names}
        return {name: magnitude_mask(self.dense[name], share) for name, share in shares.items()}

    def trained(self, tensors: Mapping[str, NDArray]) -> Tensors:
        """Train on under the zeros, where the task has something to train on."""
        own = {name: tensors[name] for name in (*self.network.weights, *self.network.parameters)}
        if self.taught is None:
            return own
        kept = {name: own[name] != 0 for name in self.network.weights}
        plan = Schedule(epochs=self.epochs)
        return dict(train(self.network, own, *self.taught, kept, schedule=plan, seed=self.seed))


def pruned_for(task: Task, sparsity: float, flips: float) -> Tensors:
    """Prune with flips, floats as they are, and train on; what was arranged stands beside."""
    tensors = {name: Tensor.of(array) for name, array in task.dense.items()}
    made, _ = encodable_tensors(tensors, task.masks(sparsity), Leeway(flips=flips))
    arrays = {name: tensor.values for name, tensor in made.items()}
    return {**arrays, **task.trained(arrays)}


def measure(task: Task, tensors: Tensors, row: Row) -> tuple[float, float, float]:
    """Return (bits a weight, bits over the bound of plain INT8 at this sparsity, accuracy)."""
    names = list(task.network.weights)
    count = sum(task.dense[name].size for name in names)
    bound = 0.0
    for name, mask in task.masks(row.sparsity).items():
        scale = np.abs(task.dense[name] * mask).max() / 127
        bound += bound_bits(np.rint(task.dense[name][mask] / scale).astype(np.int8).view(np.uint8), mask.size)
    if row.step > 1 or row.flips:
        given = {name: array for name, array in tensors.items() if name.removesuffix(".encodable") in names}
        tensors = {**tensors, **xw.encodable(given, dtype=row.dtype, step=row.step, flips=row.flips).tensors}
    given = {name: array for name, array in tensors.items() if name.removesuffix(".encodable") in names}
    encoded = xw.encode(given, dtype=row.dtype)
    bits = sum(encoded[name].figures["bits_per_weight_with_mask"] * task.dense[name].size for name in names)
    back = {name: tensors[name] for name in task.network.parameters}
    for name in names:
        back[name] = encoded[name].decode() * encoded.container.plain[f"{name}.scale"].values
    return bits / count, bits / bound, accuracy(task.network, back, *task.judged)


def published() -> Task:
    """The published dense network, judged by all images."""
    with np.load(data_folder() / "dns" / "derived" / "lenet300100_original.npz") as archive:
        stored = dict(archive)
    images = load_images("mnist")
    network = lenet_300_100()
    names = [*network.weights, *network.parameters]
    by_shape = {array.shape: array for array in stored.values()}
    shapes = {**network.weights, **network.parameters}
    every = [np.concatenate(pair) for pair in zip(
        (images.train_images, images.train_labels), (images.test_images, images.test_labels), strict=True
    )]  # fmt: skip
    return Task(network, {name: by_shape[shapes[name]] for name in names}, (every[0], every[1]))


def trained_task(name: str, epochs: int, seed: int) -> Task:
    """A network trained from scratch."""
    network, images = named_network(name), load_images("mnist")
    taught = (images.train_images, images.train_labels)
    plan = Schedule(epochs=epochs)
    dense = dict(train(network, initial_tensors(network, seed), *taught, schedule=plan, seed=seed))
    return Task(network, dense, (images.test_images, images.test_labels), taught, epochs, seed)


def rows_of(arguments: argparse.Namespace) -> list[Row]:
    """All rows, plain ones first."""
    rows = []
    for sparsity in arguments.sparsity:
        rows += [Row(sparsity, 0.0, 1.0, "int4")] + [
            Row(sparsity, flips, step) for flips in arguments.flips for step in arguments.step
        ]
    return rows


def show_at(found: Mapping[Row, NDArray], dense: float, losses: list[float]) -> None:
    """Print the fewest bits at each loss of accuracy: plain INT8 and INT4, grids alone, flips and grids."""
    kinds = {
        "plain pruning, INT8 or INT4": lambda row: row.flips == 0 and row.step == 1,
        "plain masks, grids": lambda row: row.flips == 0,
        "flips and grids": lambda row: True,
    }
    print("\n| loss of accuracy at most | " + " | ".join(kinds) + " |")
    print("|---" * (len(kinds) + 1) + "|")
    for loss in losses:
        cells = []
        for allowed in kinds.values():
            fits = [(v[0], row) for row, v in found.items() if allowed(row) and v[2] >= dense - loss - 1e-9]
            if not fits:
                cells.append("-")
                continue
            bits, row = min(fits, key=lambda each: each[0])
            form = "INT4" if row.dtype == "int4" else f"step {row.step:g}"
            cells.append(f"{bits:.3f} (S {row.sparsity:g}, flips {row.flips:g}, {form})")
        print(f"| {100 * loss:.1f} points | " + " | ".join(cells) + " |")


def main() -> None:
    """Prune, store, judge, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="dns", choices=("dns", "lenet-300-100", "lenet-5"))
    parser.add_argument("--sparsity", type=float, nargs="+", default=[0.85, 0.9, 0.93])
    parser.add_argument("--flips", type=float, nargs="+", default=[0.0, 0.1, 0.2, 0.3])
    parser.add_argument("--step", type=float, nargs="+", default=[1.0, 4.0, 8.0, 12.0, 16.0])
    parser.add_argument("--at", type=float, nargs="+", default=[0.001, 0.003, 0.01])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    arguments.flips = sorted({0.0, *arguments.flips})
    seeds = 1 if arguments.network == "dns" else arguments.seeds
    runs: list[dict[Row, tuple[float, float, float]]] = []
    dense = []
    for seed in range(seeds):
        task = (
            published()
            if arguments.network == "dns"
            else trained_task(arguments.network, arguments.epochs, seed)
        )
        dense.append(accuracy(task.network, task.dense, *task.judged))
        found: dict[Row, tuple[float, float, float]] = {}
        for sparsity in arguments.sparsity:
            for flips in arguments.flips:
                tensors = pruned_for(task, sparsity, flips)
                for row in rows_of(arguments):
                    if (row.sparsity, row.flips) == (sparsity, flips):
                        found[row] = measure(task, tensors, row)
                        print(f"seed {seed}, {row}: {found[row]}", file=sys.stderr, flush=True)
        runs.append(found)
    print(
        f"{arguments.network}: {len(task.judged[1])} images, dense accuracy {np.mean(dense):.4f}, {seeds} seeds\n\n"
        "| S | flips | values | bits a weight | over plain INT8's bound | accuracy |\n|---|---|---|---|---|---|"
    )
    whole = {row: np.mean([run[row] for run in runs], axis=0) for row in runs[0]}
    for row, (bits, over, score) in whole.items():
        spread = np.std([run[row][2] for run in runs], ddof=1) if seeds > 1 else 0.0
        form = "INT4" if row.dtype == "int4" else f"INT8, step {row.step:g}"
        told = f"{score:.4f}" + (f" +- {spread:.4f}" if seeds > 1 else "")
        print(f"| {row.sparsity:g} | {row.flips:g} | {form} | {bits:.3f} | {over:.3f} | {told} |")
    show_at(whole, float(np.mean(dense)), arguments.at)


if __name__ == "__main__":
    main()
