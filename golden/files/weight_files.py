"""Reading weights and masks: .npy, .npz, .safetensors, and .smtx (masks of the Deep Learning Matrix Collection)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.numpy_files import read_npy, read_npz
from xorweave.golden.files.safetensors_file import Tensor, read_safetensors

SUFFIXES = (".npy", ".npz", ".safetensors", ".smtx")
# A mask takes about five bytes a kept weight as text, so a small file cannot describe a vast layer: the emptiest
# layers of networks stay far below this, and a header that lies is caught before memory is taken.
_ALWAYS_ALLOWED = 1 << 24
_WEIGHTS_PER_BYTE = 4096


def _whole(path: Path) -> None:
    if not path.exists():
        raise InputError(f"there is no file {path}")
    if not path.is_file():
        raise InputError(f"{path} must be a file, not a folder")


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
    _whole(path)
    try:
        lines = path.read_text("ascii").split("\n")
        rows, cols, kept = (int(field) for field in lines[0].split(","))
        offsets = np.array(lines[1].split(), np.int64)
        columns = np.array(lines[2].split() if len(lines) > 2 else [], np.int64)
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
    mask[np.repeat(np.arange(rows), np.diff(offsets)), columns] = True
    if int(mask.sum()) != kept:
        raise InputError(f"{path} names a position twice")
    return mask


def read_with_metadata(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read every tensor of a file as `read_weights` does, and the metadata that a safetensors file carries."""
    if path.suffix.lower() == ".safetensors":
        _whole(path)
        return read_safetensors(path)
    return read_weights(path), {}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read every tensor of a .npy, .npz or .safetensors file.

    Returns
    -------
    dict of str to Tensor
        A .npy file's tensor is named after the file.

    Raises
    ------
    InputError
        The file is not there, is damaged, has another suffix, or holds what is no number.
    """
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return read_safetensors(path)[0]
    _whole(path)
    if suffix == ".npy":
        return {path.stem: Tensor.of(read_npy(path))}
    if suffix == ".npz":
        return {name: Tensor.of(array) for name, array in read_npz(path).items()}
    raise InputError(f"{path} must end in one of {', '.join(SUFFIXES)}")


def read_masks(path: Path) -> dict[str, NDArray[np.bool_]]:
    """Read masks: an .smtx file, or arrays of which every non-zero element is a kept weight.

    Raises
    ------
    InputError
        As for `read_weights`.
    """
    if path.suffix.lower() == ".smtx":
        return {path.stem: read_smtx(path)}
    return {name: np.asarray(tensor.values != 0) for name, tensor in read_weights(path).items()}
