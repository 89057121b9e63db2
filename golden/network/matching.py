"""Finding the network that the tensors of a file belong to, and its tensors in the file."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import CATALOGUE, named_network
from xorweave.golden.network.layers import Dense
from xorweave.golden.network.network import Network
from xorweave.golden.network.onnx_reader import read_onnx


def resolve_network(choice: str | None, tensors: Mapping[str, NDArray]) -> Network:
    """Return the network that `choice` names, with its tensors named as in the file.

    Parameters
    ----------
    choice : str, optional
        A name of the catalogue, a .json description or an .onnx file; without it, the tensors of rank 2
        must be the layers of a fully connected network with rectifiers, in order.
    tensors : mapping of str to ndarray

    Raises
    ------
    InputError
        There is no such network, or the tensors do not fit it.
    """
    if choice is None:
        return infer_perceptron(tensors)
    suffix = Path(choice).suffix.lower()
    if suffix == ".json":
        return match_tensors(read_description(Path(choice)), tensors)
    if suffix == ".onnx":
        return match_tensors(read_onnx(Path(choice))[0], tensors)
    if choice not in CATALOGUE:
        raise InputError(
            f"the network must be one of {', '.join(CATALOGUE)}, a .json description or an .onnx file, not {choice!r}"
        )
    return match_tensors(named_network(choice), tensors)


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


def match_tensors(network: Network, tensors: Mapping[str, NDArray]) -> Network:
    """Return the network with its tensors named as in `tensors`.

    Names are taken as they are if they are all there. Otherwise the weights (rank 2 and more) are matched
    in order, shapes must agree, and the bias of `X.weight` is `X.bias`. Biases that are not there are taken
    out.

    Raises
    ------
    InputError
        The tensors do not fit the network.
    """
    names: dict[str, str | None] = {}
    if not all(name in tensors for name in network.weights):
        given = [name for name, tensor in tensors.items() if tensor.ndim >= 2]
        wanted = [str(shape) for shape in network.weights.values()]
        found = [str(tensors[name].shape) for name in given]
        if wanted != found:
            raise InputError(
                f"{network.name} needs weights of the shapes {', '.join(wanted)}, not {', '.join(found) or 'none'}"
            )
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


def infer_perceptron(tensors: Mapping[str, NDArray]) -> Network:
    """Take the tensors of rank 2, in order, for the layers of a fully connected network with rectifiers between.

    Raises
    ------
    InputError
        There are weights of another rank, or one layer's outputs are not the next one's inputs.
    """
    weights = {name: tensor.shape for name, tensor in tensors.items() if tensor.ndim >= 2}
    hint = "give --network: a name, a .json description or an .onnx file"
    if not weights or any(len(shape) != 2 for shape in weights.values()):
        raise InputError(f"only a fully connected network can be made out from its tensors; {hint}")
    shapes = list(weights.values())
    for transposed in (False, True):
        widths = [shape[::-1] if not transposed else shape for shape in shapes]  # (inputs, outputs)
        if all(before[1] == after[0] for before, after in pairwise(widths)):
            break
    else:
        raise InputError(f"the tensors {', '.join(weights)} do not follow on each other as layers; {hint}")
    network = Network("perceptron")
    x = network.input((widths[0][0],))
    for i, (name, shape) in enumerate(weights.items(), 1):
        bias = _bias_of(name, widths[i - 1][1], tensors)
        x = network.add(Dense(name, shape, bias, transposed=transposed), x, name=f"layer{i}")
        if i < len(weights):
            x = network.relu(x)
    return network


def _bias_of(weight: str, outputs: int, tensors: Mapping[str, NDArray]) -> str | None:
    if "weight" not in weight:
        return None
    head, _, tail = weight.rpartition("weight")
    bias = f"{head}bias{tail}"
    return bias if bias in tensors and tensors[bias].shape == (outputs,) else None
