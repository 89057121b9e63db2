"""The stored tensor as one codec among others: what ``encode`` writes, by default and with other choices."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.choose.choice import Choice
from xorweave.golden.codecs.codec import Codec, DecodeTraits, Encoding, PrunedTensor
from xorweave.golden.files.blob import read_blob, side_bits
from xorweave.golden.files.smallest import store
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.figures import figures_of

_FIXED = DecodeTraits("fixed", "none", "its block and the window before it")
_CORRECTED = DecodeTraits(
    "fixed", "none; patches are a second, variable stream", "its block and the window before it"
)

_TRELLIS = 20_000  # weights; the exact trellis goes through 2^24 branches a block and plane


@dataclass
class XorCode(Codec):
    """The bytes of a stored tensor, as a container holds them.

    Parameters
    ----------
    name, title : str
    choice : Choice
        What is stored: by default what ``encode`` stores without further options.
    traits : DecodeTraits
    slow_above : int, optional
        See `Codec`.
    """

    name: str = "xor"
    title: str = "XOR code, as encode stores it"
    choice: Choice = field(default_factory=Choice)
    traits: DecodeTraits = field(default=_CORRECTED)
    slow_above: int | None = None
    complete = True

    def objection(self, tensor: PrunedTensor) -> str | None:
        """Say why the format cannot hold this tensor."""
        density = np.count_nonzero(tensor.words) / max(1, tensor.n)
        if self.choice.mask_code == "shaped" and not 0 < density <= 0.5:
            return f"takes masks of density above 0 and at most 0.5, not {density:.4f}"
        if tensor.n == 0:
            return "takes at least one weight"
        return None

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor."""
        values = tensor.number_format.from_words(tensor.words).reshape(tensor.shape)
        stored, blob = store(values, tensor.number_format, tensor.mask.reshape(tensor.shape), self.choice)
        figures = figures_of(stored, side_bits(stored, blob))
        parts = {
            "mask": figures.mask_bits,
            "values": figures.payload_bits,
            "correction": figures.correction_bits,
            "table": figures.side_bits,
        }
        return Encoding(stream=blob, parts=parts)

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back."""
        stored = read_blob(encoding.stream)
        if stored.shape != shape or stored.number_format != number_format:
            raise InputError(f"the stored tensor must be {number_format.name} of shape {shape}")
        return number_format.to_words(decode_tensor(stored)).reshape(-1)


def our_codecs() -> tuple[Codec, ...]:
    """Return the project's own formats in the order of the table."""
    return (
        XorCode(
            "xor-paper", "XOR code, the paper's (N_s = 2) + bitmap", Choice(goal="paper"), slow_above=_TRELLIS
        ),
        XorCode("xor-raw", "XOR code, raw planes + bitmap", Choice(mask_code="bitmap", values_code="raw")),
        XorCode("xor-error-free", "XOR code, error-free + bitmap", Choice(error_free=True), _FIXED),
        XorCode("xor-hardware", "XOR code, encode --for hardware", Choice(goal="hardware")),
        XorCode(),
    )
