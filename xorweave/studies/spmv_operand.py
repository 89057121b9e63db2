"""What ``xorweave spmv`` multiplies with: tensors of a file as they are stored there, or weights, encoded once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.lane_code import encode_on_lanes
from xorweave.golden.files.container import Container, read_container
from xorweave.golden.files.mapped import map_safetensors
from xorweave.golden.files.prepare import Prepared
from xorweave.golden.files.shards import INDEX, shard_files
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.scan.spec import matrix_shape
from xorweave.golden.spmv.stored_product import StoredProduct
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.sim.spmv_run import DEFAULT_INTERLEAVE

LANES = 64
"""Lanes that weights are encoded for."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Operand:
    """A stored matrix, and beside it the plain one that every result is compared with.

    Attributes
    ----------
    name : str
    tensor : EncodedTensor
        What the engine, its golden trace and the processor multiply with: one and the same.
    matrix : ndarray of int8, shape (rows, cols)
    mask : ndarray of bool, shape (rows, cols)
        Which weights count as kept.
    from_file : bool
        The tensor is that of a file; otherwise it was encoded from weights, once.
    """

    name: str
    tensor: EncodedTensor
    matrix: NDArray[np.int8]
    mask: NDArray[np.bool_]
    from_file: bool

    @property
    def dtype(self) -> str:
        """``int8`` or ``int4``."""
        return self.tensor.number_format.name

    def record(self) -> dict[str, Any]:
        """Return how the matrix is stored, and the bytes of mask, symbols and patches that a product reads."""
        tensor = self.tensor
        return {
            "scan": tensor.scan.spec, "mask_code": tensor.mask_coder.kind, "values_code": tensor.values.kind,
            "corrections": tensor.correction_format, "bytes": StoredProduct(tensor).bytes_read,
            "from_file": self.from_file,
        }  # fmt: skip


def holds_stored(src: Path) -> bool:
    """Whether a file, a folder or its index was written by ``xorweave encode``."""
    if src.name.lower().endswith(INDEX):
        files = shard_files(src)[1]
    elif src.is_dir():
        files = sorted(src.glob("*.safetensors"))
    else:
        files = [src] if src.suffix.lower() == ".safetensors" and src.is_file() else []
    return bool(files) and all("xorweave" in map_safetensors(file)[1] for file in files)


def stored_operands(src: Path) -> dict[str, Callable[[], Operand]]:
    """Return what reads each encoded tensor of a file, by name.

    Raises
    ------
    InputError
        The file is damaged, or holds no encoded tensor. A tensor's own faults are raised when it is read.
    """
    container = read_container(src)
    found = {name: partial(_from_container, container, name) for name, t in container.encoded.items() if t.n}
    if not found:
        raise InputError(f"{src} must hold at least one encoded tensor")
    return dict(found)


def _from_container(container: Container, name: str) -> Operand:
    tensor = container.checked(name)
    _check_format(name, tensor.number_format.name, "encode it with --dtype int8, or name others by --only")
    matrix = container.decode(name).reshape(matrix_shape(tensor.shape))
    # a shaped mask keeps zeros that are no weights; a bitmap says what is kept
    kept = tensor.scan.from_scan(tensor.mask) if tensor.mask_coder.kind == "bitmap" else matrix != 0
    return Operand(name=name, tensor=tensor, matrix=matrix, mask=kept.reshape(matrix.shape), from_file=True)


def encoded_operands(
    work: Mapping[str, Prepared], *, lanes: int = LANES, seed: int = 0
) -> dict[str, Callable[[], Operand]]:
    """Return what encodes each prepared tensor for lanes, by name."""
    return {name: partial(encode_operand, name, item, lanes=lanes, seed=seed) for name, item in work.items()}


def encode_operand(name: str, item: Prepared, *, lanes: int = LANES, seed: int = 0) -> Operand:
    """Encode a prepared tensor for lanes, free of corrections.

    Raises
    ------
    InputError
        Its weights are not INT8 or INT4, or the lanes are out of range.
    """
    _check_format(name, item.number_format.name, "add --dtype int8")
    shape = matrix_shape(item.values.shape)
    mask = item.mask.reshape(shape)
    matrix = np.where(mask, item.values.reshape(shape), 0).astype(np.int8)
    layout = LaneLayout.fitting(*shape, lanes, interleave=DEFAULT_INTERLEAVE)
    tensor = encode_on_lanes(matrix, item.number_format, mask, layout, error_free=True, seed=seed)
    return Operand(name=name, tensor=tensor, matrix=matrix, mask=mask, from_file=False)


def _check_format(name: str, found: str, advice: str) -> None:
    if found not in ("int8", "int4"):
        raise InputError(f"the engines multiply int8 and int4 weights: tensor {name} is {found}; {advice}")
