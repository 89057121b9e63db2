"""Lanes of a stream against the stream itself, decoded by the plain decoder."""

from dataclasses import replace

import numpy as np
import pytest

from tests.golden.spmv.test_cpu import pruned
from xorweave.golden.base.errors import InputError
from xorweave.golden.choose import cell_code
from xorweave.golden.choose.cell_code import choose_cell_code
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_plain
from xorweave.golden.files.blob import read_blob, write_blob
from xorweave.golden.scan.cells import CellScan
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.spmv.lanes import encode_lanes, lane_matrix
from xorweave.golden.tensor.decode import decode_tensor

CODE = Code.from_spec("family=uniform,n_in=4,n_out=12,n_s=3")


@pytest.mark.parametrize("dtype", ["int8", "int4", "fp16", "fp32"])
def test_lanes_decode_by_their_own_symbols(dtype):
    """Every lane is decoded alone from what lies in it, its history before it, and compared with the matrix."""
    matrix, mask = pruned(70, 23, 0.2, dtype)
    lanes = encode_lanes(matrix, dtype, mask=mask, code=CODE)
    scan, fmt = lanes.scan, lanes.number_format
    words = lanes.symbols.view(np.uint8 if fmt.n_w == 4 else fmt.word)
    if fmt.n_w == 4:
        words = np.concatenate([words & 15, words >> 4], axis=2)
    assert words.shape == (3 + lanes.blocks, 4, scan.lanes)
    wanted = scan.arrange(fmt.to_words(matrix))
    for lane in range(scan.lanes):
        decoded = decode_plain(CODE, np.ascontiguousarray(words[:, :, lane]))[3:].reshape(-1)
        kept = lanes.mask[:, lane]
        assert np.array_equal(decoded[kept], wanted[lane][kept])
    rows, columns = lanes.patch_rows, lanes.patch_columns
    assert rows.size > 0
    assert np.array_equal(lanes.patch_values, matrix[rows, columns])
    whole = scan.restore(np.ascontiguousarray(lanes.mask.T))
    assert not whole[rows, columns].any()
    whole[rows, columns] = True
    assert np.array_equal(whole, mask)


def test_streams_that_start_anew(monkeypatch):
    """A stream of several segments: lanes begin with an empty history there, and with the one before elsewhere."""
    matrix, mask = pruned(600, 64, 0.6)
    monkeypatch.setattr(cell_code, "default_segment_blocks", lambda code, n: 20 * n // 64 // code.n_out + 1)
    lanes = encode_lanes(matrix, mask=mask, code=CODE)
    assert lanes.encoded.segment_blocks == 20 * lanes.blocks
    assert not lanes.symbols[:3, :, [0, 20, 40, 60]].any()
    assert lanes.symbols[:3, :, 21].any()
    first = lanes.encoded.symbols[21 * lanes.blocks - 1]
    assert np.array_equal(lanes.symbols[2, :, 21], first)


def test_masks_have_a_bit_a_weight():
    matrix, mask = pruned(70, 23, 0.7)
    lanes = encode_lanes(matrix, mask=mask, code=CODE)
    bits = np.unpackbits(lanes.mask_words(), axis=1, bitorder="little")
    assert np.array_equal(bits, lanes.mask)
    eights = np.unpackbits(lanes.mask_lines()[..., None], axis=3, bitorder="little")
    by_output = eights.transpose(0, 1, 3, 2).reshape(lanes.blocks, 16, 64)[:, :12]
    assert np.array_equal(by_output.reshape(-1, 64), lanes.mask)


def test_chosen_codes_come_close_to_the_limit():
    matrix, mask = pruned(1024, 512, 0.9)
    lanes = encode_lanes(matrix, mask=mask)
    assert lanes.encoded.blocks * lanes.code.n_in < 1.06 * np.count_nonzero(mask)
    assert lanes.patch_rows.size < 0.01 * np.count_nonzero(mask)
    assert lanes.code.constraint_length <= 128


def test_a_mask_without_a_weight():
    code, scan = choose_cell_code(np.zeros((20, 30), bool), 8)
    assert scan.lane_length % code.n_out == 0


def test_bad_input_is_named():
    matrix, mask = pruned(40, 20, 0.5)
    with pytest.raises(InputError, match="must have two dimensions, none of them 0, not shape \\(0, 4\\)"):
        encode_lanes(np.zeros((0, 4), np.int8))
    with pytest.raises(InputError, match="must be one of int4, int8, fp16, bf16, fp32, not 'int16'"):
        encode_lanes(matrix.astype(np.int16), "int16")
    lanes = encode_lanes(matrix, mask=mask, code=CODE)
    for scan, message in (
        (CellScan(40, 20, 4, 3, 1), "a block must have 3 outputs, not 12"),
        (CellScan(40, 20, 2, 3, 4), "in cells for them, not int8 in cells of 2 columns"),
        (Interleaver(800), "the scan must be cells for products on a processor, not row-major"),
    ):
        with pytest.raises(InputError, match=message):
            lane_matrix(replace(lanes.encoded, scan=scan))


def test_a_code_that_takes_hours_to_compile_is_refused():
    matrix, mask = pruned(40, 20, 0.5)
    long = "family=chain,n_in=300,n_out=515,n_s=0"
    dense = "family=uniform,n_in=200,n_out=400,n_s=0"
    for spec, said in ((long, "not 515 of"), (dense, "not 400 of")):
        with pytest.raises(
            InputError, match=f"at most 512 outputs of 16384 taps in all for products, {said}"
        ):
            encode_lanes(matrix, mask=mask, code=Code.from_spec(spec))


@pytest.mark.parametrize("dtype", ["int8", "int4", "fp16"])
def test_the_stored_tensor_is_an_ordinary_one(dtype):
    """Any decoder decodes it, and its file gives it back."""
    matrix, mask = pruned(70, 23, 0.6, dtype)
    encoded = encode_lanes(matrix, dtype, mask=mask, code=CODE).encoded
    assert decode_tensor(encoded).tobytes() == matrix.tobytes()
    again = read_blob(write_blob(encoded))
    assert again.scan == encoded.scan
    lanes = lane_matrix(again)
    assert np.array_equal(lanes.symbols, lane_matrix(encoded).symbols)
