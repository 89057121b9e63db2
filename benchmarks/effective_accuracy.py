"""Accuracy of pruned LeNets on small images, every method pruned to the same effective compression.

    python benchmarks/effective_accuracy.py [--data digits|mnist] [--network lenet-300-100] [--compressions 10 31 100]
        [--seeds 3] [--epochs 10] [--rounds 30] [--images 1000] [--record FILE]

Networks have a batch norm after every layer of weights and are trained by the schedule of Vysogorets and Kempe's code,
scaled down: gradient descent with momentum .9, batches of 100, step size .1, a tenth of it after 26, 52 and 78 % of the
steps (theirs: 25,000, 50,000 and 75,000 of 96,000), 5e-4 times the squared weights added to the loss. Unlike theirs, a
norm uses its running statistics to classify the test images. Random, SNIP, GraSP and SynFlow masks are made at
initialisation and trained from there, gradients on the first --images training images; magnitude and LAMP masks
are made after dense training, and the network is trained on, so they train twice as long. Each seed has its own initial
weights, masks and order of examples; the split into training and test images is the same for all. Shown are mean and
standard deviation over the seeds.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
from real_inputs import IMAGES, load_images
from seed_record import SeedRecord

from xorweave.golden.network.batch_norms import with_batch_norms
from xorweave.golden.network.catalogue import CATALOGUE, named_network
from xorweave.golden.network.digits import Digits
from xorweave.golden.network.network import Masks
from xorweave.golden.network.training import (
    Schedule,
    Tensors,
    accuracy,
    flow_gradients,
    initial_tensors,
    loss_gradients,
    train,
)
from xorweave.golden.pruning.pruners import prune
from xorweave.golden.pruning.sparsity import measure_sparsity

# name, method (ROUNDS is filled in), quota, pruned after dense training
METHODS = (
    ("random, uniform", "random", "uniform", False),
    ("random, uniform+", "random", "uniform+", False),
    ("random, ERK", "random", "erk", False),
    ("random, IGQ", "random", "igq", False),
    ("random, SynFlow's layer counts", "random", "synflow", False),
    ("SNIP", "snip", None, False),
    ("SNIP, ROUNDS rounds", "snip:ROUNDS", None, False),
    ("GraSP", "grasp", None, False),
    ("GraSP, ROUNDS rounds", "grasp:ROUNDS", None, False),
    ("SynFlow", "synflow", None, False),
    ("magnitude, global", "magnitude", None, True),
    ("LAMP, global", "lamp", None, True),
)


def chosen(only: list[str], rounds: int) -> list[tuple[str, str, str | None, bool]]:
    """Return the methods whose names hold one of the words, all without words; none in rounds where there are none."""
    named = [method for method in METHODS if not only or any(word in method[0] for word in only)]
    return [method for method in named if rounds or "ROUNDS" not in method[1]]


def one_seed(images: Digits, arguments: argparse.Namespace, seed: int) -> dict:
    """Return the dense accuracy, and accuracy, direct and effective compression by method and target."""
    plain = named_network(arguments.network)
    network = with_batch_norms(plain)
    taught = (images.train_images, images.train_labels)
    shown = tuple(part[: arguments.images] for part in taught)
    plan = Schedule(
        epochs=arguments.epochs, batch=100, rate=0.1, momentum=0.9, decay=5e-4, drops=(0.26, 0.52, 0.78)
    )
    start = initial_tensors(network, seed)

    def judged(tensors: Tensors, masks: Masks | None) -> tuple[Tensors, float]:
        found = train(network, tensors, *taught, masks, schedule=plan, seed=seed)
        return found, accuracy(network, found, images.test_images, images.test_labels)

    dense, best = judged(start, None)
    found: dict[str, list[list[float]]] = {}
    for name, method, quota, after_training in chosen(arguments.only, arguments.rounds):
        tensors = dense if after_training else start
        find = flow_gradients if method.startswith("grasp") else loss_gradients
        for compression in arguments.compressions:
            masks = prune(
                plain,
                tensors,
                method=method.replace("ROUNDS", str(arguments.rounds)),
                sparsity=1 - 1 / compression,
                quota=quota,
                effective=True,
                seed=seed,
                gradients=lambda masks, find=find, tensors=tensors: find(network, tensors, *shown, masks),
            )
            total = measure_sparsity(plain, masks)[1]
            accurate = judged(tensors, masks)[1]
            found.setdefault(name, []).append(
                [accurate, total.direct_compression, total.effective_compression]
            )
            if sys.stderr.isatty():
                print(f"seed {seed}: {name} at {compression:g}x: {accurate:.4f}", file=sys.stderr)
    return {"dense": best, "pruned": found}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="digits", choices=IMAGES)
    parser.add_argument("--network", default="lenet-300-100", choices=sorted(CATALOGUE))
    parser.add_argument("--compressions", type=float, nargs="+", default=[10, 31, 100])
    parser.add_argument("--only", nargs="+", default=[], help="methods whose names hold one of these words")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument(
        "--rounds", type=int, default=30, help="of SNIP and GraSP in rounds; 0: leave them out"
    )
    parser.add_argument("--images", type=int, default=1000, help="that gradients for pruning are found with")
    parser.add_argument("--record", type=Path, help="measured seeds, to go on from")
    arguments = parser.parse_args()
    images = load_images(arguments.data)
    names = ("data", "network", "compressions", "only", "epochs", "rounds", "images")
    record = SeedRecord(arguments.record, {name: getattr(arguments, name) for name in names})
    runs = [record.of(seed, partial(one_seed, images, arguments)) for seed in range(arguments.seeds)]
    dense = np.array([run["dense"] for run in runs]) * 100
    print(
        f"{arguments.network}, {arguments.data}, {len(images.test_labels)} test images, {arguments.epochs} epochs, "
        f"{arguments.seeds} seeds; dense: {dense.mean():.1f} +- {dense.std(ddof=1):.1f} %"
    )
    heads = " | ".join(f"effective {c:g}x: accuracy % (direct)" for c in arguments.compressions)
    print(f"| method | {heads} |")
    print("|---" * (len(arguments.compressions) + 1) + "|")
    for name, *_ in chosen(arguments.only, arguments.rounds):
        results = np.array([run["pruned"][name] for run in runs])  # seed, target, figure
        cells = [
            f"{100 * part[:, 0].mean():.1f} +- {100 * part[:, 0].std(ddof=1):.1f} ({np.median(part[:, 1]):.1f}x)"
            for part in results.swapaxes(0, 1)
        ]
        print(f"| {name.replace('ROUNDS', str(arguments.rounds))} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
