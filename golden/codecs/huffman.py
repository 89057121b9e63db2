"""Canonical Huffman codes with their tables in the stream (the codes themselves come from `bitarray`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.bit_fields import BitReader, BitWriter, width_for
from xorweave.golden.base.errors import InputError

_LENGTH_BITS = 6


def write_huffman(writer: BitWriter, symbols: NDArray, symbol_bits: int) -> tuple[int, int]:
    """Append a Huffman table and the coded symbols.

    The table is a canonical one: the longest code's length (6 bits), how many codes there are of every length
    up to it, and the symbols in order of their codes.

    Parameters
    ----------
    writer : BitWriter
    symbols : ndarray of unsigned integers, shape (n,)
    symbol_bits : int
        Width of a symbol in the table.

    Returns
    -------
    table_bits, code_bits : int
    """
    from bitarray import bitarray
    from bitarray.util import canonical_huffman

    alphabet, counts = np.unique(symbols, return_counts=True)
    if alphabet.size == 0:
        return writer.field(0, _LENGTH_BITS), 0
    codes, per_length, in_order = canonical_huffman(
        dict(zip(alphabet.tolist(), counts.tolist(), strict=True))
    )
    longest = len(per_length) - 1
    table_bits = writer.field(longest, _LENGTH_BITS)
    table_bits += writer.fields(np.array(per_length[1:]), width_for(1 << symbol_bits))
    table_bits += writer.fields(np.array(in_order, np.uint64), symbol_bits)
    coded = bitarray()
    coded.encode(codes, symbols.tolist())
    code_bits = writer.raw(np.frombuffer(coded.unpack(), np.uint8))
    return table_bits, code_bits


def read_huffman(reader: BitReader, count: int, symbol_bits: int) -> NDArray[np.uint64]:
    """Read `count` symbols that `write_huffman` wrote.

    Raises
    ------
    InputError
        The stream ends early, or its table is no prefix code.
    """
    from bitarray import bitarray
    from bitarray.util import canonical_decode

    longest = reader.field(_LENGTH_BITS)
    if longest == 0:
        if count:
            raise InputError("a Huffman table must not be empty when symbols follow it")
        return np.zeros(0, np.uint64)
    per_length = [0, *reader.fields(longest, width_for(1 << symbol_bits)).tolist()]
    in_order = reader.fields(sum(per_length), symbol_bits).tolist()
    bits = bitarray()
    bits.pack(reader.rest().tobytes())
    lengths = {}
    at = 0
    for length, how_many in enumerate(per_length):
        for symbol in in_order[at : at + how_many]:
            lengths[symbol] = length
        at += how_many
    decoder = canonical_decode(bits, per_length, in_order)
    decoded = []
    try:
        for _ in range(count):
            decoded.append(next(decoder))
    except (ValueError, StopIteration):
        raise InputError("the Huffman codes must not end before the last symbol") from None
    symbols = np.array(decoded, np.uint64)
    by_symbol, inverse = np.unique(symbols, return_inverse=True)
    sizes = np.array([lengths[int(symbol)] for symbol in by_symbol], np.int64)
    reader.raw(int(sizes[inverse].sum()) if count else 0)
    return symbols
