from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.bit_fields import BitReader, BitWriter
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS, number_format
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.comparison import bounds
from xorweave.golden.tensor.prefix_tensor import (
    PrefixTensor,
    decode_prefix_tensor,
    encode_prefix_tensor,
    read_prefix_tensor,
    write_prefix_tensor,
)


def through_the_stream(stored: PrefixTensor) -> np.ndarray:
    writer = BitWriter()
    parts = write_prefix_tensor(writer, stored)
    assert sum(parts.values()) == writer.bits
    return decode_prefix_tensor(
        read_prefix_tensor(BitReader(writer.stream()), stored.shape, stored.number_format)
    )


@pytest.mark.parametrize("fmt", sorted(FORMATS))
@pytest.mark.parametrize("density", [0.01, 0.1, 0.6])
def test_tensors_of_any_bits_come_back(fmt: str, density: float) -> None:
    """Random bits: NaN payloads, -0.0, words that occur once."""
    random = np.random.default_rng(1)
    form = number_format(fmt)
    words = random.integers(0, 1 << form.n_w, (30, 60), np.uint64).astype(form.word)
    words[:4] = 1 << (form.n_w - 1)  # -0.0 of a float
    mask = random.random(words.shape) < density
    values = form.from_words(np.where(mask, words, form.word.type(0)))
    stored = encode_prefix_tensor(values, form, mask=mask, beam=64)
    back = through_the_stream(stored)
    assert back.dtype == values.dtype
    assert np.array_equal(form.to_words(back), form.to_words(values))


@pytest.mark.parametrize("prune", ["random", "magnitude"])
def test_skewed_values_are_stored_within_a_tenth_of_the_entropies(prune: str) -> None:
    random = np.random.default_rng(2)
    drawn = random.standard_normal((256, 256))
    levels = np.round(drawn / np.abs(drawn).max() * 127).astype(np.int8)
    kept = random.random(drawn.shape) < 0.1 if prune == "random" else np.abs(drawn) > 1.645
    values = np.where(kept, levels, 0).astype(np.int8)
    stored = encode_prefix_tensor(values, number_format("int8"), beam=256)
    assert np.array_equal(through_the_stream(stored), values)
    writer = BitWriter()
    write_prefix_tensor(writer, stored)
    bound = bounds(PrunedTensor.from_values(values, number_format("int8")))[1].bits
    assert bound is not None and bound < writer.bits < 1.1 * bound


def test_every_block_takes_as_many_bits_as_every_other() -> None:
    values = (np.arange(6000).reshape(60, 100) % 97 % 5 * (np.arange(6000).reshape(60, 100) % 7 == 0)).astype(
        np.int8
    )
    stored = encode_prefix_tensor(values, number_format("int8"), beam=64)
    blocks = {group.symbols.shape[0] for group in stored.groups}
    assert len(blocks) == 1 and len({group.code.n_out for group in stored.groups}) == 1
    assert [group.first for group in stored.groups] == [0, *(group.end for group in stored.groups[:-1])]


@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (3, 100)])
@pytest.mark.parametrize("value", [0, 7])
def test_small_and_constant_tensors_come_back(shape: tuple[int, int], value: int) -> None:
    values = np.full(shape, value, np.int8)
    assert np.array_equal(through_the_stream(encode_prefix_tensor(values, number_format("int8"))), values)


def test_words_of_few_kinds_have_codewords_whole() -> None:
    """Shared values of a clustered FP32 layer: next to no tail is stored."""
    random = np.random.default_rng(3)
    centroids = random.standard_normal(16).astype(np.float32)
    values = np.where(random.random((80, 90)) < 0.2, random.choice(centroids, (80, 90)), 0).astype(np.float32)
    stored = encode_prefix_tensor(values, number_format("fp32"), beam=64)
    assert stored.book.tails.max() < 4 and stored.book.depth < 9
    assert np.array_equal(through_the_stream(stored), values)


def test_a_stream_that_ends_early_is_refused() -> None:
    values = (np.arange(600).reshape(20, 30) % 9 == 0).astype(np.int8)
    writer = BitWriter()
    write_prefix_tensor(writer, encode_prefix_tensor(values, number_format("int8"), beam=64))
    stream = writer.stream()
    with pytest.raises(InputError, match="the stream must hold at least"):
        read_prefix_tensor(BitReader(stream[: len(stream) // 2]), values.shape, number_format("int8"))


def test_the_mask_must_fit_the_weights() -> None:
    with pytest.raises(InputError, match=r"the mask must have the weights' shape \(4, 5\), not \(5, 4\)"):
        encode_prefix_tensor(np.ones((4, 5), np.int8), number_format("int8"), mask=np.ones((5, 4), bool))


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=4, unique=True))
def test_a_damaged_stream_is_refused_or_reads_as_something(flipped: list[int]) -> None:
    """Never another error than the one that says what is wrong."""
    random = np.random.default_rng(4)
    values = np.where(random.random((20, 40)) < 0.2, random.integers(-5, 6, (20, 40)), 0).astype(np.int8)
    form = number_format("int8")
    bits = np.unpackbits(np.frombuffer(_stream_of(values.tobytes()), np.uint8), bitorder="little")
    for place in flipped:
        bits[place % min(bits.size, 400 + 2 * bits.size // 3)] ^= 1
    try:
        back = decode_prefix_tensor(
            read_prefix_tensor(BitReader(np.packbits(bits, bitorder="little").tobytes()), values.shape, form)
        )
    except InputError:
        return
    assert back.shape == values.shape and back.dtype == values.dtype


@functools.cache
def _stream_of(raw: bytes) -> bytes:
    writer = BitWriter()
    values = np.frombuffer(raw, np.int8).reshape(20, 40)
    write_prefix_tensor(writer, encode_prefix_tensor(values, number_format("int8"), beam=64))
    return writer.stream()
