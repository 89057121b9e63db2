"""The code as one large matrix over GF(2), in the galois library: an oracle for decoders and ranks."""

from __future__ import annotations

import galois
import numpy as np
from numpy.typing import NDArray

from xorweave.golden.code.code import Code


def stream_matrix(code: Code, blocks: int, segment_blocks: int) -> galois.GF2:
    """Return M with y = M x for one plane, shape (blocks * n_out, blocks * n_in)."""
    matrix = np.zeros((blocks, code.n_out, blocks, code.n_in), np.uint8)
    by_age = code.generator.reshape(code.n_out, code.n_s + 1, code.n_in)
    for t in range(blocks):
        for age in range(min(code.n_s, t % segment_blocks) + 1):
            matrix[t, :, t - age, :] = by_age[:, age, :]
    return galois.GF2(matrix.reshape(blocks * code.n_out, blocks * code.n_in))


def decode_by_matrix(
    code: Code, symbols: NDArray[np.unsignedinteger], n_w: int, segment_blocks: int | None = None
) -> NDArray[np.unsignedinteger]:
    """Decode each plane as a product with the stream matrix; same contract as ``decode_plain``."""
    blocks = symbols.shape[0]
    matrix = stream_matrix(code, blocks, segment_blocks or max(1, blocks))
    words = np.zeros(blocks * code.n_out, np.uint64)
    for q in range(n_w):
        plane = galois.GF2(
            (symbols.reshape(-1).astype(np.uint64) >> np.uint64(q) & np.uint64(1)).astype(np.uint8)
        )
        words |= np.asarray(matrix @ plane).astype(np.uint64) << np.uint64(q)
    return words.astype(symbols.dtype).reshape(blocks, code.n_out)
