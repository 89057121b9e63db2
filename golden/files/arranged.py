"""Arrangements beside their weights: ``NAME.encodable``. docs/format.md has the layout byte by byte."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.byte_fields import ByteReader, ByteWriter
from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.arrangement import Arrangement
from xorweave.golden.files.header import MASK_NUMBERS, item, read_mask, read_n_out, read_scan, read_shape
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.mask.coders import ShapedMask
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.scan.interleaver import Interleaver

END = ".encodable"
_MAGIC = b"XWA1"
_DTYPES = ("", "int8", "int4")


def write_arrangement(arranged: Arrangement, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the bytes of an arrangement for weights of this shape."""
    head = ByteWriter()
    head.data += _MAGIC
    head.varint(len(shape))
    for side in shape:
        head.varint(side)
    head.varint(arranged.scan.stride)
    head.varint(arranged.scan.offset)
    head.byte(_DTYPES.index(arranged.dtype))
    scale = np.zeros(0, np.float32) if arranged.scale is None else arranged.scale
    head.varint(scale.size)
    head.data += scale.astype("<f4").tobytes()
    head.byte(arranged.mask is not None)
    if arranged.mask is not None:
        code = arranged.mask.code
        head.varint(code.n_out)
        for name in MASK_NUMBERS:
            head.varint(getattr(code, name))
        head.varint(arranged.mask.segment_blocks)
        head.data += np.packbits(np.asarray(arranged.mask.symbols).reshape(-1), bitorder="little").tobytes()
    head.words([zlib.crc32(head.data)])
    return np.frombuffer(bytes(head.data), np.uint8)


def read_arrangement(data: NDArray[np.uint8]) -> tuple[Arrangement, tuple[int, ...]]:
    """Return what `write_arrangement` was given.

    Raises
    ------
    InputError
        The bytes are no arrangement, or were changed.
    """
    raw = np.ascontiguousarray(data).tobytes()
    if len(raw) < 8 or zlib.crc32(raw[:-4]) != int.from_bytes(raw[-4:], "little"):
        raise InputError("the arrangement is damaged: the checksum of its bytes is another")
    head = ByteReader(raw[:-4], len(_MAGIC))
    shape = read_shape(head)
    scan = read_scan(head, "affine", shape, len(raw))
    assert isinstance(scan, Interleaver)
    dtype = item(_DTYPES, head.byte(), "dtype")
    count = head.varint(len(raw))
    if count not in ({1, shape[0] if shape else 1} if dtype else {0}):
        raise InputError(f"there must be one scale, or one for each row, not {count}")
    scale = np.frombuffer(head.bytes(4 * count), "<f4").astype(np.float32) if count else None
    if scale is not None and not (np.isfinite(scale) & (scale > 0)).all():
        raise InputError("the scales must be finite and above 0")
    mask = _read_mask(head, scan.length) if head.byte() else None
    if head.position != len(raw) - 4:
        raise InputError("the arrangement is longer than it says")
    return Arrangement(scan, mask, dtype, scale), shape


def _read_mask(head: ByteReader, length: int) -> ShapedMask:
    code = read_mask(head, "shaped", read_n_out(head), usual=False)
    if not isinstance(code, ShapedMaskCode):
        raise InputError("the mask of an arrangement must be shaped")
    blocks = code.blocks(length)
    period = head.varint(max(1, blocks))
    if not period:
        raise InputError("the blocks of a segment must be at least 1")
    bits = np.frombuffer(head.bytes(-(-blocks * code.n_in // 8)), np.uint8)
    symbols = np.unpackbits(bits, count=blocks * code.n_in, bitorder="little").reshape(blocks, code.n_in)
    return ShapedMask(code, symbols, length, period)


def join_arrangements(
    tensors: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Arrangement], dict[str, str]]:
    """Take arrangements from the tensors they lie among.

    Returns
    -------
    (dict of str to Tensor, dict of str to Arrangement, dict of str to str)
        The other tensors; arrangements by the names of their weights; and the names of the arrangements, with what
        became of each.

    Raises
    ------
    InputError
        One is damaged; the line names it.
    """
    rest: dict[str, Tensor] = {}
    found: dict[str, Arrangement] = {}
    taken: dict[str, str] = {}
    for name, tensor in tensors.items():
        own = name.removesuffix(END)
        if own == name or own not in tensors or not _is_arrangement(tensor):
            rest[name] = tensor
            continue
        try:
            arranged, shape = read_arrangement(np.asarray(tensor.values))
        except InputError as error:
            raise InputError(f"tensor {name}: {error}") from None
        if shape == tensors[own].values.shape:
            found[own], taken[name] = arranged, f"what was arranged for {own}"
        else:
            taken[name] = f"what was arranged for {own} when its shape was {shape}"
    return rest, found, taken


def _is_arrangement(tensor: Tensor) -> bool:
    values = tensor.values
    return tensor.dtype == "U8" and values.ndim == 1 and bytes(np.asarray(values[:4])) == _MAGIC
