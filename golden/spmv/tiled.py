"""A matrix encoded for GPUs: every block of the code is a lane, a tile of lanes is what one instruction multiplies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words, number_format
from xorweave.golden.choose.family import window_use
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.code.code import Code
from xorweave.golden.scan.tiles import THREADS, TILE_ROWS, TileLayout, TileOrder, fitting_run, layouts
from xorweave.golden.spmv.laid_out import PATCH_BITS, LaidOut, apart, stored_symbols
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


@dataclass(frozen=True, eq=False, kw_only=True)
class TiledMatrix(LaidOut):
    """A stored matrix in tiles, ready for the GPU's kernels; lane l is block l of the stream.

    Attributes
    ----------
    order : TileOrder
    segment_groups : int
        Groups from one start of the stream to the next.
    symbols : ndarray of uint32, shape (groups, n_in, registers / 4, 32, 4)
        Symbol bit b of all planes, as registers of the 32 threads, four at a time.
    mask : ndarray of uint32, shape (groups, n_out, 32, lanes of a thread / 32)
        Bits as `TileLayout.mask_bits` says, without the weights that decode wrongly.
    """

    order: TileOrder
    segment_groups: int

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads of the matrix: payload, mask, and 12 a patch."""
        return int(self.symbols.nbytes + self.mask.nbytes + PATCH_BITS // 8 * self.patch_rows.size)


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
    return tiled_matrix(encode_tensor(matrix, fmt, code, mask=kept, scan=order, options=options))


def tiled_matrix(encoded: EncodedTensor) -> TiledMatrix:
    """Lay a stored tensor out in tiles.

    Raises
    ------
    InputError
        The tensor's scan, words, planes or segments are not such as tiles take.
    """
    code, fmt, order = encoded.code, encoded.number_format, encoded.scan
    if not isinstance(order, TileOrder):
        raise InputError(f"the scan must be tiles for products on a GPU, not {order.spec}")
    if order.layout not in layouts(fmt) or order.n_out != code.n_out:
        raise InputError(
            f"the tiles must be of {fmt.name} weights and {code.n_out} a group, not {order.spec}"
        )
    if code.n_s > order.layout.registers:
        raise InputError(
            f"n_s must be at most {order.layout.registers}, the registers of a thread, not {code.n_s}"
        )
    if encoded.segment_blocks % order.tile_lanes and encoded.segment_blocks < encoded.blocks:
        raise InputError(
            f"segments must be whole groups of {order.tile_lanes} blocks, not {encoded.segment_blocks} blocks"
        )
    symbols = stored_symbols(encoded)
    mask, patches = apart(encoded, order, symbols)
    return TiledMatrix(
        order=order,
        encoded=encoded,
        segment_groups=max(1, encoded.segment_blocks // order.tile_lanes),
        symbols=_tile_symbols(symbols, order, code.n_in),
        mask=_tile_mask(mask.reshape(order.lanes, code.n_out), order),
        **patches,
    )


def _tile_symbols(symbols: Words, order: TileOrder, n_in: int) -> NDArray[np.uint32]:
    layout = order.layout
    lanes = symbols.reshape(order.groups, THREADS, layout.packed, layout.registers, n_in)
    registers = np.zeros((order.groups, THREADS, layout.registers, n_in), np.uint32)
    for lane in range(layout.packed):
        registers |= lanes[:, :, lane].astype(np.uint32) << np.uint32(layout.n_w * lane)
    fours = registers.reshape(order.groups, THREADS, layout.registers // 4, 4, n_in)
    return np.ascontiguousarray(fours.transpose(0, 4, 2, 1, 3))


def _tile_mask(kept: NDArray[np.bool_], order: TileOrder) -> NDArray[np.uint32]:
    """Lay out a mask in the order of the stream, shape (lanes, n_out)."""
    layout = order.layout
    lanes = kept.reshape(order.groups, THREADS, layout.thread_lanes, order.n_out).transpose(0, 3, 1, 2)
    bits = np.empty(lanes.shape, bool)
    bits[..., layout.mask_bits()] = lanes
    return np.packbits(bits, axis=-1, bitorder="little").view("<u4")
