"""One tensor through the code and back: words and mask to symbols and patches, and again to words."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_words
from xorweave.golden.encoders import elimination, viterbi
from xorweave.golden.encoders.bounding import encode_bounded
from xorweave.golden.encoders.list_elimination import MAX_ALTERNATIVES, encode_segment_with_list
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.corrections import (
    BoundedCorrections,
    CorrectionFormat,
    JointCorrections,
    NoCorrections,
    PaperCorrections,
    PlaneCorrections,
    expected_patch_bits,
    format_text,
    parse_format,
)
from xorweave.golden.tensor.stream import EncodedTensor, Patches
from xorweave.golden.values.transforms import TRANSFORMS, forward, inverse

ENCODERS = ("auto", "elimination", "viterbi")
CORRECTIONS = ("auto", "paper", "joint", "plane", "bounded", "none")
# Bytes of reduced rows that one segment may take in the encoder. A segment starts with an empty window, which costs
# up to K encoded bits a plane, so segments are as long as memory allows.
_SEGMENT_BYTES = 160 << 20
# Up to this window the list without a limit is smaller than the trellis; beyond it, exactness is the trellis's.
_EXACT_LIST_WINDOW = 12

Solver = Callable[[Words, NDArray[np.bool_]], Words]


def resolve_encoder(encoder: str, code: Code) -> str:
    """Turn ``auto`` into the exact encoder where it is bearable (K <= 24), else elimination.

    Raises
    ------
    InputError
        There is no such encoder, or it cannot take the code's window.
    """
    if encoder not in ENCODERS:
        raise InputError(f"the encoder must be one of {', '.join(ENCODERS)}, not {encoder!r}")
    bearable = code.constraint_length <= viterbi.MAX_WINDOW_BITS
    if encoder == "viterbi" and not bearable:
        raise InputError(
            f"the viterbi encoder takes n_in * (n_s + 1) up to {viterbi.MAX_WINDOW_BITS}, "
            f"not {code.constraint_length}; use --encoder elimination"
        )
    if encoder != "auto":
        return encoder
    return "viterbi" if bearable and code.family != "identity" else "elimination"


def make_solver(code: Code, encoder: str, n_w: int, effort: int | None = 1) -> Solver:
    """Return the function that encodes one segment: (targets, mask), shape (n,), to symbols, (blocks, n_in).

    Parameters
    ----------
    encoder : {"elimination", "viterbi"}
    effort : int or None
        Right-hand-side alternatives of elimination; None is without limit, the exact optimum.

    Raises
    ------
    InputError
        The effort is out of range, or exactness is asked for a window too long for it.
    """
    if encoder == "viterbi":
        return lambda targets, mask: viterbi.encode_segment(code, targets, mask, n_w)
    if effort is None:
        if code.constraint_length > viterbi.MAX_WINDOW_BITS:
            raise InputError(
                f"the exact optimum can be found for n_in * (n_s + 1) up to {viterbi.MAX_WINDOW_BITS}, "
                f"not {code.constraint_length}; give --effort a number"
            )
        if code.constraint_length > _EXACT_LIST_WINDOW:
            return lambda targets, mask: viterbi.encode_segment(code, targets, mask, n_w)
        effort = 1 << (code.constraint_length + 1)
    if not 1 <= effort <= MAX_ALTERNATIVES:
        raise InputError(f"--effort must be between 1 and {MAX_ALTERNATIVES} or 'exact', not {effort}")
    rows = elimination.rotated_rows(code)
    limit = effort
    return lambda targets, mask: encode_segment_with_list(code, targets, mask, n_w, limit, rows)


def default_segment_blocks(code: Code, n: int, budget: int = _SEGMENT_BYTES) -> int:
    """Return the blocks of a segment: the whole tensor, or equal parts whose reduced rows fit in `budget` bytes."""
    blocks = max(1, -(-n // code.n_out))
    row_bytes = 8 * (1 << (-(-code.constraint_length // 64) - 1).bit_length()) + 8
    segments = -(-blocks * code.n_in * row_bytes // budget)
    return -(-blocks // segments)


@njit(cache=True, nogil=True)
def _histogram(words, mask, counts):  # type: ignore[no-untyped-def]
    # counts[k, v]: kept words whose byte k is v; k counts from the least significant byte
    for i in range(words.size):
        if mask[i]:
            word = np.uint32(words[i])
            for k in range(counts.shape[0]):
                counts[k, word & np.uint32(255)] += 1
                word >>= np.uint32(8)


def _ones_by_plane(words: Words, mask: NDArray[np.bool_], n_w: int, jobs: int) -> NDArray[np.int64]:
    """Count the ones of each plane over the kept words: shape (n_w,)."""
    parts = np.zeros((max(1, jobs), words.dtype.itemsize, 256), np.int64)
    pieces = zip(np.array_split(words, len(parts)), np.array_split(mask, len(parts)), parts, strict=True)
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        list(pool.map(lambda piece: _histogram(*piece), pieces))
    counts = parts.sum(axis=0)
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    return (counts @ bits).reshape(-1)[:n_w]


def _choose_inversion(words: Words, mask: NDArray[np.bool_], n_w: int, jobs: int) -> int:
    """Bit q is 1 when more than half of plane q's care bits are 1: such a plane is stored inverted."""
    kept = int(np.count_nonzero(mask))
    ones = _ones_by_plane(words, mask, n_w, jobs)
    return sum(1 << q for q in range(n_w) if 2 * int(ones[q]) > kept)


def split_corrections(corrections: str) -> tuple[str, int | None]:
    """Split ``bounded:2`` into its name and bound; other formats have no number.

    Raises
    ------
    InputError
        There is no such format, or the bound is no positive number.
    """
    name, colon, number = corrections.partition(":")
    if name not in CORRECTIONS or (colon and name != "bounded"):
        raise InputError(
            f"corrections must be one of {', '.join(CORRECTIONS)} or bounded:LIMIT, not {corrections!r}"
        )
    if not colon:
        return name, None
    if not number.isdecimal() or not 1 <= int(number) <= 1000:
        raise InputError(f"the bound of the corrections must be between 1 and 1000, not {number!r}")
    return name, int(number)


def _choose_format(corrections: str, patches: Patches, n: int, n_w: int, n_out: int) -> CorrectionFormat:
    name, limit = split_corrections(corrections)
    if name == "none" or (name == "auto" and patches.positions.size == 0):
        return NoCorrections()
    if name == "paper":
        return PaperCorrections()
    joint = JointCorrections.cheapest(patches, n_w)
    if name == "joint":
        return joint
    if name == "bounded":
        return BoundedCorrections.cheapest(patches, n_w, limit or 1, n_out)
    plane = PlaneCorrections.cheapest(patches, n, n_w)
    if name == "plane":
        return plane
    choices: list[CorrectionFormat] = [PaperCorrections(), joint, plane]
    return min(choices, key=lambda choice: choice.bits(patches, n, n_w))


def _constant_planes(
    words: Words, mask: NDArray[np.bool_], inversion: int, n_w: int, payload_bits: int, patches_allowed: bool
) -> int:
    """Planes not worth their payload: constant in every kept word, or in so many that patches are cheaper.

    payload_bits: of one plane.
    """
    kept = int(np.count_nonzero(mask))
    if kept == 0:
        return 0
    constant = 0
    for q, ones in enumerate(_ones_by_plane(words, mask, n_w, 1).tolist()):
        rest = kept - ones if inversion >> q & 1 else ones
        if rest == 0 or (patches_allowed and 2 * expected_patch_bits(rest, words.size, n_w) < payload_bits):
            constant |= 1 << q
    return constant


def encode_tensor(
    values: NDArray,
    number_format: NumberFormat,
    code: Code,
    *,
    mask: NDArray[np.bool_] | None = None,
    interleaver: Interleaver | None = None,
    encoder: str = "auto",
    effort: int | None = 1,
    corrections: str = "auto",
    transform: str = "none",
    drop_planes: bool = False,
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
    effort : int or None
        Alternatives that elimination keeps for each plane: 1 is greedy, None exact (K up to 24). They save
        unmatched bits, not unmatched words (of those elimination leaves the fewest possible as it is), so with
        ``auto`` corrections the greedy result is taken where it is the smaller one.
    corrections : str
        ``auto`` (the cheapest of paper, joint and plane; none when nothing is unmatched), ``paper``, ``joint``,
        ``plane``, ``bounded:LIMIT`` (at most LIMIT patches in any block, 1 by default) or ``none``.
    transform : {"none", "difference", "sign-magnitude", "auto"}
        Reversible map of the words that are encoded; ``auto`` takes the one that leaves the fewest planes to store.
    drop_planes : bool
        Leave planes out of the payload that are constant over the kept weights, or nearly so.
    segment_blocks : int, optional
        Blocks between two starts of stream; by default one segment for some four million encoded bits of a plane.
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
        Shapes or dtypes do not fit, the encoder cannot take the code, corrections are ``none`` though a word is
        unmatched, or the bound of ``bounded`` cannot be kept at this rate.
    """
    format_name, limit = split_corrections(corrections)
    if mask is not None and mask.shape != values.shape:
        raise InputError(f"the mask must have the weights' shape {values.shape}, not {mask.shape}")
    if segment_blocks is not None and segment_blocks < 1:
        raise InputError(f"segment_blocks must be at least 1, not {segment_blocks}")
    chosen = resolve_encoder(encoder, code)
    n_w = number_format.n_w
    solve = make_solver(code, chosen, n_w, effort)
    started = time.perf_counter()
    raw = number_format.to_words(values).reshape(-1)
    n = raw.size
    scan = interleaver or Interleaver(n)
    if scan.n != n:
        raise InputError(f"the interleaver must be made for {n} weights, not {scan.n}")
    flat_mask = raw != 0 if mask is None else np.ascontiguousarray(mask, bool).reshape(-1)
    scan_mask = scan.to_scan(flat_mask)
    blocks = -(-n // code.n_out)
    period = min(segment_blocks or default_segment_blocks(code, n), max(1, blocks))
    nearly = format_name in ("auto", "joint")
    best: tuple[int, str, Words, int, int] | None = None
    for name in TRANSFORMS if transform == "auto" else (transform,):
        words = forward(name, raw, n_w)
        # Elimination leaves as many unmatched whatever the values are; only planes that are left out must be 0 then.
        # What is not inverted costs no gate in hardware.
        inverting = chosen == "viterbi" or drop_planes
        inversion = _choose_inversion(words, flat_mask, n_w, jobs) if inverting else 0
        constant = 0
        if drop_planes:
            constant = _constant_planes(words, flat_mask, inversion, n_w, blocks * code.n_in, nearly)
        if best is None or constant.bit_count() > best[0]:
            best = (constant.bit_count(), name, words, inversion, constant)
    assert best is not None
    _dropped, transform, words, inversion, constant = best
    stored = words.dtype.type(((1 << n_w) - 1) & ~constant)
    symbols = np.zeros((blocks, code.n_in), words.dtype)
    starts = range(0, blocks, period)

    def one_segment(first: int) -> tuple[NDArray[np.int64], Words]:
        last = min(first + period, blocks)
        begin, end = first * code.n_out, min(last * code.n_out, n)
        wanted = scan.gather(words, begin, end) ^ words.dtype.type(inversion)
        care = scan_mask[begin:end]

        def wrong(part: Words) -> Words:
            return np.where(care, decode_words(code, part).reshape(-1)[: end - begin] ^ wanted, 0)

        def attempt(active: NDArray[np.bool_]) -> tuple[Words, NDArray[np.int64]]:
            part = solve(wanted & stored, active)
            return part, np.flatnonzero(wrong(part))

        if format_name == "bounded":
            part, where = encode_bounded(attempt, care, code.n_out, code.n_s + 1, limit or 1)
        else:
            part, where = attempt(care)
        symbols[first:last] = part
        return where + begin, wrong(part)[where].astype(words.dtype)

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
    if format_name == "auto" and chosen == "elimination" and effort != 1:
        greedy = encode_tensor(
            values, number_format, code, mask=mask, interleaver=scan, encoder=chosen, transform=transform,
            drop_planes=drop_planes, segment_blocks=period, jobs=jobs,
        )  # fmt: skip
        cost = parse_format(greedy.correction_format, code.n_out).bits(greedy.patches, n, n_w)
        if cost <= _choose_format("auto", patches, n, n_w, code.n_out).bits(patches, n, n_w):
            return replace(greedy, seconds=time.perf_counter() - started)
    chosen_format = _choose_format(corrections, patches, n, n_w, code.n_out)
    chosen_format.bits(patches, n, n_w)  # refuses what the format cannot hold
    return EncodedTensor(
        shape=values.shape,
        number_format=number_format,
        code=code,
        interleaver=scan,
        segment_blocks=period,
        symbols=symbols,
        mask=scan_mask,
        patches=patches,
        correction_format=format_text(chosen_format),
        inversion=inversion,
        constant_planes=constant,
        transform=transform,
        encoder=chosen,
        seconds=time.perf_counter() - started,
    )


def decode_scan(encoded: EncodedTensor) -> Words:
    """Decode to words in scan order, shape (n,), exactly as the hardware pipeline does.

    XOR decoder, exclusive-or with the patches, exclusive-or with the inversion word, inverse transform, mask.
    """
    words = decode_words(encoded.code, encoded.symbols, encoded.segment_blocks).reshape(-1)[: encoded.n]
    words[encoded.patches.positions] ^= encoded.patches.differences
    words ^= words.dtype.type(encoded.inversion)
    words = inverse(encoded.transform, words, encoded.number_format.n_w)
    words[~encoded.mask] = 0
    return words


def decode_tensor(encoded: EncodedTensor) -> NDArray:
    """Decode to the tensor that was encoded, bit for bit; pruned weights are the zero of their type."""
    words = encoded.interleaver.from_scan(decode_scan(encoded))
    return encoded.number_format.from_words(words).reshape(encoded.shape)


def correction_format_of(encoded: EncodedTensor) -> CorrectionFormat:
    """Return the format that the tensor's patches are stored in."""
    return parse_format(encoded.correction_format, encoded.code.n_out)
