"""The beam over paths against the same beam in plain words: a path is its bits, its cost, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.mask.shaped_mask_encoder import (
    _CHUNK,
    MOST_FEE,
    _eliminate,
    _lags_of,
    _paths_needed,
    _search,
)


def searched_slowly(
    wanted: list[int],
    fees: list[int],
    code: ShapedMaskCode,
    beam: int,
    pivot: list[bool],
    masks: list[int],
    sides: list[int],
    paths: list[int],
) -> list[int]:
    outputs, windows = code.outputs_of_bit.tolist(), code.window_masks.tolist()
    found = [(0, 0)]  # (all bits so far, the newest lowest; cost)
    position = free = 0
    steps_since: list[int] = []  # steps of free bits
    for step in range(len(pivot)):
        phase = step % code.n_in
        soft = [
            (windows[phase][j], fees[position + j])
            for j in range(min(outputs[phase], len(wanted) - position))
            if not wanted[position + j]
        ]
        position += outputs[phase]
        grown = []
        for bits, cost in found:
            determined = (bits & masks[step] >> 1).bit_count() & 1 ^ sides[step]
            choices = [determined] if pivot[step] else [0, 1]
            for bit in choices:
                now, charge = bits << 1 | bit, 0
                for parities, fee in soft:
                    one = all((now & mask).bit_count() & 1 for mask in parities)
                    charge += abs(fee) if one == (fee > 0) else 0
                grown.append((now, cost + charge))
        if not pivot[step]:
            if len(grown) > paths[step]:  # the cheapest, and of equal ones those of the earlier paths
                order = sorted(range(len(grown)), key=lambda i: (grown[i][1], i))[: paths[step]]
                grown = [grown[i] for i in sorted(order)]
            free += 1
            steps_since.append(step)
            if free % _CHUNK == 0 and free >= 2 * _CHUNK:
                # what lies more than a chunk of free bits back is settled as the cheapest path has it
                past = step - steps_since[-_CHUNK - 1]
                best = min(grown, key=lambda path: path[1])[0] >> past
                grown = [path for path in grown if path[0] >> past == best]
        found = grown
    best = min(found, key=lambda path: path[1])[0]
    return [best >> (len(pivot) - 1 - step) & 1 for step in range(len(pivot))]


def compare(
    mask: NDArray[np.bool_], code: ShapedMaskCode, beam: int, fees: NDArray[np.int8] | None = None
) -> None:
    fees = np.ones(mask.size, np.int8) if fees is None else fees
    demands = np.full(2 * MOST_FEE + 1, 0.19)
    wanted = mask.astype(np.uint8)
    steps = code.blocks(mask.size) * code.n_in
    pivot, masks = np.zeros(steps, np.bool_), np.zeros(steps, np.uint64)
    sides, bits = np.zeros(steps, np.uint8), np.zeros(steps, np.uint8)
    _eliminate(wanted, code.outputs_of_bit, code.window_masks, pivot, masks, sides)
    paths = _paths_needed(wanted, fees, code.outputs_of_bit, pivot, demands, beam)
    lags = _lags_of(code.window_masks)
    _search(wanted, fees, code.outputs_of_bit, lags, beam, pivot, masks, sides, paths, bits)
    slow = searched_slowly(
        wanted.tolist(),
        fees.tolist(),
        code,
        beam,
        pivot.tolist(),
        masks.tolist(),
        sides.tolist(),
        paths.tolist(),
    )
    free = ~pivot  # the others are filled in later
    assert bits[free].tolist() == np.array(slow)[free].tolist()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 400),
    st.floats(0.02, 0.5),
    st.integers(1, 4),
    st.integers(4, 63),
    st.sampled_from([2, 4, 6]),
    st.sampled_from([1, 2, 16, 63, 64, 65, 130]),
    st.integers(0, 99),
    st.sampled_from([0, 1, 2, 9, 63]),
)
def test_the_beam_is_the_one_in_plain_words(
    n: int, density: float, parities: int, window: int, taps: int, beam: int, seed: int, most: int
) -> None:
    """Every false one at the same fee, and at fees of their own, of either sign."""
    rng = np.random.default_rng(seed)
    window = max(window, taps + parities)
    code = ShapedMaskCode(n_in=16, n_out=40, parities=parities, window=window, taps=taps, seed=seed)
    mask = rng.random(n) < density
    compare(mask, code, beam, rng.integers(-most, most + 1, n).astype(np.int8) if most else None)


def test_what_lies_chunks_back_is_settled() -> None:
    """Enough free bits for three decisions, with sums, and beams wider than a word."""
    rng = np.random.default_rng(0)
    code = ShapedMaskCode(n_in=24, n_out=60, parities=3, window=64, taps=6, seed=1, sums=3)
    compare(rng.random(18_000) < 0.05, code, 70)


@pytest.mark.parametrize("density", [0.0, 1.0])
def test_runs_of_free_bits_and_of_determined_ones(density: float) -> None:
    """Longer than a counter, and than the planes that are kept."""
    code = ShapedMaskCode(n_in=16, n_out=160, parities=2, window=40, taps=4, seed=1)
    mask = np.zeros(3000, bool)
    mask[:] = density
    mask[1500:1530] = ~mask[1500:1530]
    compare(mask, code, 16)
