"""Algorithm 2 on a processor: whole words of 64 bytes decode at a time, and are multiplied as they come out."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv import native
from xorweave.golden.spmv.lane_fallback import FallbackKernel
from xorweave.golden.spmv.lane_kernel import ROOM, lane_source
from xorweave.golden.spmv.lanes import LINE, LaneMatrix
from xorweave.golden.spmv.sums import check_columns

FALLBACK = "numba"
# rows whose patches are added together: enough for one not to wait for the last of its row, few enough to share out
_PATCH_GROUP = 256


class EncodedProduct:
    """Products of an encoded matrix with vectors, decoded as they are multiplied.

    INT8 and INT4 matrices take INT8 vectors and give exact INT32 products; matrices of floats take float32 and give
    float32.

    Parameters
    ----------
    matrix : LaneMatrix
    threads : int
        Runs of blocks are shared out among so many threads.
    instructions : str, optional
        One of `native.INSTRUCTION_SETS`, or ``numba``; by default the best of this processor, and Numba where there
        is no compiler.

    Raises
    ------
    InputError
        The processor lacks the instructions, or sums could overflow.
    """

    def __init__(self, matrix: LaneMatrix, threads: int = 1, instructions: str | None = None) -> None:
        fmt, scan = matrix.number_format, matrix.scan
        if not fmt.is_float:
            check_columns(scan.columns)
        self.matrix, self._columns = matrix, scan.columns
        self.vector_dtype = np.dtype(np.float32 if fmt.is_float else np.int8)
        self._kernel: FallbackKernel | _CompiledKernel
        if instructions == FALLBACK or (instructions is None and native.compiler() is None):
            self.instructions = FALLBACK
            self._kernel = FallbackKernel(matrix)
        else:
            self.instructions = native.instruction_set(instructions)
            self._kernel = _CompiledKernel(matrix, threads, self.instructions)

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads of the matrix."""
        return self.matrix.bytes_read

    def decode_lines(self, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Decode all weights, in the order they are decoded in.

        Parameters
        ----------
        out : ndarray of uint8, shape (decoded bytes,), aligned to 64 bytes, optional

        Returns
        -------
        ndarray of uint8, shape (decoded bytes,)
            64 bytes for each output of each block, words of all lanes, 0 where pruned or patched; INT4 takes two times
            64 bytes, each 16 times its weight.

        Raises
        ------
        InputError
            There is no compiler.
        """
        if not isinstance(self._kernel, _CompiledKernel):
            raise InputError("a C++ compiler (g++) must be on the PATH to decode to lines")
        return self._kernel.decode_lines(out)

    def dense(self) -> NDArray:
        """Decode to the matrix itself, shape (rows, columns), patches applied; BF16 as float32."""
        matrix = self.matrix
        values = matrix.scan.restore(self._kernel.decode())
        patched = matrix.patch_rows, matrix.patch_columns
        if matrix.mask_symbols is None:
            values[patched] = matrix.patch_values
        else:
            values[patched] += matrix.patch_values.astype(values.dtype)  # modulo 2^8
        return values

    def __call__(self, vectors: NDArray) -> NDArray:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows).

        Raises
        ------
        InputError
            The vectors are of another dtype or length.
        """
        shape = vectors.shape
        if vectors.dtype != self.vector_dtype or shape[-1:] != (self._columns,) or len(shape) > 2:
            raise InputError(
                f"vectors must be {self.vector_dtype} of length {self._columns}, not {vectors.dtype} {shape}"
            )
        if not vectors.flags.c_contiguous:
            vectors = np.ascontiguousarray(vectors)
        return self._kernel.multiply(vectors)


def _in_rounds(matrix: LaneMatrix, dtype: np.dtype) -> list[NDArray]:
    """Order the patches, which are sorted by row, for the kernels: the first one of each row of a group, the second ...

    Returns where each group of rows starts (and the last one ends), and rows, columns and values of the patches.
    """
    rows = matrix.patch_rows
    group, earlier = rows // _PATCH_GROUP, np.arange(rows.size) - np.searchsorted(rows, rows)
    order = np.lexsort((earlier, group))
    groups = -(-matrix.scan.rows // _PATCH_GROUP)
    starts = np.searchsorted(group, np.arange(groups + 1)).astype(np.int64)
    return [starts, rows[order], matrix.patch_columns[order], matrix.patch_values[order].astype(dtype)]


class _CompiledKernel:
    """The C++ kernels of one matrix: all that they read, where they want it."""

    def __init__(self, matrix: LaneMatrix, threads: int, instructions: str) -> None:
        fmt, scan = matrix.number_format, matrix.scan
        self._matrix, self._threads, self._instructions = matrix, threads, instructions
        self._library = self._build(decoding=False)
        by_word = fmt.n_w > 8 or instructions.startswith(("avx512", native.EMULATED))
        self._symbols = native.aligned(matrix.symbols)
        if matrix.mask_symbols is None:
            self._mask = native.aligned(matrix.mask_words() if by_word else matrix.mask_lines())
        else:
            self._mask = native.aligned(
                np.pad(matrix.mask_symbols, ((0, -(-ROOM // matrix.mask_symbols.shape[1])), (0, 0), (0, 0)))
            )
        self._columns = scan.placed_columns.astype(np.int32)
        self._sum, self._rows = np.dtype(np.float32 if fmt.is_float else np.int32), scan.rows
        self._offsets = np.zeros(scan.rows, self._sum)
        self._patches = _in_rounds(matrix, self._sum)
        self._first = self._symbols.ctypes.data + matrix.code.n_s * matrix.code.n_in * LINE
        history = 0 if matrix.mask_symbols is None else matrix.mask_symbols.shape[0] - matrix.blocks
        self._first_mask = self._mask[history:].ctypes.data
        self._multiply = self._with_patches(0)
        if not fmt.is_float:
            # Activations are taken as bytes plus 128, so zeros give just what has to be taken off; of INT4 a sixteenth.
            zeros = self.multiply(np.zeros(scan.columns, np.int8))
            self._offsets[:] = zeros * (16 if fmt.n_w == 4 else 1)
        self._multiply = self._with_patches(matrix.patch_rows.size)

    def _build(self, decoding: bool) -> ctypes.CDLL:
        matrix = self._matrix
        source = lane_source(
            matrix.code,
            matrix.scan,
            matrix.number_format,
            matrix.encoded.raw.inversion,
            mask_code=matrix.mask_code,
            decoding=decoding,
        )
        return native.build(source, ("-O2", *native.flags_of(self._instructions)))

    @cached_property
    def _decoder(self) -> ctypes.CDLL:
        return self._build(decoding=True)  # seldom needed, so not before

    def _with_patches(self, patches: int) -> Callable[..., int]:
        scan = self._matrix.scan
        before = (
            self._first,
            self._first_mask,
            scan.passes,
            self._matrix.blocks // scan.passes,
            self._threads,
        )
        after = (self._columns.ctypes.data, self._offsets.ctypes.data, scan.rows, patches, _PATCH_GROUP)
        places = (part.ctypes.data for part in self._patches)
        return native.bound(self._library.xw_multiply, *before, *after, *places, rest=4)

    def multiply(self, vectors: NDArray) -> NDArray:
        """Multiply contiguous vectors, shape (columns,) or (batch, columns), to (rows,) or (batch, rows)."""
        *batch, columns = vectors.shape
        product = np.empty((*batch, self._rows), self._sum)
        count = batch[0] if batch else 1
        if self._multiply(native.address_of(vectors), columns, count, native.address_of(product)):
            raise MemoryError
        return product

    def decode_lines(self, out: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        """As `EncodedProduct.decode_lines`."""
        matrix = self._matrix
        if out is None:
            out = native.aligned_zeros(
                (matrix.scan.length * max(8, matrix.number_format.n_w) // 8,), np.uint8
            )
        past = out.nbytes > native.last_cache_bytes() * 3 // 8
        given = (
            self._first,
            self._first_mask,
            matrix.blocks,
            self._threads,
            int(past),
            out.ctypes.data,
        )
        native.bound(self._decoder.xw_decode, *given, rest=0)()
        return out

    def decode(self) -> NDArray:
        """Decode all weights in scan order, shape (lanes, lane_length), 0 where pruned or patched; BF16 as float32."""
        matrix, fmt = self._matrix, self._matrix.number_format
        lines = self.decode_lines(None).view(np.uint8 if fmt.n_w == 4 else fmt.word)
        lanes: NDArray = np.ascontiguousarray(lines.reshape(-1, matrix.scan.lanes).T)
        return matrix.plain(lanes >> 4 if fmt.n_w == 4 else lanes)
