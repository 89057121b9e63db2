"""The generators that are chosen among: how a code of a family is made for a size, and what it loses to uniform rows.

Uniform rows lose nothing and cost the most gates. A chain of two taps an output behaves like them where care bits are
several outputs apart: the denser they are, the more taps it takes. A graph needs five sums for each encoded bit, or
rings among the care bits' edges make them dependent. Fitted to eliminations over random masks of density .05 to .5
(``benchmarks/choice.py --families``).
"""

from __future__ import annotations

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code

# The part of its window that a family makes use of, as if its rows were uniform.
_SHARES = {"uniform": 1.0, "sparse": 0.95, "chain": 0.85, "graph": 0.95, "paired": 0.85}
_DENSE = 0.35  # the density from which on a chain takes four taps an output instead of two
_SUMS = 5  # of a graph for each encoded bit


def window_share(family: str) -> float:
    """Return what part of its window a code of the family makes use of.

    Raises
    ------
    InputError
        There is no such family, or nothing is known of it.
    """
    if family not in _SHARES:
        raise InputError(f"the family must be one of {', '.join(_SHARES)}, not {family!r}")
    return _SHARES[family]


def known_share(family: str) -> float:
    """Return `window_share`, or that of uniform rows for a family of which nothing is known."""
    return _SHARES.get(family, 1.0)


def family_code(family: str, n_in: int, n_out: int, n_s: int, seed: int = 0) -> Code:
    """Make the code of a size, its parameters as good as `window_share` says for care bits at the code's own rate."""
    window = n_in * (n_s + 1)
    parameters = {"seed": seed}
    if family == "chain":
        parameters["taps"] = min(2 if n_in / n_out < _DENSE else 4, window)
    elif family == "graph":
        parameters["pool"] = max(8, n_out // 2, _SUMS * n_in)
        parameters["run"] = max(1, min(4, window - 2))
        parameters["start"] = max(2, min(3, window - parameters["run"] + 1))
    return Code.from_family(family, n_in=n_in, n_out=n_out, n_s=n_s, **parameters)
