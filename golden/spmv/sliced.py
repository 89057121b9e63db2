"""A matrix encoded for software: the stream cut into lanes, and its bits laid out as words of 32 lanes.

The stream itself is an ordinary one (it can be decoded block by block by any decoder); only its bits are turned, once,
when the matrix is loaded. A lane that starts in the middle of the stream needs the symbols before it, as a shift
register would hold them: they are put in front of it, and nothing of the code's efficiency is lost by cutting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, number_format
from xorweave.golden.choose.family import window_use
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import tap_lists
from xorweave.golden.scan.cells import CellOrder
from xorweave.golden.tensor.corrections import expected_patch_bits
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.solvers import default_segment_blocks
from xorweave.golden.tensor.stored import EncodedTensor

_SAMPLE = 1 << 23


@dataclass(frozen=True, eq=False, kw_only=True)
class SlicedMatrix:
    """An encoded matrix, ready for the kernels.

    Attributes
    ----------
    order : CellOrder
    encoded : EncodedTensor
        The stream of the arranged weights, shape (lanes, length).
    length : int
        Positions of a lane, whole blocks.
    symbols : ndarray of uint32, shape (groups, n_s + blocks, n_in, n_w, group_words)
        ``symbols[g, n_s + t, b, q, w]``: bit b of symbol t of plane q of the 32 lanes of word w of group g.
    mask : ndarray of uint32, shape (groups, length, group_words)
    patch_rows, patch_columns : ndarray of int64, shape (p,)
        Where a decoded weight is wrong.
    patch_differences : ndarray of int32, or float32 of floats, shape (p,)
        What has to be added to it.
    """

    order: CellOrder
    encoded: EncodedTensor
    length: int
    symbols: NDArray[np.uint32]
    mask: NDArray[np.uint32]
    patch_rows: NDArray[np.int64]
    patch_columns: NDArray[np.int64]
    patch_differences: NDArray

    @property
    def code(self) -> Code:
        return self.encoded.code

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads: payload, mask, history of the lanes, and 12 a patch."""
        return int(self.symbols.nbytes + self.mask.nbytes + 12 * self.patch_rows.size)


def choose_code(
    mask: NDArray[np.bool_], order: CellOrder, n_w: int, *, max_k: int = 64, seed: int = 0
) -> tuple[Code, int]:
    """Choose a code that software decodes fast, a chain of two taps an output, and the length of a lane.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    max_k : int
        The constraint length may not exceed it.

    Returns
    -------
    (Code, int)
        The code with the fewest expected bits, and the positions of a lane: whole blocks.
    """
    arranged = order.arrange(mask, order.positions)
    lanes = arranged[: max(1, _SAMPLE // max(1, order.positions))]
    care = np.zeros((lanes.shape[0], order.positions + 1), np.int64)
    np.cumsum(lanes, axis=1, out=care[:, 1:])
    density = max(int(np.count_nonzero(mask)), 1) / mask.size
    best: tuple[float, int, int] | None = None
    for n_in in range(1, min(32, max_k // 4) + 1):
        for slack in (0.005, 0.01, 0.015, 0.02, 0.03, 0.05):
            n_out = max(n_in, min(4096, math.floor(n_in / (density * (1 + slack)))))
            blocks = -(-order.positions // n_out)
            edges = np.minimum(np.arange(blocks + 1) * n_out, order.positions)
            counts = np.diff(care[:, edges], axis=1).reshape(-1)
            share = order.lanes / lanes.shape[0]
            dependent = (
                forecast(counts, n_in, max(1, max_k // n_in) - 1, window_use("chain")[0]).dependent * share
            )
            cost = float(order.lanes * blocks * n_in * n_w) + expected_patch_bits(dependent, mask.size, n_w)
            if best is None or cost < best[0]:
                best = (cost, n_in, n_out)
    assert best is not None
    _cost, n_in, n_out = best
    code = Code.from_family("chain", n_in=n_in, n_out=n_out, n_s=max(1, max_k // n_in) - 1, taps=2, seed=seed)
    return code, -(-order.positions // n_out) * n_out


def slice_matrix(
    matrix: NDArray,
    dtype: Literal["int8", "int4", "fp16"] = "int8",
    *,
    mask: NDArray[np.bool_] | None = None,
    order: CellOrder | None = None,
    code: Code | None = None,
    group_words: int = 16,
    max_k: int = 64,
    seed: int = 0,
    jobs: int = 1,
) -> SlicedMatrix:
    """Encode a matrix and lay its stream out for software.

    Parameters
    ----------
    matrix : ndarray, shape (rows, columns), of the dtype's storage
    mask : ndarray of bool, same shape, optional
        True = kept; by default what is not zero in every bit.
    order : CellOrder, optional
        By default 16 words (512 lanes) that walk.
    code : Code, optional
        By default the one of `choose_code`.
    group_words : int
        Words that one thread decodes together; divides the order's words.

    Raises
    ------
    InputError
        The matrix has not two dimensions or fits neither dtype nor order.
    """
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(f"the matrix must have two dimensions, none of them 0, not shape {matrix.shape}")
    rows, columns = matrix.shape
    order = order or CellOrder(rows, columns, 16)
    if (order.rows, order.columns) != matrix.shape:
        raise InputError(
            f"the order must be made for shape {matrix.shape}, not {order.rows} x {order.columns}"
        )
    if order.words % group_words:
        raise InputError(f"the order's words must be a multiple of {group_words}, not {order.words}")
    fmt: NumberFormat = number_format(dtype)
    kept = fmt.to_words(matrix) != 0 if mask is None else mask
    if code is None:
        code, length = choose_code(kept, order, fmt.n_w, max_k=max_k, seed=seed)
    else:
        length = -(-order.positions // code.n_out) * code.n_out
    blocks = length // code.n_out
    segment = default_segment_blocks(code, order.lanes * length)
    encoded = encode_tensor(
        order.arrange(matrix, length),
        fmt,
        code,
        mask=order.arrange(kept, length),
        options=EncodeOptions(
            encoder="elimination", segment_blocks=max(1, segment // blocks) * blocks, jobs=jobs
        ),
    )
    groups = order.words // group_words
    first, second = order.locate(encoded.patches.positions, length)
    return SlicedMatrix(
        order=order,
        encoded=encoded,
        length=length,
        symbols=_slice_symbols(encoded, order, blocks, groups),
        mask=pack_lanes(encoded.mask.reshape(order.lanes, length).T, groups),
        patch_rows=first,
        patch_columns=second,
        patch_differences=find_patch_differences(encoded),
    )


def pack_lanes(bits: NDArray[np.bool_], groups: int) -> NDArray[np.uint32]:
    """Pack bits, shape (steps, ..., lanes), into words: uint32, shape (groups, steps, ..., words of a group)."""
    packed = np.packbits(np.ascontiguousarray(bits), axis=-1, bitorder="little").view("<u4")
    split = packed.reshape(*packed.shape[:-1], groups, -1)
    return np.ascontiguousarray(np.moveaxis(split, -2, 0))


def _slice_symbols(encoded: EncodedTensor, order: CellOrder, blocks: int, groups: int) -> NDArray[np.uint32]:
    code, n_w = encoded.code, encoded.number_format.n_w
    first = np.arange(order.lanes) * blocks
    start = first // encoded.segment_blocks * encoded.segment_blocks
    words = order.words // groups
    sliced = np.empty((groups, code.n_s + blocks, code.n_in, n_w, words), np.uint32)
    for step in range(-code.n_s, blocks):
        at = first + step
        symbols = encoded.symbols[np.maximum(at, 0)] * (at >= start)[:, None].astype(encoded.symbols.dtype)
        for q in range(n_w):
            sliced[:, code.n_s + step, :, q] = pack_lanes((symbols.T >> q & 1).astype(bool), groups)
    return sliced


def find_patch_differences(encoded: EncodedTensor) -> NDArray:
    """What has to be added to the weights that decode wrongly."""
    code, fmt, patches = encoded.code, encoded.number_format, encoded.patches
    decoded = np.zeros(patches.positions.size, encoded.symbols.dtype)
    taps = [np.flatnonzero(row) for row in code.generator]
    for i, position in enumerate(patches.positions.tolist()):
        t, r = divmod(position, code.n_out)
        at = t - taps[r] // code.n_in
        inside = at >= t // encoded.segment_blocks * encoded.segment_blocks
        decoded[i] = np.bitwise_xor.reduce(encoded.symbols[at[inside], taps[r][inside] % code.n_in])
    decoded ^= decoded.dtype.type(encoded.raw.inversion)
    right = fmt.from_words(decoded ^ patches.differences)
    if fmt.is_float:
        return right.astype(np.float32) - fmt.from_words(decoded).astype(np.float32)
    return right.astype(np.int32) - fmt.from_words(decoded).astype(np.int32)


def tap_program(
    code: Code, n_w: int, word: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return what is added for each output, as offsets from the symbols of the output's block.

    Returns
    -------
    (starts, offsets, goes_on)
        Output r adds what lies at ``offsets[starts[r] : starts[r + 1]]`` to output r - 1 if ``goes_on[r]``, else to
        nothing. Offsets count in units of which one plane of a symbol bit takes `word`.
    """
    starts, ages, bits, goes_on = tap_lists(code)
    return starts, (bits - ages * code.n_in) * (n_w * word), goes_on
