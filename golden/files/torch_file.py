"""PyTorch's state dicts (.pt, .pth) without PyTorch, and without running anything that is in them.

Since version 1.6 such a file is a stored zip: a pickle that names tensors, and one entry of raw bytes for each storage;
before, pickle and storages lay one after another. The pickle is read by a machine that knows the rebuilding of tensors
and ordered dictionaries, and nothing else: every other name becomes an empty stand-in that is never called with effect.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.pickle_check import check_pickle
from xorweave.golden.files.safetensors_file import Tensor, check_file

# storage class or dtype -> safetensors dtype and NumPy type
_KINDS = {
    "DoubleStorage": ("F64", "f8"), "FloatStorage": ("F32", "f4"), "HalfStorage": ("F16", "f2"),
    "BFloat16Storage": ("BF16", "u2"), "LongStorage": ("I64", "i8"), "IntStorage": ("I32", "i4"),
    "ShortStorage": ("I16", "i2"), "CharStorage": ("I8", "i1"), "ByteStorage": ("U8", "u1"),
    "BoolStorage": ("BOOL", "?"), "ComplexFloatStorage": ("C64", "c8"),
    "float8_e4m3fn": ("F8_E4M3", "u1"), "float8_e5m2": ("F8_E5M2", "u1"), "float8_e8m0fnu": ("F8_E8M0", "u1"),
    "uint16": ("U16", "u2"), "uint32": ("U32", "u4"), "uint64": ("U64", "u8"),
    "float64": ("F64", "f8"), "float32": ("F32", "f4"), "float16": ("F16", "f2"), "bfloat16": ("BF16", "u2"),
    "int64": ("I64", "i8"), "int32": ("I32", "i4"), "int16": ("I16", "i2"), "int8": ("I8", "i1"), "uint8": ("U8", "u1"),
    "bool": ("BOOL", "?"),
}  # fmt: skip
_DEEPEST = 100
# Tensors may share a storage (tied weights); all together they are at most so many times as large as the file.
_MOST_SHARED = 4


class _StandIn:
    """In the place of every object that is not a tensor: takes anything, keeps nothing, does nothing."""

    def __new__(cls, *_args: object, **_named: object) -> _StandIn:
        return super().__new__(cls)

    def __init__(self, *_args: object, **_named: object) -> None: ...

    def __setstate__(self, _state: object) -> None: ...

    def __setitem__(self, _key: object, _value: object) -> None: ...

    def append(self, _value: object) -> None: ...

    def extend(self, _values: object) -> None: ...

    def add(self, _value: object) -> None: ...


class _Kind:
    """A storage class or a dtype, by name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *_args: object) -> _StandIn:
        return _StandIn()

    def __setstate__(self, _state: object) -> None: ...  # a pickle may not rename it


@dataclass(frozen=True)
class _Storage:
    """A storage that a tensor names: its class or dtype, and its key."""

    kind: object
    key: str

    def __setstate__(self, _state: object) -> None: ...  # as above


class _Rebuilt(_StandIn):
    """A tensor on its way: what a pickle says about it after it is made (hooks, attributes) is not heard."""

    arguments: tuple[Any, ...]  # storage, offset, size, stride, and the dtype where the storage has none

    @classmethod
    def noted(cls, *arguments: Any) -> _Rebuilt:
        """Note down what a tensor is made of."""
        made = cls()
        made.arguments = arguments
        return made


class _Machine(pickle.Unpickler):
    """Reads one pickle: tensors are only noted down, to be made when their storages are at hand."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, encoding="utf-8")
        self._left = stream.getbuffer().nbytes

    def _ordered(self, items: Any = ()) -> OrderedDict[object, object]:
        # one list given again and again must not grow without bound: all together are no longer than the stream
        self._left -= len(items)
        if not isinstance(items, list | tuple) or self._left < 0:
            raise pickle.UnpicklingError("its dictionaries are longer than it")
        if not all(isinstance(item[0], str | int) for item in items):
            raise pickle.UnpicklingError("its dictionaries have keys that are no names")
        return OrderedDict(items)

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name stands for: a few things that are known, and a stand-in for all others."""
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *_: _Rebuilt.noted(storage, offset, size, stride)
        if module == "torch._utils" and name == "_rebuild_tensor_v3":
            return lambda storage, offset, size, stride, _grad, _hooks, kind, *_: _Rebuilt.noted(
                storage, offset, size, stride, kind
            )
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *_: data
        if (module, name) == ("collections", "OrderedDict"):
            return lambda *items: self._ordered(*items)
        if module in ("torch", "torch.storage") and (name in _KINDS or name == "UntypedStorage"):
            return _Kind(name)
        return _StandIn

    def persistent_load(self, pid: object) -> Any:
        """Return the storage that a tensor names: its kind and its key."""
        if not (
            isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage" and isinstance(pid[1], _Kind)
        ):
            raise pickle.UnpicklingError("a storage is named in a way that is not known")
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("a storage is a part of another one")
        if not isinstance(pid[2], str | int):  # the text of nested tuples may be longer than any memory
            raise pickle.UnpicklingError("a storage is named in a way that is not known")
        return _Storage(pid[1].name, str(pid[2]))


def _named(storage: object) -> tuple[str, str]:
    """Return kind and key of a storage; what a pickle puts in its place is refused."""
    if not isinstance(storage, _Storage) or not isinstance(storage.kind, str):
        raise pickle.UnpicklingError("a tensor is made of something that is no storage")
    return storage.kind, storage.key


def _tensor(noted: tuple[Any, ...], storages: dict[str, memoryview], order: str) -> Tensor:
    """View one tensor in its storage."""
    storage, offset, size, stride, *kind = noted
    name, key = _named(storage)
    found = _KINDS.get(kind[0].name if kind and isinstance(kind[0], _Kind) else name)
    if found is None or key not in storages:
        raise pickle.UnpicklingError(
            f"tensors of {name} are not known" if found is None else "a storage is missing"
        )
    dtype = np.dtype(f"{order}{found[1]}")
    data = storages[key]
    flat = np.frombuffer(data, dtype, len(data) // dtype.itemsize)
    sides, steps = tuple(size), tuple(stride)
    if len(sides) > 64 or not all(type(n) is int and 0 <= n < 1 << 48 for n in (offset, *sides, *steps)):
        raise pickle.UnpicklingError("a tensor's shape is no shape")
    count = math.prod(sides)
    last = offset + sum((n - 1) * step for n, step in zip(sides, steps, strict=True)) if count else 0
    if last >= max(1, flat.size) or count > flat.size:
        raise pickle.UnpicklingError(
            f"a tensor of shape {sides[:8]} does not fit its {flat.size} stored values"
        )
    if not count:
        return Tensor(np.zeros(sides, dtype.newbyteorder("=")), found[0])
    places = tuple(step * dtype.itemsize for step in steps)
    view = np.lib.stride_tricks.as_strided(flat[offset:], sides, places, writeable=False)
    return Tensor(view.astype(dtype.newbyteorder("=")), found[0])


def _read_zip(data: bytes) -> tuple[object, dict[str, memoryview], str]:
    """Read an archive as written since version 1.6: what is pickled, the storages by key, their byte order."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = file.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its entries must be stored, not compressed")
        if sum(member.file_size for member in members) > len(data):
            raise ValueError("it claims more than its bytes hold")
        pickles = [member.filename for member in members if member.filename.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1 or any(m.filename.endswith("/constants.pkl") for m in members):
            raise ValueError("it must hold one data.pkl, and no program (TorchScript)")
        stem = pickles[0].removesuffix("data.pkl")
        text = file.read(pickles[0])
        check_pickle(text)
        held = _Machine(io.BytesIO(text)).load()
        named = {member.filename for member in members}
        big = f"{stem}byteorder" in named and file.read(f"{stem}byteorder").strip() == b"big"
        start = f"{stem}data/"
        storages = {
            member.filename.removeprefix(start): memoryview(file.read(member))
            for member in members
            if member.filename.startswith(start)
        }
    return held, storages, ">" if big else "<"


def _read_old(data: bytes) -> tuple[object, dict[str, memoryview], str]:
    """Read a file as written before version 1.6: five pickles, then the storages one after another."""
    stream = io.BytesIO(data)
    parts = []
    for _ in range(
        5
    ):  # magic number, version, the machine it was made on, what is pickled, keys of the storages
        start = stream.tell()
        check_pickle(data, start)
        stream.seek(start)
        parts.append(_Machine(stream).load())
    _magic, _version, machine, held, keys = parts
    sizes: dict[str, int] = {}
    for noted in _walk(held)[0].values():
        name, key = _named(noted.arguments[0])
        sizes[key] = np.dtype(_KINDS[name][1]).itemsize
    storages: dict[str, memoryview] = {}
    place = stream.tell()
    for key in map(str, keys if isinstance(keys, list) else ()):
        count = int.from_bytes(data[place : place + 8], "little")
        end = place + 8 + count * sizes.get(key, 1)
        if key not in sizes or end > len(data):
            raise ValueError("it claims more than its bytes hold")
        storages[key] = memoryview(data)[place + 8 : end]
        place = end
    little = not isinstance(machine, dict) or machine.get("little_endian", True)
    return held, storages, "<" if little else ">"


def read_torch(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors of a file written by ``torch.save``: a state dict, or one inside dictionaries.

    Returns
    -------
    (dict of str to Tensor, dict of str to str)
        Tensors by name, in the file's order; names inside dictionaries are joined by dots. And what is left out.

    Raises
    ------
    InputError
        The file is none of torch.save's, is damaged, or holds no tensor.
    """
    check_file(path)
    try:
        data = path.read_bytes()
        held, storages, order = (_read_zip if data[:2] == b"PK" else _read_old)(data)
        noted, left_out = _walk(held)
        tensors: dict[str, Tensor] = {}
        room = _MOST_SHARED * len(data)
        for name, item in noted.items():
            tensors[name] = _tensor(item.arguments, storages, order)
            room -= tensors[name].values.nbytes
            if room < 0:
                raise ValueError("its tensors share their storages too often")
    except Exception as error:  # the unpickler raises whatever a broken stream leads to, and all say the same
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{path} must be a file as torch.save writes it: {reason}") from None
    if not tensors:
        raise InputError(
            f"{path} must hold tensors by name (model.state_dict()), but holds none that can be read"
        )
    return tensors, left_out


def _walk(held: object) -> tuple[dict[str, _Rebuilt], dict[str, str]]:
    """Walk nested dictionaries and lists, each once, however often it is referred to."""
    tensors: dict[str, _Rebuilt] = {}
    left_out: dict[str, str] = {}
    seen: set[int] = set()

    def walk(value: object, name: str, depth: int) -> None:
        if isinstance(value, _Rebuilt):
            tensors[name or "tensor"] = value
        elif isinstance(value, _StandIn):
            left_out[name or "object"] = "an object that is no tensor"
        elif isinstance(value, dict | list | tuple) and id(value) not in seen and depth < _DEEPEST:
            seen.add(id(value))
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                own = (
                    key if isinstance(key, str) else str(key) if type(key) is int and key < 1 << 64 else "key"
                )
                walk(item, f"{name}.{own}" if name else own, depth + 1)

    walk(held, "", 0)
    return tensors, left_out
