"""The figures of an encoded tensor: every bit counted, every ratio by its definition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from xorweave.golden.base.number_format import Words
from xorweave.golden.code.limits import bound_bits
from xorweave.golden.tensor.care_bits import care_positions
from xorweave.golden.tensor.corrections import correction_format_of
from xorweave.golden.tensor.decode import decode_scan
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.packed_words import PackedWords
from xorweave.golden.values.raw_planes import RawPlanes


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of one tensor, or of several taken together. Bits are over all planes; ratios are fractions.

    ``overhead`` is (payload + corrections) / care bits - 1, ``efficiency`` matched care bits / care bits; both are
    None where there is no care bit. ``memory_reduction`` leaves the mask out, as the paper does;
    ``memory_reduction_with_mask`` counts it, and what lies beside it (``side_bits``: header, book, checksums). Dense
    bits are weights times n_w. ``bound_bits`` is n h(S) + the order-0 entropy of the kept words, and ``over_bound``
    everything stored over it, as a ratio.
    """

    care_bits: int
    payload_bits: int
    correction_bits: int
    mask_bits: int
    side_bits: int
    unmatched_bits: int
    weights: int
    kept: int
    dense_bits: int
    bound_bits: float

    @property
    def stored_bits(self) -> int:
        """Payload and corrections."""
        return self.payload_bits + self.correction_bits

    @property
    def all_bits(self) -> int:
        """Everything that is stored of the tensors."""
        return self.stored_bits + self.mask_bits + self.side_bits

    def ratios(self) -> dict[str, float | None]:
        """Return the ratios of the contract, each None where its denominator is zero."""

        def share(part: float, whole: float) -> float | None:
            return part / whole if whole else None

        return {
            "efficiency": share(max(0, self.care_bits - self.unmatched_bits), self.care_bits),
            "overhead": share(self.stored_bits - self.care_bits, self.care_bits),
            "memory_reduction": share(self.dense_bits - self.stored_bits, self.dense_bits),
            "memory_reduction_with_mask": share(self.dense_bits - self.all_bits, self.dense_bits),
            "bits_per_weight": share(self.stored_bits, self.weights),
            "bits_per_weight_with_mask": share(self.all_bits, self.weights),
            "over_bound": share(self.all_bits, self.bound_bits),
        }

    @classmethod
    def together(cls, parts: Iterable[Figures]) -> Figures:
        """Add figures up; ratios of the sum are ratios of the totals, not means of ratios."""
        rows = [asdict(part) for part in parts]
        names = cls.__dataclass_fields__
        return cls(**{name: sum(row[name] for row in rows) for name in names})


def payload_bits(encoded: EncodedTensor) -> int:
    """Return the encoded bits that are stored: planes that are constant take none, packed words their own."""
    if isinstance(encoded.values, RawPlanes):
        return int(encoded.symbols.size) * len(encoded.values.stored_planes)
    if isinstance(encoded.values, PackedWords):
        return encoded.values.bits
    return sum(int(group.symbols.size) * group.planes for group in encoded.groups)


def figures_of(encoded: EncodedTensor, side_bits: int = 0, words: Words | None = None) -> Figures:
    """Count an encoded tensor; its words are decoded for it, unless they are given.

    Parameters
    ----------
    side_bits : int
        What the tensor's header, book and checksums take in its file, and the bits that round parts up to bytes.
    words : ndarray of unsigned words, shape (n,), optional
        Those it decodes to, in the order of the tensor.
    """
    n_w, length = encoded.number_format.n_w, encoded.scan.length
    if words is None:
        scanned = decode_scan(encoded)
        # an entropy asks for no order, but padding must not be counted
        words = scanned if length == encoded.n else encoded.scan.from_scan(scanned)
    else:
        scanned = words if isinstance(encoded.values, RawPlanes) else encoded.scan.to_scan(words)
    nonzero = words != 0
    bitmap = encoded.mask_coder.kind == "bitmap"
    return Figures(
        care_bits=_care_bits(encoded, scanned),
        payload_bits=payload_bits(encoded),
        correction_bits=correction_format_of(encoded).bits(encoded.patches, length, n_w),
        mask_bits=encoded.mask_coder.bits,
        side_bits=side_bits,
        unmatched_bits=int(np.bitwise_count(encoded.patches.differences).sum()),
        weights=encoded.n,
        kept=int(np.count_nonzero(encoded.mask if bitmap else nonzero)),
        dense_bits=encoded.n * n_w,
        bound_bits=bound_bits(words[nonzero], encoded.n),
    )


def _care_bits(encoded: EncodedTensor, scanned: Words) -> int:
    """Count the care bits of words in scan order; of raw planes the words do not matter."""
    if isinstance(encoded.values, PackedWords):
        return encoded.values.bits
    if isinstance(encoded.values, RawPlanes):
        return int(np.count_nonzero(encoded.mask)) * encoded.values.planes
    care = care_positions(encoded, scanned)
    return sum(
        int(np.count_nonzero(bits)) * group.planes for bits, group in zip(care, encoded.groups, strict=True)
    )


def tensor_record(name: str, encoded: EncodedTensor, figures: Figures) -> dict[str, object]:
    """Return one tensor's entry of ``encode --json`` and ``inspect --json``; what only a code has is None without."""
    code = max((group.code for group in encoded.groups), key=lambda code: code.n_in, default=None)
    return {
        "name": name,
        "shape": list(encoded.shape),
        "dtype": encoded.number_format.name,
        "sparsity": 1.0 - figures.kept / encoded.n if encoded.n else None,
        "n_in": code and code.n_in,
        "n_out": code and code.n_out,
        "n_s": code and code.n_s,
        "constraint_length": code and code.constraint_length,
        "code": code and code.spec,
        "check_value": code and code.check_value,
        "groups": [
            {"planes": group.planes, "code": group.code.spec, "check_value": group.code.check_value}
            for group in encoded.groups
        ],
        "mask_code": encoded.mask_coder.kind,
        "values_code": encoded.values.kind,
        "scan": encoded.scan.spec,
        "corrections": encoded.correction_format,
        **_bits(figures),
        **figures.ratios(),
        "encoder": encoded.encoder if code else None,
    }


def total_record(parts: Iterable[Figures], file_bits: int | None = None) -> dict[str, object]:
    """Return the ``total`` entry: all encoded tensors together.

    Parameters
    ----------
    file_bits : int, optional
        Size of the container's directory, in bits, which belongs to all tensors: added to ``side_bits``.
    """
    figures = Figures.together(parts)
    if file_bits:
        figures = Figures(**{**asdict(figures), "side_bits": figures.side_bits + file_bits})
    return {"weights": figures.weights, **_bits(figures), **figures.ratios()}


def _bits(figures: Figures) -> dict[str, object]:
    return {
        "care_bits": figures.care_bits,
        "payload_bits": figures.payload_bits,
        "correction_bits": figures.correction_bits,
        "mask_bits": figures.mask_bits,
        "side_bits": figures.side_bits,
        "unmatched_bits": figures.unmatched_bits,
        "bound_bits": figures.bound_bits,
    }
