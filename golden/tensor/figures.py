"""The figures of an encoded tensor: every bit counted, every ratio by its definition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from xorweave.golden.tensor.stream import EncodedTensor
from xorweave.golden.tensor.tensor_codec import correction_format_of


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of one tensor, or of several taken together. Bits are over all planes; ratios are fractions.

    ``overhead`` is (payload + corrections) / care bits - 1, ``efficiency`` matched care bits / care bits; both are
    None where there is no care bit. ``memory_reduction`` leaves the mask out, as the paper does;
    ``memory_reduction_with_mask`` counts it. Dense bits are weights times n_w.
    """

    care_bits: int
    payload_bits: int
    correction_bits: int
    mask_bits: int
    unmatched_bits: int
    weights: int
    dense_bits: int
    seconds: float

    @property
    def stored_bits(self) -> int:
        """Payload and corrections."""
        return self.payload_bits + self.correction_bits

    def ratios(self) -> dict[str, float | None]:
        """Return the ratios of the contract, each None where its denominator is zero."""

        def share(part: float, whole: float) -> float | None:
            return part / whole if whole else None

        efficiency = share(self.care_bits - self.unmatched_bits, self.care_bits)
        excess = share(self.stored_bits - self.care_bits, self.care_bits)
        with_mask = self.stored_bits + self.mask_bits
        return {
            "efficiency": efficiency,
            "overhead": excess,
            "memory_reduction": share(self.dense_bits - self.stored_bits, self.dense_bits),
            "memory_reduction_with_mask": share(self.dense_bits - with_mask, self.dense_bits),
            "bits_per_weight": share(self.stored_bits, self.weights),
            "bits_per_weight_with_mask": share(with_mask, self.weights),
        }

    @classmethod
    def together(cls, parts: Iterable[Figures]) -> Figures:
        """Add figures up; ratios of the sum are ratios of the totals, not means of ratios."""
        rows = [asdict(part) for part in parts]
        names = cls.__dataclass_fields__
        return cls(**{name: sum(row[name] for row in rows) for name in names})


def figures_of(encoded: EncodedTensor) -> Figures:
    """Count an encoded tensor: its mask is stored as one bit a weight."""
    n_w = encoded.number_format.n_w
    stored = correction_format_of(encoded)
    return Figures(
        care_bits=int(np.count_nonzero(encoded.mask)) * n_w,
        payload_bits=encoded.symbols.size * len(encoded.stored_planes),
        correction_bits=stored.bits(encoded.patches, encoded.n, n_w),
        mask_bits=encoded.n,
        unmatched_bits=int(np.bitwise_count(encoded.patches.differences).sum()),
        weights=encoded.n,
        dense_bits=encoded.n * n_w,
        seconds=encoded.seconds,
    )


def tensor_record(name: str, encoded: EncodedTensor) -> dict[str, object]:
    """Return one tensor's entry of ``encode --json`` and ``inspect --json``."""
    figures = figures_of(encoded)
    code = encoded.code
    return {
        "name": name,
        "shape": list(encoded.shape),
        "dtype": encoded.number_format.name,
        "sparsity": 1.0 - float(np.count_nonzero(encoded.mask)) / encoded.n if encoded.n else None,
        "n_in": code.n_in,
        "n_out": code.n_out,
        "n_s": code.n_s,
        "constraint_length": code.constraint_length,
        "code": code.spec,
        "check_value": code.check_value,
        "interleaver": {"stride": encoded.interleaver.stride, "offset": encoded.interleaver.offset},
        "corrections": encoded.correction_format,
        "transform": encoded.transform,
        "stored_planes": len(encoded.stored_planes),
        "care_bits": figures.care_bits,
        "payload_bits": figures.payload_bits,
        "correction_bits": figures.correction_bits,
        "mask_bits": figures.mask_bits,
        "unmatched_bits": figures.unmatched_bits,
        **figures.ratios(),
        "encoder": encoded.encoder,
        "seconds": figures.seconds,
    }


def total_record(tensors: Iterable[EncodedTensor]) -> dict[str, object]:
    """Return the ``total`` entry: all encoded tensors together."""
    figures = Figures.together(figures_of(encoded) for encoded in tensors)
    kept = figures.care_bits
    return {
        "weights": figures.weights,
        "care_bits": kept,
        "payload_bits": figures.payload_bits,
        "correction_bits": figures.correction_bits,
        "mask_bits": figures.mask_bits,
        "unmatched_bits": figures.unmatched_bits,
        **figures.ratios(),
        "seconds": figures.seconds,
    }
