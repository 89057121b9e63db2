"""A matrix encoded for GPUs: every block of the code is a lane, a tile of lanes is what one instruction multiplies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.golden.choose.cell_code import PATCH_BITS
from xorweave.golden.choose.tile_code import encode_in_tiles
from xorweave.golden.scan.tiles import THREADS, TileOrder, layouts
from xorweave.golden.spmv.laid_out import LaidOut, apart, stored_symbols
from xorweave.golden.tensor.stored import EncodedTensor


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


def tile_matrix(matrix: NDArray, dtype: str = "int8", **how: Any) -> TiledMatrix:
    """Encode a matrix in tiles (`encode_in_tiles`, which says what `how` may be) and lay it out."""
    return tiled_matrix(encode_in_tiles(matrix, dtype, **how))


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
