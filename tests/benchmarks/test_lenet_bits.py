"""What benchmarks/lenet_bits.py counts and chooses, on a network of a few hundred weights and made-up images."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from xorweave.golden.network.catalogue import perceptron
from xorweave.golden.network.digits import Digits

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def lenet_bits(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    pytest.importorskip("torch", reason="PyTorch is not installed (extra train)")
    pytest.importorskip("bitarray", reason="bitarray is not installed (extra baselines)")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import lenet_bits

    return lenet_bits


@pytest.fixture
def bench(lenet_bits):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    images, labels = rng.random((6100, 1, 4, 4), np.float32), rng.integers(0, 3, 6100)
    digits = Digits(images, labels, images[:50], labels[:50])
    return lenet_bits.Bench.of(perceptron((16, 24, 3)), digits, SimpleNamespace(epochs=1, retrain=1), 0)


@pytest.fixture
def pruned(bench) -> dict[str, np.ndarray]:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(1)
    made = {name: rng.normal(size=shape).astype(np.float32) for name, shape in bench.network.weights.items()}
    made = {name: array * (rng.random(array.shape) < 0.3) for name, array in made.items()}
    return made | {name: rng.random(shape, np.float32) for name, shape in bench.network.parameters.items()}


def test_the_images_that_train_choose_and_tell_are_apart(bench) -> None:  # type: ignore[no-untyped-def]
    assert [len(part[1]) for part in (bench.taught, bench.chosen, bench.told)] == [6000, 100, 50]
    assert bench.parameters == 16 * 24 + 24 + 24 * 3 + 3


@pytest.mark.parametrize("step", [1, 16])
def test_what_is_read_back_is_the_nearest_on_the_grid(lenet_bits, bench, pruned, step: int) -> None:  # type: ignore[no-untyped-def]
    bits, header, back = lenet_bits.coarser(bench, pruned, step)
    assert 0 < header < bits
    for name in bench.network.weights:
        scale = np.float32(np.abs(pruned[name]).max() / 127 * step)
        assert np.allclose(back[name], np.rint(pruned[name] / scale) * scale, rtol=1e-6)
    for name in bench.biases:
        assert np.array_equal(back[name], pruned[name].astype(np.float16).astype(np.float32))


def test_trained_centroids_stay_few_and_zeros_stay(lenet_bits, bench, pruned) -> None:  # type: ignore[no-untyped-def]
    made = lenet_bits.clustered(bench, pruned, 4, 1)
    first = lenet_bits.clustered(bench, pruned, 4, 0)
    for name in bench.network.weights:
        assert np.array_equal(made[name] != 0, pruned[name] != 0)
        assert np.unique(made[name][made[name] != 0]).size == 4
        assert not np.array_equal(made[name], first[name])
    own, _, back = lenet_bits.as_deep(bench, made, 4, long=False)
    best, _, _ = lenet_bits.as_deep(bench, made, 4, long=True)
    assert best <= own
    assert all(np.array_equal(back[name], made[name]) for name in bench.network.weights)


def test_the_fewest_bits_are_taken_among_what_is_right_often_enough(lenet_bits) -> None:  # type: ignore[no-untyped-def]
    rows = [["m", "a", 0.5, 0.5, 0.960, 0], ["m", "b", 0.3, 0.3, 0.949, 0], ["m", "c", 0.2, 0.2, 0.948, 0]]
    assert lenet_bits.fewest(rows, 0.95, 0.001)[1] == "b"
    assert lenet_bits.fewest(rows, 0.95, 0.002)[1] == "c"
    assert lenet_bits.fewest(rows, 0.97, 0.001) is None
