"""Encodable pruning of normal weights: bits against the energy lost, beside plain pruning that loses as much, and R(D).

    python benchmarks/encodable_bound.py [--rows 256] [--columns 512] [--sparsity .9] [--flips .05 .1 .2 .3] [--step 1]
        [--energy 1.02 1.05 1.1]

Energy is the sum of squares of weight less stored value, over that of plain INT8 at the same sparsity. Plain pruning is
INT8 on the same grid of the values, at the sparsity that loses as much. `mask` is the encoded mask, with what its
false ones take from the book by entropy; `R(D)` what an ideal code needs for the energy of the weights that are not
kept, values apart.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

import xorweave as xw
from xorweave.golden.code.limits import binary_entropy, bound_bits
from xorweave.golden.mask.masks import magnitude_mask


def rate_for_energy(size: NDArray[np.float64], kept: int, energy: float) -> float:
    """Return R(D): bits a weight that tell a mask of so many ones whose zeros have at most this energy.

    Weights are a source of known distribution; a mask bit is a one with probability p(a) at magnitude a. The least
    mutual information between magnitude and bit, for a number of ones and an energy of the zeros, has
    p(a) = q 2^l / (q 2^l + 1 - q), l = s a^2 + t: two multipliers, found by halving.
    """
    n, q = size.size, kept / size.size
    square = size**2 / np.sort(size)[-kept] ** 2

    def chances(slope: float) -> NDArray[np.float64]:
        low, high = -4 * slope, 4 * slope
        for _ in range(50):
            middle = (low + high) / 2
            odds = q / (1 - q) * np.exp2(np.clip(slope * square - slope + middle, -200, 200))
            p = odds / (1 + odds)
            low, high = (low, middle) if p.sum() > kept else (middle, high)
        return p

    least, most = 0.05, 1e4
    for _ in range(40):
        slope = float(np.sqrt(least * most))
        p = chances(slope)
        least, most = (slope, most) if ((1 - p) * size**2).sum() > energy else (least, slope)
    inside = np.clip(p, 1e-12, 1 - 1e-12)
    entropy = -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside)).sum() / n
    return binary_entropy(q) - float(entropy)


def stored_mask(encoded: xw.StoredTensor) -> float:
    """Return bits a weight of the mask and of telling its false ones from kept weights."""
    tensor = encoded.tensor
    n, ones = tensor.n, int(np.count_nonzero(tensor.mask_coder.decode()))
    kept = int(np.count_nonzero(encoded.decode()))
    return (tensor.mask_coder.bits + ones * binary_entropy(kept / ones)) / n


def plain_of(weights: NDArray[np.float32], sparsity: float, step: float) -> tuple[xw.StoredTensor, float]:
    """Return plainly pruned weights as they are stored, and the energy lost."""
    pruned = xw.encodable(weights * magnitude_mask(weights, sparsity), flips=0, dtype="int8", step=step)
    encoded = xw.encode(pruned.tensors, dtype="int8")["weights"]
    return encoded, float(((weights - pruned.tensors["weights"]).astype(np.float64) ** 2).sum())


def main() -> None:
    """Prune, store, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--columns", type=int, default=512)
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--flips", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.3])
    parser.add_argument("--step", type=float, nargs="+", default=[1.0, 4.0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--energy", type=float, nargs="+", help="R(D) alone, for the dropped energy over plain pruning's"
    )
    arguments = parser.parse_args()
    weights = np.random.default_rng(arguments.seed).standard_normal(
        (arguments.rows, arguments.columns), np.float32
    )
    n, size = weights.size, np.abs(weights.astype(np.float64)).reshape(-1)
    mask = magnitude_mask(weights, arguments.sparsity)
    squares = np.cumsum(np.sort(size) ** 2)
    if arguments.energy:
        for ratio in arguments.energy:
            energy = ratio * float(squares[n - int(mask.sum()) - 1])
            plain = float(np.searchsorted(squares, energy)) / n
            rate = rate_for_energy(size, int(mask.sum()), energy)
            print(f"energy {ratio:g}: R(D) {rate:.3f}, plain S = {plain:.4f}, h {binary_entropy(plain):.3f}")
        return
    words = np.rint(weights[mask] / (np.abs(weights).max() / 127)).astype(np.int8).view(np.uint8)
    bound = bound_bits(words, n) / n
    _, least = plain_of(weights, arguments.sparsity, 1.0)
    print(f"{n} normal weights, S = {arguments.sparsity}; plain INT8's bound {bound:.4f} bits a weight\n")
    print(
        "| flips | step | bits a weight | over the bound | energy lost | plain, as much lost: S | its bits | saved | "
        "mask | R(D) |\n" + "|---" * 10 + "|"
    )
    for step in arguments.step:
        rounding = plain_of(weights, arguments.sparsity, step)[1] - float(squares[n - int(mask.sum()) - 1])
        for flips in [0.0, *arguments.flips]:
            pruned = xw.encodable(weights, sparsity=arguments.sparsity, flips=flips, dtype="int8", step=step)
            encoded = xw.encode(pruned.tensors, dtype="int8")["weights"]
            energy = float(((weights - pruned.tensors["weights"]).astype(np.float64) ** 2).sum())
            zeros = float((size[(pruned.tensors["weights"] == 0).reshape(-1)] ** 2).sum())
            equal = float(np.searchsorted(squares, energy - rounding)) / n
            other, _ = plain_of(weights, equal, step)
            bits, its = (each.figures["bits_per_weight_with_mask"] for each in (encoded, other))
            rate = rate_for_energy(size, int(mask.sum()), zeros) if flips else binary_entropy(mask.mean())
            print(
                f"| {flips:g} | {step:g} | {bits:.4f} | {bits / bound:.3f} | {energy / least:.4f} | {equal:.4f} | "
                f"{its:.4f} | {100 * (1 - bits / its):.1f} % | {stored_mask(encoded):.3f} | {rate:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
