"""What is possible at best: entropy limits and the theory of a fixed-rate code on a random mask."""

from __future__ import annotations

import math

import numpy as np


def binary_entropy(p: float) -> float:
    """Return h(p) = -p log2 p - (1-p) log2 (1-p), in bits."""
    if p <= 0.0 or p >= 1.0:
        return 0.0
    return -p * math.log2(p) - (1.0 - p) * math.log2(1.0 - p)


def mask_entropy(sparsity: float) -> float:
    """Return the entropy of a random mask in bits a weight: h(S)."""
    return binary_entropy(sparsity)


def value_entropy(words: np.ndarray) -> float:
    """Return the zeroth-order empirical entropy of the kept values, in bits a value (shape (n,))."""
    if words.size == 0:
        return 0.0
    if words.dtype.kind == "u" and words.dtype.itemsize <= 2:
        counts = np.bincount(words)
        counts = counts[counts > 0]
    else:
        counts = np.unique(words, return_counts=True)[1]
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum())


def bound_bits(kept: np.ndarray, n: int) -> float:
    """Return n h(S) + the order-0 entropy of the kept words of n, those that are not 0, shape (kept,), in any order.

    It bounds codes that treat positions alike and words one by one; a mask with structure (empty rows, blocks) can
    cost less. The table of frequencies is not in it. Where almost every word occurs once (FP32) no code reaches it:
    the words themselves would have to be in its table.
    """
    return n * mask_entropy(1 - kept.size / n) + kept.size * value_entropy(kept) if n else 0.0


def rate_limit(sparsity: float) -> float:
    """Return the least rate N_in / N_out that can carry random values without an unmatched bit: 1 - S."""
    return 1.0 - sparsity


def best_efficiency(rate: float, sparsity: float) -> float:
    """Return the largest encoding efficiency E at a rate, for random values (rate-distortion function).

    E_max = 1 - h^-1(1 - N_in / (N_out (1 - S))) when there are more care bits than encoded bits, else 1.
    """
    care = 1.0 - sparsity
    if care <= 0.0 or rate >= care:
        return 1.0
    from scipy.optimize import brentq  # a fifth of a second to import

    distortion = 1.0 - rate / care
    if distortion >= 1.0:
        return 0.5
    return 1.0 - float(brentq(lambda p: binary_entropy(p) - distortion, 0.0, 0.5, xtol=1e-12))


def care_bits_deviation(sparsity: float, n_out: int) -> float:
    """Return the coefficient of variation of the care bits of a block for a random mask: sqrt(S/((1-S) N_out))."""
    return math.sqrt(sparsity / ((1.0 - sparsity) * n_out))


def care_bits_distribution(sparsity: float, n_out: int) -> np.ndarray:
    """Return the probability of 0 .. n_out care bits in a block for a random mask, shape (n_out + 1,)."""
    from scipy.stats import binom

    return np.asarray(binom.pmf(np.arange(n_out + 1), n_out, 1.0 - sparsity))


def overflow_share(sparsity: float, buffer: float) -> float:
    """Return the expected share of dependent equations among care bits at the entropy limit: S / (2 B).

    The free columns of the window are a queue that fluctuates like a random walk of variance S a care bit between
    0 and B = K - N_in columns; a walk without drift reflected at both ends spends S / (2 B) of its steps at the
    lower end, where equations find no free column.
    """
    return sparsity / (2.0 * buffer)
