"""From a file's tensors and direct masks to effective masks that leave the function unchanged: `encode --effective`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.network.evaluate import evaluate
from xorweave.golden.network.folding import Folded, fold_biases
from xorweave.golden.network.layers import Input
from xorweave.golden.network.matching import resolve_network
from xorweave.golden.network.network import Masks, Network, Tensors


@dataclass(frozen=True, eq=False)
class Effective:
    """Effective masks for the tensors of a file.

    Attributes
    ----------
    network : Network
        Its tensors named as in the file.
    masks : dict of str to ndarray of bool
        One for every direct mask given; those of tensors outside the network are the direct ones.
    biases : dict of str to ndarray
        The biases that changed, in their own dtypes: they must take the place of the file's.
    inactivated : dict of str to int
        Connections dropped, by weight.
    kept : dict of str to int
        Inactivated connections that stay, because no bias of one value a channel could take their constant.
    """

    network: Network
    masks: Masks
    biases: dict[str, NDArray]
    inactivated: dict[str, int]
    kept: dict[str, int]


def make_effective(
    tensors: Mapping[str, NDArray], masks: Mapping[str, NDArray], network: str | Network | None = None
) -> Effective:
    """Turn direct masks into effective ones, and fold what the dropped connections carried into biases.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        All tensors of a file: weights and biases.
    masks : mapping of str to ndarray
        Direct masks by tensor name, non-zero = kept, at least one for every weight of the network.
    network : str or Network, optional
        A name of the catalogue, a .json description or an .onnx file (see `resolve_network`).

    Returns
    -------
    Effective
        The network with these masks and biases computes the same function as with the direct masks.

    Raises
    ------
    InputError
        The tensors do not fit the network, or a mask is missing.
    """
    described = network if isinstance(network, Network) else resolve_network(network, tensors)
    direct = described.check_masks({name: masks[name] for name in described.weights if name in masks})
    folded = fold_biases(described, tensors, direct, new_biases=False)
    found = {name: np.asarray(mask != 0) for name, mask in masks.items()} | folded.masks
    dropped = {name: int(np.count_nonzero(direct[name] & ~folded.masks[name])) for name in direct}
    biases = {name: folded.tensors[name] for name in folded.changed}
    return Effective(described, found, biases, dropped, folded.kept)


def largest_difference(
    network: Network,
    tensors: Tensors,
    masks: Masks,
    folded: Folded | Effective,
    *,
    examples: int = 16,
    seed: int = 0,
) -> float:
    """Run the network before and after on random inputs; return the largest difference over the largest output.

    Both run in double precision on the tensors as they are, so that what is seen is the folding and the
    rounding of the folded biases to their own dtype.

    Raises
    ------
    InputError
        The network holds an opaque layer and cannot be run.
    """
    if isinstance(folded, Effective) and not folded.biases and not any(folded.inactivated.values()):
        return 0.0  # nothing was dropped: it is the same network
    rng = np.random.default_rng(seed)
    data = {
        node.name: rng.normal(size=(examples, *node.shape))
        for node in network.nodes.values()
        if isinstance(node.layer, Input)
    }
    after_tensors = folded.tensors if isinstance(folded, Folded) else {**tensors, **folded.biases}
    before = evaluate(network, tensors, data, masks)
    after = evaluate(folded.network, after_tensors, data, folded.masks)
    largest = max((float(np.abs(out).max(initial=0.0)) for out in before), default=0.0)
    apart = max(float(np.abs(a - b).max(initial=0.0)) for a, b in zip(before, after, strict=True))
    return apart / largest if largest else apart
