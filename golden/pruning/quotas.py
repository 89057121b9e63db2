"""Layer quotas: how many weights each layer may keep so that a given number is kept in all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.layers import Shape

Shapes = Mapping[str, Shape]
Quota = Callable[[Shapes, int], dict[str, int]]


def uniform(shapes: Shapes, kept: int) -> dict[str, int]:
    """Give every layer the same density."""
    sizes = _sizes(shapes, kept)
    density = kept / sum(sizes.values())
    return _whole({name: size * density for name, size in sizes.items()}, sizes, kept)


def uniform_plus(shapes: Shapes, kept: int) -> dict[str, int]:
    """Give every layer the same density, but the first convolution 1 and the last dense layer at least 0.2.

    Gale, Elsen, Hooker, "The State of Sparsity in Deep Neural Networks", 2019, section 5.

    Raises
    ------
    InputError
        What is kept in all is less than these two layers must keep.
    """
    sizes = _sizes(shapes, kept)
    floor = dict.fromkeys(sizes, 0)
    names = list(shapes)
    first, last = names[0], names[-1]
    if len(shapes[first]) > 2:
        floor[first] = sizes[first]
    if len(shapes[last]) == 2:
        floor[last] = max(floor[last], math.ceil(0.2 * sizes[last]))
    if sum(floor.values()) > kept:
        raise InputError(
            f"uniform+ must keep at least {sum(floor.values())} weights of this network, not {kept}"
        )
    # the last layer is raised to its floor only if the common density leaves it below
    fixed = {name for name in floor if floor[name] == sizes[name]}
    while True:
        free = {name: size for name, size in sizes.items() if name not in fixed}
        density = (kept - sum(floor[name] for name in fixed)) / max(1, sum(free.values()))
        low = {name for name in free if floor[name] > density * sizes[name]}
        if not low:
            break
        fixed |= low
    ideal = {name: floor[name] if name in fixed else sizes[name] * density for name in sizes}
    return _whole(ideal, sizes, kept)


def erk(shapes: Shapes, kept: int) -> dict[str, int]:
    """Erdos-Renyi-kernel quotas: density proportional to the sum of a layer's dimensions over their product.

    Evci, Gale, Menick, Castro, Elsen, "Rigging the Lottery", ICML 2020. Where a layer would get a density
    above 1, the surplus goes to the layer before it, as Vysogorets and Kempe do (what the first layer
    cannot take goes to the layers after it).
    """
    sizes = _sizes(shapes, kept)
    sums = {name: sum(shape) for name, shape in shapes.items()}
    scale = kept / sum(sums.values())
    ideal = {name: scale * total for name, total in sums.items()}
    surplus = 0.0
    for names in (reversed(list(ideal)), iter(list(ideal))):
        for name in names:
            ideal[name] += surplus
            surplus = max(0.0, ideal[name] - sizes[name])
            ideal[name] -= surplus
    return _whole(ideal, sizes, kept)


def igq(shapes: Shapes, kept: int) -> dict[str, int]:
    """Ideal gas quotas: density 1 / (1 + F n) of a layer of n weights, one F for all.

    Vysogorets and Kempe (JMLR 2023), section 5. F follows from what is kept in all, by bisection: the sum
    over the layers of n / (1 + F n) falls from the number of all weights to 0 as F grows.
    """
    sizes = _sizes(shapes, kept)
    if kept in (0, sum(sizes.values())):
        return {name: size if kept else 0 for name, size in sizes.items()}
    low, high = 0.0, 1.0
    while _gas(sizes, high) > kept:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if _gas(sizes, middle) > kept:
            low = middle
        else:
            high = middle
    ideal = {name: size / (1 + high * size) for name, size in sizes.items()}
    return _whole(ideal, sizes, kept)


def _gas(sizes: Mapping[str, int], f: float) -> float:
    return sum(size / (1 + f * size) for size in sizes.values())


QUOTAS: dict[str, Quota] = {"uniform": uniform, "uniform+": uniform_plus, "erk": erk, "igq": igq}


def named_quota(name: str) -> Quota:
    """Look a quota function up by name.

    Raises
    ------
    InputError
        There is no such quota.
    """
    if name not in QUOTAS:
        raise InputError(
            f"the quota must be one of {', '.join(QUOTAS)}, or a method that scores (synflow, ...), not {name!r}"
        )
    return QUOTAS[name]


def _sizes(shapes: Shapes, kept: int) -> dict[str, int]:
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    if not sizes:
        raise InputError("a network must have at least one weight tensor to be pruned")
    if not 0 <= kept <= sum(sizes.values()):
        raise InputError(f"the number of kept weights must lie in 0 .. {sum(sizes.values())}, not {kept}")
    return sizes


def _whole(ideal: Mapping[str, float], sizes: Mapping[str, int], kept: int) -> dict[str, int]:
    """Round to whole weights that add up to `kept`: the largest remainders are rounded up."""
    counts = {name: min(sizes[name], math.floor(value)) for name, value in ideal.items()}
    by_remainder = sorted(counts, key=lambda name: counts[name] - ideal[name])
    while (missing := kept - sum(counts.values())) > 0:
        for name in [name for name in by_remainder if counts[name] < sizes[name]][:missing]:
            counts[name] += 1
    while (surplus := sum(counts.values()) - kept) > 0:
        # only rounding errors in the ideal values lead here
        for name in [name for name in reversed(by_remainder) if counts[name]][:surplus]:
            counts[name] -= 1
    return counts
