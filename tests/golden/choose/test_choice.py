"""What is asked for is what is stored, or is refused: no word is dropped in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions
from xorweave.golden.tensor.stored import EncodedTensor

INT8 = number_format("int8")
CODE = CodeChoice.parse("n_in=8,n_out=32,n_s=2")
SHORT = CodeChoice.parse("auto", max_k=8)


def _stored(choice: Choice, **options: Any) -> EncodedTensor:
    rng = np.random.default_rng(0)
    values = rng.integers(-100, 101, (64, 96)).astype(np.int8)
    mask = rng.random(values.shape) < 0.2
    found = choice.encode(values, INT8, mask, EncodeOptions(**options))
    assert np.array_equal(decode_tensor(found), values * mask)
    return found


@pytest.mark.parametrize(
    ("choice", "options"),
    [
        (Choice(scan="row-major", error_free=True), {}),
        (Choice(scan="row-major", error_free=True, goal="hardware"), {}),
        (Choice(scan="row-major", error_free=True, code=CodeChoice.parse("n_in=8,n_out=16,n_s=4")), {}),
        (Choice(scan="row-major"), {"corrections": "bounded:2"}),
    ],
)
def test_row_major_is_row_major_and_no_dense_words(choice: Choice, options: dict[str, str]) -> None:
    found = _stored(choice, **options)
    assert found.scan == Interleaver(64 * 96)
    assert found.groups[0].code.rate <= 0.5
    most = int(options["corrections"][-1]) if options else 0
    blocks = np.bincount(found.patches.positions // found.n_out, minlength=1)
    assert blocks.max() <= most


def test_a_code_that_is_given_is_strided_where_that_is_asked_for() -> None:
    clustered = np.zeros((20, 100), bool)
    clustered[:4] = True
    values = np.random.default_rng(1).integers(1, 100, clustered.shape).astype(np.int8)
    found = {
        scan: Choice(scan=scan, code=CODE).encode(values, INT8, clustered) for scan in ("auto", "affine")
    }
    assert found["auto"].scan == Interleaver(2000)
    assert isinstance(found["affine"].scan, Interleaver) and found["affine"].scan.stride > 1
    assert found["affine"].patches.positions.size < found["auto"].patches.positions.size / 10


def test_the_exact_search_gets_a_window_that_it_takes() -> None:
    found = _stored(Choice(), encoder="viterbi")
    assert found.encoder == "viterbi" and found.groups[0].code.constraint_length <= 16


def test_lanes_take_seed_and_window() -> None:
    found = _stored(Choice(scan="lanes", code=CodeChoice.parse("auto", max_k=40, seed=3)))
    code = found.groups[0].code
    assert isinstance(found.scan, LaneLayout) and code.constraint_length <= 40
    assert code != _stored(Choice(scan="lanes", code=CodeChoice.parse("auto", max_k=40))).groups[0].code


@pytest.mark.parametrize(
    ("choice", "options", "message"),
    [
        ({"scan": "lanes", "code": CODE}, {}, "must not be given for the scan lanes"),
        ({"scan": "lanes", "transform": "difference"}, {}, "must not be given for the scan lanes"),
        ({"scan": "lanes", "drop_planes": True}, {}, "must not be given for the scan lanes"),
        ({"scan": "lanes", "segments": 2}, {}, "must not be given for the scan lanes"),
        ({"scan": "lanes"}, {"encoder": "viterbi"}, "must be elimination for the scan lanes"),
        ({"scan": "lanes", "goal": "paper"}, {}, "auto or row-major for the paper's format, not lanes"),
        ({"scan": "affine", "code": CodeChoice.parse("paper")}, {}, "paper's format, not affine"),
        ({"scan": "cells"}, {"corrections": "none"}, "corrections must be auto or joint for the scan cells"),
        ({"scan": "tiles"}, {"corrections": "bounded:2"}, "auto or joint for the scan tiles, not bounded"),
        ({"goal": "products"}, {"corrections": "plane"}, "auto or joint for the scan cells, not plane"),
        ({"scan": "cells"}, {"encoder": "viterbi"}, "must be elimination for the scan cells"),
        ({"scan": "cells", "code": SHORT}, {}, r"needs a window of \d+, so max_k must be at least that, not 8"),
        ({"values_code": "prefix"}, {"encoder": "viterbi"}, "values_code must be raw, and mask_code bitmap"),
        ({"mask_code": "shaped"}, {"corrections": "bounded:2"}, "values_code must be raw, and mask_code bitmap"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_together_is_refused(
    choice: dict[str, Any], options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _stored(Choice(**choice), **options)
