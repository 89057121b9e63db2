"""The tensors of a network from whatever holds them: weight files, a folder of .npy files, ONNX, a bare description."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import from_bfloat16, to_bfloat16
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.files.shards import INDEX
from xorweave.golden.files.weight_files import WeightFile, read_weight_file
from xorweave.golden.network.catalogue import CATALOGUE, named_network
from xorweave.golden.network.matching import match_tensors, read_description, resolve_network, unknown_network
from xorweave.golden.network.network import Network
from xorweave.golden.network.onnx_reader import read_onnx
from xorweave.golden.network.training import initial_tensors

PRUNED = "xorweave.prune"  # the metadata key under which prune says what it did


@dataclass(frozen=True, eq=False)
class NetworkSource:
    """A network, and the file it was read from.

    Attributes
    ----------
    network : Network
        Its `remark` says what was taken for granted.
    arrays : dict of str to ndarray
        The tensors to reckon with: BF16 widened to float32, quantised ones of ONNX as the numbers they stand for. Empty
        for a bare description.
    file : WeightFile
        The tensors as they are stored, and the metadata.
    """

    network: Network
    arrays: dict[str, NDArray]
    file: WeightFile


def read_source(source: Path, choice: str | None, *, seed: int = 0) -> NetworkSource:
    """Read tensors and the network they belong to.

    Parameters
    ----------
    source : Path
        What `read_weight_file` reads; .onnx brings its network along; or .json, a network description without tensors;
        or the name of a network of the catalogue, whose weights are drawn.
    choice : str, optional
        The network, as for `resolve_network`. Without it, tensors that are no fully connected network make one of which
        nothing is known (see `unknown_network`).
    seed : int
        Of weights that are drawn: see `initial_tensors`.

    Raises
    ------
    InputError
        Nothing can be read, or the tensors do not fit the network.
    """
    if str(source) in CATALOGUE and not source.exists():
        return _at_initialisation(str(source), choice, seed)
    suffix = source.suffix.lower()
    if suffix == ".json" and not source.name.lower().endswith(INDEX):
        return NetworkSource(read_description(source), {}, WeightFile({}))
    file = read_weight_file(source)
    if suffix == ".onnx":
        network, arrays = read_onnx(source)
        return NetworkSource(network if choice is None else resolve_network(choice, arrays), arrays, file)
    arrays = as_arrays(file.tensors)
    ordered = file.ordered or (source.is_dir() and not any(source.glob("*.safetensors*")))
    order = stored_order(file.metadata)
    try:
        if choice is not None and choice.lower().endswith(".onnx"):
            model, own = read_onnx(Path(choice))
            arrays = _of_model(model, own, arrays)
            network = match_tensors(model, arrays, order=order, ordered=ordered)
        else:
            network = resolve_network(choice, arrays, order=order, ordered=ordered)
    except InputError as error:
        if choice is not None:
            raise
        network = unknown_network(arrays, f"every kept weight counts as alive: {error}")
    return NetworkSource(network, arrays, file)


def _of_model(network: Network, own: Mapping[str, NDArray], arrays: dict[str, NDArray]) -> dict[str, NDArray]:
    """Return the tensors of a file in which a model's stand under their names, with what its network makes of them.

    A network has biases of shape (64,) where the model adds (1, 1, 64), and parameters that the model only implies:
    what it subtracts, what several of its constants make together.
    """
    if not all(name in arrays for name in network.weights):
        return arrays
    made = dict(arrays)
    for name, shape in network.parameters.items():
        stored = arrays.get(name, own[name])
        plain = [tuple(n for n in sides if n != 1) for sides in (stored.shape, shape)]
        made[name] = stored.reshape(shape) if plain[0] == plain[1] else stored
    return made


def _at_initialisation(name: str, choice: str | None, seed: int) -> NetworkSource:
    if choice not in (None, name):
        raise InputError(f"the network of {name} must be itself, not {choice!r}")
    network = named_network(name)
    network.remark = f"the weights of {name} are drawn: normal, variance 2 / inputs, seed {seed}"
    arrays = dict(initial_tensors(network, seed))
    return NetworkSource(
        network, arrays, WeightFile({name: Tensor.of(array) for name, array in arrays.items()})
    )


def read_network(source: Path, choice: str | None, *, seed: int = 0) -> tuple[Network, dict[str, NDArray]]:
    """Return the network and the arrays of `read_source` alone."""
    read = read_source(source, choice, seed=seed)
    return read.network, read.arrays


def stored_order(metadata: Mapping[str, str]) -> list[str] | None:
    """Return the order of layers that ``xorweave prune`` put into a file's metadata, if it did."""
    try:
        order = json.loads(metadata[PRUNED])["layers"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return None
    return order if isinstance(order, list) and all(isinstance(name, str) for name in order) else None


def read_tensors(source: Path) -> dict[str, NDArray]:
    """Read the tensors of a weight file, in its order; BF16 is widened to float32."""
    return as_arrays(read_weight_file(source).tensors)


def as_arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray]:
    """Return the tensors that NumPy can reckon with; BF16 is widened to float32."""
    return {
        name: from_bfloat16(tensor.values) if tensor.dtype == "BF16" else np.asarray(tensor.values)
        for name, tensor in tensors.items()
        if tensor.dtype == "BF16" or tensor.dtype[0] != "F" or tensor.values.dtype.kind == "f"
    }


def pruned_tensors(
    source: NetworkSource, masks: Mapping[str, NDArray], biases: Mapping[str, NDArray]
) -> dict[str, Tensor]:
    """Return what a source stores with its weights pruned: all else stays bit for bit.

    Parameters
    ----------
    source : NetworkSource
    masks : mapping of str to ndarray of bool
        By weight; where there are no weights the masks themselves are returned.
    biases : mapping of str to ndarray
        New values of tensors, in the types of `source.arrays`.
    """
    tensors = dict(source.file.tensors)
    for name, mask in masks.items():
        if name not in source.arrays:
            tensors[name] = Tensor.of(mask)
            continue
        stored, array = tensors.get(name), source.arrays[name]
        if (
            stored is not None
            and stored.dtype in ("F64", "F32", "F16", "BF16")
            and stored.values.shape == mask.shape
        ):
            pruned = np.where(mask, stored.values, stored.values.dtype.type(0))
            tensors[name] = Tensor(pruned.astype(stored.values.dtype, copy=False), stored.dtype)
        else:
            tensors[name] = Tensor.of(np.where(mask, array, 0).astype(array.dtype))
    for name, bias in biases.items():
        narrow = name in tensors and tensors[name].dtype == "BF16"
        if name in tensors and tensors[name].values.size == bias.size:
            bias = bias.reshape(tensors[name].values.shape)
        tensors[name] = Tensor(to_bfloat16(bias), "BF16") if narrow else Tensor.of(bias)
    return tensors
