"""The weight format of Arm's Ethos-U NPUs, by Arm's own codec (`mlw_codec` in `ethos-u-vela`)."""

from __future__ import annotations

import math

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.codecs.codec import Codec, DecodeTraits, Encoding, PrunedTensor


class ArmMlw(Codec):
    """Palette, Golomb-Rice codes of weights and of zero runs, section by section; INT4 and INT8 only."""

    name = "arm-mlw"
    title = "Arm mlw_codec (Ethos-U)"
    traits = DecodeTraits(
        "variable", "unary codes: bursts of large weights slow it", "the whole stream before it"
    )

    def objection(self, tensor: PrunedTensor) -> str | None:
        """Say why the format cannot hold this tensor."""
        if tensor.number_format.name not in ("int4", "int8"):
            return f"holds int4 and int8 weights only, not {tensor.number_format.name}"
        return None

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor."""
        from ethosu import mlw_codec

        values = tensor.number_format.from_words(tensor.words)
        stream = bytes(mlw_codec.encode(values.astype(np.int16).tolist()))
        return Encoding(stream=stream, parts={"mixed": 8 * len(stream)})

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back."""
        from ethosu import mlw_codec

        n = math.prod(shape)
        values = np.array(mlw_codec.decode(bytearray(encoding.stream)), np.int64)
        if values.size < n:
            raise InputError(f"the stream must hold {n} weights, not {values.size}")
        return number_format.to_words(values[:n].astype(number_format.storage))
