"""What effective masks save is counted from real encodings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xorweave.golden.network.effective import make_effective
from xorweave.golden.network.network_files import read_network
from xorweave.golden.pruning.savings import measure_saving


def test_a_published_network_gets_cheaper(data_dir: Path) -> None:
    network, tensors = read_network(data_dir / "l-obs" / "LeNet300100" / "CR_10", None)
    masks = network.zero_masks(tensors)
    effective = make_effective(tensors, masks, network)
    names: list[str] = []
    own = {name: tensors[name] for name in ("fc2.weight", "fc3.weight")}
    savings = measure_saving(
        own, {n: masks[n] for n in own}, effective.masks, dtype="int8", progress=names.append
    )
    assert names == list(own)
    # a third of the second layer's kept weights is dead: the payload must follow the care bits
    second = savings["fc2.weight"]
    alive = np.count_nonzero(effective.masks["fc2.weight"]) / np.count_nonzero(masks["fc2.weight"])
    assert abs((1 - second.share_saved) - alive) < 0.05
    assert second.effective.care_bits == 8 * np.count_nonzero(effective.masks["fc2.weight"])
    assert savings["fc3.weight"].share_saved == 0
    record = second.to_dict()
    assert record["direct"]["bits_per_weight_with_mask"] == record["direct"]["bits_per_weight"] + 1  # type: ignore[index]
