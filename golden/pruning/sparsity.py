"""Direct and effective sparsity and compression of a masked network, per layer and in total.

Definitions of Vysogorets and Kempe (JMLR 2023), section 3: direct sparsity is the share of removed weights,
effective sparsity the share of removed or inactivated ones, compression 1 / (1 - sparsity). Biases and
norms are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.network.layers import Shape
from xorweave.golden.network.network import Masks, Network
from xorweave.golden.network.reachability import effective_masks


@dataclass(frozen=True)
class Sparsity:
    """How many weights of a tensor, or of a whole network, are kept and how many of those are alive.

    Attributes
    ----------
    name : str
    shape : tuple of int
        Empty for a whole network.
    total, kept, alive : int
        Weights there are, weights the direct mask keeps, and kept weights that lie on a live path.
    """

    name: str
    shape: Shape
    total: int
    kept: int
    alive: int

    @property
    def inactivated(self) -> int:
        """Kept weights that lie on no path from input to output."""
        return self.kept - self.alive

    @property
    def direct_sparsity(self) -> float:
        """Share of removed weights; 0 where there is none at all."""
        return 1 - self.kept / self.total if self.total else 0.0

    @property
    def effective_sparsity(self) -> float:
        """Share of removed or inactivated weights."""
        return 1 - self.alive / self.total if self.total else 0.0

    @property
    def direct_compression(self) -> float:
        """Weights to kept weights; infinite when none is kept."""
        return self.total / self.kept if self.kept else math.inf

    @property
    def effective_compression(self) -> float:
        """Weights to alive weights; infinite when input and output are cut apart."""
        return self.total / self.alive if self.alive else math.inf

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON can hold it; an infinite compression is None."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "weights": self.total,
            "kept": self.kept,
            "alive": self.alive,
            "inactivated": self.inactivated,
            "direct_sparsity": self.direct_sparsity,
            "effective_sparsity": self.effective_sparsity,
            "direct_compression": self.direct_compression if self.kept else None,
            "effective_compression": self.effective_compression if self.alive else None,
        }


def measure_sparsity(
    network: Network,
    masks: Mapping[str, NDArray],
    effective: Masks | None = None,
    *,
    mixing_norms: bool = True,
) -> tuple[list[Sparsity], Sparsity]:
    """Count direct and effective sparsity.

    Parameters
    ----------
    network : Network
    masks : mapping of str to ndarray
        Direct masks.
    effective : dict of str to ndarray of bool, optional
        Effective masks, if they are known already.
    mixing_norms : bool
        As for `effective_masks`.

    Returns
    -------
    (list of Sparsity, Sparsity)
        One for each weight tensor, front to back, and the total.
    """
    checked = network.check_masks(masks)
    alive = effective_masks(network, checked, mixing_norms=mixing_norms) if effective is None else effective
    layers = [
        Sparsity(
            name,
            shape,
            math.prod(shape),
            int(np.count_nonzero(checked[name])),
            int(np.count_nonzero(alive[name])),
        )
        for name, shape in network.weights.items()
    ]
    total = Sparsity(
        network.name,
        (),
        sum(layer.total for layer in layers),
        sum(layer.kept for layer in layers),
        sum(layer.alive for layer in layers),
    )
    return layers, total
