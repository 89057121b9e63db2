from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.tensor.corrections import (
    BoundedCorrections,
    CorrectionFormat,
    JointCorrections,
    NoCorrections,
    PaperCorrections,
    PlaneCorrections,
    expected_patch_bits,
    format_text,
    no_patches,
    parse_format,
)
from xorweave.golden.tensor.stored import Patches

WORDS = {4: np.uint8, 8: np.uint8, 16: np.uint16, 32: np.uint32}


def make(positions: list[int], differences: list[int], n_w: int) -> Patches:
    return Patches(np.array(positions, np.int64), np.array(differences, WORDS[n_w]))


@st.composite
def patch_lists(draw: st.DrawFn, longest: int = 3000) -> tuple[Patches, int, int]:
    n_w = draw(st.sampled_from(sorted(WORDS)))
    n = draw(st.integers(0, longest) | st.sampled_from([511, 512, 513, 1024, 10 * longest]))
    positions = sorted(draw(st.sets(st.integers(0, n - 1), max_size=40))) if n else []
    differences = [draw(st.integers(1, (1 << n_w) - 1)) for _ in positions]
    return make(positions, differences, n_w), n, n_w


def assert_same(a: Patches, b: Patches) -> None:
    assert np.array_equal(a.positions, b.positions) and a.positions.dtype == b.positions.dtype
    assert np.array_equal(a.differences, b.differences) and a.differences.dtype == b.differences.dtype


def bounded_limit(patches: Patches, gap_bits: int, n_out: int) -> int:
    """The most records, bridges included, that fall into a block."""
    gaps, _differences = JointCorrections(gap_bits).records(patches)
    return int(np.bincount((np.cumsum(gaps + 1) - 1) // n_out).max(initial=1))


def formats_for(patches: Patches, n_out: int, gap_bits: int) -> list[CorrectionFormat]:
    wide = max(gap_bits, (n_out - 1).bit_length())
    fullest = bounded_limit(patches, wide, n_out)
    return [
        PaperCorrections(),
        PaperCorrections(vector=64),
        JointCorrections(gap_bits),
        JointCorrections.cheapest(patches, 8),
        PlaneCorrections(max(2, gap_bits)),
        BoundedCorrections(limit=fullest, gap_bits=wide, n_out=n_out),
        BoundedCorrections.cheapest(patches, 8, limit=fullest + 3, n_out=n_out),
    ]


@settings(max_examples=80)
@given(patch_lists(), st.integers(1, 100), st.integers(4, 32))
def test_every_format_gives_back_what_was_packed(
    problem: tuple[Patches, int, int], n_out: int, gap_bits: int
) -> None:
    patches, n, n_w = problem
    for form in formats_for(patches, n_out, gap_bits):
        bits = form.pack(patches, n, n_w)
        assert bits.dtype == np.uint8 and set(np.unique(bits)) <= {0, 1}
        assert form.bits(patches, n, n_w) == bits.size
        assert_same(form.unpack(bits, n, n_w, patches.differences.dtype), patches)


def paper_bits(patches: Patches, n: int, n_w: int, p: int = 512) -> list[int]:
    """The paper's format, one bit after another: planes, in them vectors, in them entries."""
    out = []
    for q in range(n_w):
        wrong = [
            int(x) for x, d in zip(patches.positions, patches.differences, strict=True) if int(d) >> q & 1
        ]
        for first in range(0, n, p):
            inside = [x - first for x in wrong if first <= x < first + p]
            out.append(1 if inside else 0)
            for k, address in enumerate(inside):
                out += [address >> bit & 1 for bit in range(p.bit_length() - 1)]
                out.append(1 if k + 1 < len(inside) else 0)
    return out


@settings(max_examples=60)
@given(patch_lists(), st.sampled_from([2, 64, 512]))
def test_the_papers_format_against_a_slow_writer(problem: tuple[Patches, int, int], p: int) -> None:
    patches, n, n_w = problem
    assert PaperCorrections(vector=p).pack(patches, n, n_w).tolist() == paper_bits(patches, n, n_w, p)


def test_the_papers_format_spends_ten_bits_an_unmatched_bit_and_one_a_vector() -> None:
    patches = make([0, 511, 512, 1500], [0b1, 0b101, 0b1, 0b11111111], 8)
    assert PaperCorrections().bits(patches, 1536, 8) == 10 * (1 + 2 + 1 + 8) + 8 * 3
    assert PaperCorrections().bits(patches, 1537, 8) == 10 * (1 + 2 + 1 + 8) + 8 * 4


@given(patch_lists(), st.integers(4, 32))
def test_joint_records_walk_to_the_patches_as_hardware_would(
    problem: tuple[Patches, int, int], gap_bits: int
) -> None:
    patches, n, n_w = problem
    bits = JointCorrections(gap_bits).pack(patches, n, n_w).tolist()
    width = gap_bits + n_w
    words = {}
    position = -1
    for first in range(0, len(bits), width):
        record = bits[first : first + width]
        position += 1 + sum(bit << k for k, bit in enumerate(record[:gap_bits]))
        words[position] = sum(bit << k for k, bit in enumerate(record[gap_bits:]))
    real = {p: d for p, d in words.items() if d}
    assert real == dict(zip(patches.positions.tolist(), patches.differences.tolist(), strict=True))
    assert all(p < n for p in words)


@given(patch_lists())
def test_the_cheapest_plane_width_is_the_cheapest(problem: tuple[Patches, int, int]) -> None:
    patches, n, n_w = problem
    chosen = PlaneCorrections.cheapest(patches, n, n_w).bits(patches, n, n_w)
    assert chosen == min(PlaneCorrections(g).bits(patches, n, n_w) for g in range(2, 33))


@given(patch_lists(), st.integers(2, 20))
def test_plane_gaps_count_positions_passed_over(problem: tuple[Patches, int, int], gap_bits: int) -> None:
    patches, n, n_w = problem
    row = np.zeros(n * n_w, int)
    for x, d in zip(patches.positions.tolist(), patches.differences.tolist(), strict=True):
        for q in range(n_w):
            row[q * n + x] = d >> q & 1
    longest = (1 << gap_bits) - 1
    out = []
    run = 0
    for bit in row[: int(np.flatnonzero(row).max(initial=-1)) + 1].tolist():
        if bit:
            out.append(run)
            run = 0
        else:
            run += 1
            if run == longest:
                out.append(longest)
                run = 0
    written = [gap >> k & 1 for gap in out for k in range(gap_bits)]
    assert PlaneCorrections(gap_bits).pack(patches, n, n_w).tolist() == written


@given(patch_lists())
def test_the_cheapest_joint_width_is_the_cheapest(problem: tuple[Patches, int, int]) -> None:
    patches, n, n_w = problem
    chosen = JointCorrections.cheapest(patches, n_w).bits(patches, n, n_w)
    assert chosen == min(JointCorrections(g).bits(patches, n, n_w) for g in range(1, 33))


@settings(max_examples=80)
@given(patch_lists(), st.integers(1, 100))
def test_bounded_blocks_never_hold_more_records_than_they_may(
    problem: tuple[Patches, int, int], n_out: int
) -> None:
    patches, n, n_w = problem
    limit = int(np.bincount(patches.positions // n_out).max(initial=1))
    # a bound on the patches is enough: bridges must find room as well
    form = BoundedCorrections.cheapest(patches, n_w, limit=limit, n_out=n_out)
    bits = form.pack(patches, n, n_w)
    records = np.zeros(-(-n // n_out), int)
    position = -1
    width = form.gap_bits + n_w
    for first in range(0, bits.size, width):
        position += 1 + sum(int(bit) << k for k, bit in enumerate(bits[first : first + form.gap_bits]))
        records[position // n_out] += 1
    assert records.max(initial=0) <= limit
    if limit > 1:
        tight = BoundedCorrections(limit=limit - 1, gap_bits=32, n_out=n_out)
        with pytest.raises(InputError) as caught:
            tight.pack(patches, n, n_w)
        assert str(caught.value) == f"a block needs {limit} patches, but the format allows {limit - 1}"
        loose = BoundedCorrections(limit=limit, gap_bits=32, n_out=n_out).pack(patches, n, n_w)
        with pytest.raises(InputError):
            tight.unpack(loose, n, n_w, patches.differences.dtype)


def test_a_bridge_may_share_its_block_with_a_patch() -> None:
    # blocks of 3; with a gap field of 2 bits the bridge to position 4 falls on position 3
    patches = make([4], [1], 8)
    assert BoundedCorrections(limit=2, gap_bits=2, n_out=3).pack(patches, 5, 8).size == 2 * (2 + 8)
    with pytest.raises(InputError):
        BoundedCorrections(limit=1, gap_bits=2, n_out=3).pack(patches, 5, 8)
    assert BoundedCorrections.cheapest(patches, 8, limit=1, n_out=3).gap_bits == 3


@settings(max_examples=300)
@given(
    st.sampled_from(
        [
            "paper",
            "joint:1",
            "joint:3",
            "joint:12",
            "plane:2",
            "plane:5",
            "bounded:1:5",
            "bounded:2:6",
            "bounded:5:5",
            "none",
        ]
    ),
    st.sampled_from([0, 1, 7, 40, 512, 513, 600]),
    st.sampled_from([4, 8]),
    st.lists(st.integers(0, 1), max_size=70),
)
def test_a_stream_that_is_read_is_one_that_was_written(text: str, n: int, n_w: int, bits: list[int]) -> None:
    form = parse_format(text, n_out=20)
    array = np.array(bits, np.uint8)
    try:
        patches = form.unpack(array, n, n_w, np.dtype(np.uint8))
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert (np.diff(patches.positions) > 0).all()
    assert (patches.differences != 0).all()
    assert patches.positions.size == 0 or (patches.positions[0] >= 0 and patches.positions[-1] < n)
    assert form.pack(patches, n, n_w).tolist() == bits


@settings(max_examples=60)
@given(patch_lists(longest=100), st.integers(1, 60), st.data())
def test_a_flipped_or_missing_bit_is_refused_or_read_as_another_list(
    problem: tuple[Patches, int, int], n_out: int, data: st.DataObject
) -> None:
    patches, n, n_w = problem
    for form in formats_for(patches, n_out, 5):
        bits = form.pack(patches, n, n_w)
        if not bits.size:
            continue
        damaged = bits.copy()
        damaged[data.draw(st.integers(0, bits.size - 1))] ^= 1
        for stream in (damaged, bits[:-1], np.append(bits, np.uint8(0))):
            try:
                read = form.unpack(stream, n, n_w, patches.differences.dtype)
            except InputError:
                continue
            assert not (
                np.array_equal(read.positions, patches.positions)
                and np.array_equal(read.differences, patches.differences)
            )


def refusal(form: CorrectionFormat, bits: list[int], n: int = 100, n_w: int = 4) -> str:
    with pytest.raises(InputError) as caught:
        form.unpack(np.array(bits, np.uint8), n, n_w, np.dtype(np.uint8))
    return str(caught.value)


def test_damaged_streams_are_named() -> None:
    paper, joint = PaperCorrections(), JointCorrections(4)
    assert refusal(paper, []) == "the correction stream ends too early"
    assert refusal(paper, [1, 0, 1]) == "the correction stream ends too early"
    assert refusal(paper, [0] * 5) == "the correction stream is longer than its contents"
    entry = [99 >> k & 1 for k in range(9)]
    assert paper.unpack(np.array([1, *entry, 0, 0, 0, 0], np.uint8), 100, 4, np.dtype("u1")).positions == [99]
    beyond = [100 >> k & 1 for k in range(9)]
    assert refusal(paper, [1, *beyond, 0, 0, 0, 0]) == "a correction points at position 100 of 100"
    assert refusal(joint, [0] * 7) == "the correction stream must be a whole number of 8-bit records"
    assert refusal(joint, [1, 1, 1, 1, 0, 0, 0, 0] * 6 + [1, 1, 1, 1, 1, 0, 0, 0]) == (
        "a correction points at position 111 of 100"
    )
    assert refusal(NoCorrections(), [0]) == "a stream without corrections must not carry correction bits"


def test_no_corrections_hold_no_patch() -> None:
    with pytest.raises(InputError) as caught:
        NoCorrections().pack(make([3, 4], [1, 1], 8), 10, 8)
    assert str(caught.value) == "2 words are unmatched, so corrections must not be 'none'"
    assert NoCorrections().pack(no_patches(np.dtype(np.uint8)), 10, 8).size == 0


@pytest.mark.parametrize(
    "text, message",
    [
        ("joint:0", "gap_bits must be between 1 and 32, not 0"),
        ("plane:1", "gap_bits must be between 2 and 32, not 1"),
        ("joint:33", "gap_bits must be between 1 and 32, not 33"),
        ("bounded:0:7", "the patches a block must be at least 1, not 0"),
        ("bounded:2:6", "gap_bits must be at least 7, not 6"),
    ],
)
def test_sizes_out_of_range_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_format(text, 80)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "joint",
        "paper:512",
        "joint:x",
        "joint:-1",
        "bounded:1e3:7",
        "bounded:1",
        "bounded:1:33",
        "joint:999999",
        "None",
    ],
)
def test_unknown_formats_are_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_format(text, 80)
    assert str(caught.value) == (
        "the correction format must be none, paper, joint:GAP_BITS, plane:GAP_BITS or bounded:LIMIT:GAP_BITS, "
        f"not {text!r}"
    )


@pytest.mark.parametrize("text", ["none", "paper", "joint:7", "plane:6", "bounded:3:9"])
def test_formats_are_written_as_they_are_read(text: str) -> None:
    assert format_text(parse_format(text, 80)) == text


def test_corrections_cost_more_the_more_there_are() -> None:
    costs = [expected_patch_bits(d, 10_000, 8, 8) for d in (-1.0, 0.0, 0.5, 3.0, 100.0)]
    assert costs[:2] == [0.0, 0.0] and costs == sorted(costs)
