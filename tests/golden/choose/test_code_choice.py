from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.choose.plan import rank_plans
from xorweave.golden.code.code import Code
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions


@pytest.mark.parametrize("sparsity, n_out", [(0.6, 20), (0.7, 26), (0.8, 40), (0.9, 80)])
def test_the_papers_sizes(sparsity: float, n_out: int) -> None:
    mask = random_mask((100, 100), sparsity)
    chosen = CodeChoice.parse("paper,n_s=1,seed=5").for_mask(mask, 8)
    assert chosen.code == Code.uniform(n_in=8, n_out=n_out, n_s=1, seed=5)
    assert chosen.interleaver.is_identity and chosen.corrections == "paper"
    assert CodeChoice.parse("paper").for_mask(mask, 8).code.n_s == 2


def test_the_papers_code_of_the_ends() -> None:
    assert CodeChoice.parse("paper").for_mask(np.ones((4, 4), bool), 8).code.n_out == 8
    assert CodeChoice.parse("paper").for_mask(np.zeros((4, 4), bool), 8).code.n_out == 4096


def test_words_of_a_code_are_the_code() -> None:
    chosen = CodeChoice.parse("family=sparse,n_in=8,n_out=40,n_s=3,taps=5")
    assert chosen.for_mask(np.ones((3, 3), bool), 8).code == Code.from_spec(
        "family=sparse,n_in=8,n_out=40,n_s=3,taps=5"
    )


def test_auto_stays_within_its_window() -> None:
    mask = random_mask((60, 80), 0.8)
    for max_k in (32, 96):
        chosen = CodeChoice.parse("auto", max_k=max_k).for_mask(mask, 8)
        assert chosen.code.constraint_length <= max_k
        assert chosen.code.rate == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("sparsity", [0.7, 0.9, 0.0, 1.0])
def test_error_free_codes_leave_nothing_unmatched(sparsity: float) -> None:
    mask = random_mask((60, 100), sparsity)
    values = np.random.default_rng(0).integers(-128, 128, mask.shape).astype(np.int8)
    encoded = CodeChoice.parse("auto", max_k=128).encode_error_free(
        values, number_format("int8"), mask, options=EncodeOptions(encoder="elimination")
    )
    assert encoded.patches.positions.size == 0 and encoded.correction_format == "none"
    assert np.array_equal(decode_tensor(encoded), np.where(mask, values, 0))
    assert encoded.symbols.size <= mask.size + 31


def test_a_long_stream_is_not_stored_dense_for_its_start() -> None:
    """No code is expected to lose nothing over so many blocks of a window this short; from a good start one does."""
    mask = random_mask((512, 512), 0.5, 0)
    assert rank_plans(mask, 8, error_free=True, max_k=64)[0].code.rate == 1
    values = np.random.default_rng(0).integers(-128, 128, mask.shape).astype(np.int8)
    encoded = CodeChoice.parse("auto", max_k=64).encode_error_free(values, number_format("int8"), mask)
    assert encoded.patches.positions.size == 0
    assert encoded.code.rate < 0.6
    assert np.array_equal(decode_tensor(encoded), np.where(mask, values, 0))


@pytest.mark.parametrize("code", ["auto", "paper", "graph-128-1225-k256", "n_in=5,n_out=3,n_s=2,seed=1"])
@pytest.mark.parametrize("shape", [(0,), (3, 0, 2), (1,), ()])
def test_an_empty_or_tiny_tensor_is_free_of_errors_too(code: str, shape: tuple[int, ...]) -> None:
    values = np.full(shape, -77, np.int8)
    encoded = CodeChoice.parse(code).encode_error_free(values, number_format("int8"), np.ones(shape, bool))
    decoded = decode_tensor(encoded)
    assert decoded.shape == shape and np.array_equal(decoded, values)


def test_a_given_code_that_leaves_a_bit_unmatched_is_refused() -> None:
    mask = random_mask((60, 100), 0.5)
    values = np.random.default_rng(0).integers(-128, 128, mask.shape).astype(np.int8)
    with pytest.raises(
        InputError, match=r"leaves \d+ weights unmatched; an error-free encoding needs a higher rate"
    ):
        CodeChoice.parse("n_in=8,n_out=16,n_s=1").encode_error_free(values, number_format("int8"), mask)


@pytest.mark.parametrize(
    "text, message",
    [
        ("paper,n_s=3", "the paper's code has n_s = 0, 1 or 2, not 3"),
        ("paper,n_s=", "the paper's code takes n_s=NUMBER, seed=NUMBER and invert=0|1, not 'n_s='"),
        ("paper,n_s=-1", "the paper's code takes n_s=NUMBER, seed=NUMBER and invert=0|1, not 'n_s=-1'"),
        ("paper,invert=2", "invert must be 0 or 1, not 2"),
        ("paper,taps=6", "the paper's code takes n_s=NUMBER, seed=NUMBER and invert=0|1, not 'taps=6'"),
        ("auto,n_s=2", "a code must be written as KEY=VALUE,..., not 'auto' in 'auto,n_s=2'"),
        ("n_in=0,n_out=8,n_s=1", "n_in must be between 1 and 1024, not 0"),
    ],
)
def test_words_that_are_no_choice_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        CodeChoice.parse(text)
    assert str(caught.value) == message


def test_names_that_are_unknown_and_windows_too_short_are_refused() -> None:
    with pytest.raises(InputError, match=r"^the code must be auto, paper.*, not 'best'$"):
        CodeChoice.parse("best")
    with pytest.raises(InputError) as caught:
        CodeChoice.parse("auto", max_k=3)
    assert str(caught.value) == "max_k must be at least 4, not 3"


@pytest.mark.parametrize("clustered", [False, True])
def test_one_given_code_serves_tensors_of_its_sparsity_without_corrections(clustered: bool) -> None:
    rng = np.random.default_rng(3)
    share = rng.choice([0.02, 0.18], (256, 1)) if clustered else 0.1  # whole rows sparser or denser
    mask = rng.random((256, 250)) < share * 0.095 / np.mean(share)
    values = rng.integers(-128, 128, mask.shape).astype(np.int8)
    choice = CodeChoice.parse("graph-128-1225-k256")
    encoded = choice.encode_error_free(values, number_format("int8"), mask)
    assert encoded.correction_format == "none" and encoded.patches.positions.size == 0
    assert np.array_equal(decode_tensor(encoded), np.where(mask, values, 0))
    assert (encoded.scan.stride > 1) == clustered


@pytest.mark.parametrize("segments", [1, 2, 3, 5, 500])
def test_a_tensor_is_cut_into_segments(segments: int) -> None:
    rng = np.random.default_rng(3)
    values = np.where(rng.random(2000) < 0.2, rng.integers(-8, 8, 2000), 0).astype(np.int8)
    mask = values != 0
    choice = CodeChoice.parse("n_in=6,n_out=27,n_s=2")
    encoded = choice.encode(values, number_format("int4"), mask, segments=segments)
    assert -(-encoded.blocks // encoded.segment_blocks) == min(segments, encoded.blocks)
    assert np.array_equal(decode_tensor(encoded), values)
