"""NumPy's .npy and .npz files, with headers held against the bytes that are there before anything is made of them.

``numpy.load`` makes an array of whatever size a header claims, and hands on what the parsers and decompressors
beneath it raise; here a damaged or lying file is refused in one line.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError

# Deflate makes at most 1032 bytes of one.
_MOST_INFLATION = 1032


def _read_array(handle: IO[bytes], size: int) -> NDArray:
    """Read one array from a stream of `size` bytes. Raises ValueError, or whatever NumPy does, when it is damaged."""
    if handle.read(6) != b"\x93NUMPY":
        raise ValueError("it does not begin like one")
    handle.seek(0)
    version = np.lib.format.read_magic(handle)
    if version == (1, 0):
        shape, _fortran, dtype = np.lib.format.read_array_header_1_0(handle)
    elif version == (2, 0):
        shape, _fortran, dtype = np.lib.format.read_array_header_2_0(handle)
    else:
        raise ValueError(f"its version {version[0]}.{version[1]} is not supported")
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    claimed, there = math.prod(shape) * dtype.itemsize, size - handle.tell()
    if min(shape, default=0) < 0 or claimed > there:
        raise ValueError(f"its header claims shape {shape} of {dtype}, but {there} bytes are there")
    handle.seek(0)
    return np.lib.format.read_array(handle, allow_pickle=False)


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__


def read_npy(path: Path) -> NDArray:
    """Read a .npy file.

    Raises
    ------
    InputError
        The file is damaged, is no array file, holds Python objects, or claims more than its bytes warrant.
    """
    try:
        with path.open("rb") as handle:
            return _read_array(handle, path.stat().st_size)
    except Exception as error:  # the parsers beneath raise a dozen kinds, and all say the same: a bad file
        raise InputError(f"{path} must be a NumPy array file: {_reason(error)}") from None


def read_npz(path: Path) -> dict[str, NDArray]:
    """Read every array of a .npz archive, by name.

    Raises
    ------
    InputError
        As for `read_npy`, or something else than arrays is in the archive.
    """
    arrays: dict[str, NDArray] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > _MOST_INFLATION * path.stat().st_size:
                raise ValueError("it claims more than its bytes can hold")
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name == member.filename or name in arrays:
                    raise ValueError(f"it must hold arrays of different names, but holds {member.filename!r}")
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError(f"{member.filename} is compressed in a way that NumPy does not write")
                with archive.open(member) as handle:
                    arrays[name] = _read_array(handle, member.file_size)
                    if handle.read(1):  # reading to the end also compares the check sum
                        raise ValueError(f"{member.filename} is longer than its array")
    except Exception as error:  # as above
        raise InputError(f"{path} must be a NumPy .npz archive: {_reason(error)}") from None
    return arrays
