"""The baseline decoders against their formats, written out by hand."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.hw.rivals.ans import AnsLane, AnsTable, normalised
from xorweave.hw.rivals.bitmap_expander import BitmapExpander
from xorweave.hw.rivals.huffman import HuffmanLane, canonical_codes, code_lengths
from xorweave.hw.rivals.relative_index import RelativeIndexDecoder

N_OUT, N_W, BLOCKS = 11, 5, 50


def _weights(density: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kept = rng.random(N_OUT * BLOCKS) < density
    return np.where(kept, rng.integers(1, 1 << N_W, kept.size), 0)


def _beats(records: list[int], width: int, lanes: int) -> list[int]:
    beats = []
    for start in range(0, len(records) + 1, lanes):
        some = records[start : start + lanes]
        word = sum(record << (k * width) for k, record in enumerate(some)) | len(some) << (lanes * width)
        beats.append(word | int(start + lanes > len(records)) << (lanes * width + lanes.bit_length()))
    return beats


def _blocks(weights: np.ndarray) -> list[int]:
    return [sum(int(w) << (r * N_W) for r, w in enumerate(block)) for block in weights.reshape(BLOCKS, N_OUT)]


@pytest.mark.parametrize("density", [0.0, 0.15, 0.6, 1.0])
@pytest.mark.parametrize("lanes, stall", [(1, 0.0), (3, 0.0), (4, 0.4)])
def test_bitmap(run_streams: Callable[..., list[int]], density: float, lanes: int, stall: float) -> None:
    weights = _weights(density)
    masks = [sum(int(w != 0) << r for r, w in enumerate(b)) for b in weights.reshape(BLOCKS, N_OUT)]
    feeds = {"mask": masks, "values": _beats([int(w) for w in weights if w], N_W, lanes)}
    cycles: list[int] = []
    found = run_streams(BitmapExpander(N_OUT, N_W, lanes), feeds, BLOCKS, stall=stall, cycles=cycles)
    assert found == _blocks(weights)
    if not stall:
        # it cannot be faster than its values arrive
        assert cycles[0] >= max(BLOCKS, -(-np.count_nonzero(weights) // lanes))


def _entries(weights: np.ndarray, index_bits: int) -> list[int]:
    entries, run = [], 0
    for weight in weights:
        if weight or run == (1 << index_bits) - 1:
            entries.append(run | int(weight) << index_bits)
            run = 0
        else:
            run += 1
    return entries


@pytest.mark.parametrize("density", [0.0, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("lanes, stall", [(1, 0.0), (2, 0.4), (4, 0.0)])
def test_relative_index(
    run_streams: Callable[..., list[int]], density: float, lanes: int, stall: float
) -> None:
    weights = _weights(density, seed=4)
    entries = _entries(weights, 4)
    dut = RelativeIndexDecoder(N_OUT, N_W, lanes)
    found = run_streams(dut, {"i": _beats(entries, 4 + N_W, lanes)}, BLOCKS, stall=stall)
    assert found == _blocks(weights)


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_huffman(run_streams: Callable[..., list[int]], stall: float) -> None:
    rng = np.random.default_rng(6)
    words = [int(w) for w in np.minimum(rng.geometric(0.4, 300), 20)]
    lengths = code_lengths(Counter(words))
    codes = canonical_codes(lengths)
    text = "".join(f"{codes[w][0]:0{codes[w][1]}b}" for w in words)
    dut = HuffmanLane(lengths, N_W)
    text += "0" * (-len(text) % dut.beat_bits + dut.beat_bits)
    beats = [int(text[k : k + dut.beat_bits], 2) for k in range(0, len(text), dut.beat_bits)]
    cycles: list[int] = []
    found = run_streams(dut, {"i": beats}, len(words), stall=stall, cycles=cycles)
    assert found == words
    if not stall:
        assert cycles == [len(words) + 1]


def test_huffman_codes_are_complete_and_optimal_for_powers_of_two() -> None:
    counts = {0: 8, 1: 4, 2: 2, 3: 1, 4: 1}
    lengths = code_lengths(counts)
    assert lengths == {0: 1, 1: 2, 2: 3, 3: 4, 4: 4}
    assert sum(2.0**-length for length in lengths.values()) == 1
    texts = [f"{code:0{length}b}" for code, length in canonical_codes(lengths).values()]
    assert not any(a != b and b.startswith(a) for a in texts for b in texts)
    assert code_lengths({7: 3}) == {7: 1}
    with pytest.raises(InputError, match="at least one symbol"):
        code_lengths({})


def _read_ans(table: AnsTable, bits: str, count: int) -> list[int]:
    """Decode word by word as the definition says: a state's word, then a jump by its bits."""
    state, place, words = int(bits[: table.state_bits], 2), table.state_bits, []
    for _ in range(count):
        length = table.lengths[state]
        words.append(table.words[state])
        state = table.bases[state] + int("0" + bits[place : place + length], 2)
        place += length
    assert place == len(bits)
    return words


@pytest.mark.parametrize("state_bits", [6, 9])
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_ans(run_streams: Callable[..., list[int]], state_bits: int, stall: float) -> None:
    rng = np.random.default_rng(7)
    words = [int(w) for w in np.minimum(rng.geometric(0.4, 300), 20)]
    table = AnsTable.make(Counter(words), state_bits)
    bits = table.encode(words)
    assert _read_ans(table, bits, len(words)) == words
    bits += "0" * (-len(bits) % state_bits + state_bits)
    beats = [int(bits[k : k + state_bits], 2) for k in range(0, len(bits), state_bits)]
    cycles: list[int] = []
    found = run_streams(AnsLane(table, N_W), {"i": beats}, len(words), stall=stall, cycles=cycles)
    assert found == words
    if not stall:
        assert cycles[0] <= len(words) + 3


def test_ans_comes_near_the_entropy_where_huffman_does_not() -> None:
    words = [0] * 900 + list(range(1, 21)) * 5
    shares = np.bincount(words) / len(words)
    entropy = -float((shares * np.log2(shares)).sum())
    ans = len(AnsTable.make(Counter(words), 10).encode(words)) / len(words)
    lengths = code_lengths(Counter(words))
    huffman = sum(lengths[word] for word in words) / len(words)
    assert entropy < ans < 1.03 * entropy < huffman


def test_counts_are_scaled_to_the_states_and_too_many_words_refused() -> None:
    assert normalised({0: 3, 1: 1}, 8) == {0: 6, 1: 2}
    assert sorted(normalised({0: 1000, 1: 1, 2: 1}, 4).values()) == [1, 1, 2]
    with pytest.raises(InputError, match="1 to 4 symbols"):
        normalised(dict.fromkeys(range(5), 1), 4)
