from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS, number_format, plane_words
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_plain
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor import encode as tensor_codec
from xorweave.golden.tensor.corrections import correction_format_of
from xorweave.golden.tensor.decode import decode_scan, decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.solvers import default_segment_blocks, resolve_encoder
from xorweave.golden.tensor.stored import EncodedTensor

SHORT = Code.uniform(n_in=4, n_out=10, n_s=1, seed=3)
LONG = Code.uniform(n_in=16, n_out=30, n_s=7, seed=3)


def affine_scan(spec: str, n: int) -> list[int]:
    """Elements in scan order, from the words of the scan."""
    kind, *items = spec.split(",")
    numbers = {key: int(value) for key, _, value in (item.partition("=") for item in items)}
    assert kind in ("row-major", "affine")
    return [(numbers.get("offset", 0) + i * numbers.get("stride", 1)) % n for i in range(n)]


def decode_by_definition(encoded: EncodedTensor) -> np.ndarray:
    """Words in tensor order, element by element, as the description of the stream has it."""
    n_w, n = encoded.number_format.n_w, encoded.n
    blocks = decode_plain(encoded.code, encoded.symbols, encoded.segment_blocks).reshape(-1)
    patches = dict(zip(encoded.patches.positions.tolist(), encoded.patches.differences.tolist(), strict=True))
    words = np.zeros(n, encoded.number_format.word)
    elements = affine_scan(encoded.scan.spec, n)
    for i in range(n):
        word = (int(blocks[i]) ^ encoded.raw.inversion) & (1 << n_w) - 1
        words[elements[i]] = (word if encoded.mask[i] else 0) ^ patches.get(i, 0)
    return words


def check(encoded: EncodedTensor, values: np.ndarray, mask: np.ndarray | None = None) -> None:
    fmt = encoded.number_format
    wanted = fmt.to_words(values).copy()
    if mask is not None:
        wanted[~mask] = 0
    back = decode_tensor(encoded)
    assert back.dtype == values.dtype and back.shape == values.shape
    assert np.array_equal(fmt.to_words(back), wanted)
    assert np.array_equal(decode_by_definition(encoded), wanted.reshape(-1))
    assert (np.diff(encoded.patches.positions) > 0).all()
    assert (encoded.patches.differences != 0).all()
    assert encoded.mask[encoded.patches.positions].all()


@st.composite
def tensors(draw: st.DrawFn) -> tuple[str, np.ndarray, np.ndarray | None]:
    name = draw(st.sampled_from(sorted(FORMATS)))
    fmt = number_format(name)
    shape = tuple(draw(st.lists(st.integers(0, 5), min_size=1, max_size=4)))
    size = math.prod(shape)
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    words = rng.integers(0, 1 << fmt.n_w, size, np.uint64).astype(fmt.word)
    special = np.array([0, 1 << fmt.n_w - 1, (1 << fmt.n_w) - 1, (1 << fmt.n_w - 1) - 1], fmt.word)
    words = np.where(rng.random(size) < 0.2, rng.choice(special, size), words)
    words[rng.random(size) < draw(st.sampled_from([0.0, 0.6, 1.0]))] = 0
    mask = rng.random(shape) < draw(st.sampled_from([0.0, 0.3, 1.0])) if draw(st.booleans()) else None
    return name, fmt.from_words(words).reshape(shape), mask


@settings(max_examples=80)
@given(
    tensors(),
    st.sampled_from([(SHORT, "viterbi"), (SHORT, "elimination"), (LONG, "auto")]),
    st.sampled_from(["auto", "paper", "joint", "plane"]),
    st.none() | st.integers(1, 5),
    st.integers(0, 10**6),
)
def test_every_tensor_comes_back_bit_for_bit(
    tensor: tuple[str, np.ndarray, np.ndarray | None],
    way: tuple[Code, str],
    corrections: str,
    segment: int | None,
    seed: int,
) -> None:
    name, values, mask = tensor
    scan = None
    if values.size > 1:
        strides = [s for s in range(1, values.size) if math.gcd(s, values.size) == 1]
        scan = Interleaver(values.size, strides[seed % len(strides)], seed % values.size)
    encoded = encode_tensor(
        values,
        number_format(name),
        way[0],
        mask=mask,
        scan=scan,
        options=EncodeOptions(encoder=way[1], corrections=corrections, segment_blocks=segment),
    )
    assert encoded.symbols.shape == (-(-values.size // way[0].n_out), way[0].n_in)
    check(encoded, values, mask)


def test_by_default_minus_zero_and_nan_are_kept() -> None:
    words = np.array([[0x7F800001, 0xFFC12345, 0x80000000, 0, 1]], np.uint32)
    encoded = encode_tensor(words.view(np.float32), number_format("fp32"), SHORT)
    assert encoded.mask.tolist() == [True, True, True, False, True]
    check(encoded, words.view(np.float32))


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (3, 2, 5), (2, 1, 3, 4), (200, 3)])
@pytest.mark.parametrize("content", ["zeros", "dense", "single"])
def test_legitimate_extremes(name: str, shape: tuple[int, ...], content: str) -> None:
    fmt = number_format(name)
    size = math.prod(shape)
    words = np.zeros(size, fmt.word)
    if content == "dense":
        words[:] = np.random.default_rng(1).integers(1, 1 << fmt.n_w, size, np.uint64)
    elif content == "single":
        words[-1] = (1 << fmt.n_w) - 1
    values = fmt.from_words(words).reshape(shape)
    encoded = encode_tensor(values, fmt, SHORT, options=EncodeOptions(encoder="elimination"))
    check(encoded, values)
    if content == "zeros":
        assert encoded.correction_format == "none" and not encoded.symbols.any()


def test_a_plane_of_mostly_ones_is_inverted() -> None:
    values = np.full((4, 10), -1, np.int8)
    values[0, :5] = 0b0101
    encoded = encode_tensor(values, number_format("int8"), SHORT)
    assert encoded.raw.inversion == 0xFF
    # the code then has zeros to carry, which the zero stream carries without an error
    values[:] = -1
    encoded = encode_tensor(values, number_format("int8"), SHORT)
    assert encoded.patches.positions.size == 0 and not encoded.symbols.any()
    # half of the care bits is not most of them
    half = np.array([[1, 2, 1, 2]], np.int8)
    assert encode_tensor(half, number_format("int8"), SHORT).raw.inversion == 0
    # pruned weights do not vote
    mask = np.zeros((4, 10), bool)
    mask[0, :5] = True
    values[0, :5] = 0b0101
    assert encode_tensor(values, number_format("int8"), SHORT, mask=mask).raw.inversion == 0b0101


def sparse_int8(rows: int, cols: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(-128, 128, (rows, cols)).astype(np.int8), rng.random((rows, cols)) < 0.5


@pytest.mark.parametrize("code, encoder", [(SHORT, "viterbi"), (LONG, "elimination")])
def test_the_result_does_not_depend_on_the_number_of_jobs(code: Code, encoder: str) -> None:
    values, mask = sparse_int8(20, 50, 7)
    results = [
        encode_tensor(
            values,
            number_format("int8"),
            code,
            mask=mask,
            scan=Interleaver(1000, 619, 5),
            options=EncodeOptions(encoder=encoder, segment_blocks=6, jobs=jobs),
        )
        for jobs in (1, 2, 5)
    ]
    for other in results[1:]:
        assert np.array_equal(other.symbols, results[0].symbols)
        assert np.array_equal(other.patches.positions, results[0].patches.positions)
        assert np.array_equal(other.patches.differences, results[0].patches.differences)
        assert other.correction_format == results[0].correction_format


def test_segments_are_independent_streams() -> None:
    values, mask = sparse_int8(9, 31, 8)
    whole = encode_tensor(
        values, number_format("int8"), LONG, mask=mask, options=EncodeOptions(segment_blocks=2)
    )
    flat, care = values.reshape(-1), mask.reshape(-1)
    inversion = np.int8(np.uint8(whole.raw.inversion).view(np.int8))
    for first in range(0, whole.blocks, 2):
        part = slice(first * 30, (first + 2) * 30)
        alone = encode_tensor(flat[part] ^ inversion, number_format("int8"), LONG, mask=care[part])
        if alone.raw.inversion == 0:
            assert np.array_equal(alone.symbols, whole.symbols[first : first + 2])


def test_a_segment_longer_than_the_tensor_is_the_tensor() -> None:
    values, mask = sparse_int8(3, 31, 8)
    encoded = encode_tensor(
        values, number_format("int8"), LONG, mask=mask, options=EncodeOptions(segment_blocks=1000)
    )
    assert encoded.segment_blocks == encoded.blocks == 4


def test_default_segments_bound_the_encoders_memory() -> None:
    assert default_segment_blocks(LONG, 300) == 10  # short tensors are one segment
    assert default_segment_blocks(LONG, 0) == 1
    for n_in, n_s in ((16, 7), (128, 7), (1, 0), (1024, 0)):
        code = Code.uniform(n_in=n_in, n_out=2 * n_in, n_s=n_s)
        for n in (1, 10**5, 10**9, 10**12):
            blocks = -(-n // code.n_out)
            period = default_segment_blocks(code, n, budget=1 << 24)
            assert 1 <= period <= blocks
            # a kept row is the window in 64-bit words and a right-hand side
            row_bytes = 8 * -(-code.constraint_length // 64) + 8
            assert (period - 1) * n_in * row_bytes <= 1 << 24  # to the whole block
            segments = -(-blocks // period)
            assert segments * period - blocks < segments  # parts of equal length


def test_progress_reaches_one_step_by_step() -> None:
    values, mask = sparse_int8(10, 30, 1)
    seen: list[float] = []
    encode_tensor(
        values,
        number_format("int8"),
        LONG,
        mask=mask,
        options=EncodeOptions(segment_blocks=2, progress=seen.append),
    )
    assert seen == [0.2, 0.4, 0.6, 0.8, 1.0]


def test_an_interrupt_in_the_middle_comes_through() -> None:
    values, mask = sparse_int8(10, 30, 1)
    calls: Iterator[int] = iter(range(3))

    def stop(_share: float) -> None:
        if next(calls) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_tensor(
            values,
            number_format("int8"),
            LONG,
            mask=mask,
            options=EncodeOptions(segment_blocks=2, jobs=2, progress=stop),
        )


def test_auto_corrections_are_the_cheapest_of_the_three() -> None:
    values, mask = sparse_int8(20, 50, 7)
    costs = {}
    for name in ("paper", "joint", "plane", "auto"):
        encoded = encode_tensor(
            values, number_format("int8"), SHORT, mask=mask, options=EncodeOptions(corrections=name)
        )
        assert encoded.patches.positions.size > 0
        costs[name] = correction_format_of(encoded).bits(encoded.patches, encoded.n, 8)
    assert costs["auto"] == min(costs["paper"], costs["joint"], costs["plane"])


@pytest.mark.parametrize(("planes", "better"), [(1, True), (2, True), (8, False)])
def test_effort_is_taken_where_it_pays_and_else_the_greedy_result(planes: int, better: bool) -> None:
    """Alternatives save unmatched bits, not unmatched words: of one plane both are the same."""
    form = plane_words(planes)
    rng = np.random.default_rng(0)
    mask = rng.random(3000) < 0.1
    values = form.from_words(np.where(mask, rng.integers(0, 1 << planes, 3000), 0).astype(form.word))
    code = Code.uniform(n_in=4, n_out=80, n_s=2)
    bits = [
        tensor_codec._cheapest_bits(
            encode_tensor(
                values, form, code, mask=mask, options=EncodeOptions(effort=effort, encoder="elimination")
            )
        )
        for effort in (1, 16)
    ]
    assert (bits[1] < bits[0]) == better and bits[1] <= bits[0]


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("seed", [4, 7])
def test_bounded_corrections_keep_their_bound(limit: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-128, 128, (40, 60)).astype(np.int8)
    mask = rng.random((40, 60)) < 0.515
    free = encode_tensor(values, number_format("int8"), LONG, mask=mask)
    assert np.bincount(free.patches.positions // 30).max() > 3  # the bound has something to do
    encoded = encode_tensor(
        values, number_format("int8"), LONG, mask=mask, options=EncodeOptions(corrections=f"bounded:{limit}")
    )
    assert np.bincount(encoded.patches.positions // 30).max() <= limit
    assert encoded.correction_format.startswith(f"bounded:{limit}:")
    check(encoded, values, mask)


def test_a_bound_that_cannot_be_kept_is_refused() -> None:
    values = np.random.default_rng(1).integers(-128, 128, (40, 60)).astype(np.int8)
    with pytest.raises(InputError) as caught:
        encode_tensor(
            values,
            number_format("int8"),
            LONG,
            mask=np.ones((40, 60), bool),
            options=EncodeOptions(corrections="bounded:1"),
        )
    assert str(caught.value) == (
        "at most 1 patches a block cannot be kept at this rate; use a lower rate or a higher bound"
    )


@settings(max_examples=25)
@given(
    tensors(),
    st.sampled_from(["none", "difference", "sign-magnitude"]),
    st.booleans(),
    st.sampled_from([1, 4, None]),
    st.sampled_from(["auto", "paper", "joint", "plane"]),
)
def test_transforms_constant_planes_and_effort_stay_lossless(
    tensor: tuple[str, np.ndarray, np.ndarray | None],
    transform: str,
    drop: bool,
    effort: int | None,
    corrections: str,
) -> None:
    name, values, mask = tensor
    encoded = encode_tensor(
        values,
        number_format(name),
        SHORT,
        mask=mask,
        transform=transform,
        drop_planes=drop,
        options=EncodeOptions(encoder="elimination", effort=effort, corrections=corrections),
    )
    fmt = number_format(name)
    wanted = fmt.to_words(values).copy()
    wanted[~(wanted != 0 if mask is None else mask)] = 0
    assert np.array_equal(fmt.to_words(decode_tensor(encoded)), wanted)
    for q in range(fmt.n_w):
        if encoded.raw.constant_planes >> q & 1:
            assert not (encoded.symbols >> encoded.symbols.dtype.type(q) & 1).any()


def test_planes_that_never_change_are_left_out() -> None:
    values = np.random.default_rng(2).integers(-4, 4, (30, 30)).astype(np.int8)
    mask = np.random.default_rng(3).random((30, 30)) < 0.4
    encoded = encode_tensor(
        values, number_format("int8"), LONG, mask=mask, transform="difference", drop_planes=True
    )
    # the Gray code of two's complement -4 .. 3 differs from its sign plane in the two lowest planes only
    assert encoded.raw.stored_planes == [0, 1, 2, 7] or encoded.raw.stored_planes == [0, 1, 7]
    assert np.array_equal(decode_tensor(encoded), np.where(mask, values, 0))


def test_decoding_leaves_the_stream_as_it_is() -> None:
    values, mask = sparse_int8(20, 50, 7)
    encoded = encode_tensor(values, number_format("int8"), SHORT, mask=mask)
    assert np.array_equal(decode_scan(encoded), decode_scan(encoded))


def test_which_encoder_is_taken() -> None:
    assert resolve_encoder("auto", Code.uniform(n_in=8, n_out=80, n_s=2)) == "viterbi"
    assert resolve_encoder("auto", Code.uniform(n_in=5, n_out=80, n_s=4)) == "elimination"
    assert resolve_encoder("auto", Code.from_family("identity", n_in=8, n_out=8, n_s=0)) == "elimination"
    assert resolve_encoder("elimination", SHORT) == "elimination"
    with pytest.raises(InputError, match=r"^encoder must be one of auto, elimination, viterbi, not 'best'"):
        resolve_encoder("best", SHORT)


VALUES = np.ones((2, 3), np.int8)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"mask": np.ones((3, 2), bool)}, "the mask must have the weights' shape (2, 3), not (3, 2)"),
        ({"scan": Interleaver(5)}, "the scan must be made for 6 weights, not 5"),
        (
            {"corrections": "all"},
            "corrections must be one of auto, paper, joint, plane, bounded, none or bounded:LIMIT, not 'all'",
        ),
        (
            {"corrections": "paper:3"},
            "corrections must be one of auto, paper, joint, plane, bounded, none or bounded:LIMIT, not 'paper:3'",
        ),
        ({"corrections": "bounded:0"}, "the bound of the corrections must be between 1 and 1000, not '0'"),
        ({"corrections": "bounded:"}, "the bound of the corrections must be between 1 and 1000, not ''"),
        (
            {"encoder": "elimination", "effort": 0},
            "effort must be between 1 and 1048576 or exact, not 0",
        ),
        (
            {"code": LONG, "effort": None},
            "the exact optimum can be found for n_in * (n_s + 1) up to 24, not 128; effort must be a number",
        ),
        (
            {"transform": "delta"},
            "the transform must be one of none, difference, sign-magnitude, not 'delta'",
        ),
        ({"segment_blocks": 0}, "segment_blocks must be at least 1, not 0"),
        ({"segment_blocks": -3}, "segment_blocks must be at least 1, not -3"),
        (
            {"code": LONG, "encoder": "viterbi"},
            "the viterbi encoder takes n_in * (n_s + 1) up to 24, not 128; use the encoder elimination",
        ),
        ({"values": np.ones((2, 3))}, "int8 weights must be held in int8, not float64"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, object], message: str) -> None:
    given = {"values": VALUES, "number_format": number_format("int8"), "code": SHORT, **arguments}
    names = [name for name in EncodeOptions.__dataclass_fields__ if name in given]
    with pytest.raises(InputError) as caught:
        options = EncodeOptions(**{name: given.pop(name) for name in names})  # type: ignore[arg-type]
        encode_tensor(**given, options=options)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_no_corrections_where_a_word_is_unmatched_are_refused() -> None:
    values, mask = sparse_int8(20, 50, 7)
    with pytest.raises(InputError, match=r"^\d+ words are unmatched, so corrections must not be 'none'$"):
        encode_tensor(
            values, number_format("int8"), SHORT, mask=mask, options=EncodeOptions(corrections="none")
        )


@pytest.mark.parametrize(
    ("encoder", "drop_planes", "inverts"),
    [("viterbi", False, True), ("elimination", False, False), ("elimination", True, True)],
)
def test_planes_are_inverted_only_where_that_saves_something(
    encoder: str, drop_planes: bool, inverts: bool
) -> None:
    """Elimination leaves as many bits unmatched either way, and an inversion costs gates."""
    mask = random_mask((40, 50), 0.8)
    values = np.where(mask, np.random.default_rng(1).integers(-16, -1, mask.shape), 0).astype(np.int8)
    code = Code.uniform(n_in=4, n_out=20, n_s=2, seed=0)
    encoded = encode_tensor(
        values,
        FORMATS["int8"],
        code,
        mask=mask,
        drop_planes=drop_planes,
        options=EncodeOptions(encoder=encoder),
    )
    assert bool(encoded.raw.inversion) == inverts
    assert np.array_equal(decode_tensor(encoded), values)
