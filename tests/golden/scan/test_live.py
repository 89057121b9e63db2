"""The scan of live rows and columns against plain loops, its walk, its file, and where it is chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.live_rows import live_scan
from xorweave.golden.files.blob import read_blob, write_blob
from xorweave.golden.scan.live import LiveScan
from xorweave.golden.scan.spec import parse_scan, scan_from_items, scan_items
from xorweave.golden.scan.strides import coprime_near
from xorweave.golden.scan.walk import walk_of
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.golden.tensor.figures import figures_of
from xorweave.golden.tensor.random_access import decode_rows

INT8 = number_format("int8")


@st.composite
def scans(draw: st.DrawFn) -> LiveScan:
    sides = []
    for _ in range(2):
        bits = draw(st.lists(st.booleans(), min_size=1, max_size=20))
        bits[draw(st.integers(0, len(bits) - 1))] = True
        sides.append(np.array(bits))
    n = int(sides[0].sum() * sides[1].sum())
    stride = coprime_near(draw(st.integers(1, max(1, n - 1))), n)
    return LiveScan.of(sides[0], sides[1], stride, draw(st.integers(0, n - 1)))


def elements(scan: LiveScan) -> list[int]:
    """List what every position holds, by the words of the docstring."""

    def live(bits: bytes, count: int) -> list[int]:
        return [k for k in range(count) if not bits or bits[k // 8] >> k % 8 & 1]

    inside = [
        row * scan.columns + column
        for row in live(scan.row_bits, scan.rows)
        for column in live(scan.column_bits, scan.columns)
    ]
    return [inside[(scan.offset + p * scan.stride) % len(inside)] for p in range(len(inside))]


@given(scans())
def test_positions_are_those_of_plain_loops(scan: LiveScan) -> None:
    wanted = elements(scan)
    assert scan.length == len(wanted)
    assert scan.positions().tolist() == wanted
    half = scan.length // 2
    assert scan.positions(half, scan.length).tolist() == wanted[half:]
    flat = np.arange(1, scan.n + 1)
    assert scan.to_scan(flat).tolist() == [element + 1 for element in wanted]
    back = scan.from_scan(scan.to_scan(flat))
    assert back.tolist() == [value if value - 1 in set(wanted) else 0 for value in flat.tolist()]
    places = scan.places(np.arange(scan.n))
    assert places.tolist() == [wanted.index(e) if e in wanted else -1 for e in range(scan.n)]


@given(scans())
def test_the_walk_counts_the_same_rows_and_columns(scan: LiveScan) -> None:
    walk = walk_of(scan, (scan.rows, scan.columns))
    found, now = [], {name: counter.start for name, counter in walk.counters.items()}
    for _ in range(scan.length):
        row, column = (walk.numbers.get(name, range(4096))[now[name]] for name in ("row", "column"))
        found.append(row * scan.columns + column)
        carried = dict.fromkeys(now, 0)
        for name, counter in walk.counters.items():
            past, now[name] = divmod(now[name] + counter.steps[0] + carried[name], counter.modulus)
            for other, amount in counter.carry:
                carried[other] += past * amount
    assert found == elements(scan)
    assert (walk.rows, walk.columns, walk.length) == (scan.rows, scan.columns, scan.length)


@given(scans())
def test_items_make_the_scan_again_and_words_alone_do_not(scan: LiveScan) -> None:
    kind, numbers, live = scan_items(scan)
    assert scan_from_items(kind, numbers, (scan.rows, scan.columns), live) == scan
    with pytest.raises(InputError, match="the scan must be one of"):
        parse_scan(scan.spec, (scan.rows, scan.columns))


@pytest.mark.parametrize(
    ("rows", "columns", "row_bits", "column_bits", "why"),
    [
        (9, 4, b"\1", b"", "live rows must be told by 9 bits"),
        (9, 4, b"\1\2", b"", "live rows must be told by 9 bits"),
        (8, 4, b"\0", b"", "there must be live rows"),
        (8, 4, b"", b"\x10", "live columns must be told by 4 bits"),
        (8, 4, b"", b"\0", "there must be live columns"),
        (8, 4, b"\3", b"\3", "the stride must share no factor"),
    ],
)
def test_bits_that_are_none_are_refused(
    rows: int, columns: int, row_bits: bytes, column_bits: bytes, why: str
) -> None:
    with pytest.raises(InputError, match=why):
        LiveScan(rows, columns, row_bits, column_bits, 2)


def _matrix(rows: int, columns: int, empty_rows: float, empty_columns: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kept = rng.random((rows, columns)) < 0.3
    kept[rng.random(rows) < empty_rows] = False
    kept[:, rng.random(columns) < empty_columns] = False
    return np.where(kept, rng.integers(-99, 99, (rows, columns)), 0).astype(np.int8)


@settings(max_examples=25)
@given(
    st.integers(2, 90), st.integers(1, 90), st.sampled_from([0, 0.3, 0.9]), st.sampled_from([0, 0.4]),
    st.integers(0, 99), st.sampled_from(["auto", "book", "bitmap"]), st.sampled_from(["auto", "raw", "prefix"]),
)  # fmt: skip
def test_what_is_encoded_comes_back(
    rows: int, columns: int, empty_rows: float, empty_columns: float, seed: int, mask: str, values: str
) -> None:
    matrix = _matrix(rows, columns, empty_rows, empty_columns, seed)
    try:
        stored = Choice(mask_code=mask, values_code=values).encode(matrix, INT8, matrix != 0)
    except InputError as error:
        assert "pays for" in str(error)
        return
    again = read_blob(write_blob(stored))
    assert again.scan == stored.scan
    assert (decode_tensor(again) == matrix).all()
    for first, last in ((0, rows), (rows // 3, rows // 2)):
        assert (decode_rows(again, first, last) == matrix[first:last]).all()


def test_empty_rows_take_next_to_no_bits() -> None:
    """Half of the rows and a fifth of the columns are empty: little more is stored than without them."""
    matrix = _matrix(400, 300, 0.5, 0.2, 1)
    stored = Choice().encode(matrix, INT8, matrix != 0)
    live = matrix[matrix.any(1)][:, matrix.any(0)]
    alone = Choice().encode(live, INT8, live != 0)
    assert isinstance(stored.scan, LiveScan)
    assert stored.scan.length == live.size
    assert figures_of(stored).all_bits == figures_of(alone).all_bits
    assert len(write_blob(stored)) <= len(write_blob(alone)) + 50 + 38 + 8
    assert figures_of(stored).bound_bits > figures_of(stored).all_bits


@pytest.mark.parametrize("seed", range(3))
def test_a_few_empty_rows_of_a_random_mask_are_not_told(seed: int) -> None:
    """A thousand rows of six weights: those that are empty by chance save less than a bit for each row costs."""
    kept = np.random.default_rng(seed).random((1000, 6)) < 0.5
    assert not kept.any(axis=1).all()
    assert live_scan(kept.reshape(-1), (1000, 6)) is None


def test_a_matrix_that_no_reader_would_believe_is_stored_whole() -> None:
    """Two rows of 3,000 are live: the file would be so small that its size speaks against so many weights."""
    matrix = np.zeros((3000, 800), np.int8)
    matrix[[5, 2900], ::3] = 7
    assert live_scan(matrix.reshape(-1) != 0, matrix.shape) is None
    stored = Choice().encode(matrix, INT8, matrix != 0)
    assert (decode_tensor(read_blob(write_blob(stored))) == matrix).all()


def test_a_header_that_lists_too_much_is_refused() -> None:
    scan = LiveScan.of(np.array([True, False, True]), np.ones(40, bool))
    values = np.zeros((3, 40), np.int8)
    values[[0, 2]] = 5
    from xorweave.golden.code.code import Code

    code = Code.uniform(n_in=4, n_out=8, n_s=1)
    blob = bytearray(write_blob(encode_tensor(values, INT8, code, scan=scan)))
    assert (decode_tensor(read_blob(bytes(blob))) == values).all()
    at = blob.index(bytes([1, 0, 1, 5]))  # stride 1, offset 0, rows are listed: 0b101
    for told, why in ((0, "must list live rows"), (4, "must list live rows")):
        blob[at + 2] = told
        with pytest.raises(InputError, match=why):
            read_blob(bytes(blob))
    blob[at + 2 : at + 4] = bytes([1, 0x0D])
    with pytest.raises(InputError, match="live rows must be told by 3 bits"):
        read_blob(bytes(blob))


def test_it_cannot_be_asked_for_by_name() -> None:
    with pytest.raises(InputError, match="scan must be auto for what has empty rows"):
        Choice(scan="live")
