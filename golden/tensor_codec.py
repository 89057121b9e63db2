"""One tensor through the code and back: words and mask to symbols and patches, and again to words."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xorweave.golden import elimination, viterbi
from xorweave.golden.code import Code
from xorweave.golden.corrections import (
    BoundedCorrections,
    CorrectionFormat,
    JointCorrections,
    NoCorrections,
    PaperCorrections,
    format_text,
    parse_format,
)
from xorweave.golden.decoder import decode_words
from xorweave.golden.errors import InputError
from xorweave.golden.interleaver import Interleaver
from xorweave.golden.number_format import NumberFormat, Words
from xorweave.golden.stream import EncodedTensor, Patches

ENCODERS = ("auto", "elimination", "viterbi")
CORRECTIONS = ("auto", "paper", "joint", "bounded", "none")
# Encoded bits of a plane in one segment: bounds the encoder's memory (K bits of row for each) and is long enough
# for a segment's ends to cost less than a thousandth.
_SEGMENT_COLUMNS = 1 << 20


def resolve_encoder(encoder: str, code: Code) -> str:
    """Turn ``auto`` into the exact encoder where it is bearable (K <= 24), else elimination.

    Raises
    ------
    InputError
        There is no such encoder.
    """
    if encoder not in ENCODERS:
        raise InputError(f"the encoder must be one of {', '.join(ENCODERS)}, not {encoder!r}")
    if encoder != "auto":
        return encoder
    exact = code.constraint_length <= viterbi.MAX_WINDOW_BITS and code.family != "identity"
    return "viterbi" if exact else "elimination"


def default_segment_blocks(code: Code, n: int) -> int:
    """Return the blocks of a segment: the whole tensor, or enough for about a million encoded bits of a plane."""
    blocks = max(1, -(-n // code.n_out))
    return min(blocks, max(1, _SEGMENT_COLUMNS // code.n_in))


def _choose_inversion(words: Words, mask: NDArray[np.bool_], n_w: int) -> int:
    """Bit q is 1 when more than half of plane q's care bits are 1: such a plane is stored inverted."""
    kept = int(np.count_nonzero(mask))
    inversion = 0
    step = 1 << 22
    for q in range(n_w):
        ones = 0
        for first in range(0, words.size, step):
            part = words[first : first + step]
            one = (part >> part.dtype.type(q)) & part.dtype.type(1)
            ones += int(np.count_nonzero(one[mask[first : first + step]]))
        if 2 * ones > kept:
            inversion |= 1 << q
    return inversion


def _choose_format(corrections: str, patches: Patches, n: int, n_w: int, n_out: int) -> CorrectionFormat:
    if corrections == "none" or (corrections == "auto" and patches.positions.size == 0):
        return NoCorrections()
    if corrections == "paper":
        return PaperCorrections()
    joint = JointCorrections.cheapest(patches, n_w)
    if corrections == "joint":
        return joint
    if corrections == "bounded":
        counts = np.bincount(patches.positions // n_out)
        return BoundedCorrections(limit=int(counts.max(initial=1)), n_out=n_out)
    choices: list[CorrectionFormat] = [PaperCorrections(), joint]
    return min(choices, key=lambda choice: choice.bits(patches, n, n_w))


def encode_tensor(
    values: NDArray,
    number_format: NumberFormat,
    code: Code,
    *,
    mask: NDArray[np.bool_] | None = None,
    interleaver: Interleaver | None = None,
    encoder: str = "auto",
    corrections: str = "auto",
    segment_blocks: int | None = None,
    jobs: int = 1,
    progress: Callable[[float], None] | None = None,
) -> EncodedTensor:
    """Encode a tensor losslessly.

    Parameters
    ----------
    values : ndarray, any shape, dtype ``number_format.storage``
    number_format : NumberFormat
    code : Code
    mask : ndarray of bool, same shape, optional
        True = kept. By default what is not zero in every bit.
    interleaver : Interleaver, optional
        Row-major order by default.
    encoder : {"auto", "elimination", "viterbi"}
        ``viterbi`` is exact (the paper's Algorithm 3) and takes K up to 24; ``elimination`` takes any K.
    corrections : {"auto", "paper", "joint", "bounded", "none"}
        ``auto`` takes the cheapest of paper and joint, and none when nothing is unmatched.
    segment_blocks : int, optional
        Blocks between two starts of stream; by default one segment for about a million encoded bits of a plane.
    jobs : int
        Threads that work on segments; the result does not depend on it.
    progress : callable, optional
        Called with the share done, 0 to 1, after each segment.

    Returns
    -------
    EncodedTensor
        Unmatched bits are found by decoding what was encoded.

    Raises
    ------
    InputError
        Shapes or dtypes do not fit, the encoder cannot take the code, or corrections are ``none`` though a word
        is unmatched.
    """
    if corrections not in CORRECTIONS:
        raise InputError(f"corrections must be one of {', '.join(CORRECTIONS)}, not {corrections!r}")
    if mask is not None and mask.shape != values.shape:
        raise InputError(f"the mask must have the weights' shape {values.shape}, not {mask.shape}")
    chosen = resolve_encoder(encoder, code)
    if chosen == "viterbi" and code.constraint_length > viterbi.MAX_WINDOW_BITS:
        raise InputError(
            f"the viterbi encoder takes n_in * (n_s + 1) up to {viterbi.MAX_WINDOW_BITS}, "
            f"not {code.constraint_length}; use --encoder elimination"
        )
    started = time.perf_counter()
    words = number_format.to_words(values).reshape(-1)
    n = words.size
    scan = interleaver or Interleaver(n)
    if scan.n != n:
        raise InputError(f"the interleaver must be made for {n} weights, not {scan.n}")
    n_w = number_format.n_w
    flat_mask = (words != 0) if mask is None else np.ascontiguousarray(mask, bool).reshape(-1)
    scan_mask = scan.to_scan(flat_mask)
    inversion = _choose_inversion(words, flat_mask, n_w)
    period = segment_blocks or default_segment_blocks(code, n)
    blocks = -(-n // code.n_out)
    symbols = np.zeros((blocks, code.n_in), words.dtype)
    rows = elimination.rotated_rows(code) if chosen == "elimination" else None
    starts = range(0, blocks, period)

    def one_segment(first: int) -> tuple[NDArray[np.int64], Words]:
        last = min(first + period, blocks)
        begin, end = first * code.n_out, min(last * code.n_out, n)
        wanted = words[begin:end] if scan.is_identity else words[scan.positions(begin, end)]
        wanted = wanted ^ words.dtype.type(inversion)
        care = scan_mask[begin:end]
        if rows is not None:
            part = elimination.encode_segment(code, wanted, care, rows)
        else:
            part = viterbi.encode_segment(code, wanted, care, n_w)
        symbols[first:last] = part
        difference = np.where(care, decode_words(code, part).reshape(-1)[: end - begin] ^ wanted, 0)
        where = np.flatnonzero(difference)
        return where + begin, difference[where].astype(words.dtype)

    found = []
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        try:
            for done, result in enumerate(pool.map(one_segment, starts), 1):
                found.append(result)
                if progress is not None:
                    progress(done / len(starts))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    patches = Patches(
        positions=np.concatenate([f[0] for f in found]) if found else np.zeros(0, np.int64),
        differences=np.concatenate([f[1] for f in found]) if found else np.zeros(0, words.dtype),
    )
    stored = _choose_format(corrections, patches, n, n_w, code.n_out)
    stored.bits(patches, n, n_w)  # refuses what the format cannot hold
    return EncodedTensor(
        shape=values.shape,
        number_format=number_format,
        code=code,
        interleaver=scan,
        segment_blocks=period,
        symbols=symbols,
        mask=scan_mask,
        patches=patches,
        correction_format=format_text(stored),
        inversion=inversion,
        encoder=chosen,
        seconds=time.perf_counter() - started,
    )


def decode_scan(encoded: EncodedTensor) -> Words:
    """Decode to words in scan order, shape (n,), exactly as the hardware pipeline does.

    XOR decoder, exclusive-or with the patches, exclusive-or with the inversion word, mask.
    """
    words = decode_words(encoded.code, encoded.symbols, encoded.segment_blocks).reshape(-1)[: encoded.n]
    words[encoded.patches.positions] ^= encoded.patches.differences
    words ^= words.dtype.type(encoded.inversion)
    words[~encoded.mask] = 0
    return words


def decode_tensor(encoded: EncodedTensor) -> NDArray:
    """Decode to the tensor that was encoded, bit for bit; pruned weights are the zero of their type."""
    words = encoded.interleaver.from_scan(decode_scan(encoded))
    return encoded.number_format.from_words(words).reshape(encoded.shape)


def correction_format_of(encoded: EncodedTensor) -> CorrectionFormat:
    """Return the format that the tensor's patches are stored in."""
    return parse_format(encoded.correction_format, encoded.code.n_out)


def with_corrections(encoded: EncodedTensor, corrections: str) -> EncodedTensor:
    """Store the same patches in another format: ``paper``, ``joint``, ``bounded``, ``none`` or ``auto``."""
    chosen = _choose_format(
        corrections, encoded.patches, encoded.n, encoded.number_format.n_w, encoded.code.n_out
    )
    chosen.bits(encoded.patches, encoded.n, encoded.number_format.n_w)
    return replace(encoded, correction_format=format_text(chosen))
