"""The scan engine in simulation: every cycle of every stored form equal to the golden trace, products to NumPy's."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Const

from tests.sim.given_up import given_up
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.book_choice import choose_book
from xorweave.golden.choose.choice import Choice
from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.files.blob import read_blob, write_blob
from xorweave.golden.mask.coders import BitmapMask, BookMask, DenseMask, MaskCoder, ShapedMask
from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.scan.cells import CellScan
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.scan.live import LiveScan
from xorweave.golden.scan.scan import Scan
from xorweave.golden.scan.tiles import TileLayout, TileOrder
from xorweave.golden.spmv.scan_trace import trace_scan
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.golden.tensor.stored import EncodedTensor, Patches
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.raw_planes import RawPlanes
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.engines import scan_engine
from xorweave.hw.engines.scan_lane import ScanLane
from xorweave.hw.package.axis_design import decoder_verilog
from xorweave.hw.package.decoded_product import decoded_product
from xorweave.sim import scan_run
from xorweave.sim.scan_run import ScanSimulator, scan_engine_config

INT8 = number_format("int8")
N_OUT = 10
SHAPE = (13, 11)
SCANS: dict[str, Scan] = {
    "row-major": Interleaver(143),
    "affine": Interleaver(143, 51, 17),
    "lanes": LaneLayout(rows=13, cols=11, lanes=4, interleave=2, start_column=3, lead=2),
    "cells": CellScan(13, 11, 4, 1, 2),
    "tiles": TileOrder(13, 11, 1, 1, TileLayout(8, 8)),
    "live": LiveScan.of(np.arange(13) % 5 != 3, np.arange(11) % 7 != 1, 23, 30),
}
PATCHES = ("none", "list", "lanes", "gap", "bounded")
MASKS = ("none", "bitmap", "shaped", "book")
VALUES = ("raw", "prefix")
# every pair of a scan, a kind of patches, a mask coder and a value coder is among them
FORMS = [
    (scan, MASKS[(s + p) % len(MASKS)], VALUES[(s + 2 * p) % 5 % 2], patches)
    for (s, scan), (p, patches) in product(enumerate(SCANS), enumerate(PATCHES))
]


@cache
def _book() -> tuple[ValueCoder, list[Code]]:
    """A small prefix book and a code for each of its groups."""
    rng = np.random.default_rng(5)
    words = INT8.to_words(np.clip(np.rint(rng.laplace(0, 2, 400)), -128, 127).astype(np.int8))
    found = choose_book(words, words != 0, INT8, max_k=16, n_out=N_OUT)
    assert found is not None
    return found.values, found.codes(0)


def stored(
    scan: str,
    mask: str = "bitmap",
    values: str = "raw",
    patches: str = "none",
    *,
    segment_blocks: int | None = 4,
    seed: int = 0,
) -> EncodedTensor:
    """Any symbols under any mask with any patches are a stored tensor: what it decodes to is its matrix."""
    rng = np.random.default_rng(seed)
    order = SCANS[scan]
    blocks = -(-order.length // N_OUT)
    coder: ValueCoder = RawPlanes(8, 0x5A)
    codes = [Code.uniform(n_in=4, n_out=N_OUT, n_s=1, seed=seed)]
    if values == "prefix":
        coder, codes = _book()
    period = segment_blocks or blocks
    groups, first = [], 0
    for code, (begin, end) in zip(codes, coder.spans, strict=True):
        word = np.uint8 if end - begin <= 8 else np.uint64
        symbols = rng.integers(0, 1 << (end - begin), (blocks, code.n_in), np.uint64).astype(word)
        groups.append(PlaneGroup(begin, end, code, symbols))
        first = end
    assert first == coder.planes
    masks: dict[str, Callable[[], MaskCoder]] = {
        "none": lambda: DenseMask(order.length),
        "bitmap": lambda: BitmapMask(_kept(order, rng)),
        "shaped": lambda: _shaped(order.length, blocks, period, rng),
        "book": lambda: _book_mask(order.length, blocks, period, rng),
    }
    positions = np.sort(
        rng.choice(order.length, 0 if patches == "none" else order.length // 9, replace=False)
    )
    return EncodedTensor(
        shape=SHAPE,
        number_format=INT8,
        scan=order,
        mask_coder=masks[mask](),
        values=coder,
        groups=tuple(groups),
        patches=Patches(positions, rng.integers(1, 256, positions.size).astype(np.uint8)),
        correction_format="joint:5",
        segment_blocks=period,
        checksum=None,
    )


def _kept(order: Scan, rng: np.random.Generator) -> np.ndarray:
    """A mask with empty rows; padding is kept at random: the engine must not care."""
    kept = rng.random(order.length) < 0.4
    for row in (0, 5, SHAPE[0] - 1):
        places = order.places(np.arange(row * SHAPE[1], (row + 1) * SHAPE[1]))
        kept[places[places >= 0]] = False
    return kept


def _shaped(length: int, blocks: int, period: int, rng: np.random.Generator) -> ShapedMask:
    code = ShapedMaskCode(n_in=4, n_out=N_OUT, parities=2, window=6, taps=4, seed=2)
    return ShapedMask(code, rng.integers(0, 2, (blocks, 4)).astype(np.uint8), length, period)


def _book_mask(length: int, blocks: int, period: int, rng: np.random.Generator) -> BookMask:
    book = PatternBook(5, (1, 0, 2, 4))
    codes = [Code.from_family("identity", n_in=2, n_out=2, n_s=0)]
    codes += [Code.uniform(n_in=1, n_out=2, n_s=n_s, seed=n_s) for n_s in (2, 3, 1)]
    groups = []
    for code, (first, end) in zip(codes, book.spans, strict=True):
        symbols = rng.integers(0, 1 << (end - first), (blocks, code.n_in)).astype(np.uint8)
        groups.append(PlaneGroup(first, end, code, symbols))
    return BookMask(book, tuple(groups), length, period)


def _vectors(batch: int, seed: int = 3) -> np.ndarray:
    vectors = np.random.default_rng(seed).integers(-128, 128, (batch, SHAPE[1])).astype(np.int8)
    vectors[:, 2] = -128
    return vectors


def _product(tensor: EncodedTensor, vectors: np.ndarray) -> np.ndarray:
    matrix = decode_tensor(tensor).reshape(tensor.shape[0], -1)
    return vectors.astype(np.int64) @ matrix.T.astype(np.int64)


def test_every_pair_of_parts_is_among_the_forms() -> None:
    kinds = (tuple(SCANS), MASKS, VALUES, PATCHES)
    for a, b in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        assert {(form[a], form[b]) for form in FORMS} == set(product(kinds[a], kinds[b]))


@pytest.mark.parametrize("form", FORMS, ids=["-".join(form) for form in FORMS])
def test_every_form_multiplies_cycle_for_cycle(form: tuple[str, str, str, str], tmp_path: Path) -> None:
    tensor = stored(*form)
    kind = form[3]
    options: dict[str, Any] = {} if kind == "none" else {"patches": kind}
    options |= {"gap_bits": 5} if kind == "gap" else {}
    decoder = config_for(tensor, **options)
    assert (decoder.kind_of_patches.name if decoder.kind_of_patches else "none") == kind
    lanes = 1 + FORMS.index(form) % 4  # 3 and 4 do not divide a block
    simulator = ScanSimulator(scan_engine_config(tensor, lanes=lanes, batch=2), decoder, tmp_path)
    vectors = _vectors(2)
    wanted = _product(tensor, vectors)
    run = simulator.run(tensor, vectors)
    assert run.mismatches == run.stall_cycles == 0, run.messages
    assert np.array_equal(run.results, wanted)
    assert run.block_cycles == -(-N_OUT // lanes)
    assert run.cycles == run.model_cycles == run.blocks * run.block_cycles + run.constant
    for seed, stalls in enumerate((20, (70, 0), (0, 70))):
        slow = simulator.run(tensor, vectors, stalls=stalls, seed=seed)
        assert slow.mismatches == 0 and slow.cycles > run.cycles
    for cycles in (9, run.cycles // 2, run.cycles - 4):  # while it loads, multiplies, sends
        with given_up(simulator.model, cycles):
            again = simulator.run(tensor, vectors)
        assert (again.mismatches, again.cycles) == (0, run.cycles), again.messages


@pytest.fixture(scope="module")
def simulator() -> ScanSimulator:
    """Of the plainest form, that faults are slipped into."""
    tensor = stored("affine")
    return ScanSimulator(scan_engine_config(tensor, lanes=3), config_for(tensor))


def test_words_of_all_sizes_are_among_them() -> None:
    matrix = decode_tensor(stored("affine", "none"))
    assert matrix.min() == -128 and matrix.max() > 120
    empty = decode_tensor(stored("affine"))
    assert not empty[[0, 5, 12]].any() and empty[1].any()


def test_one_product_after_another(simulator: ScanSimulator) -> None:
    """Accumulators are cleared, and decoder, walk and vector begin again; without stalls in so many cycles."""
    tensor = stored("affine")
    vectors = [_vectors(1, seed) for seed in range(3)]
    traces = [trace_scan(tensor, x, 3) for x in vectors]
    alone = simulator.run(tensor, vectors[0])
    run = simulator.play(tensor, vectors, traces)
    assert run.mismatches == 0
    assert run.cycles == 3 * alone.cycles
    assert simulator.play(tensor, vectors, traces, stalls=40).mismatches == 0


def test_cycles_are_those_of_the_shape_whatever_the_mask(simulator: ScanSimulator) -> None:
    cycles = set()
    for seed in range(3):
        tensor = replace(stored("affine"), mask_coder=BitmapMask(np.arange(143) % (2 + 70 * seed) == 1))
        run = simulator.run(tensor, _vectors(1))
        assert run.mismatches == 0
        cycles.add(run.cycles)
    assert len(cycles) == 1


def test_int4_and_more_dimensions() -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(-8, 8, (7, 3, 2, 2)).astype(np.int8)
    tensor = Choice(goal="hardware").encode(values, number_format("int4"), rng.random(values.shape) < 0.5)
    vector = rng.integers(-128, 128, 12).astype(np.int8)
    run = ScanSimulator(scan_engine_config(tensor, lanes=2), config_for(tensor)).run(
        tensor, vector, stalls=20
    )
    assert run.mismatches == 0 and np.array_equal(run.results, _product(tensor, vector.reshape(1, -1)))


@pytest.mark.parametrize("shape", [(6, 17), (3, 47)])  # tails of two weights and of one; above of three
def test_tails_of_all_lengths(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    values = rng.integers(-128, 128, shape).astype(np.int8)
    code = Code.uniform(n_in=4, n_out=N_OUT, n_s=1)
    tensor = encode_tensor(values, INT8, code, mask=np.ones(shape, bool))
    vectors = [rng.integers(-128, 128, (1, shape[1])).astype(np.int8) for _ in range(2)]
    simulator = ScanSimulator(scan_engine_config(tensor, lanes=3), config_for(tensor, patches="list"))
    run = simulator.play(tensor, vectors, [trace_scan(tensor, x, 3) for x in vectors])
    assert run.mismatches == 0, run.messages


def _messages(simulator: ScanSimulator, tensor: EncodedTensor, products: int = 1) -> tuple[bool, set[str]]:
    """Play products against the right trace: whether a result was wrong, and which streams were."""
    vectors = [_vectors(1, seed) for seed in range(products)]
    traces = [trace_scan(tensor, x, simulator.config.lanes) for x in vectors]
    run = simulator.play(tensor, vectors, traces)
    return run.mismatches > 0, {line.split()[1] for line in run.messages}


def test_a_wrong_stride_is_caught() -> None:
    tensor = stored("affine")
    config = scan_engine_config(replace(tensor, scan=Interleaver(143, 50, 17)), lanes=3)
    wrong, where = _messages(ScanSimulator(config, config_for(tensor)), tensor)
    assert wrong and {"taken", "summed", "m_axis"} <= where


def test_a_lost_last_block_is_caught() -> None:
    tensor = stored("affine")
    config = scan_engine_config(tensor, lanes=3)
    config.__dict__["walk"] = replace(config.walk, length=140)  # of 15 blocks, 14
    traced = replace(config, trace=True)
    traced.__dict__["walk"] = config.walk
    broken = ScanSimulator.__new__(ScanSimulator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_run, "replace", lambda *_, **__: traced)
        broken.__init__(config, config_for(tensor))  # type: ignore[misc]
    vector = _vectors(1)
    run = broken.play(tensor, [vector], [trace_scan(tensor, vector, 3)])
    assert run.mismatches > 0 and run.passed["taken"] == 14 * 4


def test_accumulators_that_are_not_cleared_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class Uncleared(ScanLane):
        def elaborate(self, platform: object) -> Any:
            pin, self.clear = self.clear, Const(0, 1)
            m = super().elaborate(platform)
            self.clear = pin
            return m

    monkeypatch.setattr(scan_engine, "ScanLane", Uncleared)
    tensor = stored("affine")
    broken = ScanSimulator(scan_engine_config(tensor, lanes=3), config_for(tensor))
    wrong, where = _messages(broken, tensor, 2)
    assert wrong and {"summed", "m_axis"} <= where and "taken" not in where


def test_a_sum_that_is_read_too_early_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(*arguments: Any) -> tuple[str, dict[str, int]]:
        text, widths = decoded_product(*arguments)
        found, count = re.subn(r"\bagain <= [^;]*;", "again <= 1'h0;", text)
        assert count
        return found, widths

    monkeypatch.setattr(scan_run, "decoded_product", stale)
    tensor = stored("row-major")  # one row for many cycles
    broken = ScanSimulator(scan_engine_config(tensor, lanes=3), config_for(tensor))
    wrong, where = _messages(broken, tensor)
    assert wrong and "summed" in where and "taken" not in where


def test_the_bytes_of_the_file_are_what_is_multiplied(
    simulator: ScanSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is changed in the mapped bytes is in the next product; a trace of what was there before differs."""
    data = np.frombuffer(
        write_blob(replace(stored("affine", segment_blocks=None), checksum=0)), np.uint8
    ).copy()
    tensor = read_blob(data)
    vector = _vectors(1)
    before = trace_scan(tensor, vector, 3)
    first = simulator.run(tensor, vector)
    assert first.mismatches == 0
    symbols: Any = tensor.groups[0].symbols
    assert np.shares_memory(symbols.data, data)
    symbols.data[:] ^= 255
    assert simulator.play(tensor, [vector], [before]).mismatches > 0
    after = simulator.run(tensor, vector)
    assert after.mismatches == 0 and not np.array_equal(after.results, first.results)


def test_the_decoder_is_the_file_that_generate_writes() -> None:
    tensor = stored("affine", "shaped", "prefix", "list")
    decoder = config_for(tensor)
    text, widths = decoded_product(decoder, scan_engine_config(tensor))
    assert text.startswith(decoder_verilog(decoder))
    assert widths["s_axis_tdata"] == N_OUT * 8


def test_what_does_not_fit_is_refused(simulator: ScanSimulator) -> None:
    tensor = stored("affine")
    with pytest.raises(InputError, match="the scan, the shape and the blocks that the engine was made for"):
        simulator.run(stored("row-major"), _vectors(1))
    with pytest.raises(InputError, match="takes 1 vectors at once, not 2"):
        simulator.run(tensor, _vectors(2))
    with pytest.raises(InputError, match="must have the tensor's code"):
        simulator.run(stored("affine", seed=9), _vectors(1))
    with pytest.raises(InputError, match="lanes must be between 1 and n_out = 10, not 11"):
        scan_engine_config(tensor, lanes=11)
    with pytest.raises(InputError, match="lanes must be between 1 and n_out = 10, not 0"):
        trace_scan(tensor, _vectors(1), 0)
    with pytest.raises(InputError, match="batch must be at least 1, not 0"):
        scan_engine_config(tensor, batch=0)
    with pytest.raises(InputError, match="INT4 and INT8 weights, not 16 bits"):
        replace(scan_engine_config(tensor), n_w=16)
    with pytest.raises(InputError, match="blocks of 9 words of 8 bits, not of 10 of 8 bits"):
        decoded_product(config_for(tensor), replace(scan_engine_config(tensor), n_out=9))
    with pytest.raises(InputError, match="without a stream guard or an inversion port"):
        decoded_product(config_for(tensor, inversion_port=True), scan_engine_config(tensor))
