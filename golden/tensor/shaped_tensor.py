"""A pruned tensor stored losslessly with a shaped mask: mask and values both at a fixed rate, in the same scan.

What comes out of the mask decoder, not the mask itself, says which positions the value decoder must get right: the
kept ones and the false ones, where it must give 0. A kept weight under a false zero is a patch of its whole word.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.code.code import Code
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.mask.shaped_mask_encoder import ShapedMask, encode_mask
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.strides import candidate_strides
from xorweave.golden.tensor.corrections import JointCorrections, NoCorrections, expected_patch_bits
from xorweave.golden.tensor.figures import figures_of
from xorweave.golden.tensor.stream import EncodedTensor, Patches
from xorweave.golden.tensor.tensor_codec import decode_scan, encode_tensor

_STRIDES = 48
_BUFFER = 40  # encoded bits that window and beam smooth over


def missed_format(missed: Patches, n_w: int) -> JointCorrections | NoCorrections:
    """Return the format in which the weights under false zeros are stored."""
    return JointCorrections.cheapest(missed, n_w) if missed.positions.size else NoCorrections()


@dataclass(frozen=True, eq=False)
class ShapedTensor:
    """A tensor with a shaped mask.

    Attributes
    ----------
    mask : ShapedMask
        In the scan order of `values`.
    values : EncodedTensor
        Encoded with the decoded mask; its own mask need not be stored.
    missed : Patches
        Words of the kept weights under false zeros, by scan position.
    """

    mask: ShapedMask
    values: EncodedTensor
    missed: Patches

    @property
    def value_bits(self) -> int:
        """Symbols and corrections of the values, false ones among them."""
        return figures_of(self.values).stored_bits

    @property
    def missed_bits(self) -> int:
        """Bits of the patches for false zeros."""
        n_w = self.values.number_format.n_w
        return missed_format(self.missed, n_w).bits(self.missed, self.values.n, n_w)

    @property
    def bits(self) -> int:
        """Everything stored but sizes and names of the codes."""
        return self.mask.bits + self.value_bits + self.missed_bits


def _values_code(
    mask: NDArray[np.bool_], n_w: int, *, max_k: int, seed: int, widths: range = range(12, 33)
) -> Code:
    """Choose the rate of the values for a mask in scan order by the queue forecast, the order being settled."""
    n = mask.size
    density = float(mask.mean())
    cumulative = np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])
    best: tuple[float, int, int] | None = None
    for n_in in widths:
        least, most = round(n_in / (density * 1.05)), round(n_in / (density * 0.99))
        for n_out in range(max(n_in, least), max(n_in, most) + 1):
            counts = np.diff(cumulative[np.minimum(np.arange(-(-n // n_out) + 1) * n_out, n)])
            result = forecast(counts, n_in, max_k // n_in - 1)
            cost = result.payload_bits * n_w + expected_patch_bits(result.dependent, n, n_w)
            if best is None or cost < best[0]:
                best = (cost, n_in, n_out)
    assert best is not None
    _, n_in, n_out = best
    return Code.uniform(n_in=n_in, n_out=n_out, n_s=max_k // n_in - 1, seed=seed)


def choose_scan(
    kept: NDArray[np.bool_], code: ShapedMaskCode, n_w: int, *, max_k: int, seed: int
) -> Interleaver:
    """Choose the scan on which the ones' demand for encoded bits fluctuates least.

    Every one takes A of a block's encoded bits, and every zero the information of not being a one; the queue
    forecast says how many of the ones' equations find no room; the values' code, in the same scan, is judged too.
    """
    n = kept.size
    left = code.n_in + (1 - float(kept.mean())) * code.n_out * math.log2(1 - 2.0**-code.parities)
    room = max(1, round(left))
    density = float(kept.mean())
    width = 24
    values_out = max(width, round(width / (1.01 * density)))

    def judged(stride: int) -> tuple[float, Interleaver]:
        scanned = Interleaver(n, stride).to_scan(kept)
        # the scan is a circle: from where encoded bits are scarcest against ones they stay ahead (cyclic lemma)
        surplus = np.arange(1, n + 1) * density - np.cumsum(scanned)
        start = (int(np.argmin(surplus)) + 1) % n
        scanned = np.roll(scanned, -start).astype(np.int64)
        ones = np.add.reduceat(scanned, np.arange(0, n, code.n_out)) * code.parities
        crowded = forecast(ones, room, max(1, _BUFFER // room)).dependent
        counts = np.add.reduceat(scanned, np.arange(0, n, values_out))
        unmatched = forecast(counts, width, max_k // width - 1).dependent
        return crowded + expected_patch_bits(unmatched, n, n_w), Interleaver(n, stride, start * stride % n)

    if n < 2:
        return Interleaver(n)
    return min((judged(stride) for stride in candidate_strides(n, _STRIDES, seed)), key=lambda pair: pair[0])[
        1
    ]


def encode_with_shaped_mask(
    values: NDArray,
    number_format: NumberFormat,
    *,
    mask: NDArray[np.bool_] | None = None,
    mask_code: ShapedMaskCode | None = None,
    beam: int = 16384,
    max_k: int = 256,
    seed: int = 0,
) -> ShapedTensor:
    """Encode a tensor losslessly, its mask by a shaped code.

    A kept weight whose word is 0 counts as pruned: it reads back as 0 either way.

    Parameters
    ----------
    values : ndarray, any shape, dtype ``number_format.storage``
    number_format : NumberFormat
    mask : ndarray of bool, same shape, optional
        True = kept; by default what is not zero.
    mask_code : ShapedMaskCode, optional
        By default chosen by the density of the mask.
    beam : int
        Paths of the search, see ``encode_mask``.
    max_k : int
        Longest window of the values' code.
    seed : int

    Raises
    ------
    InputError
        The mask is too sparse or too dense for a shaped code (density outside 0.02 .. 0.5).
    """
    words = number_format.to_words(np.ascontiguousarray(values)).reshape(-1)
    kept = words != 0
    if mask is not None:
        if mask.shape != values.shape:
            raise InputError(f"the mask must have the weights' shape {values.shape}, not {mask.shape}")
        kept &= mask.reshape(-1)
    n, n_w = words.size, number_format.n_w
    code = mask_code or ShapedMaskCode.for_density(float(kept.mean()) if n else 0.0, n_w, seed=seed)
    scan = choose_scan(kept, code, n_w, max_k=max_k, seed=seed)
    wanted = scan.to_scan(kept)
    shaped = encode_mask(wanted, code, cost_of_false_one=1.01 * n_w, beam=beam)
    encoded = encode_tensor(
        number_format.from_words(np.where(kept, words, words.dtype.type(0))).reshape(values.shape),
        number_format,
        _values_code(shaped.decoded, n_w, max_k=max_k, seed=seed),
        mask=scan.from_scan(shaped.decoded).reshape(values.shape),
        interleaver=scan,
        encoder="elimination",
    )
    missed = Patches(
        positions=shaped.false_zeros,
        differences=scan.to_scan(words)[shaped.false_zeros],
    )
    return ShapedTensor(mask=shaped, values=encoded, missed=missed)


def decode_with_shaped_mask(tensor: ShapedTensor) -> NDArray:
    """Decode as the hardware does: the mask from its symbols, the values under it, then the patches."""
    values = tensor.values
    mask = tensor.mask.code.decode(tensor.mask.symbols, values.n)
    if not np.array_equal(mask, values.mask):
        raise InputError("the values must have been encoded under the mask that the mask decoder gives")
    words = decode_scan(values)
    words[tensor.missed.positions] ^= tensor.missed.differences
    return values.number_format.from_words(values.interleaver.from_scan(words)).reshape(values.shape)
