"""The code and the scan for products on a GPU: tiles, and a chain of two taps an output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, number_format
from xorweave.golden.choose.cell_code import PATCH_BITS
from xorweave.golden.choose.family import window_use
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.code.code import Code
from xorweave.golden.scan.tiles import TILE_ROWS, TileLayout, TileOrder, fitting_run, layouts
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.solvers import default_segment_blocks
from xorweave.golden.tensor.stored import EncodedTensor

_PATCH_COST = PATCH_BITS + 2 * 256  # two scattered accesses, of a sector of 32 bytes each
_SAMPLE = 1 << 20
_OUTPUTS = range(4, 49)  # tiles of a group
_WINDOW = 128  # registers of a thread that hold symbols
_GROUPS = 512  # four warps for each multiprocessor of a large GPU, where the matrix has so many tiles
_SHORT = 16  # tiles of a group that even small matrices may have: shorter ones waste too many bits
_RUN = 4  # sums are put away after each run, which costs about what decoding half a tile costs


def choose_tile_code(
    mask: NDArray[np.bool_], number_format: NumberFormat, *, max_k: int = 128, seed: int = 0
) -> tuple[Code, TileOrder]:
    """Choose a chain of two taps an output and the order of tiles that go with it.

    The fewest expected bits, payload, mask and patches, among codes whose window fits a thread's registers and whose
    groups are short enough to leave a large GPU enough of them.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    number_format : NumberFormat
        INT8, INT4 or FP16.
    max_k : int
        The constraint length may not exceed it.
    """
    rows, columns = mask.shape
    density = max(int(np.count_nonzero(mask)), 1) / mask.size
    best: tuple[float, int, int, TileOrder] | None = None
    sampled = min(rows, max(TILE_ROWS, _SAMPLE // columns // TILE_ROWS * TILE_ROWS))
    for layout in layouts(number_format):
        across = -(-columns // layout.tile_columns)
        longest = max(_SHORT, -(-rows // TILE_ROWS) * across // _GROUPS)
        widest = min(_WINDOW // (2 * layout.registers), max_k)
        for n_out in _OUTPUTS:
            run = fitting_run(columns, n_out, layout)
            if n_out > longest or (run < min(_RUN, across) and n_out % _RUN):
                continue
            low = max(1, round(n_out * density))
            widths = [n for n in range(low, low + 3) if n <= min(n_out, widest)]
            if not widths:
                continue
            counts = (
                TileOrder(sampled, columns, n_out, run, layout)
                .arrange(mask[:sampled])
                .sum(axis=1, dtype=np.int64)
            )
            order = TileOrder(rows, columns, n_out, run, layout)
            for n_in in widths:
                n_s = _history(n_in, layout, max_k)
                dependent = forecast(counts, n_in, n_s, window_use("chain")[0]).dependent * rows / sampled
                cost = float(order.lanes) * (n_in * number_format.n_w + n_out) + _PATCH_COST * dependent
                if best is None or cost < best[0]:
                    best = (cost, n_in, n_out, order)
    assert best is not None  # the shortest group fits any density
    _cost, n_in, n_out, order = best
    n_s = _history(n_in, order.layout, max_k)
    taps = min(2, n_in * (n_s + 1))
    return Code.from_family("chain", n_in=n_in, n_out=n_out, n_s=n_s, taps=taps, seed=seed), order


def _history(n_in: int, layout: TileLayout, max_k: int) -> int:
    return max(0, min(layout.registers, max_k // n_in - 1))


def encode_in_tiles(
    matrix: NDArray,
    dtype: str = "int8",
    *,
    mask: NDArray[np.bool_] | None = None,
    code: Code | None = None,
    max_k: int = 128,
    seed: int = 0,
    segment_groups: int | None = None,
    jobs: int = 1,
) -> EncodedTensor:
    """Encode a matrix in tiles, for products on a GPU.

    Parameters
    ----------
    matrix : ndarray, shape (rows, columns), of the dtype's storage
    mask : ndarray of bool, same shape, optional
        True = kept; by default what is not zero in every bit.
    code : Code, optional
        By default the one of `choose_tile_code`; at most as many earlier symbols as the layout has registers.
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
    widest = layouts(fmt)[-1]
    rows, columns = matrix.shape
    kept = fmt.to_words(matrix) != 0 if mask is None else mask
    if code is None:
        code, order = choose_tile_code(kept, fmt, max_k=max_k, seed=seed)
    else:
        order = TileOrder(rows, columns, code.n_out, fitting_run(columns, code.n_out, widest), widest)
    if segment_groups is None:
        blocks = default_segment_blocks(code, order.lanes * code.n_out)
        segment_groups = max(1, blocks // order.tile_lanes)
    options = EncodeOptions(
        encoder="elimination", segment_blocks=segment_groups * order.tile_lanes, jobs=jobs
    )
    return encode_tensor(matrix, fmt, code, mask=kept, scan=order, options=options)
