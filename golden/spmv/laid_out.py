"""What kernels that decode whole words read of a stored tensor: symbols, a mask, and beside them what is patched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words, from_bfloat16
from xorweave.golden.code.code import Code
from xorweave.golden.scan.cells import CellScan
from xorweave.golden.scan.tiles import TileOrder
from xorweave.golden.tensor.stored import EncodedTensor


@dataclass(frozen=True, eq=False, kw_only=True)
class LaidOut:
    """A stored matrix, laid out for a kernel when it is loaded; the stream itself is an ordinary one.

    Attributes
    ----------
    encoded : EncodedTensor
        The matrix as it is stored.
    symbols : ndarray of unsigned words
        Its symbols in the kernel's order.
    mask : ndarray
        In the kernel's order: what is kept and decoded right; where it is kept encoded, what comes out of it.
    patch_rows, patch_columns : ndarray of int32, shape (p,)
        Where a weight is patched, sorted by row.
    patch_values : ndarray, shape (p,)
        What the weight is, in the weights' dtype (BF16 as float32); where the mask is kept encoded, what it is more
        than what is decoded there, int16.
    """

    encoded: EncodedTensor
    symbols: NDArray
    mask: NDArray
    patch_rows: NDArray[np.int32]
    patch_columns: NDArray[np.int32]
    patch_values: NDArray

    @property
    def code(self) -> Code:
        return self.encoded.code

    @property
    def number_format(self) -> NumberFormat:
        return self.encoded.number_format


def why_no_words(encoded: EncodedTensor) -> str:
    """Say why a kernel cannot take a tensor's words as they are decoded; empty if it can."""
    if encoded.values.kind != "raw" or len(encoded.groups) != 1:
        return "the values must be raw planes of one group for products by words"
    if encoded.raw.transform != "none":
        return f"the transform must be none for products, not {encoded.raw.transform}"
    return ""


def stored_symbols(encoded: EncodedTensor) -> Words:
    """Return the symbols of a tensor whose words a kernel can take as they are decoded, shape (blocks, n_in).

    Raises
    ------
    InputError
        There are several groups of planes, a prefix book, or a transform.
    """
    if why := why_no_words(encoded):
        raise InputError(why)
    return np.asarray(encoded.symbols)  # a file's symbols are packed until they are asked for


def apart(
    encoded: EncodedTensor, scan: CellScan | TileOrder, symbols: Words, mask_stays: bool = False
) -> tuple[NDArray[np.bool_], dict[str, NDArray]]:
    """Take what is patched out of the mask, or, where the mask stays as it is, out of what comes through it.

    Returns
    -------
    mask : ndarray of bool, shape (length,), in scan order
    patches : dict of ndarray
        ``patch_rows``, ``patch_columns`` and ``patch_values`` of `LaidOut`.
    """
    positions, differences = encoded.patches.positions, encoded.patches.differences
    mask = encoded.mask.copy()
    # patches repair words after the mask: of a weight that the mask leaves out all of it
    decoded = _decoded_words(encoded, symbols, positions)
    if encoded.raw.inversion:
        decoded ^= decoded.dtype.type(encoded.raw.inversion)
    let_through = np.where(mask[positions], decoded, 0).astype(decoded.dtype)
    words = let_through ^ differences
    if not mask_stays:
        mask[positions] = False
    rows, columns = scan.locate(positions)
    # what a mask lets through beyond the matrix is multiplied by nothing, and kernels have no room for it
    inside = np.flatnonzero((rows < scan.rows) & (columns >= 0))
    order = inside[np.argsort(rows[inside], kind="stable")]
    values = encoded.number_format.from_words(words)
    if encoded.number_format.name == "bf16":
        values = from_bfloat16(values)
    if mask_stays:
        values = values.astype(np.int16) - encoded.number_format.from_words(let_through)
    return mask, {
        "patch_rows": rows[order].astype(np.int32),
        "patch_columns": columns[order].astype(np.int32),
        "patch_values": np.ascontiguousarray(values[order]),
    }


def _decoded_words(encoded: EncodedTensor, symbols: Words, positions: NDArray[np.int64]) -> NDArray:
    """Decode single scan positions, straight from the definition."""
    code = encoded.code
    decoded = np.zeros(positions.size, symbols.dtype)
    block, output = np.divmod(positions, code.n_out)
    start = block // encoded.segment_blocks * encoded.segment_blocks
    taps = code.generator.reshape(code.n_out, code.n_s + 1, code.n_in).astype(symbols.dtype)
    for age in range(code.n_s + 1):
        at = block - age
        inside = np.flatnonzero(at >= start)
        picked = symbols[at[inside]] * taps[output[inside], age]
        decoded[inside] ^= np.bitwise_xor.reduce(picked, axis=1)
    return decoded
