"""An encoded matrix laid out for a processor: whole words in the lanes of registers.

The stream itself is an ordinary one, that any decoder decodes block by block; only its symbols are put in another
order when the matrix is loaded. A lane that starts in the middle of the stream needs the symbols before it, as a shift
register would hold them: they are put in front of it, and nothing of the code's efficiency is lost by cutting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words, from_bfloat16, number_format
from xorweave.golden.choose.family import window_use
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.code.code import Code
from xorweave.golden.scan.cells import CELL_COLUMNS, CELL_ROWS, CellScan
from xorweave.golden.spmv.laid_out import PATCH_BITS, LaidOut, apart, stored_symbols
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.solvers import default_segment_blocks
from xorweave.golden.tensor.stored import EncodedTensor

FORMATS = ("int4", "int8", "fp16", "bf16", "fp32")
LINE = 64  # bytes of all lanes side by side
_SAMPLE = 1 << 23
_MOST_N_IN = 48
_MOST_N_OUT = 192  # decoded blocks stay in the first-level cache, and a kernel is soon compiled
_SLACKS = (0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05)


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
        True = kept and decoded right.
    """

    scan: CellScan

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


def choose_code(
    mask: NDArray[np.bool_], n_w: int, *, max_k: int = 128, seed: int = 0
) -> tuple[Code, CellScan]:
    """Choose a code that a processor decodes fast, a chain of two taps an output, and the scan that goes with it.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    max_k : int
        The constraint length may not exceed it: 64 bytes for each encoded bit of the window should stay in the
        first-level cache beside the activations.

    Returns
    -------
    (Code, CellScan)
        The pair with the fewest expected bits that a product reads.
    """
    density = max(int(np.count_nonzero(mask)), 1) / mask.size
    scan = CellScan.fitting(mask.shape[0], mask.shape[1], n_w)
    counts = _care_counts(mask, scan)
    lanes = scan.lanes / counts.shape[0]
    best: tuple[float, int, int] | None = None
    for n_in in range(1, min(_MOST_N_IN, max_k // 2) + 1):
        for column_block in _column_blocks(n_in, density, scan.together):
            blocks = -(-counts.shape[2] // column_block)
            edges = np.minimum(np.arange(blocks + 1) * column_block, counts.shape[2] - 1)
            care = np.diff(counts[:, :, edges], axis=2).reshape(-1)
            n_s = max(1, max_k // n_in - 1)
            dependent = forecast(care, n_in, n_s, window_use("chain")[0]).dependent * lanes
            cost = float(lanes * care.size * n_in * n_w) + PATCH_BITS * dependent
            if best is None or cost < best[0]:
                best = (cost, n_in, column_block)
    assert best is not None
    _cost, n_in, column_block = best
    scan = CellScan.fitting(mask.shape[0], mask.shape[1], n_w, column_block)
    n_s = max(1, max_k // n_in - 1)
    n_out = scan.together * column_block
    return Code.from_family("chain", n_in=n_in, n_out=n_out, n_s=n_s, taps=2, seed=seed), scan


def _column_blocks(n_in: int, density: float, together: int) -> list[int]:
    wanted = {math.floor(n_in / (density * (1 + slack) * together)) for slack in _SLACKS}
    least = -(-n_in // together)
    return sorted({min(max(size, least), max(least, _MOST_N_OUT // together)) for size in wanted})


def _care_counts(mask: NDArray[np.bool_], scan: CellScan) -> NDArray[np.int64]:
    # care bits before each column group, of some lanes: shape (lanes, passes, column groups + 1)
    arranged = scan.arrange(mask)
    share = max(1, -(-arranged.size // _SAMPLE))
    lanes = arranged[::share].reshape(-1, scan.passes, scan.column_groups, scan.together)
    counts = np.zeros((*lanes.shape[:2], scan.column_groups + 1), np.int64)
    np.cumsum(lanes.sum(axis=3), axis=2, out=counts[:, :, 1:])
    return counts


def encode_lanes(
    matrix: NDArray,
    dtype: str = "int8",
    *,
    mask: NDArray[np.bool_] | None = None,
    code: Code | None = None,
    scan: CellScan | None = None,
    max_k: int = 128,
    seed: int = 0,
    jobs: int = 1,
) -> LaneMatrix:
    """Encode a matrix for products on a processor.

    Parameters
    ----------
    matrix : ndarray, shape (rows, columns), of the dtype's storage
    dtype : {"int8", "int4", "fp16", "bf16", "fp32"}
    mask : ndarray of bool, same shape, optional
        True = kept; by default what is not zero in every bit.
    code, scan : Code and CellScan, optional
        By default those of `choose_code`; with a code alone, the scan whose passes are its whole blocks.

    Raises
    ------
    InputError
        The matrix has not two dimensions, or dtype, code and scan do not fit.
    """
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(f"the matrix must have two dimensions, none of them 0, not shape {matrix.shape}")
    if dtype not in FORMATS:
        raise InputError(f"the number format must be one of {', '.join(FORMATS)}, not {dtype!r}")
    fmt = number_format(dtype)
    kept = fmt.to_words(matrix) != 0 if mask is None else mask
    if code is None:
        code, scan = choose_code(kept, fmt.n_w, max_k=max_k, seed=seed)
    elif scan is None:
        scan = scan_for(code, matrix.shape, fmt.n_w)
    assert scan is not None
    blocks = scan.lane_length // code.n_out
    # whole lanes, so that a lane never starts a stream anew half-way
    segment = max(1, default_segment_blocks(code, scan.length) // blocks) * blocks
    options = EncodeOptions(encoder="elimination", segment_blocks=segment, jobs=jobs)
    return lane_matrix(encode_tensor(matrix, fmt, code, mask=kept, scan=scan, options=options))


def scan_for(code: Code, shape: tuple[int, int], n_w: int) -> CellScan:
    """Return a scan whose passes are whole blocks of the code: the most row groups a pass that divide its n_out."""
    groups = -(-shape[0] // CELL_ROWS)
    together = max(r for r in range(1, min(8, groups) + 1) if code.n_out % r == 0)
    return CellScan(*shape, CELL_COLUMNS[n_w], together, code.n_out // together)


def lane_matrix(encoded: EncodedTensor) -> LaneMatrix:
    """Lay a stored tensor out in lanes.

    Raises
    ------
    InputError
        The tensor's scan, words, planes or segments are not such as lanes take.
    """
    code, fmt, scan = encoded.code, encoded.number_format, encoded.scan
    if not isinstance(scan, CellScan):
        raise InputError(f"the scan must be cells for products on a processor, not {scan.spec}")
    if fmt.name not in FORMATS or CELL_COLUMNS[fmt.n_w] != scan.cell_columns:
        raise InputError(
            f"the weights must be one of {', '.join(FORMATS)}, in cells for them, not {fmt.name} in cells of "
            f"{scan.cell_columns} columns"
        )
    if scan.together * scan.column_block != code.n_out:
        raise InputError(f"a block must have {scan.together * scan.column_block} outputs, not {code.n_out}")
    symbols = stored_symbols(encoded)
    blocks = scan.lane_length // code.n_out
    if encoded.segment_blocks % blocks and encoded.segment_blocks < encoded.blocks:
        raise InputError(
            f"segments must be whole lanes of {blocks} blocks, not {encoded.segment_blocks} blocks"
        )
    mask, patches = apart(encoded, scan, symbols)
    return LaneMatrix(
        scan=scan,
        encoded=encoded,
        symbols=_lane_symbols(encoded, symbols, scan.lanes, blocks),
        mask=np.ascontiguousarray(mask.reshape(scan.lanes, scan.lane_length).T),
        **patches,
    )


def _lane_symbols(encoded: EncodedTensor, symbols: Words, lanes: int, blocks: int) -> NDArray[np.uint8]:
    code = encoded.code
    turned: NDArray = np.empty((code.n_s + blocks, code.n_in, lanes), symbols.dtype)
    turned[code.n_s :] = symbols.reshape(lanes, blocks, code.n_in).transpose(1, 2, 0)
    first = np.arange(lanes) * blocks
    start = first // encoded.segment_blocks * encoded.segment_blocks
    for age in range(1, code.n_s + 1):  # what the shift registers hold when a lane starts
        at = first - age
        there = (at >= start).astype(turned.dtype)
        turned[code.n_s - age] = symbols[np.maximum(at, 0)].T * there
    if encoded.number_format.n_w == 4:
        turned = turned[..., :LINE] | turned[..., LINE:] << 4
    return np.ascontiguousarray(turned).view(np.uint8).reshape(code.n_s + blocks, code.n_in, LINE)
