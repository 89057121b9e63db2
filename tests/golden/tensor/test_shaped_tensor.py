from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.tensor.shaped_tensor import decode_with_shaped_mask, encode_with_shaped_mask


@pytest.mark.parametrize(("fmt", "density"), [("int8", 0.1), ("fp32", 0.08), ("int4", 0.3)])
def test_tensors_come_back_bit_for_bit(fmt: str, density: float) -> None:
    random = np.random.default_rng(1)
    form = number_format(fmt)
    shape = (60, 90)
    words = random.integers(0, 1 << form.n_w, shape, np.uint64).astype(form.word)
    mask = random.random(shape) < density
    values = form.from_words(np.where(mask, words, form.word.type(0)))
    stored = encode_with_shaped_mask(values, form, mask=mask, beam=128)
    assert np.array_equal(form.to_words(decode_with_shaped_mask(stored)), form.to_words(values))
    n = mask.size
    # fewer bits than a bitmap with packed non-zeros for the narrow formats, and none forgotten
    assert stored.bits == stored.mask.bits + stored.value_bits + stored.missed_bits
    assert stored.bits > mask.sum() * form.n_w * 0.95
    if fmt != "fp32":
        assert stored.bits < n + mask.sum() * form.n_w + 0.1 * n


def test_false_zeros_are_patched() -> None:
    """A code at far too low a rate misses ones; the tensor still comes back."""
    random = np.random.default_rng(2)
    values = (random.integers(1, 100, (40, 50)) * (random.random((40, 50)) < 0.3)).astype(np.int8)
    code = ShapedMaskCode(n_in=8, n_out=32, parities=2, taps=4)
    stored = encode_with_shaped_mask(values, number_format("int8"), mask_code=code, beam=64)
    assert stored.mask.false_zeros.size > 20 and stored.mask.false_ones.size > 20
    assert stored.missed_bits > 8 * stored.mask.false_zeros.size
    assert np.array_equal(decode_with_shaped_mask(stored), values)


def test_the_mask_must_fit_the_weights() -> None:
    with pytest.raises(InputError, match=r"the mask must have the weights' shape \(4, 5\), not \(5, 4\)"):
        encode_with_shaped_mask(np.ones((4, 5), np.int8), number_format("int8"), mask=np.ones((5, 4), bool))
