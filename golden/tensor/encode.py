"""One tensor through the code: words, a stored mask and a value coder to symbols and patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_words
from xorweave.golden.code.plane_group import PlaneGroup, join_planes
from xorweave.golden.encoders.bounding import encode_bounded
from xorweave.golden.mask.coders import BitmapMask, MaskCoder
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.scan import Scan
from xorweave.golden.tensor.corrections import (
    BoundedCorrections,
    CorrectionFormat,
    JointCorrections,
    NoCorrections,
    PaperCorrections,
    PlaneCorrections,
    expected_patch_bits,
    format_text,
)
from xorweave.golden.tensor.decode import checksum_of, segment_checksums
from xorweave.golden.tensor.solvers import check_encoder, default_segment_blocks, make_solver, resolve_encoder
from xorweave.golden.tensor.stored import EncodedTensor, Patches, symbol_dtype
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.raw_planes import RawPlanes
from xorweave.golden.values.transforms import TRANSFORMS, forward

CORRECTIONS = ("auto", "paper", "joint", "plane", "bounded", "none")


@dataclass(frozen=True, kw_only=True)
class EncodeOptions:
    """How symbols are found and corrections stored; what is stored otherwise does not depend on it.

    Attributes
    ----------
    encoder : {"auto", "elimination", "viterbi"}
        ``viterbi`` is exact (the paper's Algorithm 3) and takes K up to 24; ``elimination`` takes any K.
    effort : int or None
        Alternatives that elimination keeps for each plane: 1 is greedy, None exact (K up to 24). They save
        unmatched bits, not unmatched words (of those elimination leaves the fewest possible as it is), so with
        ``auto`` corrections the greedy result is taken where it is the smaller one.
    corrections : str
        ``auto`` (the cheapest of paper, joint and plane; none when nothing is unmatched), ``paper``, ``joint``,
        ``plane``, ``bounded:LIMIT`` (at most LIMIT patches in any block, 1 by default) or ``none``.
    segment_blocks : int, optional
        Blocks between two starts of stream; by default one segment for some four million encoded bits of a plane.
    jobs : int
        Threads that work on segments; the result does not depend on it.
    progress : callable, optional
        Called with the share done, 0 to 1.
    """

    encoder: str = "auto"
    effort: int | None = 1
    corrections: str = "auto"
    segment_blocks: int | None = None
    jobs: int = 1
    progress: Callable[[float], None] | None = None

    def __post_init__(self) -> None:
        split_corrections(self.corrections)
        check_encoder(self.encoder)
        if self.segment_blocks is not None and self.segment_blocks < 1:
            raise InputError(f"segment_blocks must be at least 1, not {self.segment_blocks}")
        if self.jobs < 1:
            raise InputError(f"jobs must be at least 1, not {self.jobs}")


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


def choose_format(corrections: str, patches: Patches, n: int, n_w: int, n_out: int) -> CorrectionFormat:
    """Return the format asked for, with the parameters that store these patches in the fewest bits."""
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


def segment_length(codes: Sequence[Code], length: int, options: EncodeOptions) -> int:
    """Return the blocks of a segment for codes of one n_out and so many scan positions."""
    blocks = max(1, -(-length // codes[0].n_out))
    longest = min(default_segment_blocks(code, length) for code in codes)
    return min(options.segment_blocks or longest, blocks)


@dataclass(frozen=True, eq=False)
class _Job:
    """What the segments of one tensor have in common."""

    truth: Words
    kept: NDArray[np.bool_]
    planes: NDArray[np.unsignedinteger]
    care: list[NDArray[np.bool_]]
    values: ValueCoder
    groups: tuple[PlaneGroup, ...]
    solvers: list[Callable]
    bound: int | None

    def segment(self, first: int, last: int) -> tuple[NDArray[np.int64], Words]:
        """Encode blocks first .. last - 1; return where words are wrong then, and by what."""
        n_out = self.groups[0].code.n_out
        here = slice(first * n_out, min(last * n_out, self.truth.size))
        truth, kept = self.truth[here], self.kept[here]
        decoded: list[Words] = [np.zeros(0, np.uint8)] * len(self.groups)

        def wrong() -> Words:
            words = self.values.words_of(join_planes(self.values.planes, self.groups, decoded), truth.dtype)
            return (words * kept) ^ truth

        def solve(index: int, care: NDArray[np.bool_]) -> None:
            group = self.groups[index]
            targets = self.planes[here]
            if group.planes != self.values.planes:
                shift, ones = self.values.planes - group.end, (1 << group.planes) - 1
                targets = targets >> targets.dtype.type(shift) & targets.dtype.type(ones)
            part = self.solvers[index](targets.astype(group.symbols.dtype, copy=False), care)
            group.symbols[first:last] = part
            decoded[index] = decode_words(group.code, part).reshape(-1)[: truth.size]

        def attempt(active: NDArray[np.bool_]) -> tuple[Words, NDArray[np.int64]]:
            solve(0, active)
            return self.groups[0].symbols[first:last].copy(), np.flatnonzero(wrong() != 0)

        if self.bound is not None:
            group = self.groups[0]
            best, _ = encode_bounded(attempt, self.care[0][here], n_out, group.code.n_s + 1, self.bound)
            group.symbols[first:last] = best
            decoded[0] = decode_words(group.code, best).reshape(-1)[: truth.size]
        else:
            for index in range(len(self.groups)):
                solve(index, self.care[index][here])
        difference = wrong()
        where = np.flatnonzero(difference != 0)  # of booleans it is ten times as fast
        return where + first * n_out, difference[where]


def encode_stored(
    words: Words,
    *,
    shape: tuple[int, ...],
    number_format: NumberFormat,
    scan: Scan,
    mask_coder: MaskCoder,
    values: ValueCoder,
    codes: Sequence[Code],
    options: EncodeOptions,
    truth: Words | None = None,
) -> EncodedTensor:
    """Encode words losslessly, everything else being chosen.

    Parameters
    ----------
    words : ndarray of unsigned words, shape (n,)
        In the order of the tensor; 0 wherever it is pruned.
    mask_coder : MaskCoder
        Where it gives 1 the decoder must give the word (0 at a false one); where it gives 0 wrongly, a patch does.
    codes : sequence of Code
        One for each span of `values`, all with one n_out.
    truth : ndarray of unsigned words, shape (scan.length,), optional
        The same words in scan order, where they are at hand.

    Returns
    -------
    EncodedTensor
        Unmatched words are found by decoding what was encoded.

    Raises
    ------
    InputError
        Sizes do not fit, the encoder cannot take a code, corrections are ``none`` though a word is unmatched, or
        the bound of ``bounded`` cannot be kept at this rate.
    """
    if len(codes) != len(values.spans) or len({code.n_out for code in codes}) != 1:
        raise InputError(
            f"there must be {len(values.spans)} codes of one n_out, one for each group of planes"
        )
    n_out = codes[0].n_out
    format_name, limit = split_corrections(options.corrections)
    if format_name == "bounded" and len(codes) > 1:
        raise InputError("bounded corrections must be those of one group of planes")
    chosen = [resolve_encoder(options.encoder, code) for code in codes]
    truth = scan.to_scan(words) if truth is None else truth
    check_left_out(scan, words, truth)
    kept = mask_coder.decode()
    planes, care = values.targets(truth, kept)
    blocks = -(-scan.length // n_out)
    period = segment_length(codes, scan.length, options)
    groups = tuple(
        PlaneGroup(first, end, code, np.zeros((blocks, code.n_in), symbol_dtype(end - first, number_format)))
        for (first, end), code in zip(values.spans, codes, strict=True)
    )
    job = _Job(
        truth=truth,
        kept=kept,
        planes=planes,
        care=care,
        values=values,
        groups=groups,
        solvers=[
            make_solver(group.code, encoder, group.planes, options.effort)
            for group, encoder in zip(groups, chosen, strict=True)
        ],
        bound=(limit or 1) if format_name == "bounded" else None,
    )
    patches = _run(job, blocks, period, options)
    encoded = EncodedTensor(
        shape=tuple(shape),
        number_format=number_format,
        scan=scan,
        mask_coder=mask_coder,
        values=values,
        groups=groups,
        patches=patches,
        correction_format="none",
        segment_blocks=period,
        checksum=checksum_of(words),
        segment_checksums=segment_checksums(blocks, period, n_out, truth),
        encoder="viterbi" if "viterbi" in chosen else "elimination",
    )
    if format_name == "auto" and "viterbi" not in chosen and options.effort != 1:
        greedy = encode_stored(
            words, shape=shape, number_format=number_format, scan=scan, mask_coder=mask_coder, values=values,
            codes=codes, options=replace(options, effort=1, segment_blocks=period, progress=None),
        )  # fmt: skip
        sizes = [_cheapest_bits(item) for item in (greedy, encoded)]
        if sizes[0] <= sizes[1]:
            return greedy
    form = choose_format(options.corrections, patches, scan.length, number_format.n_w, n_out)
    form.bits(patches, scan.length, number_format.n_w)  # refuses what the format cannot hold
    return replace(encoded, correction_format=format_text(form))


def check_left_out(scan: Scan, words: Words, truth: Words) -> None:
    """Check that words, shape (n,), are 0 where a scan gives them no position; `truth` are the others, in scan order.

    Raises
    ------
    InputError
        One is not.
    """
    if scan.length < scan.n and np.count_nonzero(words) != np.count_nonzero(truth):
        raise InputError("the scan must not leave out a weight that is not 0")


def _cheapest_bits(tensor: EncodedTensor) -> int:
    n, n_w = tensor.scan.length, tensor.number_format.n_w
    return choose_format("auto", tensor.patches, n, n_w, tensor.n_out).bits(tensor.patches, n, n_w)


def _run(job: _Job, blocks: int, period: int, options: EncodeOptions) -> Patches:
    """Encode all segments and collect the patches."""
    found: list[tuple[NDArray[np.int64], Words]] = []
    starts = range(0, blocks, period)
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        try:
            done = pool.map(lambda first: job.segment(first, min(first + period, blocks)), starts)
            for count, result in enumerate(done, 1):
                found.append(result)
                if options.progress is not None:
                    options.progress(count / len(starts))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    empty = (np.zeros(0, np.int64), np.zeros(0, job.truth.dtype))
    positions, differences = zip(*(found or [empty]), strict=True)
    return Patches(positions=np.concatenate(positions), differences=np.concatenate(differences))


# -- raw planes under a bitmap: the paper's form -----------------------------------------------------------------
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


def choose_raw_planes(
    words: Words,
    mask: NDArray[np.bool_],
    n_w: int,
    *,
    transform: str = "none",
    invert: bool = False,
    drop_planes: bool = False,
    payload_bits: int = 0,
    patches_allowed: bool = True,
    jobs: int = 1,
) -> RawPlanes:
    """Choose inversion, constant planes and, for ``auto``, the transform for raw planes.

    Parameters
    ----------
    words, mask : ndarray, shape (n,)
        In any order; mask True = kept.
    transform : str
        ``auto`` takes the map that leaves the fewest planes to store.
    invert : bool
        Invert planes whose care bits are mostly 1, as the paper does. Elimination leaves as many unmatched whatever
        the values are, and what is not inverted costs no gate in hardware.
    drop_planes : bool
        Leave out planes that are constant over the kept weights, or so nearly that patches are cheaper than
        `payload_bits`, the payload of one plane.
    """
    kept = int(np.count_nonzero(mask))
    best: RawPlanes | None = None
    for name in TRANSFORMS if transform == "auto" else (transform,):
        if not invert and not drop_planes:
            found = RawPlanes(n_w, transform=name)
        else:
            counts = _ones_by_plane(forward(name, words, n_w), mask, n_w, jobs).tolist()
            inversion = sum(1 << q for q in range(n_w) if 2 * counts[q] > kept)
            constant = 0
            for q in range(n_w) if drop_planes and kept else ():
                rest = min(counts[q], kept - counts[q])
                patched = expected_patch_bits(rest, words.size, n_w, n_w)
                if rest == 0 or (patches_allowed and 2 * patched < payload_bits):
                    constant |= 1 << q
            found = RawPlanes(n_w, inversion, constant, name)
        if best is None or found.constant_planes.bit_count() > best.constant_planes.bit_count():
            best = found
    assert best is not None
    return best


def encode_tensor(
    values: NDArray,
    number_format: NumberFormat,
    code: Code,
    *,
    mask: NDArray[np.bool_] | None = None,
    scan: Scan | None = None,
    transform: str = "none",
    drop_planes: bool = False,
    invert: bool | None = None,
    options: EncodeOptions | None = None,
) -> EncodedTensor:
    """Encode a tensor with raw planes, one code for all of them, under a bitmap: the paper's form.

    Parameters
    ----------
    values : ndarray, any shape, dtype ``number_format.storage``
    number_format : NumberFormat
    code : Code
    mask : ndarray of bool, same shape, optional
        True = kept. By default what is not zero in every bit.
    scan : Scan, optional
        Row-major order by default.
    transform : {"none", "difference", "sign-magnitude", "auto"}
        Reversible map of the words that are encoded; ``auto`` takes the one that leaves the fewest planes to store.
    drop_planes : bool
        Leave planes out of the payload that are constant over the kept weights, or nearly so.
    invert : bool, optional
        Invert planes whose care bits are mostly 1; by default where the exact encoder is used or planes are dropped.
    options : EncodeOptions, optional

    Raises
    ------
    InputError
        Shapes or dtypes do not fit, the encoder cannot take the code, corrections are ``none`` though a word is
        unmatched, or the bound of ``bounded`` cannot be kept at this rate.
    """
    options = options or EncodeOptions()
    if mask is not None and mask.shape != values.shape:
        raise InputError(f"the mask must have the weights' shape {values.shape}, not {mask.shape}")
    raw = number_format.to_words(values).reshape(-1)
    scan = scan or Interleaver(raw.size)
    if scan.n != raw.size:
        raise InputError(f"the scan must be made for {raw.size} weights, not {scan.n}")
    flat_mask = raw != 0 if mask is None else np.ascontiguousarray(mask, bool).reshape(-1)
    n_w = number_format.n_w
    viterbi = resolve_encoder(options.encoder, code) == "viterbi"
    planes = choose_raw_planes(
        raw,
        flat_mask,
        n_w,
        transform=transform,
        invert=viterbi or drop_planes if invert is None else invert,
        drop_planes=drop_planes,
        payload_bits=-(-scan.length // code.n_out) * code.n_in,
        patches_allowed=split_corrections(options.corrections)[0] in ("auto", "joint"),
        jobs=options.jobs,
    )
    words = raw if mask is None else np.where(flat_mask, raw, raw.dtype.type(0))
    truth = scan.to_scan(words)
    return encode_stored(
        words,
        shape=values.shape,
        number_format=number_format,
        scan=scan,
        mask_coder=BitmapMask(truth != 0 if mask is None else scan.to_scan(flat_mask)),
        values=planes,
        codes=[code],
        options=options,
        truth=truth,
    )
