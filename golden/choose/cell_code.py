"""The code and the scan for products on a processor: cells, and a chain of two taps an output."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.family import window_use
from xorweave.golden.choose.mask_choice import encode_shaped, shaped_code
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.code.code import Code
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.scan.cells import CELL_COLUMNS, CELL_ROWS, CellScan
from xorweave.golden.tensor.encode import EncodeOptions, encode_stored, encode_tensor
from xorweave.golden.tensor.solvers import default_segment_blocks
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.raw_planes import RawPlanes

CELL_FORMATS = ("int4", "int8", "fp16", "bf16", "fp32")
PATCH_BITS = 96  # row, column and value, 32 bits each, as the kernels read them
_SAMPLE = 1 << 23
_SAMPLE_OF_MASK = 1 << 17
# Larger windows and blocks read up to 3 % fewer bits and take 10 to 30 % longer: the window no longer stays in the
# first-level cache beside what is asked for ahead. A shaped mask takes so long that the bits decide.
_WINDOW = 64
_WINDOW_OF_SHAPED = 192
_WINDOWS = (16, 32, 64, 128)  # smaller ones that are tried, too: each lane starts with a window of its own
_MOST_N_IN = 24
_MOST_N_OUT = 192  # decoded blocks stay in the first-level cache, and a kernel is soon compiled
# What a block costs beside its symbols under a shaped mask, as bits: each begins with the sums of the window before it,
# so that small blocks take up to a fifth longer.
_BEGINNING_OF_SHAPED = 2
# the rate of a shaped mask over an ideal code's, by the bits of a word: of steps of .03 what costs least
_MASK_MARGINS = {4: -0.06, 8: 0.0}
_SLACKS = (0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05)


def choose_cell_code(
    mask: NDArray[np.bool_],
    n_w: int,
    *,
    max_k: int = _WINDOW,
    seed: int = 0,
    column_block: int | None = None,
    beginning: float = 0,
) -> tuple[Code, CellScan]:
    """Choose a code that a processor decodes fast, a chain of two taps an output, and the scan that goes with it.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    max_k : int
        The constraint length may not exceed it: 64 bytes for each encoded bit of the window should stay in the
        first-level cache beside the activations.
    column_block : int, optional
        Column groups of a block; by default they are chosen, too.
    beginning : float
        What a block of a lane costs beside its symbols, in bits.

    Returns
    -------
    (Code, CellScan)
        The pair with the fewest expected bits that a product reads.
    """
    density = max(int(np.count_nonzero(mask)), 1) / mask.size
    scan = CellScan.fitting(mask.shape[0], mask.shape[1], n_w)
    counts = _care_counts(mask, scan)
    lanes = scan.lanes / counts.shape[0]
    best: tuple[float, int, int, int] | None = None
    for n_in in range(1, min(_MOST_N_IN, max_k // 2) + 1):
        for size in _column_blocks(n_in, density, scan.together, column_block):
            blocks = -(-counts.shape[2] // size)
            edges = np.minimum(np.arange(blocks + 1) * size, counts.shape[2] - 1)
            care = np.diff(counts[:, :, edges], axis=2).reshape(-1)
            for n_s in sorted({max(1, k // n_in - 1) for k in {*_WINDOWS, max_k} if k <= max_k}):
                dependent = forecast(care, n_in, n_s, window_use("chain")[0]).dependent * lanes
                read = scan.lanes * n_s * n_in * n_w  # what the shift registers hold where a lane starts
                cost = read + float(lanes * care.size) * (n_in * n_w + beginning) + PATCH_BITS * dependent
                if best is None or cost < best[0]:
                    best = (cost, n_in, size, n_s)
    assert best is not None
    _cost, n_in, size, n_s = best
    scan = CellScan.fitting(mask.shape[0], mask.shape[1], n_w, size)
    n_out = scan.together * size
    return Code.from_family("chain", n_in=n_in, n_out=n_out, n_s=n_s, taps=2, seed=seed), scan


def _column_blocks(n_in: int, density: float, together: int, given: int | None) -> list[int]:
    if given:
        return [given] if n_in <= given * together else []
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


def encode_in_cells(
    matrix: NDArray,
    dtype: str = "int8",
    *,
    mask: NDArray[np.bool_] | None = None,
    code: Code | None = None,
    scan: CellScan | None = None,
    max_k: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    mask_code: str = "bitmap",
    beam: int = 1024,
) -> EncodedTensor:
    """Encode a matrix in cells, for products on a processor.

    Parameters
    ----------
    matrix : ndarray, shape (rows, columns), of the dtype's storage
    dtype : {"int8", "int4", "fp16", "bf16", "fp32"}
    mask : ndarray of bool, same shape, optional
        True = kept; by default what is not zero in every bit.
    code, scan : Code and CellScan, optional
        By default those of `choose_cell_code`; with a code alone, the scan whose passes are its whole blocks.
    max_k : int, optional
        As in `choose_cell_code`; by default 64 under a bitmap and 192 under a shaped mask.
    mask_code : {"bitmap", "shaped"}
        Shaped: fewer bytes, about twice the work to decode them.
    beam : int
        Paths of a shaped mask's search.

    Raises
    ------
    InputError
        The matrix has not two dimensions, dtype, code and scan do not fit, or a shaped mask is asked for and more than
        half of the weights are kept, or none.
    """
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(f"the matrix must have two dimensions, none of them 0, not shape {matrix.shape}")
    if dtype not in CELL_FORMATS:
        raise InputError(f"the number format must be one of {', '.join(CELL_FORMATS)}, not {dtype!r}")
    fmt = number_format(dtype)
    kept = fmt.to_words(matrix) != 0 if mask is None else mask
    shaped, care, beginning = mask_code != "bitmap", kept, 0
    if shaped:
        if fmt.is_float:
            raise InputError(
                f"mask_code must be bitmap for products of {dtype}: kernels read its mask as bits"
            )
        words = fmt.to_words(matrix) * kept
        kept = words != 0
        # what a mask lets through that it should not are care bits, too: a block is made for them
        care, beginning = kept | _false_ones(kept, fmt.n_w, beam), _BEGINNING_OF_SHAPED
    if max_k is None:
        max_k = _WINDOW_OF_SHAPED if shaped else _WINDOW
    given = code
    if code is None:
        code, scan = choose_cell_code(care, fmt.n_w, max_k=max_k, seed=seed, beginning=beginning)
    elif scan is None:
        scan = scan_for(code, matrix.shape, fmt.n_w)
    assert scan is not None
    segment = _whole_lanes(code, scan)
    options = EncodeOptions(encoder="elimination", segment_blocks=segment, jobs=jobs)
    if not shaped:
        return encode_tensor(matrix, fmt, code, mask=kept, scan=scan, options=options)
    coder = encode_shaped(
        scan.to_scan(kept.reshape(-1)),
        _mask_code(kept, code.n_out, fmt.n_w, seed),
        beam=beam,
        zero_bits=fmt.n_w,
        segment_blocks=segment,
        jobs=jobs,
    )
    if given is None:
        let_through = scan.from_scan(coder.decode()).reshape(matrix.shape)
        code, _scan = choose_cell_code(
            let_through, fmt.n_w, max_k=max_k, seed=seed, column_block=scan.column_block
        )
    return encode_stored(
        words.reshape(-1),
        shape=matrix.shape,
        number_format=fmt,
        scan=scan,
        mask_coder=coder,
        values=RawPlanes(fmt.n_w),
        codes=[code],
        options=options,
    )


def _whole_lanes(code: Code, scan: CellScan) -> int:
    """Return the blocks of a segment: of whole lanes, so that a lane never starts a stream anew half-way."""
    blocks = scan.lane_length // code.n_out
    return max(1, default_segment_blocks(code, scan.length) // blocks) * blocks


def _mask_code(kept: NDArray[np.bool_], n_out: int, n_w: int, seed: int = 0) -> ShapedMaskCode:
    """Return the code of a mask that is decoded beside its values."""
    return shaped_code(float(kept.mean()), n_out, zero_bits=n_w, margin=_MASK_MARGINS[n_w], seed=seed)


def _false_ones(kept: NDArray[np.bool_], n_w: int, beam: int) -> NDArray[np.bool_]:
    """Strew as many ones over a mask as a shaped code of it lets through in vain; measured on its first lanes."""
    sample = CellScan.fitting(kept.shape[0], kept.shape[1], n_w).to_scan(kept.reshape(-1))[:_SAMPLE_OF_MASK]
    code = _mask_code(kept, _MOST_N_OUT, n_w)
    decoded = encode_shaped(sample, code, beam=beam, zero_bits=n_w).decode()
    share = int(np.count_nonzero(decoded & ~sample)) / max(1, int(np.count_nonzero(~sample)))
    return np.random.default_rng(0).random(kept.shape, np.float32) < share


def scan_for(code: Code, shape: tuple[int, int], n_w: int) -> CellScan:
    """Return a scan whose passes are whole blocks of the code: the most row groups a pass that divide its n_out."""
    groups = -(-shape[0] // CELL_ROWS)
    together = max(r for r in range(1, min(8, groups) + 1) if code.n_out % r == 0)
    return CellScan(*shape, CELL_COLUMNS[n_w], together, code.n_out // together)
