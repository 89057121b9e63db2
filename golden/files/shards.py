"""Checkpoints in several files: a folder, or the index that says which safetensors file holds which tensor."""

from __future__ import annotations

import json
from pathlib import Path

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.mapped import read_safetensors
from xorweave.golden.files.numpy_files import read_npy
from xorweave.golden.files.safetensors_file import Tensor, check_file

INDEX = ".safetensors.index.json"

Read = tuple[dict[str, Tensor], dict[str, str], dict[str, str]]


def read_shards(path: Path) -> Read:
    """Read a folder, or an index: by its index if it has one, else all safetensors files, else all .npy files.

    Returns
    -------
    (dict of str to Tensor, dict of str to str, dict of str to str)
        Tensors, those of .npy files named after their files; metadata; and which safetensors file holds each tensor.

    Raises
    ------
    InputError
        The folder holds none of these or several indices, two files hold a tensor of one name, or the index cannot be
        read, names a file outside its own folder, or a tensor that its file does not hold.
    """
    if path.is_dir() and not any(path.glob("*.safetensors")) and not any(path.glob(f"*{INDEX}")):
        return *_read_arrays(path), {}
    index, files = shard_files(path)
    read = _joined(files)
    if index is not None:
        places, found = read_places(index), read[2]
        if missing := [name for name in places if name not in found]:
            raise InputError(
                f"{index} names the tensor {missing[0]}, which {places[missing[0]]} does not hold"
            )
    return read


def shard_files(path: Path) -> tuple[Path | None, list[Path]]:
    """Return the index of a folder, or None where it has none, and the safetensors files that are read.

    Raises
    ------
    InputError
        As of `read_shards`, or it is neither a folder nor an index.
    """
    if not path.is_dir() and not path.name.lower().endswith(INDEX):
        raise InputError(f"{path} must be a folder of safetensors files, or their index")
    if path.is_dir():
        indices = sorted(path.glob(f"*{INDEX}"))
        if len(indices) > 1:
            raise InputError(f"{path} must hold one index, not {len(indices)}; name the one to read")
        if not indices:
            files = sorted(path.glob("*.safetensors"))
            if not files:
                raise InputError(f"{path} must hold .safetensors files, as it is a folder, but has none")
            return None, files
        path = indices[0]
    return path, [path.with_name(name) for name in sorted(set(read_places(path).values()))]


def read_places(path: Path) -> dict[str, str]:
    """Read an index in the layout of Hugging Face, ``{"weight_map": {tensor: file}}``: the file of each tensor.

    Raises
    ------
    InputError
        The index cannot be read, or names a file outside its own folder.
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
    return places


def _read_arrays(folder: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    files = sorted(folder.glob("*.npy"))
    if not files:
        raise InputError(f"{folder} must hold .safetensors or .npy files, as it is a folder, but has none")
    tensors: dict[str, Tensor] = {}
    for file in files:
        check_file(file)
        name = file.stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        tensors[name] = Tensor.of(read_npy(file))
    return tensors, {}


def _joined(files: list[Path]) -> Read:
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    places: dict[str, str] = {}
    for file in files:
        read, notes = read_safetensors(file)
        if twice := next((name for name in read if name in tensors), None):
            raise InputError(f"{file} holds the tensor {twice}, which another file of the folder holds too")
        tensors |= read
        metadata |= notes
        places |= dict.fromkeys(read, file.name)
    return tensors, metadata, places
