"""ONNX files: the model with all its data in place, and its stored tensors as weights (needs the extra `onnx`).

Data outside the file is read from the model's own folder and nowhere else: not through a link, not from a folder above.
Sparse tensors are made dense; a small file cannot claim a vast one that way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import install_advice
from xorweave.golden.files.onnx_bounds import Room, check_calls
from xorweave.golden.files.safetensors_file import Tensor, check_file

# ONNX element type -> safetensors dtype and the type its bits are held in
_KINDS = {
    "FLOAT": ("F32", "f4"), "DOUBLE": ("F64", "f8"), "FLOAT16": ("F16", "f2"), "BFLOAT16": ("BF16", "u2"),
    "INT8": ("I8", "i1"), "UINT8": ("U8", "u1"), "INT16": ("I16", "i2"), "UINT16": ("U16", "u2"),
    "INT32": ("I32", "i4"), "UINT32": ("U32", "u4"), "INT64": ("I64", "i8"), "UINT64": ("U64", "u8"),
    "BOOL": ("BOOL", "?"),
    "COMPLEX64": ("C64", "c8"), "FLOAT8E4M3FN": ("F8_E4M3", "u1"), "FLOAT8E5M2": ("F8_E5M2", "u1"),
    "FLOAT8E4M3FNUZ": ("F8_E4M3FNUZ", "u1"), "FLOAT8E5M2FNUZ": ("F8_E5M2FNUZ", "u1"),
    "FLOAT8E8M0": ("F8_E8M0", "u1"),
}  # fmt: skip
# Sparse tensors together may be this many times larger than the file that holds them, and always this many bytes.
_MOST_GROWTH = 64
_ALWAYS_ALLOWED = 1 << 20


def load_onnx(source: Path | bytes) -> Any:
    """Load a model; data outside the file is brought in, sparse initializers become dense ones.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content (which may not refer to other files).

    Returns
    -------
    onnx.ModelProto
        Local functions are written out where they are called.

    Raises
    ------
    InputError
        The package `onnx` is missing, the file is no model, or its data lies elsewhere than in its folder.
    """
    onnx = _package()
    name = "the data" if isinstance(source, bytes) else str(source)
    if isinstance(source, Path):
        check_file(source)
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
        model = onnx.load_model_from_string(data)
        if not model.HasField("graph") or (not model.graph.node and not model.graph.initializer):
            raise ValueError("it holds no graph")
        tensors = list(_tensors(model.graph))
        for function in model.functions:
            for node in function.node:
                tensors += [tensor for graph in _graphs(node) for tensor in _tensors(graph)]
        folder = source.parent if isinstance(source, Path) else None
        room = Room(name, len(data))
        for tensor in tensors:
            _bring_in(tensor, folder, name, room, onnx)
        if model.functions:
            from onnx.inliner import inline_local_functions

            check_calls(model, model.ByteSize(), name)
            model = inline_local_functions(model)
        _make_dense(model.graph, Room(name, len(data), _MOST_GROWTH, _ALWAYS_ALLOWED), name)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from None
    except Exception as error:  # protobuf and onnx raise their own kinds, which differ between versions
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{name} is not an ONNX model: {reason}") from None
    return model


def _package() -> Any:
    try:
        import onnx
    except ImportError:
        raise InputError(f"reading ONNX needs the package onnx: {install_advice('onnx')}") from None
    return onnx


def array_of(tensor: Any) -> NDArray:
    """Return an ONNX tensor's values as NumPy holds them (BF16 and FP8 as ml_dtypes, text as objects).

    Raises
    ------
    InputError
        Its data does not fill its shape.
    """
    from onnx import numpy_helper

    sides = tuple(tensor.dims)
    if len(sides) > 64 or any(side < 0 for side in sides):
        raise InputError(f"the tensor {tensor.name!r:.100} must have a shape that an array can have")
    try:
        return numpy_helper.to_array(tensor)
    except Exception as error:  # onnx raises whatever NumPy does
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"the tensor {tensor.name!r:.100} cannot be read: {reason}") from None


def onnx_weights(model: Any) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors that a model stores: initializers, and Constant operators of rank 1 and more.

    Those of graphs inside operators (If, Loop, Scan) are among them, as ``OPERATOR/NAME`` where a name is used twice.

    Returns
    -------
    (dict of str to Tensor, dict of str to str)
        The tensors, and those left out with the reason (text, and types smaller than a byte).
    """
    tensors: dict[str, Tensor] = {}
    left_out: dict[str, str] = {}
    for place, name, tensor in _stored(model.graph, ""):
        own = name if name not in tensors else f"{place}/{name}"
        while own in tensors:
            own += "_"
        try:
            tensors[own] = as_tensor(tensor)
        except InputError as error:
            left_out[own] = str(error)
    return tensors, left_out


def as_tensor(tensor: Any) -> Tensor:
    """Return an ONNX tensor under its safetensors dtype.

    Raises
    ------
    InputError
        Safetensors has no dtype for it.
    """
    kinds = _package().TensorProto.DataType
    if tensor.data_type not in kinds.values():
        raise InputError(f"tensors must hold integers, floats or booleans, not ONNX type {tensor.data_type}")
    kind = kinds.Name(tensor.data_type)
    values = array_of(tensor)
    if kind in ("INT4", "UINT4"):  # held in bytes, as safetensors has no such type
        return Tensor.of(values.astype(np.int8 if kind == "INT4" else np.uint8))
    if kind not in _KINDS:
        raise InputError(f"tensors must hold integers, floats or booleans, not {kind}")
    dtype, held = _KINDS[kind]
    values = values.astype(values.dtype.newbyteorder("="))  # a copy: onnx hands out what cannot be written to
    return Tensor(values if values.dtype == np.dtype(held) else values.view(held), dtype)


def _stored(graph: Any, place: str) -> Iterator[tuple[str, str, Any]]:
    for tensor in graph.initializer:
        yield place, tensor.name, tensor
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value" and attribute.t.dims:
                yield place, node.output[0] if node.output else "", attribute.t
        for inner in _graphs(node):
            yield from _stored(inner, f"{place}/{node.name or node.op_type}".lstrip("/"))


def _graphs(node: Any) -> Iterator[Any]:
    """Yield the graphs that an operator holds (If, Loop, Scan)."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield every tensor of a graph, wherever it stands."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("sparse_tensor"):
                yield attribute.sparse_tensor.values
                yield attribute.sparse_tensor.indices
        for inner in _graphs(node):
            yield from _tensors(inner)


def _bring_in(tensor: Any, folder: Path | None, model: str, room: Room, onnx: Any) -> None:
    """Put data kept in another file into the tensor itself."""
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return
    keys = {entry.key: entry.value for entry in tensor.external_data}
    place = keys.get("location", "")
    if folder is None or not place or "\0" in place:
        raise InputError(f"{model} keeps the tensor {tensor.name!r:.100} in another file, which is not given")
    path = folder / place
    if Path(place).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{model} must keep its data in its own folder, not in {place!r:.200}")
    check_file(path)
    start, size = (int(keys.get(key) or 0) for key in ("offset", "length"))
    there = path.stat().st_size - start
    size = size or there
    if not start >= 0 or not 0 <= size <= there:
        raise InputError(f"{model} claims more of {place!r:.200} than there is")
    room.file(str(path.resolve()), path.stat().st_size)
    room.take(size, f"data of the tensor {tensor.name!r:.100}")
    with path.open("rb") as handle:
        handle.seek(start)
        tensor.raw_data = handle.read(size)
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]


def _make_dense(graph: Any, room: Room, name: str) -> None:
    """Turn sparse initializers and the sparse values of Constant operators into dense tensors."""
    from onnx import numpy_helper

    for sparse in graph.sparse_initializer:
        graph.initializer.append(numpy_helper.from_array(_dense(sparse, room, name), sparse.values.name))
    del graph.sparse_initializer[:]
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "sparse_value":
                value = numpy_helper.from_array(
                    _dense(attribute.sparse_tensor, room, name), attribute.sparse_tensor.values.name
                )
                attribute.Clear()
                attribute.name, attribute.type = "value", _package().AttributeProto.TENSOR
                attribute.t.CopyFrom(value)
        for inner in _graphs(node):
            _make_dense(inner, room, name)


def _dense(sparse: Any, room: Room, model: str) -> NDArray:
    """Return a sparse tensor as a dense array: indices are linear, or one row a value with an index an axis."""
    values, indices = array_of(sparse.values).reshape(-1), array_of(sparse.indices)
    sides = tuple(int(side) for side in sparse.dims)
    count = math.prod(sides)
    if not 1 <= len(sides) <= 64 or min(sides) < 0:
        raise InputError(f"{model} claims a sparse tensor of shape {sides[:8]}, which cannot be")
    room.take(count * values.itemsize, f"a sparse tensor of shape {sides[:8]}")
    if indices.ndim == 2:
        if indices.shape != (values.size, len(sides)):
            raise InputError(f"{model} must give an index an axis for each of {values.size} sparse values")
        inside = all(
            (indices[:, i] >= 0).all() and (indices[:, i] < side).all() for i, side in enumerate(sides)
        )
        flat = (
            np.ravel_multi_index(tuple(indices.T.astype(np.int64)), sides)
            if inside and values.size
            else indices[:, 0]
        )
    else:
        flat = indices.reshape(-1)
        inside = flat.size == values.size and bool((flat >= 0).all() and (flat < count).all())
    if not inside:
        raise InputError(f"{model} has sparse indices outside the shape {sides[:8]}")
    dense = np.zeros(count, values.dtype)
    dense[flat] = values
    return dense.reshape(sides)
