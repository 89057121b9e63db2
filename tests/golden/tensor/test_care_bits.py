"""Care bits a block, counted again position by position."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from tests.golden.tensor.stored_kinds import STORED_KINDS, stored_kind
from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.tensor.care_bits import care_statistics
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.prefix_code import PrefixCode


def _bits_of_each_position(encoded: EncodedTensor, scanned: np.ndarray) -> list[int]:
    """How many planes care at each scan position: of a codeword its length, and sign and tail where it has them."""
    bits = []
    for word, kept in zip(scanned, encoded.mask, strict=True):
        if not kept:
            bits.append(0)
        elif isinstance(encoded.values, PrefixCode):
            rank = int(encoded.values.rank_of(np.array([word]))[0])
            tail = int(encoded.values.tails[rank])
            bits.append(
                int(encoded.values.lengths[rank]) + (1 + tail if tail >= 0 else 0) if rank >= 0 else 0
            )
        else:
            bits.append(sum(group.planes for group in encoded.groups))
    return bits


@pytest.mark.parametrize("kind", STORED_KINDS)
def test_care_bits_are_counted_again_position_by_position(kind: str) -> None:
    encoded, values = stored_kind(kind)
    words = encoded.number_format.to_words(np.asarray(values)).reshape(-1)
    found = care_statistics(encoded, words)
    assert [item.planes for item in found] == [group.planes for group in encoded.groups]
    if not encoded.groups:
        return
    bits = _bits_of_each_position(encoded, encoded.scan.to_scan(words))
    whole = encoded.scan.length // encoded.n_out
    counted = sum(item.planes * item.mean * item.blocks for item in found)
    assert counted == pytest.approx(sum(bits[: whole * encoded.n_out]))
    if encoded.values.kind == "raw":
        blocks = [bits[t * encoded.n_out : (t + 1) * encoded.n_out] for t in range(whole)]
        each = [sum(block) / found[0].planes for block in blocks]
        assert found[0].variation == pytest.approx(statistics.pstdev(each) / statistics.mean(each))


def test_a_random_mask_varies_as_theory_says_and_bursts_more() -> None:
    form, code = number_format("int8"), Code.uniform(n_in=8, n_out=40, n_s=1, seed=0)
    rng = np.random.default_rng(0)
    values = rng.integers(1, 100, (400, 400)).astype(np.int8)
    fast = EncodeOptions(encoder="elimination")  # care bits do not depend on the symbols
    (even,) = care_statistics(
        encode_tensor(values, form, code, mask=rng.random(values.shape) < 0.2, options=fast),
        form.to_words(values).reshape(-1),
    )
    assert even.variation == pytest.approx(even.random_variation, rel=0.05)
    bursts = np.repeat(rng.random((400, 10)) < 0.2, 40, axis=1)
    (uneven,) = care_statistics(
        encode_tensor(values, form, code, mask=bursts, options=fast), form.to_words(values).reshape(-1)
    )
    assert uneven.variation is not None and even.variation is not None
    assert uneven.variation > 3 * even.variation


@pytest.mark.parametrize(("rows", "kept"), [(1, 1.0), (8, 0.0)])
def test_what_cannot_vary_has_no_variation(rows: int, kept: float) -> None:
    form, code = number_format("int8"), Code.uniform(n_in=8, n_out=40, n_s=1, seed=0)
    values = np.ones((rows, 13), np.int8)
    mask = np.full(values.shape, bool(kept))
    (found,) = care_statistics(
        encode_tensor(values, form, code, mask=mask), form.to_words(values).reshape(-1)
    )
    assert found.variation is None and found.random_variation is None
    assert found.mean == (None if rows == 1 else 0.0)
