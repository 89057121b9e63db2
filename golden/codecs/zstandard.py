"""Zstandard (RFC 8878) over the dense words: what a general-purpose compressor makes of the zeros."""

from __future__ import annotations

import math

import numpy as np

from xorweave.golden.base.bit_fields import BitReader, BitWriter
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.codecs.codec import Codec, DecodeTraits, Encoding, PrunedTensor


class Zstandard(Codec):
    """Level 19 over the dense words, packed without gaps (two INT4 words a byte)."""

    name = "zstd"
    title = "zstd -19"
    traits = DecodeTraits(
        "variable", "unbounded: entropy-coded blocks of up to 128 KiB", "the whole frame before it"
    )

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor."""
        import zstandard

        writer = BitWriter()
        writer.fields(tensor.words, tensor.n_w)
        frame = zstandard.ZstdCompressor(level=19).compress(writer.stream())
        return Encoding(stream=frame, parts={"mixed": 8 * len(frame)})

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back."""
        import zstandard

        n = math.prod(shape)
        size = (n * number_format.n_w + 7) // 8
        packed = zstandard.ZstdDecompressor().decompress(encoding.stream, max_output_size=size)
        return np.asarray(BitReader(packed).fields(n, number_format.n_w), number_format.word)
