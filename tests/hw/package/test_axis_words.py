"""Golden vectors against a decoder written straight from the definition, bit by bit."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_words import axis_words
from xorweave.hw.package.vectors import random_tensor, required_patches
from xorweave.hw.stages.fields import dense_corrections, position_bits


@settings(max_examples=25, deadline=None)
@given(
    n_in=st.integers(1, 5),
    n_out=st.integers(1, 9),
    n_s=st.integers(0, 3),
    blocks=st.integers(1, 9),
    segment=st.integers(1, 9),
    dtype=st.sampled_from(["int4", "int8", "fp16"]),
    transform=st.sampled_from(["none", "difference", "sign-magnitude"]),
    seed=st.integers(0, 1000),
)
def test_vectors_follow_the_definition(
    n_in: int, n_out: int, n_s: int, blocks: int, segment: int, dtype: str, transform: str, seed: int
) -> None:
    code = Code.uniform(n_in=n_in, n_out=n_out, n_s=n_s, seed=seed)
    fmt = number_format(dtype)
    n_w = fmt.n_w
    slots = min(3, n_out)
    tensor = random_tensor(
        code,
        fmt,
        blocks=blocks,
        segment_blocks=segment,
        sparsity=0.5,
        patches_per_block=slots,
        inversion=seed % (1 << n_w),
        transform=transform,
        seed=seed,
    )
    assert required_patches(tensor) <= slots
    config = DecoderConfig.raw(
        code=code, n_w=n_w, inversion=tensor.raw.inversion, transform=transform, patches_per_block=slots
    )
    vectors = axis_words(config, [tensor])
    width = n_w + position_bits(n_out) + 1
    history: list[int] = []
    for t in range(blocks):
        bus = vectors["s_axis"][t]
        first, last = bus >> (n_in * n_w) & 1, bus >> (n_in * n_w + 1)
        assert first == (t % segment == 0)
        assert last == (t == blocks - 1 or (t + 1) % segment == 0)
        history = [bus] if first else [bus, *history]
        for r in range(n_out):
            word = 0
            for q in range(n_w):
                for i, x in enumerate(history[: n_s + 1]):
                    for b in range(n_in):
                        word ^= (int(code.generator[r, i * n_in + b]) & x >> (b * n_w + q) & 1) << q
            word ^= tensor.raw.inversion
            if transform == "difference":
                word = sum(((word >> q).bit_count() & 1) << q for q in range(n_w))
            elif transform == "sign-magnitude" and word >> (n_w - 1):
                word = 1 << (n_w - 1) | -word & ((1 << (n_w - 1)) - 1)
            position = t * n_out + r
            kept = position < tensor.n and bool(tensor.mask[position])
            word = word if kept else 0
            if dense_corrections(n_out, n_w, slots):
                word ^= vectors["s_axis_patch"][t] >> (r * n_w) & ((1 << n_w) - 1)
            for p in range(0 if dense_corrections(n_out, n_w, slots) else slots):
                patch = vectors["s_axis_patch"][t] >> (p * width)
                if patch >> (width - 1) & 1 and patch >> n_w & ((1 << position_bits(n_out)) - 1) == r:
                    word ^= patch & ((1 << n_w) - 1)
            assert vectors["s_axis_mask"][t] >> r & 1 == kept
            assert vectors["m_axis"][t] >> (r * n_w) & ((1 << n_w) - 1) == word
        assert vectors["m_axis"][t] >> (n_out * n_w) == first | last << 1
