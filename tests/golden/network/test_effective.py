"""Effective masks for files: the function stays, published pruned networks lose their dead connections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.network.catalogue import perceptron
from xorweave.golden.network.effective import largest_difference, make_effective
from xorweave.golden.network.matching import resolve_network
from xorweave.golden.network.network_files import read_network
from xorweave.golden.network.unit_graph import masks_from_paths
from xorweave.golden.pruning.sparsity import measure_sparsity

PUBLISHED = ["dns/derived/lenet300100_sparse.npz", *(f"l-obs/LeNet300100/CR_{i}" for i in (10, 20, 30))]


@pytest.mark.parametrize("source", PUBLISHED)
def test_published_pruned_networks_keep_their_function(data_dir: Path, source: str) -> None:
    network, tensors = read_network(data_dir / source, None)
    masks = network.zero_masks(tensors)
    effective = make_effective(tensors, masks, network)
    total = measure_sparsity(network, masks)[1]
    assert sum(effective.inactivated.values()) == total.inactivated > 0
    assert largest_difference(network, tensors, masks, effective) < 1e-6


def test_a_published_pruned_network_against_its_unit_graph(data_dir: Path) -> None:
    network, tensors = read_network(data_dir / PUBLISHED[0], None)
    masks = network.zero_masks(tensors)
    slow = masks_from_paths(network, masks)
    effective = make_effective(tensors, masks, network)
    assert all((effective.masks[name] == slow[name]).all() for name in slow)


def small() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    network = perceptron((4, 3, 2))
    tensors = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in {**network.weights, **network.parameters}.items()
    }
    tensors["fc1.bias"][:] = 1
    masks = network.dense_masks()
    masks["fc1.weight"][0] = False
    return tensors, masks


def test_changed_biases_are_handed_out_in_their_own_dtype() -> None:
    tensors, masks = small()
    masks["other"] = np.ones((2, 2), bool)
    effective = make_effective(tensors, masks)
    assert list(effective.biases) == ["fc2.bias"] and effective.biases["fc2.bias"].dtype == np.float32
    assert effective.masks["other"].all()
    assert effective.inactivated == {"fc1.weight": 0, "fc2.weight": 2}
    network = resolve_network(None, tensors)
    assert largest_difference(network, tensors, masks, effective) < 1e-6


def test_without_a_bias_to_fold_into_connections_stay() -> None:
    tensors, masks = small()
    del tensors["fc2.bias"]
    effective = make_effective(tensors, masks)
    assert effective.kept == {"fc2.weight": 2} and effective.masks["fc2.weight"].all()
    assert effective.biases == {} and effective.inactivated["fc2.weight"] == 0


def test_nothing_is_folded_into_integers() -> None:
    tensors, masks = small()
    integers = {name: np.round(tensor * 50).astype(np.int8) for name, tensor in tensors.items()}
    effective = make_effective(integers, masks)
    assert effective.kept == {"fc2.weight": 2} and effective.biases == {}


def test_the_check_sees_a_missing_fold() -> None:
    tensors, masks = small()
    effective = make_effective(tensors, masks)
    network = resolve_network(None, tensors)
    unfolded = type(effective)(network, effective.masks, {}, effective.inactivated, effective.kept)
    assert largest_difference(network, tensors, masks, unfolded) > 0.01
