"""Safetensors files as NumPy arrays, BF16 included (as raw uint16 bits), with their text metadata."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, TensorSpec, deserialize, safe_open, serialize_file

from xorweave.golden.base.errors import InputError

_NUMPY = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "uint16", "I64": "int64", "U64": "uint64",
    "I32": "int32", "U32": "uint32", "I16": "int16", "U16": "uint16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
_SPEC = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "U64": "uint64",
    "I32": "int32", "U32": "uint32", "I16": "int16", "U16": "uint16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
_OF_NUMPY = {numpy: name for name, numpy in _NUMPY.items() if name != "BF16"}


@dataclass(frozen=True, eq=False)
class Tensor:
    """An array and the safetensors dtype it stands for (``BF16`` is held in uint16)."""

    values: NDArray
    dtype: str

    @classmethod
    def of(cls, values: NDArray) -> Tensor:
        """Wrap an array whose dtype safetensors knows under its own name.

        Raises
        ------
        InputError
            Safetensors has no such dtype (complex numbers, objects, text, dates).
        """
        name = _OF_NUMPY.get(values.dtype.newbyteorder("=").name)
        if name is None:
            raise InputError(f"tensors must hold integers, floats or booleans, not {values.dtype}")
        return cls(values, name)


def tensor_from_bytes(dtype: str, shape: tuple[int, ...], data: NDArray[np.uint8]) -> Tensor:
    """Read a tensor from the bytes of a safetensors file.

    Raises
    ------
    InputError
        NumPy cannot hold its dtype or shape.
    """
    if dtype not in _NUMPY:
        raise InputError(f"a tensor has dtype {dtype}, which is not supported")
    try:
        return Tensor(data.view(np.dtype(_NUMPY[dtype]).newbyteorder("<")).reshape(shape), dtype)
    except ValueError:
        raise InputError(f"a tensor must have a shape that an array can have, not {shape!s:.60}") from None


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read all tensors and the metadata of a safetensors file.

    Raises
    ------
    InputError
        The file is not there, is damaged or cut short, or holds a dtype that NumPy cannot hold.
    """
    try:
        with safe_open(path, framework="numpy") as handle:
            metadata = dict(handle.metadata() or {})
            names = list(handle.keys())
            kinds = {name: handle.get_slice(name).get_dtype() for name in names}
            for name, kind in kinds.items():
                if kind not in _NUMPY:
                    raise InputError(f"{path}: tensor {name} has dtype {kind}, which is not supported")
            if "BF16" not in kinds.values():
                return {name: Tensor(handle.get_tensor(name), kinds[name]) for name in names}, metadata
        # NumPy knows no BF16, so such a file is read as bytes
        tensors = {}
        for name, view in deserialize(path.read_bytes()):
            kind = view["dtype"]
            array = np.frombuffer(view["data"], np.dtype(_NUMPY[kind]).newbyteorder("<"))
            tensors[name] = Tensor(array.reshape(view["shape"]), kind)
        return tensors, metadata
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise InputError(f"{path} must be a file, not a folder") from None
    except InputError:
        raise
    except (
        SafetensorError,
        OSError,
        ValueError,
        MemoryError,
    ) as error:  # ValueError: a shape NumPy cannot hold
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} must be a whole safetensors file: {reason}") from None


def write_safetensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file in one step: it appears whole under its name or not at all.

    Raises
    ------
    InputError
        The file cannot be written there, or a tensor has the name that the format keeps for its metadata.
    """
    if "__metadata__" in tensors:
        raise InputError("a tensor may not be named '__metadata__' in a safetensors file")
    alive = [
        np.ascontiguousarray(t.values).astype(t.values.dtype.newbyteorder("<")) for t in tensors.values()
    ]
    specs = {
        name: TensorSpec(
            dtype=_SPEC[tensor.dtype],
            shape=list(tensor.values.shape),
            data_ptr=array.ctypes.data,
            data_len=array.nbytes,
        )
        for (name, tensor), array in zip(tensors.items(), alive, strict=True)
    }
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        serialize_file(specs, partial, metadata)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be written: {str(error).splitlines()[0]}") from None
    finally:
        partial.unlink(missing_ok=True)
