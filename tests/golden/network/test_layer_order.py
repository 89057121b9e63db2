from __future__ import annotations

from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.layer_order import by_number, layer_order


def chains(weights: dict[str, tuple[int, int]]) -> list[tuple[str, ...]]:
    """All orders in which (outputs, inputs) follow on each other, by trying every one."""
    return [
        names
        for names in permutations(weights)
        if all(weights[a][0] == weights[b][1] for a, b in pairwise(names))
    ]


@given(st.lists(st.integers(1, 4), min_size=2, max_size=6), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_an_order_is_taken_where_only_one_fits(widths: list[int], rng: object) -> None:
    layers = [(f"l{chr(97 + i)}", (b, a)) for i, (a, b) in enumerate(pairwise(widths))]
    rng.shuffle(layers)  # type: ignore[attr-defined]
    weights = dict(layers)
    fitting = chains(weights)
    if len(fitting) == 1:
        found = layer_order(weights, ordered=False)
        assert found.names == fitting[0] and not found.transposed and not found.remark
    else:
        with pytest.raises(InputError, match="must be known, as their shapes allow several"):
            layer_order(weights, ordered=False)


def test_numbers_in_names_are_an_order_and_are_said() -> None:
    weights = {f"layers.{i}.weight": (4, 4) for i in sorted(map(str, range(12)))}  # 0, 1, 10, 11, 2 ...
    found = layer_order(weights, ordered=False)
    assert found.names == tuple(f"layers.{i}.weight" for i in range(12))
    assert found.remark.startswith(
        "layers taken in the order layers.0.weight, layers.1.weight, layers.2.weight"
    )
    assert by_number(["in", "out"]) is None and by_number(["a1b2", "a1b10", "a0b30"]) == [
        "a0b30",
        "a1b2",
        "a1b10",
    ]


def test_an_order_that_is_known_is_taken() -> None:
    weights = {"fin": (4, 4), "in": (4, 4), "mid": (4, 4)}
    assert layer_order(weights, order=["in", "mid", "fin"], ordered=False).names == ("in", "mid", "fin")
    assert layer_order(weights).names == ("fin", "in", "mid")
    assert "as in the file" in layer_order(weights).remark
    with pytest.raises(InputError, match="must be known"):
        layer_order(weights, order=["in", "mid", "other"], ordered=False)
    assert layer_order({"a": (4, 3), "b": (3, 2)}).transposed


def test_many_layers_of_one_shape_take_no_time() -> None:
    weights = {f"{chr(97 + i % 26)}{i}x": (8, 8) for i in range(300)}
    with pytest.raises(InputError):
        layer_order({**weights, "odd": (9, 8), "even": (8, 9)}, ordered=False)


def test_what_does_not_follow_is_refused() -> None:
    with pytest.raises(InputError, match="a, b do not follow on each other as layers"):
        layer_order({"a": (4, 3), "b": (5, 2)}, ordered=False)
