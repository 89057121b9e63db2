"""A pruned tensor stored losslessly with a shaped mask: mask and values both at a fixed rate, in the same scan.

What comes out of the mask decoder, not the mask itself, says which positions the value decoder must get right: the
kept ones and the false ones, where it must give 0. A kept weight under a false zero is a patch of its whole word.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.choose.price import CareBits, Terms
from xorweave.golden.choose.shaped_scan import shaped_scan
from xorweave.golden.code.code import Code
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.mask.shaped_mask_encoder import ShapedMask, encode_mask
from xorweave.golden.tensor.corrections import JointCorrections, NoCorrections
from xorweave.golden.tensor.figures import figures_of
from xorweave.golden.tensor.stream import EncodedTensor, Patches
from xorweave.golden.tensor.tensor_codec import decode_scan, encode_tensor


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
    density = float(mask.mean())
    sizes = [
        (n_in, n_out, max_k // n_in - 1)
        for n_in in widths
        for n_out in range(
            max(n_in, round(n_in / (density * 1.05))), max(n_in, round(n_in / (density * 0.99))) + 1
        )
    ]
    price = CareBits.of(mask).cheapest(sizes, Terms(planes=n_w, n_w=n_w))[0]
    return Code.uniform(n_in=price.n_in, n_out=price.n_out, n_s=price.n_s, seed=seed)


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
    scan = shaped_scan(kept, code, n_w, max_k=max_k, seed=seed)
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
