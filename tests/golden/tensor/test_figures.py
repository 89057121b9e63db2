from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_plain
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.figures import Figures, figures_of, tensor_record, total_record

CODE = Code.uniform(n_in=8, n_out=20, n_s=1, seed=3)


def example(name: str, rows: int, density: float, seed: int):  # type: ignore[no-untyped-def]
    fmt = number_format(name)
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << fmt.n_w, (rows, 13), np.uint64).astype(fmt.word)
    return encode_tensor(
        fmt.from_words(words),
        fmt,
        CODE,
        mask=rng.random((rows, 13)) < density,
        options=EncodeOptions(corrections="paper"),
    )


@pytest.mark.parametrize("name, n_w", [("int4", 4), ("int8", 8), ("fp16", 16)])
def test_figures_are_counted_again_by_hand(name: str, n_w: int) -> None:
    encoded = example(name, 31, 0.5, 2)
    n = 31 * 13
    blocks = -(-n // 20)
    decoded = decode_plain(CODE, encoded.symbols, encoded.segment_blocks).reshape(-1)[:n]
    fixed = decoded.copy()
    fixed[encoded.patches.positions] ^= encoded.patches.differences
    wrong = sum(
        int(a ^ b).bit_count() for a, b in zip(decoded[encoded.mask], fixed[encoded.mask], strict=True)
    )
    assert wrong > 0
    care = int(encoded.mask.sum()) * n_w
    payload, corrections = blocks * 8 * n_w, 10 * wrong + n_w  # one vector of 512 holds the 403 positions
    record = tensor_record("w", encoded, figures_of(encoded))
    assert (record["care_bits"], record["payload_bits"], record["correction_bits"]) == (
        care,
        payload,
        corrections,
    )
    assert (record["mask_bits"], record["unmatched_bits"]) == (n, wrong)
    assert record["shape"] == [31, 13] and record["dtype"] == name
    assert (record["n_in"], record["n_out"], record["n_s"], record["constraint_length"]) == (8, 20, 1, 16)
    assert record["sparsity"] == pytest.approx(1 - encoded.mask.mean())
    assert record["efficiency"] == pytest.approx((care - wrong) / care)
    assert record["overhead"] == pytest.approx((payload + corrections) / care - 1)
    assert record["memory_reduction"] == pytest.approx(1 - (payload + corrections) / (n * n_w))
    assert record["memory_reduction_with_mask"] == pytest.approx(1 - (payload + corrections + n) / (n * n_w))
    assert record["bits_per_weight"] == pytest.approx((payload + corrections) / n)
    assert record["bits_per_weight_with_mask"] == pytest.approx((payload + corrections + n) / n)


def test_totals_are_ratios_of_sums() -> None:
    parts = [example("int8", 31, 0.5, 2), example("fp16", 5, 0.1, 3)]
    figures = [figures_of(part) for part in parts]
    total = total_record(figures)
    care = sum(f.care_bits for f in figures)
    stored = sum(f.payload_bits + f.correction_bits for f in figures)
    dense = 31 * 13 * 8 + 5 * 13 * 16
    assert total["care_bits"] == care and total["weights"] == 36 * 13
    assert total["overhead"] == pytest.approx(stored / care - 1)
    assert total["memory_reduction"] == pytest.approx(1 - stored / dense)
    assert total["efficiency"] == pytest.approx(1 - sum(f.unmatched_bits for f in figures) / care)


def test_ratios_without_a_denominator_are_none() -> None:
    assert set(total_record([])) >= {"overhead", "efficiency"}
    assert all(
        total_record([])[key] is None
        for key in ("overhead", "efficiency", "memory_reduction", "bits_per_weight")
    )
    nothing_kept = example("int8", 3, 0.0, 1)
    zeros = tensor_record("w", nothing_kept, figures_of(nothing_kept))
    assert zeros["efficiency"] is None and zeros["overhead"] is None and zeros["sparsity"] == 1.0
    assert zeros["memory_reduction"] is not None
    no_weight = encode_tensor(np.zeros((0, 3), np.int8), number_format("int8"), CODE)
    empty = tensor_record("w", no_weight, figures_of(no_weight))
    assert empty["sparsity"] is None and empty["bits_per_weight"] is None


def test_nothing_together_is_nothing() -> None:
    assert Figures.together([]).stored_bits == 0
