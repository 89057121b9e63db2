"""The NumPy run against SciPy's correlation and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import perceptron
from xorweave.golden.network.evaluate import evaluate
from xorweave.golden.network.layers import Attention, Conv, LayerNorm, Opaque, Pool
from xorweave.golden.network.network import Network


@given(
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(1, 2),
    st.integers(1, 2),
    st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_convolution_against_scipy(
    groups: int, kernel: int, padding: int, stride: int, dilation: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    network = Network("conv")
    x = network.input((2 * groups, 7, 6))
    network.conv(
        x, "w", 2 * groups, kernel, bias="b", stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    w, b = rng.normal(size=network.weights["w"]), rng.normal(size=2 * groups)
    data = rng.normal(size=(2, 2 * groups, 7, 6))
    got = evaluate(network, {"w": w, "b": b}, data)[0]
    spread = np.zeros((*w.shape[:2], *(dilation * (kernel - 1) + 1,) * 2))
    spread[:, :, ::dilation, ::dilation] = w
    padded = np.pad(data, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    for n in range(2):
        for o in range(2 * groups):
            inputs = padded[n, o // 2 * 2 : o // 2 * 2 + 2]
            wanted = correlate(inputs, spread[o], mode="valid")[0][::stride, ::stride] + b[o]
            assert np.allclose(got[n, o], wanted)


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("ceiling", [False, True])
@pytest.mark.parametrize("count_padding", [False, True])
def test_pooling_against_loops(kind: str, ceiling: bool, count_padding: bool) -> None:
    rng = np.random.default_rng(0)
    network = Network("pool")
    pads = ((1, 0), (1, 1))
    x = network.input((2, 6, 5))
    network.add(Pool(kind, (3, 2), (2, 2), pads, ceiling=ceiling, count_padding=count_padding), x)
    data = rng.normal(size=(1, 2, 6, 5))
    got = evaluate(network, {}, data)[0][0]
    for (c, i, j), value in np.ndenumerate(got):
        seen, counted = [], 0
        for a in range(i * 2 - 1, i * 2 + 2):
            for b in range(j * 2 - 1, j * 2 + 1):
                counted += a < 6 and b < 6  # the padded extent: -1 .. 5 and -1 .. 5
                if 0 <= a < 6 and 0 <= b < 5:
                    seen.append(data[0, c, a, b])
        wanted = max(seen) if kind == "max" else sum(seen) / (counted if count_padding else len(seen))
        assert np.isclose(value, wanted)


def test_attention_and_norm_against_plain_formulas() -> None:
    rng = np.random.default_rng(1)
    network = Network("attention")
    q, k, v = network.input((3, 4), "q"), network.input((5, 4), "k"), network.input((5, 6), "v")
    y = network.add(Attention(2), q, k, v)
    network.add(LayerNorm(6, "s", "t"), y)
    data = {name: rng.normal(size=(1, *network.nodes[name].shape)) for name in "qkv"}
    scale, shift = rng.normal(size=6), rng.normal(size=6)
    got = evaluate(network, {"s": scale, "t": shift}, data)[0][0]
    for t in range(3):
        row = []
        for head in range(2):
            own = data["q"][0, t, 2 * head : 2 * head + 2]
            e = np.exp([own @ data["k"][0, u, 2 * head : 2 * head + 2] / np.sqrt(2) for u in range(5)])
            row.extend((e / e.sum()) @ data["v"][0, :, 3 * head : 3 * head + 3])
        normal = (row - np.mean(row)) / np.sqrt(np.var(row) + 1e-5)
        assert np.allclose(got[t], normal * scale + shift)


def test_what_is_missing_is_named() -> None:
    network = perceptron((2, 3))
    tensors = {"fc1.weight": np.ones((3, 2)), "fc1.bias": np.ones(3)}
    with pytest.raises(InputError, match=r"perceptron needs the tensor fc1.bias, which is missing"):
        evaluate(network, {"fc1.weight": tensors["fc1.weight"]}, np.ones((1, 2)))
    with pytest.raises(InputError, match=r"must have shape \(batch, 2\), not \(1, 3\)"):
        evaluate(network, tensors, np.ones((1, 3)))
    network.add(Opaque("LSTM", (3,)), network.outputs[0])
    with pytest.raises(InputError, match="the layer LSTM is opaque"):
        evaluate(network, tensors, np.ones((1, 2)))


def test_an_asymmetric_padding_is_honoured() -> None:
    network = Network("asymmetric")
    network.add(Conv("w", (1, 1, 2), padding=((1, 0),)), network.input((1, 3)))
    got = evaluate(network, {"w": np.array([[[10.0, 1.0]]])}, np.array([[[1.0, 2.0, 3.0]]]))[0]
    assert got[0, 0].tolist() == [1.0, 12.0, 23.0]
