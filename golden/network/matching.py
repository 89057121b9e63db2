"""Finding the network that the tensors of a file belong to, and its tensors in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import CATALOGUE, named_network
from xorweave.golden.network.layer_order import HINT as _HINT
from xorweave.golden.network.layer_order import by_number, layer_order
from xorweave.golden.network.layers import Dense, Opaque
from xorweave.golden.network.network import Network
from xorweave.golden.network.onnx_reader import read_onnx


def resolve_network(
    choice: str | None,
    tensors: Mapping[str, NDArray],
    *,
    order: Sequence[str] | None = None,
    ordered: bool = True,
) -> Network:
    """Return the network that `choice` names, with its tensors named as in the file.

    Parameters
    ----------
    choice : str, optional
        A name of the catalogue, a .json description or an .onnx file; without it, the tensors of rank 2
        must be the layers of a fully connected network with rectifiers.
    tensors : mapping of str to ndarray
    order : sequence of str, optional
        The weights' names front to back, where the file says so.
    ordered : bool
        Whether the order of `tensors` is the order of the layers, or one that a file format made.

    Raises
    ------
    InputError
        There is no such network, the tensors do not fit it, or in more than one way.
    """
    if choice is None:
        return infer_perceptron(tensors, order=order, ordered=ordered)
    suffix = Path(choice).suffix.lower()
    if suffix == ".json":
        return match_tensors(read_description(Path(choice)), tensors, order=order, ordered=ordered)
    if suffix == ".onnx":
        return match_tensors(read_onnx(Path(choice))[0], tensors, order=order, ordered=ordered)
    if choice not in CATALOGUE:
        raise InputError(
            f"the network must be one of {', '.join(CATALOGUE)}, a .json description or an .onnx file, not {choice!r}"
        )
    return match_tensors(named_network(choice), tensors, order=order, ordered=ordered)


def read_description(path: Path) -> Network:
    """Read a network description from a JSON file.

    Raises
    ------
    InputError
        The file is not there or is no description.
    """
    try:
        return Network.from_json(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} must be a network description in JSON") from None


def match_tensors(
    network: Network,
    tensors: Mapping[str, NDArray],
    *,
    order: Sequence[str] | None = None,
    ordered: bool = True,
) -> Network:
    """Return the network with its tensors named as in `tensors`.

    Names are taken as they are if they are all there. Otherwise the weights (rank 2 and more) are matched
    by shape; where several have one shape, in their order: the given one, the file's if it is one, or that of the
    numbers in their names. The bias of `X.weight` is `X.bias`. Biases that are not there are taken out.

    Raises
    ------
    InputError
        The tensors do not fit the network, or their order is not known.
    """
    names: dict[str, str | None] = {}
    if not all(name in tensors for name in network.weights):
        given = _in_order(network, weights_of(tensors), order, ordered)
        names.update(zip(network.weights, given, strict=True))
        for _, layer in network.weighted():
            if layer.bias is not None:
                names[layer.bias] = _bias_of(str(names[layer.weight]), layer.outputs, tensors)
    for name, shape in network.weights.items():
        weight = names.get(name) or name
        if tensors[weight].shape != shape:
            raise InputError(f"the tensor {weight} must have shape {shape}, not {tensors[weight].shape}")
    for name, shape in network.parameters.items():
        own = names.get(name, name)
        if own is None or own not in tensors:
            names[name] = None
        elif tensors[own].shape != shape:
            raise InputError(f"the tensor {own} must have shape {shape}, not {tensors[own].shape}")
    return network.renamed({old: new for old, new in names.items() if old != new})


def _in_order(
    network: Network, given: Mapping[str, NDArray], order: Sequence[str] | None, ordered: bool
) -> list[str]:
    """Return the names of the tensors that stand for the network's weights, front to back."""
    wanted = list(network.weights.values())
    names = list(order) if order is not None and set(order) == set(given) else list(given)
    shapes = [given[name].shape for name in names]
    if sorted(shapes) != sorted(wanted) or ((ordered or order is not None) and shapes != wanted):
        found = ", ".join(map(str, shapes)) or "none"
        raise InputError(
            f"{network.name} needs weights of the shapes {', '.join(map(str, wanted))}, not {found}"
        )
    if ordered or order is not None:
        return names
    if (numbered := by_number(names)) is not None and [given[name].shape for name in numbered] == wanted:
        return numbered
    if len(set(shapes)) < len(shapes):
        raise InputError(
            f"the order of the tensors {', '.join(names[:8])} must be known, as several have one shape, but their "
            f"file sorts them by name; {_HINT}"
        )
    return [next(name for name in names if given[name].shape == shape) for shape in wanted]


def weights_of(tensors: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Return the tensors that can be a network's weights: rank 2 and more, floats and INT8, other integers if alone."""
    large = {name: tensor for name, tensor in tensors.items() if tensor.ndim >= 2 and tensor.size}
    real = {name: t for name, t in large.items() if t.dtype.kind == "f" or t.dtype == np.int8}
    return real or {name: tensor for name, tensor in large.items() if tensor.dtype.kind in "iu"}


def unknown_network(tensors: Mapping[str, NDArray], remark: str) -> Network:
    """Return a network of which nothing is known but its weights: every kept weight counts as alive.

    Raises
    ------
    InputError
        There are no weights.
    """
    weights = weights_of(tensors)
    if not weights:
        raise InputError("there must be weights: tensors of rank 2 and more")
    network = Network("tensors", remark)
    owned = tuple((name, tensor.shape) for name, tensor in weights.items())
    network.add(Opaque("unknown", (1,), owned), network.input((1,)))
    return network


def infer_perceptron(
    tensors: Mapping[str, NDArray], *, order: Sequence[str] | None = None, ordered: bool = True
) -> Network:
    """Take the tensors of rank 2 for the layers of a fully connected network with rectifiers between.

    Parameters
    ----------
    tensors : mapping of str to ndarray
    order : sequence of str, optional
        Their names front to back, where the file says so.
    ordered : bool
        Whether the order of `tensors` counts. If not, it must follow from the shapes, or from the numbers in the
        names; the network's `remark` then says what was taken.

    Raises
    ------
    InputError
        There are weights of another rank, one layer's outputs are not the next one's inputs, or several orders fit.
    """
    weights = {name: tensor.shape for name, tensor in weights_of(tensors).items()}
    if not weights or any(len(shape) != 2 for shape in weights.values()):
        raise InputError(f"only a fully connected network can be made out from its tensors; {_HINT}")
    found = layer_order(weights, order=order, ordered=ordered)
    network = Network("perceptron", found.remark)
    width = weights[found.names[0]][0 if found.transposed else 1]
    x = network.input((width,))
    for i, name in enumerate(found.names, 1):
        outputs = weights[name][1 if found.transposed else 0]
        bias = _bias_of(name, outputs, tensors)
        x = network.add(Dense(name, weights[name], bias, transposed=found.transposed), x, name=f"layer{i}")
        if i < len(weights):
            x = network.relu(x)
    return network


def _bias_of(weight: str, outputs: int, tensors: Mapping[str, NDArray]) -> str | None:
    if "weight" not in weight:
        return None
    head, _, tail = weight.rpartition("weight")
    bias = f"{head}bias{tail}"
    return bias if bias in tensors and tensors[bias].shape == (outputs,) else None
