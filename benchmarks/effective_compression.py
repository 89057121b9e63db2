"""Direct against effective compression of a network at initialisation, by pruning method: table, picture.

    python benchmarks/effective_compression.py [--network lenet-300-100] [--seeds 11] [--only WORD ...] [--svg FILE]
        [--ways]

Every seed draws new weights (normal, variance 2 / inputs) and new random masks. Shown are the median over the
seeds and, in brackets, the lowest and the highest, and processor seconds: of the longest pruning (the first of a seed
makes the ranking, where one serves all targets) and the median of a count of what is alive. SNIP and GraSP take their
gradients from the digits data set, in one round and in --rounds, and are left out where PyTorch (extra `train`) is
missing or the images do not fit the network. "SynFlow's layer counts" keeps as many weights of each layer as SynFlow,
at random places: the reshuffling experiment. --ways counts the same masks in three ways instead: unit by unit (exact),
by channels as the paper's code does, and by the linearised gradient.
"""

from __future__ import annotations

import argparse
import copy
import functools
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import CATALOGUE, named_network
from xorweave.golden.network.channel_graph import channel_masks
from xorweave.golden.network.digits import load_digits
from xorweave.golden.network.linearised import linearised_masks
from xorweave.golden.network.network import Masks, Network
from xorweave.golden.network.reachability import effective_masks
from xorweave.golden.network.training import flow_gradients, loss_gradients
from xorweave.golden.pruning.pruners import prune
from xorweave.golden.pruning.quotas import QUOTAS
from xorweave.golden.pruning.random_masks import random_masks
from xorweave.golden.pruning.ranking import GlobalRanking, LayerRanking
from xorweave.golden.pruning.scores import grasp, lamp, magnitude, snip
from xorweave.golden.pruning.search import kept_count
from xorweave.golden.pruning.sparsity import measure_sparsity

_SCORES = {"SNIP": snip, "GraSP": grasp}
Curve = list[list[float]]  # effective compression by direct compression and seed


def initial_weights(network: Network, seed: int) -> dict[str, NDArray[np.float64]]:
    """Draw weights as for rectifiers: normal, variance 2 / inputs (He et al., 2015)."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(size=shape) * math.sqrt(2 / math.prod(shape[1:]))
        for name, shape in network.weights.items()
    }


def by_gradients(
    network: Network, tensors: dict[str, NDArray], rounds: int
) -> dict[str, Callable[[float], Masks]]:
    """Return SNIP and GraSP as functions of the sparsity; none where gradients on the digits cannot be had."""
    try:
        digits = load_digits()
        held = {**{name: np.zeros(shape) for name, shape in network.parameters.items()}, **tensors}
        loss_gradients(network, held, digits.train_images[:1], digits.train_labels[:1])
    except InputError:
        return {}
    found: dict[str, Callable[[float], Masks]] = {}
    for name, find in (("SNIP", loss_gradients), ("GraSP", flow_gradients)):

        def gradients(masks: Masks, find: Callable = find) -> dict[str, NDArray]:
            return find(network, held, digits.train_images, digits.train_labels, masks)

        scores = _SCORES[name](held, gradients(network.dense_masks()), network.weights)
        ranking = GlobalRanking.of(network.weights, scores)
        found[name] = lambda s, ranking=ranking: ranking.masks(  # type: ignore[misc]
            kept_count(network, s)
        )
        found[f"{name}, {rounds} rounds"] = lambda s, name=name, gradients=gradients: prune(  # type: ignore[misc]
            network, held, method=f"{name.lower()}:{rounds}", sparsity=s, gradients=gradients
        )
    return found


def methods(network: Network, seed: int, rounds: int) -> dict[str, Callable[[float], Masks]]:
    """Return every method as a function of the sparsity."""
    tensors = initial_weights(network, seed)
    found: dict[str, Callable[[float], Masks]] = {
        f"random, {quota}": lambda s, quota=quota: prune(  # type: ignore[misc]
            network, None, method="random", sparsity=s, quota=quota, seed=seed
        )
        for quota in QUOTAS
    }

    @functools.cache
    def ranked(score: Callable) -> GlobalRanking:
        return GlobalRanking.of(network.weights, score(tensors, network.weights))

    @functools.cache
    def ranked_by_layer() -> LayerRanking:
        return LayerRanking(network.weights, magnitude(tensors, network.weights), QUOTAS["uniform"])

    def by_quota(sparsity: float, quota: str) -> Masks:
        ranking = copy.copy(ranked_by_layer())
        ranking.quota = QUOTAS[quota]
        return ranking.masks(kept_count(network, sparsity))

    for name, score in (("magnitude", magnitude), ("LAMP", lamp)):
        found[f"{name}, global"] = lambda s, score=score: ranked(score).masks(  # type: ignore[misc]
            kept_count(network, s)
        )
    found |= {f"magnitude, {quota}": functools.partial(by_quota, quota=quota) for quota in QUOTAS}
    found |= by_gradients(network, tensors, rounds)

    @functools.cache
    def synflow(sparsity: float) -> Masks:
        return prune(network, tensors, method=f"synflow:{rounds}", sparsity=sparsity)

    def reshuffled(sparsity: float) -> Masks:
        counts = {name: int(mask.sum()) for name, mask in synflow(sparsity).items()}
        return random_masks(network.weights, counts, np.random.default_rng(seed))

    found[f"SynFlow, {rounds} rounds"] = synflow
    found["random, SynFlow's layer counts"] = reshuffled
    return found


def measure(
    network: Network, directs: list[float], seeds: int, only: list[str], rounds: int
) -> tuple[dict[str, Curve], dict[str, tuple[float, float]]]:
    """Measure effective compression, and the seconds of a pruning and a count; NaN where a quota cannot be met."""
    curves: dict[str, Curve] = {}
    seconds: dict[str, list[tuple[float, float]]] = {}
    for seed in range(seeds):
        for name, masks_at in methods(network, seed, rounds).items():
            if only and not any(word in name for word in only):
                continue
            curve = curves.setdefault(name, [[] for _ in directs])
            for found, direct in zip(curve, directs, strict=True):
                try:
                    started = time.process_time()
                    masks = masks_at(1 - 1 / direct)
                    pruned = time.process_time()
                    found.append(measure_sparsity(network, masks)[1].effective_compression)
                    seconds.setdefault(name, []).append((pruned - started, time.process_time() - pruned))
                except InputError:
                    found.append(math.nan)
    return curves, {
        name: (max(pruned for pruned, _ in found), float(np.median([counted for _, counted in found])))
        for name, found in seconds.items()
    }


def compare_ways(network: Network, directs: list[float], seeds: int, only: list[str], rounds: int) -> None:
    """Print how many weights of the same masks each way of counting calls alive; median over the seeds."""
    ways: dict[str, Callable[[Masks, dict[str, NDArray]], Masks]] = {
        "exact": lambda masks, tensors: effective_masks(network, masks),
        "by channels": lambda masks, tensors: channel_masks(network, masks),
        "by the linearised gradient": lambda masks, tensors: linearised_masks(network, masks, tensors),
    }
    print(f"{network.name}, {network.connections:,} weights; {seeds} seeds; kept, and alive by each way")
    print(f"| method | direct | kept | {' | '.join(ways)} |\n" + "|---" * (3 + len(ways)) + "|")
    for name in methods(network, 0, rounds):
        if only and not any(word in name for word in only):
            continue
        for direct in directs:
            counts = []
            for seed in range(seeds):
                tensors = initial_weights(network, seed)
                masks = methods(network, seed, rounds)[name](1 - 1 / direct)
                found = [masks, *(way(masks, tensors) for way in ways.values())]
                counts.append([sum(int(mask.sum()) for mask in part.values()) for part in found])
            cells = [f"{int(count):,}" for count in np.median(counts, axis=0)]
            print(f"| {name} | {direct:g}x | " + " | ".join(cells) + " |", flush=True)


def draw(network: Network, directs: list[float], curves: dict[str, Curve], target: Path) -> None:
    """Draw the medians over the direct compression, both axes logarithmic."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "xorweave", "font.size": 9})
    figure, axes = pyplot.subplots(figsize=(6.4, 4.2))
    axes.plot(directs, directs, color="0.7", linewidth=1, label="no gap")
    for name, curve in curves.items():
        medians = [float(np.median(found)) for found in curve]
        finite = [m if math.isfinite(m) else math.nan for m in medians]
        axes.plot(directs, finite, marker="o", markersize=2.5, linewidth=1, label=name)
    axes.set(xscale="log", yscale="log", xlabel="direct compression", ylabel="effective compression")
    axes.set_title(
        f"{network.name} at initialisation, median of {len(next(iter(curves.values()))[0])}", fontsize=9
    )
    axes.grid(True, linewidth=0.3)
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


def number(value: float) -> str:
    """Write a compression to read: inf where nothing is left, not possible where a quota cannot be met."""
    return "not possible" if math.isnan(value) else "inf" if math.isinf(value) else f"{value:,.1f}"


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="lenet-300-100", choices=sorted(CATALOGUE))
    parser.add_argument("--seeds", type=int, default=11)
    parser.add_argument(
        "--directs", type=float, nargs="+", default=[2, 5, 10, 20, 50, 100, 200, 316, 500, 1000]
    )
    parser.add_argument("--only", nargs="+", default=[], help="methods whose names hold one of these words")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--ways", action="store_true", help="count in three ways instead")
    arguments = parser.parse_args()
    network = named_network(arguments.network)
    if arguments.ways:
        compare_ways(network, arguments.directs, arguments.seeds, arguments.only, arguments.rounds)
        return
    curves, seconds = measure(network, arguments.directs, arguments.seeds, arguments.only, arguments.rounds)
    print(f"{network.name}, {network.connections:,} weights; {arguments.seeds} seeds; effective at direct")
    print(
        "| method | "
        + " | ".join(f"{direct:g}x" for direct in arguments.directs)
        + " | prune, s | count, s |"
    )
    print("|---" * (len(arguments.directs) + 3) + "|")
    for name, curve in curves.items():
        cells = [f"{number(float(np.median(f)))} ({number(min(f))} .. {number(max(f))})" for f in curve]
        times = " | ".join(f"{value:.2f}" for value in seconds.get(name, (math.nan, math.nan)))
        print(f"| {name} | " + " | ".join(cells) + f" | {times} |")
    if arguments.svg:
        draw(network, arguments.directs, curves, arguments.svg)


if __name__ == "__main__":
    main()
