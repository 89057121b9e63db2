from __future__ import annotations

import galois
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from xorweave.golden.base.errors import InputError
from xorweave.golden.weightless import banded
from xorweave.golden.weightless.banded import MOST_WINDOW, OFFSET_BITS, Banded, bucket_count
from xorweave.golden.weightless.bloomier import Bloomier

GF2 = galois.GF(2)


def key_set(count: int, universe: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).choice(universe, count, replace=False))


def dense_rows(table: Banded, keys: np.ndarray, columns: int) -> np.ndarray:
    """Rows of the linear system, written bit by bit from the two matrices of the hash: shape (keys, columns)."""
    rows = np.zeros((keys.size, columns), np.uint8)
    for row, key in zip(rows, keys.tolist(), strict=True):
        bits = np.array([key >> i & 1 for i in range(table.key_bits)] + [1])
        x = table.hash.first @ bits % 2
        ring = x ^ ((1 - np.roll(x, -1)) & np.roll(x, -2))
        hashed = table.hash.second @ ring % 2
        number = sum(int(bit) << i for i, bit in enumerate(hashed))
        field, place = number & ((1 << table.bucket_bits) - 1), number >> table.bucket_bits
        bucket = field * table.buckets >> table.bucket_bits
        begin, end = int(table.starts[bucket]), int(table.starts[bucket + 1])
        start = begin + (place * (end - begin) >> OFFSET_BITS)
        row[start] = 1
        row[start + 1 : start + table.window] = ring[: table.window - 1]
    return rows


@pytest.mark.parametrize("window", [16, 32, 48, MOST_WINDOW])
@pytest.mark.parametrize("count", [0, 1, 2, 37, 3000])
def test_every_key_answers_its_value(window: int, count: int) -> None:
    keys = key_set(count, 1 << 20, count)
    values = np.random.default_rng(1).integers(0, 1 << 9, count)
    table = Banded.build(keys, values, t=9, window=window, key_bits=20)
    assert np.array_equal(table.query(keys), values)


@settings(max_examples=40, deadline=None)
@given(
    keys=st.lists(st.integers(0, 2**20 - 1), unique=True, max_size=300),
    t=st.integers(1, 32),
    window=st.integers(32, MOST_WINDOW),
    seed=st.integers(0, 5),
)
def test_whatever_the_keys_every_one_answers_its_value(
    keys: list[int], t: int, window: int, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, 1 << t, len(keys))
    table = Banded.build(np.array(keys, int), values, t=t, window=window, key_bits=20, seed=seed)
    assert np.array_equal(table.query(np.array(keys, int)), values)
    assert table.bits == t * table.cells + table.buckets * table.width_bits


def test_cells_solve_the_dense_system_that_galois_finds() -> None:
    """The same equations as a dense matrix: of full rank, solved by the cells, and needing no fewer of them."""
    keys = key_set(200, 5000, 3)
    values = np.random.default_rng(4).integers(0, 32, keys.size)
    table = Banded.build(keys, values, t=5, window=32)
    rows = GF2(dense_rows(table, keys, table.cells + 32))
    ring = table.hash.ring(keys)
    for bit in range(5):
        mask = np.array([int(word) >> (61 - 5 + bit) & 1 for word in ring], np.uint8)
        cells = GF2(np.append(table.table >> bit & 1, np.zeros(32, int)).astype(np.uint8))
        assert np.array_equal(rows @ cells, (values >> bit & 1).astype(np.uint8) ^ mask)
    echelon = rows.row_reduce()
    pivots = [int(np.argmax(row)) for row in echelon if row.any()]
    assert len(pivots) == keys.size
    assert table.cells == max(pivots) + 1


@pytest.mark.parametrize("window", [32, MOST_WINDOW])
@pytest.mark.parametrize("t", [6, 9])
def test_other_keys_follow_the_false_positive_law(window: int, t: int) -> None:
    """clusters / 2^t of the other keys look like a value, within 4.5 sigma."""
    random = np.random.default_rng(t)
    kept = random.random(400_000) < 0.05
    keys, others = np.flatnonzero(kept), np.flatnonzero(~kept)
    table = Banded.build(keys, random.integers(0, 10, keys.size), t=t, window=window)
    expected = binom(others.size, 10 / 2**t)
    assert abs(int((table.query(others) < 10).sum()) - expected.mean()) < 4.5 * expected.std()


@pytest.mark.parametrize("window", [32, MOST_WINDOW])
def test_values_that_are_all_0_leave_no_table_of_zeros(window: int) -> None:
    """Without H_M a table of zeros would answer every key with 0."""
    keys, others = np.arange(0, 200_000, 4), np.arange(1, 200_000, 4)
    table = Banded.build(keys, np.zeros(keys.size, int), t=4, window=window)
    expected = binom(others.size, 1 / 16)
    counts = np.bincount(table.query(others), minlength=16)
    assert abs(counts - expected.mean()).max() < 4.5 * expected.std()


@pytest.mark.parametrize(("count", "window", "limit"), [
    (4351, 62, 1.006), (4351, 32, 1.013), (100_000, 62, 1.006), (100_000, 32, 1.014),
])  # fmt: skip
def test_a_band_stays_below_one_and_a_half_percent(count: int, window: int, limit: float) -> None:
    """Everything stored, directory included, over t bits a key; peeling needs 7 to 30 % more than that."""
    keys = key_set(count, 54 * count, 0)
    table = Banded.build(keys, keys % 7, t=8, window=window)
    assert table.bits < limit * 8 * count
    peeled = Bloomier.build(keys, keys % 7, t=8, k=4, layout="fuse")
    assert table.bits < 0.95 * peeled.bits


@pytest.mark.parametrize(
    "keys",
    [
        np.arange(20_000),
        np.arange(0, 1 << 20, 64),
        (np.arange(512)[:, None] * 512 + np.arange(7, 47)).ravel(),
        np.arange(1 << 14) ^ (np.arange(1 << 14) >> 1) << 3,
    ],
    ids=["contiguous", "stride 64", "columns", "affine"],
)
def test_orderly_keys_are_solved_as_random_ones_are(keys: np.ndarray) -> None:
    """The hash is of degree 2, so sets of keys closed under sums are its worst."""
    keys = np.unique(keys)
    for window, limit in ((62, 1.006), (32, 1.014)):
        table = Banded.build(keys, keys % 16, t=8, window=window, key_bits=20)
        assert np.array_equal(table.query(keys), keys % 16)
        assert table.bits < limit * 8 * keys.size


def test_cells_are_read_only_and_those_behind_the_last_read_0() -> None:
    keys = key_set(500, 10_000, 6)
    table = Banded.build(keys, keys % 16, t=4)
    with pytest.raises(ValueError, match="read-only"):
        table.table[0] = 1
    longer = Banded(np.append(table.table, np.zeros(50, np.uint32)), *(
        getattr(table, name) for name in ("t", "window", "starts", "key_bits", "seed", "keys")
    ))  # fmt: skip
    every = np.arange(10_000)
    assert np.array_equal(longer.query(every), table.query(every))


def test_seeds_are_frozen_and_differ() -> None:
    keys, values = np.arange(0, 900, 3), np.arange(300) % 16
    tables = [Banded.build(keys, values, t=5, **how) for how in ({}, {"seed": 0}, {"seed": 1})]
    assert np.array_equal(tables[0].table, tables[1].table)
    assert not np.array_equal(tables[0].table, tables[2].table)
    assert tables[0].table[:8].tolist() == [13, 0, 10, 28, 19, 0, 9, 13]


def test_a_bucket_that_contradicts_is_given_more_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as many keys a bucket as the window forgives: still solved, with buckets wider than their keys."""
    monkeypatch.setattr(banded, "_KEYS_A_BUCKET", 16)
    keys = key_set(4000, 1 << 18, 2)
    table = Banded.build(keys, keys % 16, t=4, window=32)
    assert np.array_equal(table.query(keys), keys % 16)
    assert table.cells > 1.01 * keys.size


def test_too_narrow_a_window_is_named() -> None:
    keys = key_set(200_000, 1 << 22, 2)
    with pytest.raises(InputError, match="the window must be wider than 16 for these 200000 keys"):
        Banded.build(keys, keys % 16, t=4, window=16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 63}, "the window must be between 16 and 62 cells, not 63"),
        ({"window": 15}, "the window must be between 16 and 62 cells, not 15"),
        ({"t": 33}, "t must be between 1 and 32, not 33"),
        ({"t": 0, "values": [0, 0]}, "t must be between 1 and 32, not 0"),
        ({"keys": [1, 1]}, "keys must differ from each other"),
        ({"keys": [-1, 2]}, "keys must lie between 0 and 3"),
        ({"key_bits": 1}, "keys must lie between 0 and 1"),
        ({"keys": [1, 2, 3]}, "keys and values must be equally many, not 3 and 2"),
        ({"values": [0, 256]}, "values must lie between 0 and 255, as a cell has 8 bits"),
        ({"values": [-1, 0]}, "values must lie between 0 and 255, as a cell has 8 bits"),
    ],
)
def test_wrong_input_is_named(arguments: dict, message: str) -> None:
    call = {"keys": [1, 2], "values": [0, 1], "t": 8, **arguments}
    with pytest.raises(InputError, match=message):
        Banded.build(np.array(call.pop("keys")), np.array(call.pop("values")), **call)


def test_a_directory_of_another_size_is_named() -> None:
    assert bucket_count(0, 62) == bucket_count(300, 62) == 1 and bucket_count(10_000, 62) == 40
    with pytest.raises(InputError, match="the directory must have 41 places, not 2"):
        Banded(np.zeros(9, np.uint32), 4, 62, np.array([0, 9]), 14, 0, 10_000)


@pytest.mark.parametrize(
    ("keys", "bits"), [(0, 7), (2 * 248, 7), (40 * 248, 12), (64 * 248, 12), (65 * 248, 13)]
)
def test_a_bucket_is_scaled_from_six_bits_more_than_its_number_has(keys: int, bits: int) -> None:
    buckets = max(1, keys // 248)
    table = Banded(np.zeros(9, np.uint32), 4, 62, np.zeros(buckets + 1, np.int64), 14, 0, keys)
    assert table.bucket_bits == bits
