"""Whole-number networks against exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.integer_network import (
    IntegerLayer,
    dense_layers,
    quantise_layers,
    run_float,
    run_integer,
    to_int8,
)


def _network(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = (40, 30, 20, 5)
    tensors = {}
    for k in range(3):
        weights = rng.standard_normal((sizes[k + 1], sizes[k])).astype(np.float32)
        tensors[f"fc{k}.weight"] = weights * (rng.random(weights.shape) < 0.3)
        tensors[f"fc{k}.bias"] = rng.standard_normal(sizes[k + 1]).astype(np.float32)
    return tensors


def test_every_layer_is_the_exact_value_rounded_half_up() -> None:
    layers = dense_layers(_network())
    inputs = np.random.default_rng(1).random((7, 40))
    integer = quantise_layers(layers, inputs)
    vectors = to_int8(inputs)
    outputs = run_integer(integer, vectors)
    for layer, out in zip(integer, outputs, strict=True):
        for image, row in np.ndindex(*out.shape):
            total = sum(int(w) * int(x) for w, x in zip(layer.weights[row], vectors[image], strict=True))
            total += int(layer.bias[row])
            if layer.multiplier:
                exact = Fraction(max(0, total) * layer.multiplier, 2 ** (layer.shift + 1))
                total = min(127, floor(exact + Fraction(1, 2)))
            assert out[image, row] == total
        vectors = out.astype(np.int8)


def test_it_stays_near_the_floats() -> None:
    layers = dense_layers(_network())
    inputs = np.random.default_rng(2).random((200, 40))
    integer = quantise_layers(layers, inputs)
    outputs = run_integer(integer, to_int8(inputs))
    for number, (out, wanted) in enumerate(zip(outputs, run_float(layers, inputs), strict=True)):
        unit = wanted.max() / 127 if number < 2 else np.abs(wanted).max() / np.abs(out).max()
        assert np.abs(out * unit - wanted).max() < 0.08 * np.abs(wanted).max()


def test_sums_that_could_wrap_are_refused() -> None:
    heavy = IntegerLayer("fc", np.full((2, 140_000), 127, np.int8), np.zeros(2, np.int32), 0, 0)
    with pytest.raises(InputError, match=r"^sums of the layer fc must stay below 2\^31"):
        heavy.run(np.zeros((1, 140_000), np.int8))
    biased = IntegerLayer("fc", np.ones((1, 4), np.int8), np.array([2**31 - 400], np.int32), 0, 0)
    with pytest.raises(InputError, match=r"row 0 might reach 2147483760"):
        biased.run(np.zeros((1, 4), np.int8))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "at least one tensor NAME.weight"),
        ({"a.weight": np.ones(3, np.float32)}, "a.weight must be a matrix of floats"),
        ({"a.weight": np.ones((3, 2), np.float32), "a.bias": np.ones(2, np.float32)}, "a.bias must have 3"),
        (
            {"a.weight": np.ones((3, 2), np.float32), "b.weight": np.ones((1, 4), np.float32)},
            "b.weight must have 3 columns",
        ),
    ],
)
def test_what_is_no_chain_of_layers_is_refused(tensors: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dense_layers(tensors)
