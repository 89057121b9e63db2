"""The two formats without any coding: dense, and a bitmap with the kept weights packed behind it."""

from __future__ import annotations

import math

import numpy as np

from xorweave.golden.base.bit_fields import BitReader, BitWriter
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.codecs.codec import Codec, DecodeTraits, Encoding, PrunedTensor


class Dense(Codec):
    """Every weight, pruned or not, as a word of n_w bits."""

    name = "dense"
    title = "dense"
    traits = DecodeTraits("fixed", "none", "one word, at a computed address")

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor."""
        writer = BitWriter()
        return Encoding(parts={"values": writer.fields(tensor.words, tensor.n_w)}, stream=writer.stream())

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back."""
        fields = BitReader(encoding.stream).fields(math.prod(shape), number_format.n_w)
        return fields.astype(number_format.word)


class Bitmap(Codec):
    """One mask bit a weight, filled up to whole bytes, then the kept weights packed."""

    name = "bitmap"
    title = "bitmap + packed non-zeros"
    traits = DecodeTraits(
        "variable", "none for one lane; lanes wait for a prefix sum", "a popcount of all mask bits before it"
    )

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor."""
        writer = BitWriter()
        mask_bits = writer.raw(tensor.mask.astype(np.uint8))
        writer.raw(np.zeros(-tensor.n % 8, np.uint8))
        value_bits = writer.fields(tensor.words[tensor.mask], tensor.n_w)
        return Encoding(parts={"mask": mask_bits, "values": value_bits}, stream=writer.stream())

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back."""
        reader = BitReader(encoding.stream)
        mask = reader.raw(math.prod(shape)).astype(bool)
        reader.raw(-mask.size % 8)
        words = np.zeros(mask.size, number_format.word)
        words[mask] = reader.fields(int(mask.sum()), number_format.n_w)
        return words
