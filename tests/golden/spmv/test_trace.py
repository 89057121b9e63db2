"""The golden trace against SciPy's sparse product and a plain loop over cycles."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.lane_code import encode_on_lanes
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.spmv.trace import gather_results, lanes_of, trace_spmv


@given(
    st.integers(1, 30), st.integers(1, 20), st.integers(1, 8), st.integers(1, 4), st.integers(1, 3),
    st.sampled_from(["int8", "int4"]), st.booleans(), st.integers(0, 9),
)  # fmt: skip
def test_results_are_the_sparse_product(
    rows: int, cols: int, lanes: int, most: int, batch: int, dtype: str, error_free: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    bound = 128 if dtype == "int8" else 8
    values = rng.integers(-bound, bound, (rows, cols)).astype(np.int8)
    mask = rng.random((rows, cols)) < rng.random()
    vectors = rng.integers(-128, 128, (batch, cols)).astype(np.int8)
    layout = LaneLayout.fitting(rows, cols, lanes, interleave=most)
    encoded = encode_on_lanes(values, number_format(dtype), mask, layout, max_k=8, error_free=error_free)
    trace = trace_spmv(encoded, vectors)
    sparse = scipy.sparse.csr_array(np.where(mask, values, 0).astype(np.int32))
    assert np.array_equal(
        gather_results(lanes_of(encoded), trace.results), (sparse @ vectors.T.astype(np.int32)).T
    )


def test_sums_block_by_block() -> None:
    rng = np.random.default_rng(5)
    values = rng.integers(-128, 128, (11, 6)).astype(np.int8)
    mask = rng.random(values.shape) < 0.5
    vector = rng.integers(-128, 128, 6).astype(np.int8)
    layout = LaneLayout.fitting(11, 6, 3, interleave=2)
    encoded = encode_on_lanes(values, number_format("int8"), mask, layout, max_k=12)
    layout, trace = lanes_of(encoded), trace_spmv(encoded, vector)
    assert np.array_equal(layout.restore(trace.weights).view(np.int8), np.where(mask, values, 0))
    kept = layout.arrange(mask, False)
    assert (trace.blocks[kept] == trace.weights[kept]).all() and (trace.weights[~kept] == 0).all()
    t = 0
    for _ in range(layout.passes):
        sums = np.zeros((layout.interleave, layout.lanes), int)
        for c in range(layout.cols):
            for p in range(layout.interleave):
                block = trace.weights[layout.lead + t].view(np.int8).astype(int)
                for lane in range(layout.lanes):
                    sums[p, lane] += block[lane] * int(vector[layout.columns()[c, lane]])
                assert (trace.sums[t, :, 0] == sums[p]).all()
                t += 1
    assert t == trace.sums.shape[0]


def test_bad_input() -> None:
    layout = LaneLayout.fitting(4, 4, 2)
    encoded = encode_on_lanes(np.ones((4, 4), np.int8), number_format("int8"), np.eye(4, dtype=bool), layout)
    with pytest.raises(InputError, match="must be int8, not float64"):
        trace_spmv(encoded, np.ones(4))
    with pytest.raises(InputError, match=r"shape \(4,\) or \(batch, 4\), not \(5,\)"):
        trace_spmv(encoded, np.ones(5, np.int8))


def test_a_sum_that_would_wrap_is_refused() -> None:
    cols = 1 << 17
    values = np.full((1, cols), -128, np.int8)
    layout = LaneLayout.fitting(1, cols, 8)
    encoded = encode_on_lanes(values, number_format("int8"), np.ones(values.shape, bool), layout)
    with pytest.raises(InputError, match=r"row 0 add up to 16777216 and activations reach 128: 2147483648"):
        trace_spmv(encoded, values[0])
    assert trace_spmv(encoded, np.full(cols, 127, np.int8)).results[0, 0, 0] == -128 * 127 * cols
