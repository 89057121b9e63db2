from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.bit_fields import BitWriter, width_for
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.codecs.codec import Encoding, PrunedTensor
from xorweave.golden.codecs.relative_index import Eie, padded_runs


def slow_runs(mask: list[list[bool]], run_bits: int) -> tuple[list[int], list[bool], list[int]]:
    """Walk every line weight by weight, as EIE's section 3 tells it."""
    runs, real, per_line = [], [], []
    for line in mask:
        entries, run, pending = 0, 0, []
        for kept in line:
            if kept:
                runs += [*pending, run]
                real += [False] * len(pending) + [True]
                entries += len(pending) + 1
                pending, run = [], 0
            elif run == (1 << run_bits) - 1:
                pending.append(run)
                run = 0
            else:
                run += 1
        per_line.append(entries)
    return runs, real, per_line


@given(
    st.integers(1, 40).flatmap(
        lambda width: st.lists(
            st.lists(st.booleans(), min_size=width, max_size=width), min_size=1, max_size=5
        )
    ),
    st.integers(1, 4),
)
def test_runs_equal_a_walk_along_the_line(mask: list[list[bool]], run_bits: int) -> None:
    runs, real, per_line = padded_runs(np.array(mask), run_bits)
    assert (runs.tolist(), real.tolist(), per_line.tolist()) == slow_runs(mask, run_bits)


def test_a_gap_of_sixteen_costs_eie_one_padding_entry() -> None:
    mask = np.zeros((40, 1), bool)
    mask[[3, 20], 0] = True  # sixteen pruned weights between them
    tensor = PrunedTensor.from_values(np.ones((40, 1), np.int8), number_format("int8"), mask)
    parts = Eie().encode(tensor).parts
    assert parts == {"mask": 2 * width_for(40) + 2 * 4, "values": 16, "padding": 12}


def test_runs_that_leave_the_line_are_refused() -> None:
    writer = BitWriter()
    writer.fields(np.array([0, 1]), width_for(4))
    writer.fields(np.array([9]), 4)
    writer.fields(np.array([1]), 8)
    with pytest.raises(InputError, match="runs must stay within lines of 4 weights"):
        Eie().decode(Encoding(writer.stream(), {}), (4, 1), number_format("int8"))
