"""The container: encoded tensors in an ordinary safetensors file.

For each encoded tensor NAME the file holds uint8 tensors ``xorweave/NAME/symbols``, ``.../mask`` and
``.../corrections`` (and ``.../generator`` for a custom code), and the metadata key ``xorweave`` holds one JSON object
that says how to read them. Tensors that are not encoded lie beside them under their own names.

Symbols are stored as words over all planes, n_w bits each, bit b of x_t at word t * n_in + b. The mask is one bit a
weight in scan order, so that a decoder reads n_out mask bits a block.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.bitstream import from_bytes, pack_fields, to_bytes, unpack_fields
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words, number_format
from xorweave.golden.code.code import Code
from xorweave.golden.files.safetensors_file import Tensor, read_safetensors, write_safetensors
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.corrections import parse_format
from xorweave.golden.tensor.stream import EncodedTensor
from xorweave.golden.tensor.tensor_codec import correction_format_of
from xorweave.golden.values.transforms import TRANSFORMS

VERSION = 1
_PREFIX = "xorweave/"
_KEY = "xorweave"


@dataclass(frozen=True, eq=False)
class Container:
    """What a container file holds.

    Attributes
    ----------
    encoded : dict of str to EncodedTensor
    plain : dict of str to Tensor
        Tensors carried through unchanged, and the scales of quantised ones.
    info : dict of str to str
        How the file was made: command options and seeds.
    """

    encoded: dict[str, EncodedTensor]
    plain: dict[str, Tensor] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)


def _pack_words(words: Words, planes: list[int]) -> NDArray[np.uint8]:
    """Pack the named planes of words: len(planes) bits a word, one word after another."""
    flat = np.ascontiguousarray(words).reshape(-1)
    if len(planes) == flat.dtype.itemsize * 8:
        return flat.astype(flat.dtype.newbyteorder("<")).view(np.uint8)
    word = flat.dtype.type
    dense = np.zeros_like(flat)
    for k, q in enumerate(planes):
        dense |= ((flat >> word(q)) & word(1)) << word(k)
    return to_bytes(pack_fields(dense, len(planes)))


def _unpack_words(data: NDArray[np.uint8], count: int, planes: list[int], word: np.dtype) -> Words:
    if len(planes) == word.itemsize * 8:
        return data.view(word.newbyteorder("<")).astype(word)
    words = np.zeros(count, word)
    if not planes:
        return words
    dense = unpack_fields(from_bytes(data, count * len(planes)), len(planes)).astype(word)
    for k, q in enumerate(planes):
        words |= ((dense >> word.type(k)) & word.type(1)) << word.type(q)
    return words


def write_container(path: Path, container: Container) -> None:
    """Write a container file in one step.

    Raises
    ------
    InputError
        A carried tensor's name is one of ours, or the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    records: dict[str, dict[str, Any]] = {}
    for name, tensor in container.plain.items():
        if name.startswith(_PREFIX) or name in container.encoded:
            raise InputError(f"a tensor may not be named {name!r} in a container")
        tensors[name] = tensor
    for name, encoded in container.encoded.items():
        n_w = encoded.number_format.n_w
        stored = correction_format_of(encoded)
        bits = stored.pack(encoded.patches, encoded.n, n_w)
        parts = {
            "symbols": _pack_words(encoded.symbols, encoded.stored_planes),
            "mask": to_bytes(encoded.mask.view(np.uint8)),
            "corrections": to_bytes(bits),
        }
        code = encoded.code
        if code.family == "custom":
            parts["generator"] = to_bytes(code.generator.reshape(-1))
        for part, data in parts.items():
            tensors[f"{_PREFIX}{name}/{part}"] = Tensor(data, "U8")
        records[name] = {
            "shape": list(encoded.shape),
            "dtype": encoded.number_format.name,
            "code": code.spec,
            "check_value": code.check_value,
            "stride": encoded.interleaver.stride,
            "offset": encoded.interleaver.offset,
            "segment_blocks": encoded.segment_blocks,
            "corrections": encoded.correction_format,
            "correction_bits": int(bits.size),
            "inversion": encoded.inversion,
            "constant_planes": encoded.constant_planes,
            "transform": encoded.transform,
            "encoder": encoded.encoder,
            "seconds": round(encoded.seconds, 6),
        }
    head = {"version": VERSION, "info": container.info, "tensors": records}
    write_safetensors(path, tensors, {_KEY: json.dumps(head, separators=(",", ":"), sort_keys=True)})


def _integer(record: dict[str, Any], key: str, low: int, high: int) -> int:
    value = record.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{key} must be an integer between {low} and {high}, not {value!r:.60}")
    return value


def _seconds(record: dict[str, Any]) -> float:
    value = record.get("seconds")
    # JSON as Python reads it knows NaN, infinities and integers of any length
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e12:
        raise InputError(f"seconds must be a number, not {value!r:.60}")
    return float(value)


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or len(value) > 1000:
        raise InputError(f"{key} must be a short text, not {value!r:.60}")
    return value


def _part(tensors: dict[str, Tensor], name: str, part: str, size: int | None = None) -> NDArray[np.uint8]:
    tensor = tensors.get(f"{_PREFIX}{name}/{part}")
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
        code = Code.from_spec(spec)
    if code.check_value != _text(record, "check_value"):
        raise InputError(
            f"the generator's check value must be {record['check_value']}, not {code.check_value}"
        )
    return code


def _read_encoded(record: dict[str, Any], tensors: dict[str, Tensor], name: str) -> EncodedTensor:
    # Sizes are checked against the bytes that are there before anything of that size is made.
    shape = record.get("shape")
    if not isinstance(shape, list) or not all(type(side) is int and side >= 0 for side in shape):
        raise InputError(f"shape must be a list of sizes, not {shape!r:.60}")
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
    words = _unpack_words(symbol_bytes, blocks * code.n_in, planes, kind.word)
    return EncodedTensor(
        shape=tuple(shape),
        number_format=kind,
        code=code,
        interleaver=Interleaver(
            n, _integer(record, "stride", 1, max(1, n)), _integer(record, "offset", 0, max(0, n - 1))
        ),
        segment_blocks=_integer(record, "segment_blocks", 1, max(1, blocks)),
        symbols=words.reshape(blocks, code.n_in),
        mask=from_bytes(mask_bytes, n).view(bool),
        patches=stored.unpack(from_bytes(corrections, bits), n, kind.n_w, kind.word),
        correction_format=_text(record, "corrections"),
        inversion=_integer(record, "inversion", 0, (1 << kind.n_w) - 1),
        constant_planes=constant,
        transform=transform,
        encoder=_text(record, "encoder"),
        seconds=_seconds(record),
    )


def read_container(path: Path) -> Container:
    """Read a container file. Nothing in it can run code or claim more memory than its bytes warrant.

    Raises
    ------
    InputError
        The file is not there, is damaged, or is no xorweave container.
    """
    tensors, metadata = read_safetensors(path)
    if _KEY not in metadata:
        raise InputError(f"{path} must be a file written by 'xorweave encode': it has no xorweave metadata")
    try:
        head = json.loads(metadata[_KEY])
        version = head["version"]
        records = head["tensors"]
        info = head.get("info", {})
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{path} has xorweave metadata that cannot be read") from None
    if version != VERSION:
        raise InputError(
            f"{path} has container version {version!r}, but this release reads version {VERSION}"
        )
    if not isinstance(records, dict) or not isinstance(info, dict):
        raise InputError(f"{path} has xorweave metadata that cannot be read")
    encoded = {}
    for name, record in records.items():
        if not isinstance(record, dict):
            raise InputError(f"{path}: tensor {name}: its metadata must be an object")
        try:
            encoded[name] = _read_encoded(record, tensors, name)
        except InputError as error:
            raise InputError(f"{path}: tensor {name}: {error}") from None
    plain = {name: tensor for name, tensor in tensors.items() if not name.startswith(_PREFIX)}
    return Container(encoded=encoded, plain=plain, info={str(k): str(v) for k, v in info.items()})
