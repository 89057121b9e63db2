"""Retraining of the layers that are not stored yet (extra `train`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.network.network import Network
from xorweave.golden.network.torch_model import import_torch, torch_forward


def retrain_unfrozen(
    network: Network,
    tensors: Mapping[str, NDArray],
    frozen: Collection[str],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    epochs: int = 3,
    batch: int = 64,
    rate: float = 5e-4,
    seed: int = 0,
) -> dict[str, NDArray]:
    """Train a classifier for some epochs with Adam; frozen tensors stay as they are, zero weights stay zero.

    Parameters
    ----------
    network : Network
    tensors : mapping of str to ndarray
    frozen : collection of str
        Names of tensors that keep their values, false positives and all.
    images : ndarray, shape (n, *input shape)
    labels : ndarray of int, shape (n,)
    epochs, batch, rate, seed
        As of ``network.training.train``.

    Raises
    ------
    InputError
        PyTorch is missing.
    """
    torch = import_torch()
    shape = network.nodes[next(iter(network.nodes))].shape
    data = torch.from_numpy(np.ascontiguousarray(images, np.float32).reshape(len(images), *shape))
    target = torch.from_numpy(np.asarray(labels, np.int64))
    held = {name: torch.tensor(np.asarray(value, np.float32)) for name, value in tensors.items()}
    free = [name for name in held if name not in frozen]
    if not free:
        return {name: np.array(value) for name, value in tensors.items()}
    kept = {name: held[name] != 0 for name in free if name in network.weights}
    for name in free:
        held[name].requires_grad_(True)
    optimiser = torch.optim.Adam([held[name] for name in free], lr=rate)
    order = np.random.default_rng(seed)
    for _ in range(epochs):
        for chosen in np.array_split(order.permutation(len(data)), max(1, len(data) // batch)):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(
                torch_forward(network, held, data[chosen]), target[chosen]
            ).backward()
            optimiser.step()
            with torch.no_grad():
                for name, mask in kept.items():
                    held[name] *= mask
    return {name: value.detach().numpy().copy() for name, value in held.items()}
