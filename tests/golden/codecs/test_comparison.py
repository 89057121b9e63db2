"""Every lossless codec gives back what it was given; the lossy ones lose what they say they lose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS, number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.code.limits import binary_entropy
from xorweave.golden.codecs.codec import Codec, Encoding, PrunedTensor
from xorweave.golden.codecs.comparison import all_codecs, bounds, compare, measure, missing_extra, total_rows
from xorweave.golden.codecs.xor_code import XorCode

OURS = [codec for codec in all_codecs() if codec.name.startswith("xor-")]


def pruned(shape: tuple[int, ...], fmt: str, density: float, seed: int) -> PrunedTensor:
    random = np.random.default_rng(seed)
    form = number_format(fmt)
    words = random.integers(0, 1 << form.n_w, shape, np.uint64).astype(form.word)
    mask = random.random(shape) < density
    return PrunedTensor.from_values(form.from_words(words), form, mask)


def lossless(codec: Codec) -> bool:
    return codec.lossless and missing_extra(codec) is None


@pytest.mark.parametrize(
    "codec", [c for c in all_codecs() if c.lossless and c not in OURS], ids=lambda c: c.name
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(1, 9),
    cols=st.integers(1, 70),
    fmt=st.sampled_from(sorted(FORMATS)),
    density=st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
def test_lossless_codecs_give_back_every_bit(
    codec: Codec, rows: int, cols: int, fmt: str, density: float, seed: int
) -> None:
    if not lossless(codec):
        pytest.skip(f"{codec.name}: {missing_extra(codec)}")
    tensor = pruned((rows, cols), fmt, density, seed)
    if codec.objection(tensor) is not None:
        return
    encoding = codec.encode(tensor)
    words = codec.decode(encoding, tensor.shape, tensor.number_format)
    assert words.dtype == tensor.words.dtype
    assert np.array_equal(words, tensor.words)
    # the bits claimed are the bits in the stream, up to the last byte's padding
    assert 0 <= 8 * len(encoding.stream) - encoding.bits < 8


@pytest.mark.parametrize("codec", OURS, ids=lambda c: c.name)
@pytest.mark.parametrize(("fmt", "density"), [("int8", 0.3), ("fp16", 0.25)])
def test_our_own_formats_give_back_every_bit_from_the_stream_alone(
    codec: Codec, fmt: str, density: float
) -> None:
    tensor = pruned((24, 30), fmt, density, 4)
    encoding = codec.encode(tensor)
    words = codec.decode(Encoding(encoding.stream, {}), tensor.shape, tensor.number_format)
    assert np.array_equal(words, tensor.words)
    assert 0 <= 8 * len(encoding.stream) - encoding.bits < 8


def test_a_models_total_adds_its_tensors() -> None:
    tensors = {"a": pruned((20, 30), "int8", 0.2, 1), "b": pruned((10, 10), "int4", 0.5, 2)}
    chosen = [c for c in all_codecs() if c.name in ("dense", "bitmap")]
    tables = {name: compare(tensor, chosen) for name, tensor in tensors.items()}
    dense, bitmap, *_ = total_rows(tensors, tables)
    kept = [tensor.kept for tensor in tensors.values()]
    head = 2 * 8 * (3 + 1 + 2 + 4)  # what is stored, rank, sides, checksum, of each
    words = head + 8 * kept[0] + 8 * -(-kept[1] // 2)
    assert dense.bits == 600 * 8 + 100 * 4 + head
    assert bitmap.bits == 600 + 104 + words
    assert bitmap.bits_per_weight == pytest.approx((words + 4) / 700)
    assert bitmap.memory_reduction_with_mask == pytest.approx(1 - bitmap.bits / (600 * 8 + 100 * 4))


def test_convolutions_of_four_dimensions_go_through_every_codec() -> None:
    tensor = pruned((6, 3, 3, 3), "int8", 0.3, 1)
    chosen = [codec for codec in all_codecs() if codec not in OURS]
    rows = {row.codec: row for row in compare(tensor, chosen)}
    head = 8 * (3 + 1 + 4 + 4)
    assert rows["bitmap"].bits == 168 + 8 * tensor.kept + head  # 162 in whole bytes
    assert rows["dense"].bits_per_weight_with_mask == pytest.approx(8 + head / 162)
    assert rows["csr"].verified


def test_a_codec_that_lies_about_being_lossless_is_a_defect_not_a_row() -> None:
    class Liar(type(all_codecs()[0])):  # type: ignore[misc]
        name = "liar"

        def decode(self, encoding, shape, number_format):  # type: ignore[no-untyped-def]
            return super().decode(encoding, shape, number_format) ^ np.uint8(1)

    with pytest.raises(RuntimeError, match="liar is lossless, but 20 of 20 weights"):
        measure(Liar(), pruned((4, 5), "int8", 0.5, 0))


def test_lossy_codecs_say_how_many_weights_they_changed() -> None:
    tensor = pruned((100, 200), "int8", 0.1, 3)
    chosen = [codec for codec in all_codecs() if codec not in OURS]
    rows = {row.codec: row for row in compare(tensor, chosen)}
    weightless = rows["weightless"]
    assert not weightless.lossless and weightless.verified is None
    pruned_weights = tensor.n - tensor.kept
    # 16 of 256 answers look like a cluster; one cluster may be the word 0, which is no false positive
    assert abs(weightless.false_positives / pruned_weights - 16 / 256) < 0.012
    if missing_extra(all_codecs()[7]) is None:
        clustered = rows["deep-compression-clustered"]
        assert clustered.false_positives == 0
        assert clustered.bits < rows["deep-compression"].bits


def test_entropy_bounds_agree_with_scipy() -> None:
    tensor = pruned((64, 64), "int4", 0.2, 5)
    raw, full = bounds(tensor)
    p = tensor.kept / tensor.n
    counts = np.bincount(tensor.words[tensor.mask])
    assert binary_entropy(p) == pytest.approx(entropy([p, 1 - p], base=2))
    assert raw.bits_per_weight_with_mask == pytest.approx(entropy([p, 1 - p], base=2) + 4 * p)
    assert full.bits_per_weight == pytest.approx(entropy(counts, base=2) * p)


def test_pruned_positions_must_hold_zero() -> None:
    with pytest.raises(InputError, match="pruned positions must hold the word 0"):
        PrunedTensor(
            words=np.ones(4, np.uint8),
            mask=np.zeros(4, bool),
            shape=(4,),
            number_format=number_format("int8"),
        )


def test_exact_zeros_are_the_mask_unless_one_is_given() -> None:
    values = np.array([[0.0, -0.0, 1.5]], np.float32)
    assert PrunedTensor.from_values(values, number_format("fp32")).mask.tolist() == [False, False, True]
    kept = PrunedTensor.from_values(values, number_format("fp32"), np.array([[False, True, True]]))
    assert kept.words.tolist() == [0, 0x80000000, 0x3FC00000]


@pytest.mark.parametrize(("kept", "crowded"), [(0, False), (1, True), (3, True), (40, False)])
def test_values_that_nearly_all_differ_are_said_to_be_beyond_any_code(kept: int, crowded: bool) -> None:
    values = np.zeros((8, 8), np.int8)
    values.reshape(-1)[:kept] = np.arange(1, kept + 1) if crowded else 7
    rows = {row.codec: row for row in bounds(PrunedTensor.from_values(values, number_format("int8")))}
    assert ("no code reaches this" in rows["bound-entropy"].note) == crowded


def test_a_shaped_mask_is_objected_to_where_it_is_dense_and_a_bitmap_never() -> None:
    dense, empty = (
        PrunedTensor.from_values(np.full((4, 4), v, np.int8), number_format("int8")) for v in (1, 0)
    )
    shaped = XorCode(choice=Choice(mask_code="shaped"))
    assert shaped.objection(dense) == "takes masks of density above 0 and at most 0.5, not 1.0000"
    assert shaped.objection(empty) == "takes masks of density above 0 and at most 0.5, not 0.0000"
    assert XorCode().objection(dense) is None and XorCode().objection(empty) is None
