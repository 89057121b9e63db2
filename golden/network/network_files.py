"""The tensors of a network from whatever holds them: weight files, a folder of .npy files, ONNX, a bare description."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import from_bfloat16
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.files.shards import INDEX
from xorweave.golden.files.weight_files import read_weight_file
from xorweave.golden.network.matching import read_description, resolve_network, unknown_network
from xorweave.golden.network.network import Network
from xorweave.golden.network.onnx_reader import read_onnx

PRUNED = "xorweave.prune"  # the metadata key under which prune says what it did


def read_network(source: Path, choice: str | None) -> tuple[Network, dict[str, NDArray]]:
    """Read tensors and the network they belong to.

    Parameters
    ----------
    source : Path
        What `read_weight_file` reads; .onnx brings its network along; or .json, a network description without tensors.
    choice : str, optional
        The network, as for `resolve_network`. Without it, tensors that are no fully connected network make one of which
        nothing is known (see `unknown_network`); the network's `remark` says so.

    Returns
    -------
    (Network, dict of str to ndarray)
        BF16 tensors are widened to float32. The dictionary is empty for a bare description.

    Raises
    ------
    InputError
        Nothing can be read, or the tensors do not fit the network.
    """
    suffix = source.suffix.lower()
    if suffix == ".json" and not source.name.lower().endswith(INDEX):
        return read_description(source), {}
    if suffix == ".onnx" and choice is None:
        return read_onnx(source)
    if suffix == ".onnx":
        tensors = read_onnx(source)[1]
        return resolve_network(choice, tensors), tensors
    file = read_weight_file(source)
    tensors = as_arrays(file.tensors)
    order = stored_order(file.metadata)
    try:
        return resolve_network(
            choice, tensors, order=order, ordered=file.ordered or _is_folder(source)
        ), tensors
    except InputError as error:
        if choice is not None:
            raise
        return unknown_network(tensors, f"every kept weight counts as alive: {error}"), tensors


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


def _is_folder(source: Path) -> bool:
    """Folders of .npy files name their tensors front to back, as far as anybody made an order."""
    return source.is_dir() and not any(source.glob("*.safetensors*"))
