"""Direct against effective compression of a network at initialisation, by pruning method: table, picture.

    python benchmarks/effective_compression.py [--network lenet-300-100] [--seeds 11] [--only WORD ...] [--svg FILE]
        [--data digits|mnist|made] [--images N] [--norms] [--rounds 100] [--passing] [--record FILE] [--ways]

Every seed draws new weights (normal, variance 2 / inputs) and new random masks. Shown are the median over the
seeds and, in brackets, the lowest and the highest, and processor seconds: of the longest pruning (the first of a seed
makes the ranking, where one serves all targets) and the median of a count of what is alive. SNIP and GraSP find their
gradients with images, with --norms of the network with a batch norm behind every convolution, in one round and in
--rounds; without PyTorch (extra `train`) they are left out. --passing scores in rounds once, on the way to the highest
compression, and takes the lower ones where the rounds pass them: with 30 rounds to 1000x the first 10 lead to 10x, just
as 10 rounds to 10x do. "SynFlow's layer counts" keeps as many weights of each layer as SynFlow, at random places:
the reshuffling experiment. --ways counts the same masks in three ways instead: unit by unit (exact), by channels as the
paper's code does, and by the linearised gradient.
"""

from __future__ import annotations

import argparse
import functools
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from real_inputs import IMAGES, images_for
from seed_record import SeedRecord

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.batch_norms import with_batch_norms
from xorweave.golden.network.catalogue import CATALOGUE, named_network
from xorweave.golden.network.channel_graph import channel_masks
from xorweave.golden.network.linearised import linearised_masks
from xorweave.golden.network.network import Masks, Network
from xorweave.golden.network.reachability import effective_masks
from xorweave.golden.network.torch_model import import_torch
from xorweave.golden.network.training import flow_gradients, initial_tensors, loss_gradients
from xorweave.golden.pruning.pruners import prune
from xorweave.golden.pruning.quotas import QUOTAS
from xorweave.golden.pruning.random_masks import random_masks
from xorweave.golden.pruning.ranking import GlobalRanking, LayerRanking
from xorweave.golden.pruning.rounds import rank_in_rounds
from xorweave.golden.pruning.scores import grasp, lamp, magnitude, snip
from xorweave.golden.pruning.search import kept_count
from xorweave.golden.pruning.sparsity import measure_sparsity
from xorweave.golden.pruning.synflow import synflow_score

_BY_GRADIENTS = {"SNIP": (snip, loss_gradients), "GraSP": (grasp, flow_gradients)}
MasksAt = Callable[[float], Masks]
Curve = list[list[float]]  # effective compression by direct compression and seed


def initial_weights(network: Network, seed: int) -> dict[str, NDArray[np.float64]]:
    """Draw weights as for rectifiers: normal, variance 2 / inputs (He et al., 2015)."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(size=shape) * math.sqrt(2 / math.prod(shape[1:]))
        for name, shape in network.weights.items()
    }


def by_gradients(
    network: Network, tensors: dict[str, NDArray[np.float64]], seed: int, arguments: argparse.Namespace
) -> dict[str, MasksAt]:
    """Return SNIP and GraSP as functions of the sparsity; none where gradients cannot be had."""
    try:
        import_torch()
        images = images_for(network, arguments.data, arguments.images, seed)
    except InputError:
        return {}
    learned = with_batch_norms(network, dense=False) if arguments.norms else network
    held = {**initial_tensors(learned, seed), **tensors}
    found: dict[str, MasksAt] = {}
    for name, (by, find) in _BY_GRADIENTS.items():

        def score(masks: Masks, by: Callable = by, find: Callable = find) -> dict[str, NDArray]:
            return by(tensors, find(learned, held, *images, masks), network.weights)

        @functools.cache
        def once(score: Callable = score) -> GlobalRanking:
            return GlobalRanking.of(network.weights, score(network.dense_masks()))

        found[name] = lambda s, once=once: once().masks(kept_count(network, s))  # type: ignore[misc]
        found[f"{name}, {arguments.rounds} rounds"] = in_rounds(network, score, arguments)
    return found


def in_rounds(network: Network, score: Callable, arguments: argparse.Namespace) -> MasksAt:
    """Prune in rounds, to every target anew or (--passing) once to the highest."""

    @functools.cache
    def ranking(kept: int) -> GlobalRanking:
        return rank_in_rounds(network, kept, score, rounds=arguments.rounds)

    last = kept_count(network, 1 - 1 / max(arguments.directs))

    def masks_at(sparsity: float) -> Masks:
        kept = kept_count(network, sparsity)
        return ranking(last if arguments.passing else kept).masks(kept)

    return masks_at


def methods(network: Network, seed: int, arguments: argparse.Namespace) -> dict[str, MasksAt]:
    """Return every method as a function of the sparsity."""
    tensors = initial_weights(network, seed)
    found: dict[str, MasksAt] = {
        f"random, {quota}": lambda s, quota=quota: prune(  # type: ignore[misc]
            network, None, method="random", sparsity=s, quota=quota, seed=seed
        )
        for quota in QUOTAS
    }

    @functools.cache
    def ranked(score: Callable) -> GlobalRanking:
        return GlobalRanking.of(network.weights, score(tensors, network.weights))

    def by_quota(sparsity: float, quota: str) -> Masks:
        ranking = LayerRanking(network.weights, magnitude(tensors, network.weights), QUOTAS[quota])
        return ranking.masks(kept_count(network, sparsity))

    for name, score in (("magnitude", magnitude), ("LAMP", lamp)):
        found[f"{name}, global"] = lambda s, score=score: ranked(score).masks(  # type: ignore[misc]
            kept_count(network, s)
        )
    found |= {f"magnitude, {quota}": functools.partial(by_quota, quota=quota) for quota in QUOTAS}
    found |= by_gradients(network, tensors, seed, arguments)
    synflow = in_rounds(network, synflow_score(network, tensors), arguments)

    def reshuffled(sparsity: float) -> Masks:
        counts = {name: int(mask.sum()) for name, mask in synflow(sparsity).items()}
        return random_masks(network.weights, counts, np.random.default_rng(seed))

    found[f"SynFlow, {arguments.rounds} rounds"] = synflow
    found["random, SynFlow's layer counts"] = reshuffled
    return found


def measure_method(network: Network, masks_at: MasksAt, directs: list[float]) -> dict[str, list[float]]:
    """Measure effective compression, and the seconds of a pruning and a count; NaN where a quota cannot be met."""
    found: dict[str, list[float]] = {"effective": [], "prune": [], "count": []}
    for direct in directs:
        try:
            started = time.process_time()
            masks = masks_at(1 - 1 / direct)
            pruned = time.process_time()
            found["effective"].append(measure_sparsity(network, masks)[1].effective_compression)
            found["count"].append(time.process_time() - pruned)
            found["prune"].append(pruned - started)
        except InputError:
            found["effective"].append(math.nan)
    return found


def measure(
    network: Network, arguments: argparse.Namespace
) -> tuple[dict[str, Curve], dict[str, tuple[float, float]]]:
    """Measure every method, or take what the record holds; see `measure_method`."""
    words = ("network", "directs", "data", "images", "norms", "rounds", "passing")
    setting = {word: getattr(arguments, word) for word in words}
    runs: dict[str, list[dict[str, list[float]]]] = {}
    for seed in range(arguments.seeds):
        for name, masks_at in methods(network, seed, arguments).items():
            if arguments.only and not any(word in name for word in arguments.only):
                continue
            record = SeedRecord(arguments.record, {**setting, "method": name})
            one = functools.partial(measure_method, network, masks_at, arguments.directs)
            runs.setdefault(name, []).append(record.of(seed, lambda _, one=one: one()))
    curves = {
        name: [[run["effective"][place] for run in found] for place in range(len(arguments.directs))]
        for name, found in runs.items()
    }
    return curves, {
        name: (
            max((s for run in found for s in run["prune"]), default=math.nan),
            float(np.median([s for run in found for s in run["count"]] or [math.nan])),
        )
        for name, found in runs.items()
    }


def compare_ways(network: Network, arguments: argparse.Namespace) -> None:
    """Print how many weights of the same masks each way of counting calls alive; median over the seeds."""
    ways: dict[str, Callable[[Masks, dict[str, NDArray]], Masks]] = {
        "exact": lambda masks, tensors: effective_masks(network, masks),
        "by channels": lambda masks, tensors: channel_masks(network, masks),
        "by the linearised gradient": lambda masks, tensors: linearised_masks(network, masks, tensors),
    }
    seeds, only = arguments.seeds, arguments.only
    print(f"{network.name}, {network.connections:,} weights; {seeds} seeds; kept, and alive by each way")
    print(f"| method | direct | kept | {' | '.join(ways)} |\n" + "|---" * (3 + len(ways)) + "|")
    for name in methods(network, 0, arguments):
        if only and not any(word in name for word in only):
            continue
        for direct in arguments.directs:
            counts = []
            for seed in range(seeds):
                tensors = initial_weights(network, seed)
                masks = methods(network, seed, arguments)[name](1 - 1 / direct)
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


def spread(found: list[float]) -> str:
    """Write the median, and in brackets the lowest and the highest where there may be such."""
    median = number(float(np.median(found)))
    alone = len(found) == 1 or {median} == {number(one) for one in found} <= {"inf", "not possible"}
    return median if alone else f"{median} ({number(min(found))} .. {number(max(found))})"


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
    parser.add_argument("--data", default="digits", choices=(*IMAGES, "made"), help="to find gradients with")
    parser.add_argument("--images", type=int, help="how many of them; default: all, or 100 that are made")
    parser.add_argument("--norms", action="store_true", help="find gradients with norms behind convolutions")
    parser.add_argument("--passing", action="store_true", help="score in rounds once for all targets")
    parser.add_argument("--record", type=Path, help="what was measured, to go on from")
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--ways", action="store_true", help="count in three ways instead")
    arguments = parser.parse_args()
    network = named_network(arguments.network)
    if arguments.ways:
        compare_ways(network, arguments)
        return
    curves, seconds = measure(network, arguments)
    print(f"{network.name}, {network.connections:,} weights; {arguments.seeds} seeds; effective at direct")
    print(
        "| method | "
        + " | ".join(f"{direct:g}x" for direct in arguments.directs)
        + " | prune, s | count, s |"
    )
    print("|---" * (len(arguments.directs) + 3) + "|")
    for name, curve in curves.items():
        cells = [spread(found) for found in curve]
        times = " | ".join(f"{value:.2f}" for value in seconds.get(name, (math.nan, math.nan)))
        print(f"| {name} | " + " | ".join(cells) + f" | {times} |")
    if arguments.svg:
        draw(network, arguments.directs, curves, arguments.svg)


if __name__ == "__main__":
    main()
