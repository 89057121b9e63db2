"""The generators that are chosen among: how a code of a family is made for a size, and what it loses to uniform rows.

Uniform rows lose nothing and cost the most gates. A chain of two taps an output behaves like them where care bits are
several outputs apart: the denser they are, the more taps it takes. A graph needs five sums for each encoded bit, or
rings among the care bits' edges make them dependent. Fitted to eliminations over random masks of density .05 to .5
(``benchmarks/choice.py --families``).
"""

from __future__ import annotations

from functools import lru_cache

from xorweave.golden.code.code import Code

# The part of its window that a family makes use of, as if its rows were uniform; and the equations that it loses where
# the stream starts, as a share of the window but for two symbols: rows of few taps hardly touch the columns that are
# there so far.
_USE = {
    "uniform": (1.0, 0.0),
    "sparse": (0.95, 0.05),
    "chain": (0.85, 0.12),
    "graph": (0.95, 0.08),
    "paired": (0.85, 0.1),
}
_DENSE = 0.35  # the density from which on a chain takes four taps an output instead of two
_SUMS = 5  # of a graph for each encoded bit


def window_use(family: str) -> tuple[float, float]:
    """Return what part of its window a code of the family makes use of, and what part it loses at a stream's start.

    The latter of the window but for two symbols.

    A family of which nothing is known is taken for uniform rows.
    """
    return _USE.get(family, _USE["uniform"])


@lru_cache(maxsize=64)  # tensors of one shape tend to get the same code
def family_code(family: str, n_in: int, n_out: int, n_s: int, seed: int = 0) -> Code:
    """Make the code of a size, its parameters as good as `window_use` says for care bits at the code's own rate."""
    window = n_in * (n_s + 1)
    parameters = {"seed": seed}
    if family == "chain":
        parameters["taps"] = min(2 if n_in / n_out < _DENSE else 4, window)
    elif family == "graph":
        parameters["pool"] = max(8, n_out // 2, _SUMS * n_in)
        parameters["run"] = max(1, min(4, window - 2))
        parameters["start"] = max(2, min(3, window - parameters["run"] + 1))
    return Code.from_family(family, n_in=n_in, n_out=n_out, n_s=n_s, **parameters)
