"""The fixed-to-fixed XOR code as one codec among others: the paper's, the chosen one, error-free, shaped mask."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.bit_fields import BitReader, BitWriter
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.code.code import Code
from xorweave.golden.codecs.codec import Codec, DecodeTraits, Encoding, PrunedTensor
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.corrections import NoCorrections, parse_format
from xorweave.golden.tensor.shaped_tensor import encode_with_shaped_mask, missed_format
from xorweave.golden.tensor.stream import EncodedTensor, Patches
from xorweave.golden.tensor.tensor_codec import correction_format_of, decode_scan

_LENGTH_BITS = 32
_FIXED = DecodeTraits("fixed", "none", "a segment's start, then forward")
_CORRECTED = DecodeTraits(
    "fixed", "none; patches are a second, variable stream", "a segment's start, then forward"
)


def _write_header(writer: BitWriter, header: dict[str, object]) -> int:
    text = np.frombuffer(json.dumps(header, separators=(",", ":")).encode(), np.uint8)
    return writer.field(text.size, _LENGTH_BITS) + writer.fields(text, 8)


def _read_header(reader: BitReader) -> dict:
    text = reader.fields(reader.field(_LENGTH_BITS), 8).astype(np.uint8).tobytes()
    try:
        header = json.loads(text)
    except ValueError:
        raise InputError("the stream must start with its header") from None
    if not isinstance(header, dict):
        raise InputError("the stream must start with its header")
    return header


def _write_values(writer: BitWriter, encoded: EncodedTensor) -> tuple[int, int]:
    """Append symbols, and corrections with their length; return the bits of each."""
    n_w = encoded.number_format.n_w
    symbols = writer.fields(encoded.symbols, n_w)
    packed = correction_format_of(encoded).pack(encoded.patches, encoded.n, n_w)
    return symbols, writer.field(packed.size, _LENGTH_BITS) + writer.raw(packed)


def _values_header(encoded: EncodedTensor) -> dict[str, object]:
    return {
        "code": encoded.code.spec,
        "scan": [encoded.interleaver.stride, encoded.interleaver.offset],
        "segment": encoded.segment_blocks,
        "corrections": encoded.correction_format,
        "inversion": encoded.inversion,
    }


def _read_values(
    reader: BitReader,
    header: dict,
    shape: tuple[int, ...],
    number_format: NumberFormat,
    mask: NDArray[np.bool_] | None,
) -> EncodedTensor:
    """Read what `_write_values` wrote; without a mask it follows as one bit a weight in scan order."""
    n, n_w = math.prod(shape), number_format.n_w
    code = Code.from_spec(header["code"])
    blocks = -(-n // code.n_out)
    symbols = reader.fields(blocks * code.n_in, n_w).astype(number_format.word).reshape(blocks, code.n_in)
    packed = reader.raw(reader.field(_LENGTH_BITS))
    patches = parse_format(header["corrections"], code.n_out).unpack(packed, n, n_w, number_format.word)
    return EncodedTensor(
        shape=shape,
        number_format=number_format,
        code=code,
        interleaver=Interleaver(n, *header["scan"]),
        segment_blocks=header["segment"],
        symbols=symbols,
        mask=reader.raw(n).astype(bool) if mask is None else mask,
        patches=patches,
        correction_format=header["corrections"],
        inversion=header["inversion"],
    )


@dataclass
class XorCode(Codec):
    """Symbols, corrections and a bitmap.

    Parameters
    ----------
    name, title : str
    code : str
        As ``encode --code`` takes it.
    error_free : bool
        Use a rate at which nothing is unmatched, so that there are no corrections.
    """

    name: str = "xor-auto"
    title: str = "XOR code, auto + bitmap"
    code: str = "auto"
    error_free: bool = False
    traits: DecodeTraits = field(default=_CORRECTED)

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor."""
        choice = CodeChoice.parse(self.code)
        values = tensor.number_format.from_words(tensor.words).reshape(tensor.shape)
        mask = tensor.mask.reshape(tensor.shape)
        method = choice.encode_error_free if self.error_free else choice.encode
        encoded = method(values, tensor.number_format, mask)
        writer = BitWriter()
        table = _write_header(writer, _values_header(encoded))
        symbols, corrections = _write_values(writer, encoded)
        bitmap = writer.raw(encoded.mask.astype(np.uint8))
        return Encoding(
            stream=writer.stream(),
            parts={"mask": bitmap, "values": symbols, "correction": corrections, "table": table},
        )

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back."""
        reader = BitReader(encoding.stream)
        encoded = _read_values(reader, _read_header(reader), shape, number_format, None)
        return encoded.interleaver.from_scan(decode_scan(encoded))


@dataclass
class ShapedXorCode(Codec):
    """Symbols and corrections of the values, and the mask by a shaped code instead of a bitmap.

    Parameters
    ----------
    beam : int
        Paths of the mask's search.
    """

    beam: int = 4096
    name: str = "xor-shaped"
    title: str = "XOR code, auto + shaped mask"
    traits: DecodeTraits = field(default=_CORRECTED)

    def objection(self, tensor: PrunedTensor) -> str | None:
        """Say why the format cannot hold this tensor."""
        density = np.count_nonzero(tensor.words) / max(1, tensor.n)
        if not 0.02 <= density <= 0.5:
            return f"takes masks of density 0.02 to 0.5, not {density:.4f}"
        if tensor.n < 256:
            return "needs at least 256 weights"
        return None

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor."""
        stored = encode_with_shaped_mask(
            tensor.number_format.from_words(tensor.words).reshape(tensor.shape),
            tensor.number_format,
            beam=self.beam,
        )
        code = stored.mask.code
        missed = missed_format(stored.missed, tensor.n_w)
        header = _values_header(stored.values)
        header["mask"] = [code.n_in, code.n_out, code.parities, code.window, code.taps, code.seed]
        header["missed"] = None if isinstance(missed, NoCorrections) else missed.gap_bits
        writer = BitWriter()
        table = _write_header(writer, header)
        mask_bits = writer.raw(stored.mask.symbols.reshape(-1))
        packed = missed.pack(stored.missed, tensor.n, tensor.n_w)
        missed_bits = writer.field(packed.size, _LENGTH_BITS) + writer.raw(packed)
        symbols, corrections = _write_values(writer, stored.values)
        return Encoding(
            stream=writer.stream(),
            parts={
                "mask": mask_bits + missed_bits,
                "values": symbols,
                "correction": corrections,
                "table": table,
            },
        )

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back."""
        reader = BitReader(encoding.stream)
        header = _read_header(reader)
        n = math.prod(shape)
        sizes = ("n_in", "n_out", "parities", "window", "taps", "seed")
        code = ShapedMaskCode(**dict(zip(sizes, header["mask"], strict=True)))
        symbols = reader.raw(code.blocks(n) * code.n_in).reshape(-1, code.n_in)
        text = "none" if header["missed"] is None else f"joint:{header['missed']}"
        packed = reader.raw(reader.field(_LENGTH_BITS))
        missed: Patches = parse_format(text, 1).unpack(packed, n, number_format.n_w, number_format.word)
        encoded = _read_values(reader, header, shape, number_format, code.decode(symbols, n))
        words = decode_scan(encoded)
        words[missed.positions] ^= missed.differences
        return encoded.interleaver.from_scan(words)


def our_codecs() -> tuple[Codec, ...]:
    """Return the project's own formats in the order of the table."""
    return (
        XorCode("xor-paper", "XOR code, the paper's (N_s = 2) + bitmap", "paper"),
        XorCode(),
        XorCode("xor-error-free", "XOR code, error-free + bitmap", "auto", True, _FIXED),
        ShapedXorCode(),
    )
