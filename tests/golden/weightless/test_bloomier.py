from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from scipy.stats import binom

from xorweave.golden.base.errors import InputError
from xorweave.golden.weightless import bloomier
from xorweave.golden.weightless.bloomier import Bloomier, _peel
from xorweave.golden.weightless.layout import Layout

LAYOUTS = [(kind, k) for kind in ("uniform", "fuse") for k in (3, 4)]


@pytest.mark.parametrize(("kind", "k"), LAYOUTS)
@pytest.mark.parametrize("count", [0, 1, 2, 37, 5000])
def test_every_key_answers_its_value(kind: str, k: int, count: int) -> None:
    random = np.random.default_rng(count)
    keys = random.choice(1 << 20, count, replace=False)
    values = random.integers(0, 1 << 9, count)
    table = Bloomier.build(keys, values, t=9, k=k, layout=kind, key_bits=20)
    assert np.array_equal(table.query(keys), values)


@pytest.mark.parametrize(("kind", "k"), LAYOUTS)
@pytest.mark.parametrize("t", [6, 9])
def test_other_keys_follow_the_false_positive_law(kind: str, k: int, t: int) -> None:
    """clusters / 2^t of the other keys look like a value (Weightless, section 3), within 4.5 sigma."""
    random = np.random.default_rng(t)
    kept = random.random(400_000) < 0.05
    keys = np.flatnonzero(kept)
    clusters = 10
    table = Bloomier.build(keys, random.integers(0, clusters, keys.size), t=t, k=k, layout=kind)
    others = np.flatnonzero(~kept)
    false = int((table.query(others) < clusters).sum())
    expected = binom(others.size, clusters / 2**t)
    assert abs(false - expected.mean()) < 4.5 * expected.std()


@pytest.mark.parametrize(
    ("kind", "k", "limit"), [("uniform", 3, 1.25), ("uniform", 4, 1.32), ("fuse", 3, 1.18), ("fuse", 4, 1.12)]
)
def test_tables_stay_near_the_peeling_threshold(kind: str, k: int, limit: float) -> None:
    keys = np.flatnonzero(np.random.default_rng(0).random(2_000_000) < 0.1)
    table = Bloomier.build(keys, keys % 7, t=6, k=k, layout=kind)
    assert table.cells_a_key < limit
    assert table.bits == 6 * table.layout.cells


def test_peeling_stops_at_the_two_core_that_networkx_finds() -> None:
    """For k = 2 cells a key, what cannot be peeled is the 2-core of the graph whose edges are the keys."""
    random = np.random.default_rng(4)
    edges = {tuple(sorted(pair)) for pair in random.integers(0, 300, (180, 2)).tolist() if pair[0] != pair[1]}
    cells = np.array(sorted(edges), np.uint32)
    _, _, peeled = _peel(cells, 300)
    core = nx.k_core(nx.Graph(edges), 2)
    assert 0 < core.number_of_edges() == len(edges) - peeled


def test_fuse_cells_lie_in_neighbouring_segments() -> None:
    keys = np.arange(0, 300_000, 3)
    table = Bloomier.build(keys, np.zeros_like(keys), t=8, k=3, layout="fuse")
    cells, _ = table._places(keys)
    segments = cells // table.layout.bank
    assert (np.diff(segments.astype(int), axis=1) == 1).all()
    assert cells.max() < table.layout.cells


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keys": [1, 1], "values": [0, 0]}, "keys must differ from each other"),
        ({"keys": [1, 2], "values": [0, 256]}, "values must lie between 0 and 255, as a cell has 8 bits"),
        ({"keys": [-1, 2], "values": [0, 0]}, "keys must lie between 0 and 3"),
        ({"keys": [1], "values": [0, 0]}, "keys and values must be equally many, not 1 and 2"),
        (
            {"keys": [1], "values": [0], "k": 5},
            "layout must be uniform or fuse with k = 3 or 4, not 'fuse' with 5",
        ),
    ],
)
def test_wrong_input_is_named(arguments: dict, message: str) -> None:
    arguments = {"t": 8, **{key: np.array(v) if isinstance(v, list) else v for key, v in arguments.items()}}
    with pytest.raises(InputError, match=message):
        Bloomier.build(arguments.pop("keys"), arguments.pop("values"), **arguments)


def test_sizes_of_a_layout_add_up() -> None:
    layout = Layout.for_keys("fuse", 3, 100_000)
    assert layout.cells == layout.bank * (layout.starts + 2)
    assert layout.bank == 1 << layout.offset_bits
    assert Layout.for_keys("uniform", 4, 1000, 2.0).cells == 2000


def test_sizes_of_small_fuse_tables_are_those_of_binary_fuse_filters() -> None:
    """Graf and Lemire: few keys need more cells a key; the factor for 100 keys, in whole segments."""
    for k, factor, bank in (
        (3, 0.875 + 0.25 * np.log(1e6) / np.log(100), 64),
        (4, 0.77 + 0.305 * np.log(6e5) / np.log(100), 8),
    ):
        layout = Layout.for_keys("fuse", k, 100)
        assert layout.bank == bank and layout.cells == bank * int(np.ceil(factor * 100 / bank))


def test_the_default_seed_is_frozen() -> None:
    keys, values = np.arange(0, 900, 3), np.arange(300) % 16
    tables = [Bloomier.build(keys, values, t=5, **how).table for how in ({}, {"seed": 0}, {"seed": 1})]
    assert np.array_equal(tables[0], tables[1]) and not np.array_equal(tables[0], tables[2])


def test_the_largest_key_of_its_bits_is_the_last() -> None:
    assert Bloomier.build(np.array([3]), np.array([1]), t=2, key_bits=2).query(np.array([3])) == [1]
    with pytest.raises(InputError, match=r"^keys must lie between 0 and 3$"):
        Bloomier.build(np.array([4]), np.array([1]), t=2, key_bits=2)


def test_a_table_that_cannot_be_peeled_grows_by_a_percent_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bloomier, "_TRIES_AT_ONE_SIZE", 0)
    first = Layout.for_keys("uniform", 3, 1000).cells / 1000
    with pytest.raises(InputError, match=f"none up to {first * 1.01**60:.2f} cells a key could"):
        Bloomier.build(np.arange(1000), np.zeros(1000, int), t=4, k=3, layout="uniform")
