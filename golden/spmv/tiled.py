"""A matrix encoded for GPUs: every block of the code is a lane, a tile of lanes is what one instruction multiplies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.code import Code
from xorweave.golden.errors import InputError
from xorweave.golden.number_format import number_format
from xorweave.golden.queue_model import forecast
from xorweave.golden.spmv.sliced import pack_lanes
from xorweave.golden.spmv.tiles import TileOrder, fitting_run
from xorweave.golden.stream import EncodedTensor
from xorweave.golden.tensor_codec import default_segment_blocks, encode_tensor

MAX_AGE = 31  # a word holds 32 blocks: the symbols of so many earlier blocks lie in it and the word before it
PATCH_BITS = 96  # row, column and value
_SAMPLE = 1 << 21
_OUTPUTS = {False: range(8, 49), True: range(4, 65)}  # tiles of a group, by `halves`
_WIDEST = {False: 24, True: 4}  # n_in: symbols of a group stay in registers, for halves of all 16 planes


@dataclass(frozen=True, eq=False, kw_only=True)
class TiledMatrix:
    """An encoded matrix, ready for the GPU's kernels.

    Attributes
    ----------
    order : TileOrder
    encoded : EncodedTensor
        The stream of the arranged weights, shape (lanes, n_out): an ordinary one, lane l is its block l.
    segment_groups : int
        Groups from one start of the stream to the next.
    symbols : ndarray of uint32, shape (groups, n_w, n_in, words)
        ``symbols[g, q, b, w]``: bit b of the symbols of plane q of the 32 blocks of word w of group g.
    mask : ndarray of uint32, shape (groups, n_out, words)
        Without the weights that decode wrongly.
    patch_rows, patch_columns : ndarray of int32, shape (p,)
        Where a decoded weight is wrong, and left out by the mask.
    patch_values : ndarray, shape (p,), of the matrix's dtype
        What the weight is.
    """

    order: TileOrder
    encoded: EncodedTensor
    segment_groups: int
    symbols: NDArray[np.uint32]
    mask: NDArray[np.uint32]
    patch_rows: NDArray[np.int32]
    patch_columns: NDArray[np.int32]
    patch_values: NDArray

    @property
    def code(self) -> Code:
        return self.encoded.code

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads of the matrix: payload, mask, and 12 a patch."""
        return int(self.symbols.nbytes + self.mask.nbytes + PATCH_BITS // 8 * self.patch_rows.size)


def choose_tile_code(
    mask: NDArray[np.bool_], n_w: int, *, halves: bool = False, max_k: int = 128, seed: int = 0
) -> tuple[Code, TileOrder]:
    """Choose a chain of two taps an output and the order of tiles that go with it.

    The fewest expected bits, payload and patches, among codes whose group of tiles is short enough to leave a large GPU
    enough groups.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    max_k : int
        The constraint length may not exceed it.
    """
    rows, columns = mask.shape
    density = max(int(np.count_nonzero(mask)), 1) / mask.size
    best: tuple[float, int, int, int] | None = None
    sampled = min(rows, max(16, _SAMPLE // columns // 16 * 16))
    for n_out in _OUTPUTS[halves]:
        run = fitting_run(columns, n_out, halves)
        order = TileOrder(sampled, columns, n_out, run, halves)
        low = max(1, round(n_out * density))
        widths = [n for n in range(low, low + 3) if n <= min(n_out, _WIDEST[halves], max_k)]
        counts = order.arrange(mask[:sampled]).sum(axis=1, dtype=np.int64) if widths else None
        for n_in in widths:
            # a chain of two taps needs about 1.6 times the window of the uniform code that `forecast` knows
            window = max(0, min(MAX_AGE, round(max_k / 1.6) // n_in - 1))
            assert counts is not None
            share = rows / sampled
            dependent = forecast(counts, n_in, window).dependent * share
            whole = TileOrder(rows, columns, n_out, run, halves)
            # the padding of the mask counts too: it is read
            cost = float(whole.lanes) * (n_in * n_w + n_out) + PATCH_BITS * dependent
            if best is None or cost < best[0]:
                best = (cost, n_in, n_out, run)
    assert best is not None  # the shortest group fits any density
    _cost, n_in, n_out, run = best
    n_s = max(0, min(MAX_AGE, max_k // n_in - 1))
    code = Code.from_family("chain", n_in=n_in, n_out=n_out, n_s=n_s, taps=min(2, n_in * (n_s + 1)), seed=seed)
    return code, TileOrder(rows, columns, n_out, run, halves)


def tile_matrix(
    matrix: NDArray,
    dtype: Literal["int8", "int4", "fp16"] = "int8",
    *,
    mask: NDArray[np.bool_] | None = None,
    code: Code | None = None,
    max_k: int = 128,
    seed: int = 0,
    segment_groups: int | None = None,
    jobs: int = 1,
) -> TiledMatrix:
    """Encode a matrix and lay its stream out in tiles.

    Parameters
    ----------
    matrix : ndarray, shape (rows, columns), of the dtype's storage
    mask : ndarray of bool, same shape, optional
        True = kept; by default what is not zero in every bit.
    code : Code, optional
        By default the one of `choose_tile_code`; at most 31 earlier symbols.
    segment_groups : int, optional
        Groups from one start of the stream to the next; by default as many as the encoder's memory allows.

    Raises
    ------
    InputError
        The matrix has not two dimensions, does not fit the dtype, or the code looks further back.
    """
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(f"the matrix must have two dimensions, none of them 0, not shape {matrix.shape}")
    fmt = number_format(dtype)
    if fmt.n_w not in (4, 8) and fmt.name != "fp16":
        raise InputError(f"the number format must be int8, int4 or fp16, not {fmt.name}")
    rows, columns = matrix.shape
    kept = fmt.to_words(matrix) != 0 if mask is None else mask
    if code is None:
        code, order = choose_tile_code(kept, fmt.n_w, halves=fmt.is_float, max_k=max_k, seed=seed)
    else:
        order = TileOrder(rows, columns, code.n_out, fitting_run(columns, code.n_out, fmt.is_float), fmt.is_float)
    if code.n_s > MAX_AGE:
        raise InputError(f"n_s must be at most {MAX_AGE} where a block is a lane, not {code.n_s}")
    if segment_groups is None:
        blocks = default_segment_blocks(code, order.lanes * code.n_out)
        segment_groups = max(1, blocks // order.tile_lanes)
    encoded = encode_tensor(
        order.arrange(matrix),
        fmt,
        code,
        mask=order.arrange(kept),
        segment_blocks=segment_groups * order.tile_lanes,
        jobs=jobs,
    )
    patch_rows, patch_columns = order.locate(encoded.patches.positions)
    right = encoded.mask.copy()
    right[encoded.patches.positions] = False
    return TiledMatrix(
        order=order,
        encoded=encoded,
        segment_groups=segment_groups,
        symbols=_tile_symbols(encoded, order),
        mask=pack_lanes(right.reshape(order.lanes, code.n_out).T, order.groups),
        patch_rows=patch_rows.astype(np.int32),
        patch_columns=patch_columns.astype(np.int32),
        patch_values=np.ascontiguousarray(matrix[patch_rows, patch_columns]),
    )


def _tile_symbols(encoded: EncodedTensor, order: TileOrder) -> NDArray[np.uint32]:
    code, n_w = encoded.code, encoded.number_format.n_w
    tiled = np.empty((order.groups, n_w, code.n_in, order.words), np.uint32)
    for q in range(n_w):
        tiled[:, q] = pack_lanes((encoded.symbols.T >> q & 1).astype(bool), order.groups)
    return tiled
