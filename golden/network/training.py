"""Training enough to judge masks: initialise, train under a mask, gradients for SNIP and GraSP (extra `train`).

PyTorch runs in one thread here: the networks are small, results stay the same from run to run, and parallel
work gains more from running several trainings side by side.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.evaluate import evaluate
from xorweave.golden.network.layers import BatchNorm, Input
from xorweave.golden.network.network import Network
from xorweave.golden.network.torch_model import import_torch, torch_forward, torch_values

Tensors = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a network is trained.

    Attributes
    ----------
    epochs, batch : int
        Passes over the examples, and examples a step.
    rate : float
        Step size.
    momentum : float, optional
        Of stochastic gradient descent; without it the steps are Adam's.
    decay : float
        The loss gets this times the sum of the squared weights; biases and norms are left out.
    drops : tuple of float
        Shares of all steps after which the rate falls to a tenth.
    """

    epochs: int = 20
    batch: int = 64
    rate: float = 1e-3
    momentum: float | None = None
    decay: float = 0.0
    drops: tuple[float, ...] = ()


def initial_tensors(network: Network, seed: int) -> Tensors:
    """Draw weights for rectifiers (normal, variance 2 / inputs; He et al., 2015); biases are 0, scales 1."""
    rng = np.random.default_rng(seed)
    tensors: Tensors = {}
    for name, shape in network.weights.items():
        fan_in = math.prod(shape[1:])
        tensors[name] = (rng.normal(size=shape) * math.sqrt(2 / fan_in)).astype(np.float32)
    ones = {
        getattr(node.layer, field)
        for node in network.nodes.values()
        for field in ("scale", "variance")
        if getattr(node.layer, field, None)
    }
    for name, shape in network.parameters.items():
        tensors[name] = np.full(shape, name in ones, np.float32)
    return tensors


def train(
    network: Network,
    tensors: Mapping[str, NDArray],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    masks: Mapping[str, NDArray] | None = None,
    *,
    schedule: Schedule = Schedule(),
    seed: int = 0,
    free: Collection[str] | None = None,
) -> Tensors:
    """Train a classifier on the cross-entropy; pruned weights stay zero.

    A batch norm whose statistics are free uses those of each batch and moves its own a tenth of the way towards them.

    Parameters
    ----------
    network : Network
    tensors : mapping of str to ndarray
        Where to start.
    images : ndarray, shape (n, *shape that flattens to the network's input)
    labels : ndarray of int, shape (n,)
    masks : mapping of str to ndarray, optional
    schedule : Schedule
    seed : int
        Of the order of the examples.
    free : collection of str, optional
        Names of the tensors that are trained; the others stay as they are, bit for bit. By default all are.

    Returns
    -------
    dict of str to ndarray of float32
        The trained tensors, masked.

    Raises
    ------
    InputError
        PyTorch is missing, images do not fit the network, or a free tensor is none of the network's.
    """
    names = _names(network)
    trained = names if free is None else [name for name in names if name in free]
    if free is not None and len(trained) < len(set(free)):
        raise InputError(f"free must name tensors of {network.name}: {', '.join(names)}")
    torch = import_torch()
    data, target = _batch(network, images), torch.from_numpy(np.asarray(labels, np.int64))
    held = {name: torch.tensor(np.asarray(tensors[name], np.float32)) for name in names}
    kept = _torch_masks(network, masks)
    kept = {name: mask for name, mask in kept.items() if name in trained}
    if not trained:
        return {name: tensor.numpy() for name, tensor in held.items()}
    statistics = _statistics(network)
    for name in trained:
        held[name].requires_grad_(name not in statistics)
    optimiser = _optimiser(torch, network, held, schedule)
    order = np.random.default_rng(seed)
    many = max(1, len(data) // schedule.batch)
    steps = torch.optim.lr_scheduler.MultiStepLR(
        optimiser, [round(share * many * schedule.epochs) for share in schedule.drops]
    )
    with _one_thread():
        still = _values_before(network, held, data, set(trained))
        for _ in range(schedule.epochs):
            for chosen in np.array_split(order.permutation(len(data)), many):
                optimiser.zero_grad()
                known = {name: values[chosen] for name, values in still.items()}
                out = torch_forward(network, _masked(held, kept), data[chosen], learning=trained, known=known)
                torch.nn.functional.cross_entropy(out, target[chosen]).backward()
                optimiser.step()
                steps.step()
    with torch.no_grad():
        return {name: tensor.numpy().copy() for name, tensor in _masked(held, kept).items()}


def _values_before(network: Network, held: Mapping, data, trained: set[str]) -> dict:  # type: ignore[no-untyped-def]
    """Return what training cannot change and what it reads: outputs of the nodes before the first trained ones."""
    torch = import_torch()
    still: set[str] = set()
    read: set[str] = set()
    for node in network.nodes.values():
        own = {*node.layer.weights, *node.layer.parameters}
        if own & trained or not still.issuperset(node.inputs):
            read.update(still.intersection(node.inputs))
        else:
            still.add(node.name)
    with torch.no_grad():
        parts = [torch_values(network, held, part, read) for part in data.split(500)]
    return {name: torch.cat([part[name] for part in parts]) for name in read}


def _optimiser(torch, network: Network, held: Mapping, schedule: Schedule):  # type: ignore[no-untyped-def]
    """Return what steps; the gradient of d w^2 is 2 d w, and PyTorch's weight decay the factor of w."""
    moved = {name: tensor for name, tensor in held.items() if tensor.requires_grad}
    groups = [
        {
            "params": [tensor for name, tensor in moved.items() if name in network.weights],
            "weight_decay": 2 * schedule.decay,
        },
        {"params": [tensor for name, tensor in moved.items() if name not in network.weights]},
    ]
    if schedule.momentum is None:
        return torch.optim.Adam(groups, lr=schedule.rate)
    return torch.optim.SGD(groups, lr=schedule.rate, momentum=schedule.momentum)


def _statistics(network: Network) -> set[str]:
    """Return the means and variances of the batch norms: they follow the batches, no gradient moves them."""
    norms = [node.layer for node in network.nodes.values() if isinstance(node.layer, BatchNorm)]
    return {name for norm in norms for name in (norm.mean, norm.variance)}


def loss_gradients(
    network: Network,
    tensors: Mapping[str, NDArray],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    masks: Mapping[str, NDArray] | None = None,
) -> Tensors:
    """Return the gradient of the mean cross-entropy at every weight: what SNIP scores with.

    Parameters are those of `train`; with masks it is the gradient at the pruned network, at pruned weights, too.
    Batch norms use the statistics of the images.
    """
    torch = import_torch()
    held = _masked_weights(network, tensors, masks)
    weights = [held[name] for name in network.weights]
    with _one_thread():
        found = torch.autograd.grad(_loss(network, held, images, labels), weights)
    return {name: gradient.numpy() for name, gradient in zip(network.weights, found, strict=True)}


def flow_gradients(
    network: Network,
    tensors: Mapping[str, NDArray],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    masks: Mapping[str, NDArray] | None = None,
    *,
    temperature: float = 200.0,
) -> Tensors:
    """Return H g at every weight, g and H the gradient and the Hessian of the loss: what GraSP scores with.

    Wang, Zhang, Grosse (ICLR 2020), algorithm 1: the outputs are divided by a temperature, 200 in their code, so that
    confident predictions have a gradient, too. Parameters are those of `loss_gradients`.
    """
    torch = import_torch()
    held = _masked_weights(network, tensors, masks)
    weights = [held[name] for name in network.weights]
    with _one_thread():
        loss = _loss(network, held, images, labels, temperature)
        gradients = torch.autograd.grad(loss, weights, create_graph=True)
        flow = sum((gradient.detach() * gradient).sum() for gradient in gradients)
        found = torch.autograd.grad(flow, weights)
    return {name: product.numpy() for name, product in zip(network.weights, found, strict=True)}


def _masked_weights(network: Network, tensors: Mapping[str, NDArray], masks: Mapping[str, NDArray] | None):  # type: ignore[no-untyped-def]
    torch = import_torch()
    held = {name: torch.tensor(np.asarray(tensors[name], np.float32)) for name in _names(network)}
    held = _masked(held, _torch_masks(network, masks))
    for name in network.weights:
        held[name].requires_grad_(True)
    return held


def _loss(network: Network, held: Mapping, images: NDArray, labels: NDArray, temperature: float = 1.0):  # type: ignore[no-untyped-def]
    torch = import_torch()
    out = torch_forward(network, held, _batch(network, images), learning=_statistics(network)) / temperature
    return torch.nn.functional.cross_entropy(out, torch.from_numpy(np.asarray(labels, np.int64)))


def accuracy(
    network: Network,
    tensors: Mapping[str, NDArray],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    masks: Mapping[str, NDArray] | None = None,
) -> float:
    """Return the share of images classified as labelled (run in NumPy, single precision)."""
    out = evaluate(network, tensors, _fitted(network, images), masks, dtype=np.float32)[0]
    return float((out.argmax(axis=1) == labels).mean())


@contextmanager
def _one_thread() -> Iterator[None]:
    torch = import_torch()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _names(network: Network) -> list[str]:
    return [*network.weights, *network.parameters]


def _fitted(network: Network, images: NDArray[np.float32]) -> NDArray[np.float32]:
    shape = next(node.shape for node in network.nodes.values() if isinstance(node.layer, Input))
    if math.prod(shape) != math.prod(images.shape[1:]):
        raise InputError(f"images of shape {images.shape[1:]} do not fit the input {shape} of {network.name}")
    return np.asarray(images, np.float32).reshape(-1, *shape)


def _batch(network: Network, images: NDArray[np.float32]):  # type: ignore[no-untyped-def]  # a torch.Tensor
    return import_torch().from_numpy(_fitted(network, images))


def _torch_masks(network: Network, masks: Mapping[str, NDArray] | None):  # type: ignore[no-untyped-def]
    torch = import_torch()
    if masks is None:
        return {}
    return {
        name: torch.from_numpy(mask.astype(np.float32)) for name, mask in network.check_masks(masks).items()
    }


def _masked(held: Mapping, kept: Mapping) -> dict:
    return {name: tensor * kept[name] if name in kept else tensor for name, tensor in held.items()}
