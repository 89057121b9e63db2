"""Overhead counted by hand from its definition, and the cycle lemma behind the start of the scan."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.code.code import Code
from xorweave.studies.overhead import best_start, measure_overhead


def test_error_free_overhead_is_payload_over_care_bits():
    code = Code.uniform(n_in=32, n_out=200, n_s=3)
    measured = measure_overhead(code, sparsity=0.9, weights=20_000)
    payload = 32 * 100 * 8
    assert measured.error_free and measured.care_bits == 2000 * 8
    assert measured.overhead == payload / measured.care_bits - 1


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40))
def test_no_prefix_runs_short_when_there_are_columns_enough(care):
    code = Code.uniform(n_in=2, n_out=4, n_s=1)
    mask = np.array([[i < number for i in range(4)] for number in care]).reshape(-1)
    start = best_start(mask, code) // 4
    balance = np.cumsum([2 - number for number in care[start:] + care[:start]])
    assert balance.min() >= min(0, balance[-1])


def test_patches_of_the_fullest_block_are_counted():
    # one encoded bit for four outputs of which about two are cared for: blocks need up to four patches
    code = Code.uniform(n_in=1, n_out=4, n_s=0)
    crowded = measure_overhead(code, sparsity=0.5, weights=2000, tries=0)
    assert 2 <= crowded.patches_per_block <= 4
    assert crowded.patches_per_block * 500 >= crowded.unmatched_bits / 8
    assert measure_overhead(Code.uniform(n_in=32, n_out=200, n_s=3), weights=20_000).patches_per_block == 0
