"""Estimates for tables: none of a code that would take minutes to count, however small its file."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.library.gates import estimated_gates


@pytest.mark.parametrize(
    ("n_in", "n_out", "family", "options", "counted"),
    [
        (8, 80, "uniform", {}, True),
        (64, 640, "sparse", {"taps": 7}, True),
        (1, 16384, "uniform", {}, False),  # few ones, but many rows
        (8, 8000, "sparse", {"taps": 2}, False),
        (128, 512, "uniform", {}, False),  # few rows, but many ones
        (64, 8192, "graph", {}, True),  # its structure is its network
    ],
)
def test_only_what_is_counted_in_seconds_is_counted(
    n_in: int, n_out: int, family: str, options: dict[str, int], counted: bool
) -> None:
    code = Code.from_spec(
        ",".join(
            f"{key}={value}"
            for key, value in {"family": family, "n_in": n_in, "n_out": n_out, "n_s": 1, **options}.items()
        )
    )
    tensor = encode_tensor(np.zeros(100, np.int8), number_format("int8"), code)
    assert isinstance(estimated_gates({"w": tensor}), str) != counted
