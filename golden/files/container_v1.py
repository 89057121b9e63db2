"""Containers of version 1, read only: raw planes in one group under a bitmap, no checksums.

For each encoded tensor NAME the file holds uint8 tensors ``xorweave/NAME/symbols``, ``.../mask`` and
``.../corrections`` (and ``.../generator`` for a custom code), and the metadata key ``xorweave`` holds one JSON object
that says how to read them. Symbols are words over all planes, n_w bits each, bit b of x_t at word t * n_in + b.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.bitstream import from_bytes
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.base.packed_rows import PackedRows
from xorweave.golden.code.code import Code
from xorweave.golden.code.generators import check_cost
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.mask.coders import BitmapMask, DenseMask
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.corrections import JointCorrections, format_text, no_patches, parse_format
from xorweave.golden.tensor.decode import decode_scan
from xorweave.golden.tensor.stored import EncodedTensor, Patches
from xorweave.golden.values.raw_planes import RawPlanes
from xorweave.golden.values.transforms import TRANSFORMS

PREFIX = "xorweave/"
_FREE_ELEMENTS = 1 << 22
_MAX_SIDES = 64


def _integer(record: dict[str, Any], key: str, low: int, high: int) -> int:
    value = record.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{key} must be an integer between {low} and {high}, not {value!r:.60}")
    return value


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or len(value) > 1000:
        raise InputError(f"{key} must be a short text, not {value!r:.60}")
    return value


def _part(tensors: dict[str, Tensor], name: str, part: str, size: int | None = None) -> NDArray[np.uint8]:
    tensor = tensors.get(f"{PREFIX}{name}/{part}")
    if tensor is None:
        raise InputError(f"the part {part} is missing")
    if tensor.dtype != "U8" or tensor.values.ndim != 1:
        raise InputError(f"the part {part} must be a row of bytes")
    if size is not None and tensor.values.size != size:
        raise InputError(f"the part {part} must have {size} bytes, not {tensor.values.size}")
    return tensor.values


def _read_code(record: dict[str, Any], tensors: dict[str, Tensor], name: str) -> Code:
    spec = _text(record, "code")
    items = dict(item.partition("=")[::2] for item in spec.split(","))
    if items.get("family") == "custom":
        sizes = {
            key: int(items[key]) if items.get(key, "").isdecimal() else 0 for key in ("n_in", "n_out", "n_s")
        }
        columns = sizes["n_in"] * (sizes["n_s"] + 1)
        count = sizes["n_out"] * columns
        data = _part(tensors, name, "generator", -(-count // 8))
        matrix = from_bytes(data, count).reshape(sizes["n_out"], columns)
        code = Code(n_in=sizes["n_in"], n_out=sizes["n_out"], n_s=sizes["n_s"], generator=matrix)
    else:
        _check_cost(items)
        code = Code.from_spec(spec)
    if code.check_value != _text(record, "check_value"):
        raise InputError(
            f"the generator's check value must be {record['check_value']}, not {code.check_value}"
        )
    return code


def _check_cost(items: dict[str, str]) -> None:
    """Refuse a generator that costs out of proportion before it is made."""
    numbers = {
        key: int(value)
        for key, value in items.items()
        if key != "family" and value.isdecimal() and len(value) < 19
    }
    family = items.get("family", "uniform")
    n_in, n_out, n_s = (numbers.pop(key, 0) for key in ("n_in", "n_out", "n_s"))
    if n_in * (n_s + 1) * n_out > _FREE_ELEMENTS:
        raise InputError(
            f"a generator of {n_out} x {n_in * (n_s + 1)} must be smaller in a file of version 1"
        )
    check_cost(family, n_in, n_out, n_s, numbers, _FREE_ELEMENTS)


def read_tensor(record: dict[str, Any], tensors: dict[str, Tensor], name: str) -> EncodedTensor:
    """Read one encoded tensor of a version 1 container: its header record, and its parts among the file's tensors.

    Raises
    ------
    InputError
        A field is missing or damaged, or a part does not fit it.
    """
    # Sizes are checked against the bytes that are there before anything of that size is made.
    shape = record.get("shape")
    if not isinstance(shape, list) or not all(type(side) is int and side >= 0 for side in shape):
        raise InputError(f"shape must be a list of sizes, not {shape!r:.60}")
    # numbers of thousands of digits are no sizes, and cannot even be printed
    if len(shape) > _MAX_SIDES or any(side >> 63 for side in shape):
        raise InputError(f"shape must be one that an array can have, not {repr(shape[:9])[:60]}")
    n = math.prod(shape)
    kind = number_format(_text(record, "dtype"))
    mask_bytes = _part(tensors, name, "mask", -(-n // 8))
    try:
        np.broadcast_to(kind.word.type(0), shape)  # takes no memory
    except (ValueError, OverflowError):
        raise InputError(f"shape must be one that an array can have, not {shape!r:.60}") from None
    code = _read_code(record, tensors, name)
    blocks = -(-n // code.n_out)
    constant = _integer(record, "constant_planes", 0, (1 << kind.n_w) - 1)
    planes = [q for q in range(kind.n_w) if not constant >> q & 1]
    transform = _text(record, "transform")
    if transform not in TRANSFORMS:
        raise InputError(f"transform must be one of {', '.join(TRANSFORMS)}, not {transform!r}")
    symbol_bytes = _part(tensors, name, "symbols", -(-blocks * code.n_in * len(planes) // 8))
    corrections = _part(tensors, name, "corrections")
    bits = _integer(record, "correction_bits", 0, corrections.size * 8)
    if -(-bits // 8) != corrections.size:
        raise InputError("the part corrections must have as many bytes as its bits need")
    stored = parse_format(_text(record, "corrections"), code.n_out)
    if not planes and blocks * code.n_in > _FREE_ELEMENTS:
        raise InputError("planes that are all constant must come with a short code")
    values = RawPlanes(kind.n_w, _integer(record, "inversion", 0, (1 << kind.n_w) - 1), constant, transform)
    words: Any = PackedRows(symbol_bytes, blocks, code.n_in, planes, kind.word)
    period = _integer(record, "segment_blocks", 1, max(1, blocks))
    mask = from_bytes(mask_bytes, n).view(bool)
    patches = stored.unpack(from_bytes(corrections, bits), n, kind.n_w, kind.word)
    form = _text(record, "corrections")
    tensor = EncodedTensor(
        shape=tuple(shape),
        number_format=kind,
        scan=Interleaver(
            n, _integer(record, "stride", 1, max(1, n)), _integer(record, "offset", 0, max(0, n - 1))
        ),
        mask_coder=BitmapMask(mask),
        values=values,
        groups=(PlaneGroup(0, kind.n_w, code, words),),
        patches=no_patches(kind.word),
        correction_format="none",
        segment_blocks=period,
        checksum=None,
        encoder="viterbi" if _text(record, "encoder") == "viterbi" else "elimination",
    )
    patches = _after_mask(patches, tensor)
    if transform != "none" and form != "none":
        form = format_text(JointCorrections.cheapest(patches, kind.n_w))
    return replace(tensor, patches=patches, correction_format=form)


def _after_mask(patches: Patches, tensor: EncodedTensor) -> Patches:
    """Turn patches of what the XOR decoder gives, as version 1 has them, into patches of words after the mask."""
    kept = tensor.mask[patches.positions]
    positions, differences = patches.positions[kept], patches.differences[kept]
    values, word = tensor.raw, tensor.number_format.word
    if values.transform != "none" and positions.size:
        bare = replace(tensor, values=RawPlanes(values.n_w), mask_coder=DenseMask(tensor.n))
        decoded = decode_scan(bare)[positions]
        differences = values.words_of(decoded ^ differences, word) ^ values.words_of(decoded, word)
    return Patches(positions=positions, differences=differences)
