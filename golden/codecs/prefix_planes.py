"""Prefix-coded words in the planes of XOR codes, under a shaped mask, as one codec among others."""

from __future__ import annotations

from dataclasses import dataclass, field

from xorweave.golden.base.bit_fields import BitReader, BitWriter
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.codecs.codec import Codec, DecodeTraits, Encoding, PrunedTensor
from xorweave.golden.tensor.prefix_tensor import (
    decode_prefix_tensor,
    encode_prefix_tensor,
    read_prefix_tensor,
    write_prefix_tensor,
)


@dataclass
class PrefixPlanes(Codec):
    """The only format here that has both a fixed rate and the entropy of the values.

    Parameters
    ----------
    beam : int
        Paths of the mask's search.
    """

    beam: int = 1024
    name: str = "xor-prefix"
    title: str = "XOR code, prefix planes + shaped mask"
    traits: DecodeTraits = field(
        default=DecodeTraits(
            "fixed", "none; patches are a second, variable stream", "a segment's start, then forward"
        )
    )

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor."""
        values = tensor.number_format.from_words(tensor.words).reshape(tensor.shape)
        writer = BitWriter()
        parts = write_prefix_tensor(
            writer, encode_prefix_tensor(values, tensor.number_format, beam=self.beam)
        )
        return Encoding(stream=writer.stream(), parts=parts)

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back."""
        stored = read_prefix_tensor(BitReader(encoding.stream), shape, number_format)
        return number_format.to_words(decode_prefix_tensor(stored)).reshape(-1)
