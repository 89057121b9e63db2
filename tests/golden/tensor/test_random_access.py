"""Rows and blocks read by themselves: what comes out, and how much was read for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.golden.tensor.stored_kinds import STORED_KINDS, stored_kind
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.base.packed_rows import PackedRows
from xorweave.golden.choose.choice import Choice
from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.files.blob import read_blob, write_blob
from xorweave.golden.mask.coders import BookMask, MaskCoder, PackedBitmap
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.golden.tensor.random_access import decode_block, decode_picked, decode_rows, runs_of
from xorweave.golden.tensor.stored import EncodedTensor

INT8 = number_format("int8")


def _words(values: NDArray) -> NDArray:
    return values.view(f"u{values.itemsize}")


@pytest.mark.parametrize("kind", STORED_KINDS)
def test_rows_and_blocks_of_every_kind(kind: str) -> None:
    written, wanted = stored_kind(kind)
    tensor = read_blob(write_blob(written))
    rows = wanted.shape[0]
    for first, last in ((0, rows), (0, 1), (rows - 1, rows), (5, 9), (7, 7)):
        assert np.array_equal(_words(decode_rows(tensor, first, last)), _words(wanted[first:last]))
    scanned = tensor.scan.to_scan(_words(wanted).reshape(-1))
    for block in (0, tensor.blocks // 2, tensor.blocks - 1):
        there = scanned[block * tensor.n_out : (block + 1) * tensor.n_out]
        assert np.array_equal(_words(decode_block(tensor, block)), there)


@pytest.mark.parametrize("kind", STORED_KINDS)
def test_picked_blocks_are_those_of_the_whole(kind: str) -> None:
    tensor, wanted = stored_kind(kind)
    words = np.zeros(tensor.blocks * tensor.n_out, tensor.number_format.word)
    words[: tensor.scan.length] = tensor.scan.to_scan(tensor.number_format.to_words(wanted).reshape(-1))
    blocks = np.flatnonzero(np.random.default_rng(1).random(tensor.blocks) < 0.4)
    assert np.array_equal(decode_picked(tensor, blocks), words.reshape(-1, tensor.n_out)[blocks])
    assert decode_picked(tensor, blocks[:0]).shape == (0, tensor.n_out)


def test_what_is_not_there_is_refused() -> None:
    tensor, _ = stored_kind("uniform code")
    for first, last in ((-1, 2), (2, 1), (40, 49)):
        with pytest.raises(InputError, match=rf"^rows must lie in 0 \.\. 48, not {first} \.\. {last}$"):
            decode_rows(tensor, first, last)
    for block in (-1, tensor.blocks):
        with pytest.raises(
            InputError, match=rf"^the block must lie in 0 \.\. {tensor.blocks - 1}, not be {block}$"
        ):
            decode_block(tensor, block)


def test_runs() -> None:
    blocks = np.array([0, 1, 4, 8, 9])
    assert runs_of(blocks, 0) == [(0, 2), (4, 5), (8, 10)]
    assert runs_of(blocks, 2) == [(0, 5), (8, 10)]
    assert runs_of(blocks[:0], 0) == []


class _Meter:
    """Counts the bytes of symbols and mask that are read of a tensor read from bytes."""

    def __init__(self, tensor: EncodedTensor) -> None:
        self.symbol_bytes = self.mask_bytes = 0
        groups = tuple(replace(group, symbols=_Rows(self, group.symbols)) for group in tensor.groups)
        self.tensor = replace(tensor, groups=groups, mask_coder=self._mask(tensor.mask_coder))

    def _mask(self, coder: MaskCoder) -> MaskCoder:
        if isinstance(coder, PackedBitmap):
            return _Bitmap(coder.data, coder.length, self)
        if isinstance(coder, BookMask):
            rows = (_Rows(self, group.symbols, mask=True) for group in coder.groups)
            groups = (replace(group, symbols=part) for group, part in zip(coder.groups, rows, strict=True))
            return replace(coder, groups=tuple(groups))
        return replace(coder, symbols=_Rows(self, coder.symbols, mask=True))

    @property
    def bytes(self) -> int:
        return self.symbol_bytes + self.mask_bytes


class _Rows:
    def __init__(self, meter: _Meter, rows: PackedRows, mask: bool = False) -> None:
        assert isinstance(rows, PackedRows)
        self._meter, self._rows, self._mask = meter, rows, mask
        self.dtype, self.shape, self.size = rows.dtype, rows.shape, rows.size

    def __getitem__(self, rows: slice) -> NDArray:
        width = len(self._rows.planes) * self._rows.columns
        first, last, _ = rows.indices(self._rows.rows)
        touched = -(-last * width // 8) - first * width // 8 if last > first else 0
        if self._mask:
            self._meter.mask_bytes += touched
        else:
            self._meter.symbol_bytes += touched
        return self._rows[rows]


class _Bitmap(PackedBitmap):
    def __init__(self, data: NDArray, length: int, meter: _Meter) -> None:
        super().__init__(data, length)
        object.__setattr__(self, "_meter", meter)

    def part(self, begin: int, end: int) -> NDArray[np.bool_]:
        self._meter.mask_bytes += -(-end // 8) - begin // 8  # type: ignore[attr-defined]
        return super().part(begin, end)


def _layer(rows: int, cols: int, density: float = 0.12) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    rng = np.random.default_rng(2)
    mask = rng.random((rows, cols)) < density
    return (rng.integers(-127, 128, mask.shape) * mask).astype(np.int8), mask


@pytest.mark.parametrize(("first", "last"), [(0, 1), (17, 18), (100, 140), (255, 256)])
def test_row_major_rows_read_their_blocks_and_one_window(first: int, last: int) -> None:
    values, mask = _layer(256, 320)
    code = Code.from_family("chain", n_in=16, n_out=128, n_s=5, seed=0)
    written = encode_tensor(values, INT8, code, mask=mask)
    meter = _Meter(read_blob(write_blob(written)))
    assert np.array_equal(decode_rows(meter.tensor, first, last), values[first:last])
    blocks = -(-last * 320 // 128) - first * 320 // 128
    assert meter.symbol_bytes <= (blocks + code.n_s) * 16 * 8 // 8
    # the mask has no window; a byte at either end is shared with a neighbour
    assert meter.mask_bytes <= blocks * 128 // 8 + 1


def test_rows_on_lanes_read_a_block_a_column() -> None:
    values, mask = _layer(256, 320)
    written = Choice(scan="lanes", lanes=64).encode(values, INT8, mask)
    meter = _Meter(read_blob(write_blob(written)))
    assert np.array_equal(decode_rows(meter.tensor, 64, 128), values[64:128])
    # these rows are the second of four that every lane works on in turn: each of their blocks brings a window, but no
    # block is read twice
    n_s = written.code.n_s
    assert meter.symbol_bytes <= min(320 * (n_s + 1), written.blocks) * (written.code.n_in * 8 / 8 + 1)
    assert meter.mask_bytes <= 320 * (64 // 8 + 1)


def test_scattered_rows_read_only_blocks_that_hold_them() -> None:
    values, mask = _layer(256, 320)
    code = Code.from_family("chain", n_in=16, n_out=128, n_s=2, seed=0)
    written = encode_tensor(values, INT8, code, mask=mask, scan=Interleaver(values.size, 51199))
    meter = _Meter(read_blob(write_blob(written)))
    assert np.array_equal(decode_rows(meter.tensor, 9, 10), values[9:10])
    places = written.scan.places(np.arange(9 * 320, 10 * 320))
    blocks = np.unique(places // 128)
    window = np.unique((blocks[:, None] - np.arange(3)).clip(0))
    assert meter.symbol_bytes == window.size * 16
    assert meter.mask_bytes == blocks.size * 16


@pytest.mark.parametrize("mask_code", ["shaped", "book"])
def test_encoded_masks_and_prefix_books_bring_windows_of_their_own(mask_code: str) -> None:
    values, mask = _layer(128, 256)
    values = (values // 24).astype(np.int8)
    written = Choice(scan="affine", mask_code=mask_code).encode(values, INT8, mask)
    assert written.mask_coder.kind == mask_code and len(written.groups) > 1
    tensor = read_blob(write_blob(written))
    meter = _Meter(tensor)
    middle = tensor.blocks // 2
    block = decode_block(meter.tensor, middle)
    scanned = tensor.scan.to_scan(_words(values).reshape(-1))
    assert np.array_equal(_words(block), scanned[middle * tensor.n_out : (middle + 1) * tensor.n_out])
    of_values, of_mask = sum(map(_window_bits, tensor.groups)), 0
    coder, parts = tensor.mask_coder, 1
    if isinstance(coder, BookMask):
        of_mask, parts = sum(map(_window_bits, coder.groups)), len(coder.groups)
        assert parts > 2
    else:
        of_mask = coder.code.n_in * (coder.code.n_s + 1)
    # each part begins and ends within a byte
    assert 0 < meter.symbol_bytes <= -(-of_values // 8) + len(tensor.groups)
    assert 0 < meter.mask_bytes <= -(-of_mask // 8) + parts


def _window_bits(group: PlaneGroup) -> int:
    return group.code.n_in * group.planes * (group.code.n_s + 1)
