"""An encoded matrix laid out for a processor: whole words in the lanes of registers.

The stream itself is an ordinary one, that any decoder decodes block by block; only its symbols are put in another
order when the matrix is loaded. A lane that starts in the middle of the stream needs the symbols before it, as a shift
register would hold them: they are put in front of it, and nothing of the code's efficiency is lost by cutting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words, from_bfloat16
from xorweave.golden.choose.cell_code import CELL_FORMATS, encode_in_cells
from xorweave.golden.mask.coders import ShapedMask
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.scan.cells import CELL_COLUMNS, CellScan
from xorweave.golden.spmv.laid_out import LaidOut, apart, stored_symbols, why_no_words
from xorweave.golden.tensor.stored import EncodedTensor

LINE = 64  # bytes of all lanes side by side
_MOST_OUTPUTS, _MOST_TAPS = 512, 1 << 14


@dataclass(frozen=True, eq=False, kw_only=True)
class LaneMatrix(LaidOut):
    """A stored matrix in lanes, ready for the kernels.

    Attributes
    ----------
    scan : CellScan
    symbols : ndarray of uint8, shape (n_s + blocks, n_in, 64)
        ``symbols[n_s + t, b]``: bit b of symbol t of all planes, as the words of all lanes; lane l + 64 of INT4 is the
        upper half of lane l's byte.
    mask : ndarray of bool, shape (blocks * n_out, lanes)
        True = kept and decoded right; of an encoded mask, what comes out of it.
    mask_symbols : ndarray of uint8, shape (history + blocks, the mask code's n_in, lanes / 8), optional
        ``mask_symbols[history + t, b]``: bit b of symbol t of an encoded mask, of all lanes. There for integers under a
        shaped mask of shared sums, which kernels decode as they go; other masks are laid out as bits.
    """

    scan: CellScan
    mask_symbols: NDArray[np.uint8] | None = None

    @property
    def mask_code(self) -> ShapedMaskCode | None:
        """The code of an encoded mask."""
        coder = self.encoded.mask_coder
        return coder.code if self.mask_symbols is not None and isinstance(coder, ShapedMask) else None

    @property
    def mask_bytes(self) -> int:
        """Bytes of the mask that a product reads."""
        return self.mask.size // 8 if self.mask_symbols is None else self.mask_symbols.nbytes

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads: symbols, mask, 4 a row for its offset (of integers), and 12 a patch."""
        offsets = 0 if self.number_format.is_float else 4 * self.scan.rows
        return self.symbols.nbytes + self.mask_bytes + offsets + 12 * self.patch_rows.size

    @property
    def blocks(self) -> int:
        """Blocks of a lane."""
        return self.scan.lane_length // self.code.n_out

    def plain(self, words: NDArray) -> NDArray:
        """Return words as the weights they are, any shape; BF16 as float32."""
        values = self.number_format.from_words(words)
        return from_bfloat16(values) if self.number_format.name == "bf16" else values

    def mask_words(self) -> NDArray[np.uint8]:
        """Return the mask as a word of all lanes for each output: shape (blocks * n_out, lanes / 8)."""
        return np.packbits(self.mask, axis=1, bitorder="little")

    def mask_lines(self) -> NDArray[np.uint8]:
        """Return the mask as bytes of 8 outputs for each lane: shape (blocks, ceil(n_out / 8), lanes)."""
        by_block = self.mask.reshape(self.blocks, self.code.n_out, self.scan.lanes)
        room = -self.code.n_out % 8
        padded = np.pad(by_block, ((0, 0), (0, room), (0, 0))) if room else by_block
        eights = padded.reshape(self.blocks, -1, 8, self.scan.lanes)
        return np.packbits(eights, axis=2, bitorder="little")[:, :, 0]


def encode_lanes(matrix: NDArray, dtype: str = "int8", **how: Any) -> LaneMatrix:
    """Encode a matrix in cells (`encode_in_cells`, which says what `how` may be) and lay it out."""
    return lane_matrix(encode_in_cells(matrix, dtype, **how))


def why_not_lanes(encoded: EncodedTensor) -> str:
    """Say what keeps a stored tensor from being multiplied in lanes; empty if nothing does."""
    fmt, scan = encoded.number_format, encoded.scan
    if not isinstance(scan, CellScan):
        return f"the scan must be cells for products on a processor, not {scan.spec}"
    if fmt.name not in CELL_FORMATS or CELL_COLUMNS[fmt.n_w] != scan.cell_columns:
        return (
            f"the weights must be one of {', '.join(CELL_FORMATS)}, in cells for them, not {fmt.name} in cells of "
            f"{scan.cell_columns} columns"
        )
    if why := why_no_words(encoded):
        return why
    code = encoded.code
    if scan.together * scan.column_block != code.n_out:
        return f"a block must have {scan.together * scan.column_block} outputs, not {code.n_out}"
    taps = int(np.count_nonzero(code.generator))
    # a file may ask for a kernel that takes hours to compile
    if code.n_out > _MOST_OUTPUTS or taps > _MOST_TAPS:
        most = f"{_MOST_OUTPUTS} outputs of {_MOST_TAPS} taps in all"
        return f"a block must have at most {most} for products, not {code.n_out} of {taps}"
    blocks = scan.lane_length // code.n_out
    if encoded.segment_blocks % blocks and encoded.segment_blocks < encoded.blocks:
        return f"segments must be whole lanes of {blocks} blocks, not {encoded.segment_blocks} blocks"
    return ""


def lane_matrix(encoded: EncodedTensor) -> LaneMatrix:
    """Lay a stored tensor out in lanes.

    Raises
    ------
    InputError
        The tensor's scan, words, planes, segments or code are not such as lanes take (`why_not_lanes`).
    """
    if why := why_not_lanes(encoded):
        raise InputError(why)
    code, fmt, scan = encoded.code, encoded.number_format, encoded.scan
    assert isinstance(scan, CellScan)
    symbols = stored_symbols(encoded)
    blocks = scan.lane_length // code.n_out
    coder = encoded.mask_coder
    stays = coder if isinstance(coder, ShapedMask) and coder.code.sums and not fmt.is_float else None
    mask, patches = apart(encoded, scan, symbols, stays is not None)
    return LaneMatrix(
        scan=scan,
        encoded=encoded,
        symbols=_lane_symbols(encoded, symbols, scan.lanes, blocks),
        mask=np.ascontiguousarray(mask.reshape(scan.lanes, scan.lane_length).T),
        mask_symbols=_lane_mask_symbols(stays, scan.lanes, blocks) if stays else None,
        **patches,
    )


def _lane_symbols(encoded: EncodedTensor, symbols: Words, lanes: int, blocks: int) -> NDArray[np.uint8]:
    code = encoded.code
    turned = _turned(symbols, code.n_s, lanes, blocks, encoded.segment_blocks)
    if encoded.number_format.n_w == 4:
        turned = turned[..., :LINE] | turned[..., LINE:] << 4
    return np.ascontiguousarray(turned).view(np.uint8).reshape(code.n_s + blocks, code.n_in, LINE)


def _lane_mask_symbols(coder: ShapedMask, lanes: int, blocks: int) -> NDArray[np.uint8]:
    code = coder.code
    history = -(-code.window // code.n_in)  # sums of bits a window back are made for whole runs of them
    turned = _turned(np.asarray(coder.symbols), history, lanes, blocks, coder.segment_blocks)
    return np.packbits(turned, axis=2, bitorder="little")


def _turned(symbols: NDArray, history: int, lanes: int, blocks: int, segment_blocks: int) -> NDArray:
    """Lay the symbols of equal runs of blocks side by side: shape (history + blocks, n_in, lanes).

    In front of a lane stands what the shift registers hold when it starts.
    """
    turned: NDArray = np.empty((history + blocks, symbols.shape[1], lanes), symbols.dtype)
    turned[history:] = symbols.reshape(lanes, blocks, -1).transpose(1, 2, 0)
    first = np.arange(lanes) * blocks
    start = first // segment_blocks * segment_blocks
    for age in range(1, history + 1):
        at = first - age
        there = (at >= start).astype(turned.dtype)
        turned[history - age] = symbols[np.maximum(at, 0)].T * there
    return turned
