"""One tensor in every format, each lossless one checked by decoding it."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from xorweave.golden.base.extras import EXTRA_OF, install_advice
from xorweave.golden.code.limits import mask_entropy, value_entropy
from xorweave.golden.codecs.arm_mlw import ArmMlw
from xorweave.golden.codecs.bloomier_codec import Weightless, weightless_peeled
from xorweave.golden.codecs.codec import Codec, PrunedTensor
from xorweave.golden.codecs.compressed_rows import CompressedRows, CompressedRows32
from xorweave.golden.codecs.deep_compression import DeepCompression, DeepCompressionClustered
from xorweave.golden.codecs.plain import Bitmap, Dense
from xorweave.golden.codecs.relative_index import Eie, Macko
from xorweave.golden.codecs.xor_code import our_codecs
from xorweave.golden.codecs.zstandard import Zstandard

_OPTIONAL = {
    "zstd": "zstandard",
    "arm-mlw": "ethosu",
    "deep-compression": "bitarray",
    "deep-compression-clustered": "bitarray",
}


def all_codecs() -> tuple[Codec, ...]:
    """Return one of every codec, in the order of the table."""
    return (
        Dense(), Bitmap(), CompressedRows(), CompressedRows32(), Eie(), Macko(), DeepCompression(),
        DeepCompressionClustered(), Zstandard(), ArmMlw(), Weightless(), weightless_peeled(), *our_codecs(),
    )  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of the table; a figure that was not made is None.

    Attributes
    ----------
    codec, title : str
    lossless : bool
    bits : int or None
        Everything stored: the stream in whole bytes, and what says its shape and number format, with a checksum.
    bits_per_weight, bits_per_weight_with_mask : float or None
        Stored bits over the number of weights, pruned ones included; without the mask None where place and
        value cannot be told apart.
    memory_reduction_with_mask : float or None
        1 - bits / dense bits.
    verified : bool or None
        The decoded tensor equals the original bit for bit (lossless codecs).
    wrong_weights : int or None
        Weights that read back as another word.
    false_positives : int or None
        Pruned weights that read back as a weight.
    encode_seconds, decode_seconds : float or None
        One run each, wall clock, this machine.
    rate, worst_case_stall, random_access : str
        See ``DecodeTraits``.
    note : str
        Why there is no figure, or what to know about it.
    """

    codec: str
    title: str
    lossless: bool
    bits: int | None = None
    bits_per_weight: float | None = None
    bits_per_weight_with_mask: float | None = None
    memory_reduction_with_mask: float | None = None
    verified: bool | None = None
    wrong_weights: int | None = None
    false_positives: int | None = None
    encode_seconds: float | None = None
    decode_seconds: float | None = None
    rate: str = ""
    worst_case_stall: str = ""
    random_access: str = ""
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return asdict(self)


def missing_extra(codec: Codec) -> str | None:
    """Say which extra to install for a codec whose library is absent, or None."""
    module = _OPTIONAL.get(codec.name)
    if module is not None and importlib.util.find_spec(module) is None:
        return f"needs {module}: {install_advice(EXTRA_OF[module])}"
    return None


def too_slow(codec: Codec, tensor: PrunedTensor) -> str | None:
    """Say why a format is left out for a tensor of this size unless it is asked for by name, or None."""
    if codec.slow_above is None or tensor.n <= codec.slow_above:
        return None
    return f"slow above {codec.slow_above:,} weights; measured where {codec.name} is asked for by name"


def measure(codec: Codec, tensor: PrunedTensor, *, slow: bool = True) -> Row:
    """Encode and decode a tensor by one codec.

    Parameters
    ----------
    slow : bool
        Measure a format that takes minutes for a tensor of this size, too.

    Raises
    ------
    RuntimeError
        A lossless codec gave back another tensor: a defect, never a row of a table.
    """
    traits = codec.traits
    common = {
        "codec": codec.name, "title": codec.title, "lossless": codec.lossless, "rate": traits.rate,
        "worst_case_stall": traits.worst_case_stall, "random_access": traits.random_access,
    }  # fmt: skip
    objection = missing_extra(codec) or codec.objection(tensor) or (None if slow else too_slow(codec, tensor))
    if objection is not None:
        return Row(**common, note=f"not measured: {objection}")  # type: ignore[arg-type]
    started = time.perf_counter()
    encoding = codec.encode(tensor)
    encoded = time.perf_counter()
    words = codec.decode(encoding, tensor.shape, tensor.number_format)
    decoded = time.perf_counter()
    wrong = int((words != tensor.words).sum())
    if codec.lossless and wrong:
        raise RuntimeError(f"{codec.name} is lossless, but {wrong} of {tensor.n} weights came back different")
    n = max(tensor.n, 1)
    bits = 8 * len(encoding.stream) + (0 if codec.complete else tensor.head_bits)
    without = None if encoding.bits_without_mask is None else bits - encoding.parts.get("mask", 0)
    return Row(
        **common,  # type: ignore[arg-type]
        bits=bits,
        bits_per_weight=None if without is None else without / n,
        bits_per_weight_with_mask=bits / n,
        memory_reduction_with_mask=1 - bits / (n * tensor.n_w),
        verified=True if codec.lossless else None,
        wrong_weights=wrong,
        false_positives=int((words[~tensor.mask] != 0).sum()),
        encode_seconds=encoded - started,
        decode_seconds=decoded - encoded,
    )


def bounds(tensor: PrunedTensor) -> list[Row]:
    """Return the entropy limits as rows."""
    n = max(tensor.n, 1)
    mask = tensor.n * mask_entropy(1 - tensor.kept / n)
    raw = float(tensor.kept * tensor.n_w)
    values = tensor.kept * value_entropy(tensor.words[tensor.mask])
    distinct = np.unique(tensor.words[tensor.mask]).size
    crowded = distinct * 4 > tensor.kept > 0
    rows = []
    for name, title, value_bits, note in (
        ("bound-raw-values", "mask entropy + raw values", raw, "memoryless mask of this density"),
        (
            "bound-entropy",
            "mask entropy + value entropy",
            values,
            "almost every value occurs once: no code reaches this"
            if crowded
            else "order 0, tables not counted",
        ),
    ):
        total = mask + value_bits
        rows.append(
            Row(
                codec=name,
                title=title,
                lossless=True,
                bits=round(total),
                bits_per_weight=value_bits / n,
                bits_per_weight_with_mask=total / n,
                memory_reduction_with_mask=1 - total / (n * tensor.n_w),
                note=note,
            )
        )
    return rows


def compare(tensor: PrunedTensor, codecs: Iterable[Codec] | None = None) -> list[Row]:
    """Measure a tensor in every format, entropy limits last."""
    return [measure(codec, tensor) for codec in (all_codecs() if codecs is None else codecs)] + bounds(tensor)


def total_rows(tensors: Mapping[str, PrunedTensor], tables: Mapping[str, list[Row]]) -> list[Row]:
    """Add the tables of a model's tensors up, format by format.

    A format that could not hold one of the tensors has no total. Every table has the same formats in one order.
    """
    weights = sum(tensor.n for tensor in tensors.values())
    dense = sum(tensor.n * tensor.n_w for tensor in tensors.values())
    totals = []
    for rows in zip(*tables.values(), strict=True):
        first = rows[0]

        def added(name: str, parts: tuple[Row, ...] = rows) -> Any:
            found = [getattr(row, name) for row in parts]
            return None if any(item is None for item in found) else sum(found)

        per_tensor = [
            None if row.bits_per_weight is None else row.bits_per_weight * tensor.n
            for row, tensor in zip(rows, tensors.values(), strict=True)
        ]
        alone = None if any(item is None for item in per_tensor) else sum(filter(None, per_tensor))
        bits = added("bits")
        missing = sum(row.bits is None for row in rows)
        totals.append(
            replace(
                first,
                bits=bits,
                bits_per_weight=None if alone is None else alone / weights,
                bits_per_weight_with_mask=None if bits is None else bits / weights,
                memory_reduction_with_mask=None if bits is None else 1 - bits / dense,
                verified=True if all(row.verified for row in rows) else None,
                wrong_weights=added("wrong_weights"),
                false_positives=added("false_positives"),
                encode_seconds=added("encode_seconds"),
                decode_seconds=added("decode_seconds"),
                note=f"not measured for {missing} of {len(rows)} tensors" if missing else "",
            )
        )
    return totals
