"""Reading weights and masks from whatever holds them, by the file's name.

``.npy``, ``.npz``, ``.safetensors``, a folder of shards or the ``.index.json`` that lists them, ``.onnx``, ``.gguf``,
PyTorch's ``.pt``, ``.pth``, ``.th``, ``.bin`` and ``.ckpt``, and ``.smtx`` (masks of the Deep Learning Matrix
Collection). Tensors in parts (sparse-bitmask, weights and masks) come as one. Files are not trusted: nothing in them
runs, and memory stays within four times the file and the decoded tensors together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.arrangement import Arrangement
from xorweave.golden.files.arranged import join_arrangements
from xorweave.golden.files.gguf_file import read_gguf
from xorweave.golden.files.mapped import read_safetensors
from xorweave.golden.files.masks_beside import join_masks
from xorweave.golden.files.numpy_files import read_npy, read_npz
from xorweave.golden.files.onnx_file import load_onnx, onnx_weights
from xorweave.golden.files.safetensors_file import Tensor, check_file
from xorweave.golden.files.shards import INDEX, read_shards
from xorweave.golden.files.sparse_bitmask import join_bitmasks
from xorweave.golden.files.torch_file import read_torch

TORCH_SUFFIXES = (".pt", ".pth", ".th", ".bin", ".ckpt")
SUFFIXES = (".npy", ".npz", ".safetensors", ".onnx", *TORCH_SUFFIXES, ".gguf", ".smtx")
# A mask takes about five bytes a kept weight as text, so a small file cannot describe a vast layer: the emptiest
# layers of networks stay far below this, and a header that lies is caught before memory is taken.
_ALWAYS_ALLOWED = 1 << 24
_WEIGHTS_PER_BYTE = 4096
_TOGETHER = 1 << 16  # characters, and weights, of an .smtx file that are looked at together


@dataclass(frozen=True, eq=False)
class WeightFile:
    """What a file of weights holds.

    Attributes
    ----------
    tensors : dict of str to Tensor
    metadata : dict of str to str
        The source's own notes (a safetensors file's ``__metadata__``); to be handed on.
    left_out : dict of str to str
        What the file holds that no tensor can take (text, objects) or that became a part of one (masks), and why.
    beside : dict of str to str
        Tensors that are no weights though they look like some (scales of quantised weights), and why.
    arranged : dict of str to Arrangement
        What pruning has arranged for the encoder, by the weights' names; no longer among the tensors.
    ordered : bool
        Whether the tensors stand in the order in which somebody put them there. False for safetensors, whose
        writers sort by type and name, and for folders.
    shards : dict of str to str
        Of a checkpoint in several safetensors files: the name of the file that holds each tensor.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    arranged: dict[str, Arrangement] = field(default_factory=dict)
    ordered: bool = True
    shards: dict[str, str] = field(default_factory=dict)


def _numbers(line: str) -> NDArray[np.int64]:
    """Read whole numbers from a line, some at once: as texts they take up to thirty times what they do in the file."""
    found = np.empty(len(line) // 2 + 1, np.int64)  # a number and its space take two characters at least
    count = at = 0
    while at < len(line):
        end = line.find(" ", at + _TOGETHER)
        end = len(line) if end < 0 else end
        some = np.array(line[at:end].split(), np.int64)
        found[count : count + some.size] = some
        count, at = count + some.size, end
    return found[:count] if 2 * count > found.size else found[:count].copy()


def read_smtx(path: Path) -> NDArray[np.bool_]:
    """Read a mask in the .smtx format: ``rows, cols, nnz``, then row offsets, then column indices.

    Returns
    -------
    ndarray of bool, shape (rows, cols)

    Raises
    ------
    InputError
        The file is not there or does not hold what its first line says.
    """
    check_file(path)
    try:
        lines = path.read_text("ascii").split("\n")
        rows, cols, kept = (int(field) for field in lines[0].split(","))
        offsets = _numbers(lines[1])
        columns = _numbers(lines[2] if len(lines) > 2 else "")
    except (ValueError, IndexError, UnicodeDecodeError, OverflowError):
        raise InputError(
            f"{path} must be an .smtx file: 'rows, cols, nnz', row offsets, column indices"
        ) from None
    if min(rows, cols, kept) < 0:
        raise InputError(f"{path} claims {rows} rows, {cols} columns and {kept} non-zeros, which cannot be")
    size = path.stat().st_size
    if rows * cols > max(_ALWAYS_ALLOWED, _WEIGHTS_PER_BYTE * size):
        raise InputError(f"{path} claims {rows} rows and {cols} columns, too many for a file of {size} bytes")
    if offsets.size != rows + 1 or columns.size != kept:
        raise InputError(
            f"{path} must hold {rows + 1} row offsets and {kept} column indices, "
            f"not {offsets.size} and {columns.size}"
        )
    if offsets[0] != 0 or offsets[-1] != kept or (np.diff(offsets) < 0).any():
        raise InputError(f"{path} must have row offsets that rise from 0 to {kept}")
    if kept and (columns.min() < 0 or columns.max() >= cols):
        raise InputError(f"{path} must have column indices between 0 and {cols - 1}")
    mask = np.zeros((rows, cols), bool)
    for at in range(0, kept, _TOGETHER):
        some = columns[at : at + _TOGETHER]
        mask[np.searchsorted(offsets, np.arange(at, at + some.size), "right") - 1, some] = True
    if int(mask.sum()) != kept:
        raise InputError(f"{path} names a position twice")
    return mask


def read_weight_file(path: Path) -> WeightFile:
    """Read every tensor of a file, or of a folder of shards, and what else is worth keeping.

    What lies in parts is put together: see `join_bitmasks`, `join_masks` and `join_arrangements`.

    Parameters
    ----------
    path : Path
        See the module's notes. A .npy file's tensor is named after the file.

    Returns
    -------
    WeightFile

    Raises
    ------
    InputError
        It is not there, is damaged, or is nothing of the kind.
    """
    file = _read(path)
    try:
        tensors, beside = join_bitmasks(file.tensors)
        tensors, masks = join_masks(tensors)
        tensors, arranged, taken = join_arrangements(tensors)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    shards = {name: _shard_of(name, file.shards) for name in tensors} if file.shards else {}
    left_out = file.left_out | masks | taken
    return replace(file, tensors=tensors, left_out=left_out, beside=beside, arranged=arranged, shards=shards)


def read_weight_files(paths: Sequence[Path]) -> tuple[WeightFile, dict[str, Path]]:
    """Read the tensors of one file or of several, as `read_weight_file` does.

    Returns
    -------
    (WeightFile, dict of str to Path)
        What they hold together, in the order in which they are given; of notes with one name the first. And the file
        of each tensor.

    Raises
    ------
    InputError
        As of `read_weight_file`, or two files hold a tensor of one name.
    """
    files = [read_weight_file(path) for path in paths]
    places: dict[str, Path] = {}
    for path, file in zip(paths, files, strict=True):
        if twice := next((name for name in file.tensors if name in places), None):
            raise InputError(f"{path} holds the tensor {twice}, which {places[twice]} holds too")
        places |= dict.fromkeys(file.tensors, path)
    if len(files) == 1:
        return files[0], places
    whole = WeightFile({}, ordered=all(file.ordered for file in files))
    for file in files:
        whole.tensors.update(file.tensors)
        whole.metadata.update({key: note for key, note in file.metadata.items() if key not in whole.metadata})
        whole.left_out.update(file.left_out)
        whole.beside.update(file.beside)
        whole.arranged.update(file.arranged)
    return whole, places


def _shard_of(name: str, shards: dict[str, str]) -> str:
    """Return the file of a tensor; of one that lay in parts, that of its values."""
    stem = name.removesuffix(".weight")
    parts = (name, f"{name}.compressed", f"{stem}.compressed", f"{name}_orig")
    return next(shards[part] for part in parts if part in shards)


def _read(path: Path) -> WeightFile:
    """Read the tensors as they lie there."""
    suffix = path.suffix.lower()
    if path.is_dir() or path.name.lower().endswith(INDEX):
        tensors, metadata, shards = read_shards(path)
        return WeightFile(tensors, metadata, ordered=False, shards=shards)
    if suffix == ".safetensors":
        tensors, metadata = read_safetensors(path)
        return WeightFile(tensors, metadata, ordered=False)
    check_file(path)
    if suffix == ".npy":
        return WeightFile({plain_name(path): Tensor.of(read_npy(path))})
    if suffix == ".npz":
        return _told_apart(read_npz(path))
    if suffix == ".onnx":
        tensors, left_out = onnx_weights(load_onnx(path))
        return WeightFile(tensors, left_out=left_out)
    if suffix in TORCH_SUFFIXES:
        tensors, left_out = read_torch(path)
        return WeightFile(tensors, left_out=left_out)
    if suffix == ".gguf":
        tensors, metadata, left_out = read_gguf(path)
        return WeightFile(tensors, metadata, left_out)
    raise InputError(f"{path} must end in one of {', '.join(SUFFIXES)}, or be a folder or an index of shards")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of `read_weight_file` alone."""
    return read_weight_file(path).tensors


def plain_name(path: Path) -> str:
    """Return a file's name without its suffix as text that can be written anywhere, whatever its bytes."""
    return path.stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _told_apart(arrays: dict[str, NDArray]) -> WeightFile:
    """Sort the arrays that tensors can hold from text and dates; a file of nothing else is refused."""
    tensors: dict[str, Tensor] = {}
    left_out: dict[str, str] = {}
    for name, array in arrays.items():
        try:
            tensors[name] = Tensor.of(array)
        except InputError as error:
            left_out[name] = str(error)
    if left_out and not tensors:
        raise InputError(next(iter(left_out.values())))
    return WeightFile(tensors, left_out=left_out)


def read_masks(path: Path) -> dict[str, NDArray[np.bool_]]:
    """Read masks: an .smtx file, or arrays of which every non-zero element is a kept weight.

    Raises
    ------
    InputError
        As for `read_weights`.
    """
    if path.suffix.lower() == ".smtx":
        return {plain_name(path): read_smtx(path)}
    return {name: np.asarray(tensor.values != 0) for name, tensor in read_weights(path).items()}
