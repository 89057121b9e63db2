"""A tensor without any code: its kept words packed under a bitmap, or all of them, or nothing where all are 0."""

from __future__ import annotations

import numpy as np

from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.mask.coders import BitmapMask, DenseMask, MaskCoder
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.scan import Scan
from xorweave.golden.tensor.corrections import no_patches
from xorweave.golden.tensor.decode import checksum_of, segment_checksums
from xorweave.golden.tensor.encode import check_left_out
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.packed_words import PackedWords
from xorweave.golden.values.prefix_code import PrefixCode

_AS_BOOK = 48  # bits that an empty book takes besides what any stored tensor does
# Readers take so many weights from a handful of bytes, and 1024 more for each byte: where nothing is stored of a larger
# tensor, checksums of its segments are what its size is believed for.
_WITHOUT_BYTES = 1 << 20
_A_CHECKSUM = 4096


def packed_bits(words: Words, n_w: int, scan: Scan | None = None) -> int:
    """Return the bits of mask and words that `pack_tensor` stores of words, shape (n,)."""
    kept, length = int(np.count_nonzero(words)), words.size if scan is None else scan.length
    return min(length + kept * n_w, length * n_w if kept else _AS_BOOK)


def pack_tensor(
    words: Words, shape: tuple[int, ...], number_format: NumberFormat, scan: Scan | None = None
) -> EncodedTensor:
    """Store words, shape (n,), in the order of the tensor, in the fewest bits that take no code.

    That is n + kept * n_w bits with a bitmap, n * n_w without, none where every word is 0 (checksums, 1/128 bit a
    weight, above 2^20 weights). By a scan they are stored in its order, those that it leaves out not at all.

    Raises
    ------
    InputError
        The scan leaves out a word that is not 0.
    """
    scan = scan or Interleaver(words.size)
    everything, words = words, scan.to_scan(words)
    check_left_out(scan, everything, words)
    kept, n_w = words != 0, number_format.n_w
    mask: MaskCoder = DenseMask(words.size)
    values: ValueCoder = PackedWords.of(words, n_w)
    segment = max(1, words.size)
    if not kept.any() and words.size > _AS_BOOK:
        nothing = np.zeros(0, np.int64)
        values = PrefixCode(n_w, "plain", nothing, nothing, nothing)
        segment = segment if segment <= _WITHOUT_BYTES else _A_CHECKSUM
    elif packed_bits(words, n_w) < words.size * n_w:
        mask, values = BitmapMask(kept), PackedWords.of(words[kept], n_w)
    return EncodedTensor(
        shape=shape,
        number_format=number_format,
        scan=scan,
        mask_coder=mask,
        values=values,
        groups=(),
        patches=no_patches(number_format.word),
        correction_format="none",
        segment_blocks=segment,
        segment_checksums=segment_checksums(words.size, segment, 1, words),
        checksum=None if values.kind == "packed" else checksum_of(everything),
    )
