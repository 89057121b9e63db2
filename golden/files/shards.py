"""Checkpoints in several files: a folder, or the index that says which safetensors file holds which tensor."""

from __future__ import annotations

import json
from pathlib import Path

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.numpy_files import read_npy
from xorweave.golden.files.safetensors_file import Tensor, check_file, read_safetensors

INDEX = ".safetensors.index.json"

Read = tuple[dict[str, Tensor], dict[str, str]]


def read_folder(folder: Path) -> Read:
    """Read a folder: by its index if it has one, else all its safetensors files, else all its .npy files.

    Returns
    -------
    (dict of str to Tensor, dict of str to str)
        Tensors, those of .npy files named after their files; and metadata.

    Raises
    ------
    InputError
        It holds none of these or several indices, or two files hold a tensor of one name.
    """
    indices = sorted(folder.glob(f"*{INDEX}"))
    if len(indices) > 1:
        raise InputError(f"{folder} must hold one index, not {len(indices)}; name the one to read")
    if indices:
        return read_index(indices[0])
    if shards := sorted(folder.glob("*.safetensors")):
        return _joined(shards)
    files = sorted(folder.glob("*.npy"))
    if not files:
        raise InputError(f"{folder} must hold .safetensors or .npy files, as it is a folder, but has none")
    tensors: dict[str, Tensor] = {}
    for file in files:
        check_file(file)
        name = file.stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        tensors[name] = Tensor.of(read_npy(file))
    return tensors, {}


def read_index(path: Path) -> Read:
    """Read the shards that an index in the layout of Hugging Face names: ``{"weight_map": {tensor: file}}``.

    Raises
    ------
    InputError
        The index cannot be read, names a file outside its own folder, or a tensor that its file does not hold.
    """
    check_file(path)
    try:
        places = json.loads(path.read_text("utf-8"))["weight_map"]
        names = sorted(set(places.values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError):
        raise InputError(f"{path} must be a JSON index with a weight_map of tensors to files") from None
    for name in names:
        if (
            not isinstance(name, str)
            or name in ("", ".", "..")
            or "/" in name
            or "\\" in name
            or "\0" in name
        ):
            raise InputError(f"{path} must name files of its own folder, not {name!r:.200}")
    tensors, metadata = _joined([path.with_name(name) for name in names])
    if missing := [name for name in places if name not in tensors]:
        raise InputError(f"{path} names the tensor {missing[0]}, which {places[missing[0]]} does not hold")
    return tensors, metadata


def _joined(shards: list[Path]) -> Read:
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for shard in shards:
        read, notes = read_safetensors(shard)
        if twice := next((name for name in read if name in tensors), None):
            raise InputError(f"{shard} holds the tensor {twice}, which another file of the folder holds too")
        tensors |= read
        metadata |= notes
    return tensors, metadata
