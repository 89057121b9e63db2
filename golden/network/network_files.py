"""The tensors of a network from whatever holds them: weight files, a folder of .npy files, ONNX, a bare description."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import from_bfloat16
from xorweave.golden.files.weight_files import read_weights
from xorweave.golden.network.matching import read_description, resolve_network
from xorweave.golden.network.network import Network
from xorweave.golden.network.onnx_reader import read_onnx


def read_network(source: Path, choice: str | None) -> tuple[Network, dict[str, NDArray]]:
    """Read tensors and the network they belong to.

    Parameters
    ----------
    source : Path
        .npz, .npy or .safetensors; a folder of .npy files, each a tensor named after its file; .onnx, which
        brings its network along; or .json, a network description without tensors.
    choice : str, optional
        The network, as for `resolve_network`.

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
    if suffix == ".json":
        return read_description(source), {}
    if suffix == ".onnx" and choice is None:
        return read_onnx(source)
    tensors = read_onnx(source)[1] if suffix == ".onnx" else read_tensors(source)
    return resolve_network(choice, tensors), tensors


def read_tensors(source: Path) -> dict[str, NDArray]:
    """Read the tensors of a weight file or of a folder of .npy files, in order; BF16 is widened to float32."""
    if source.is_dir():
        files = sorted(source.glob("*.npy"))
        if not files:
            raise InputError(f"the folder {source} must hold .npy files, but has none")
        read = {name: tensor for file in files for name, tensor in read_weights(file).items()}
    else:
        read = read_weights(source)
    return {
        name: from_bfloat16(tensor.values) if tensor.dtype == "BF16" else np.asarray(tensor.values)
        for name, tensor in read.items()
    }
