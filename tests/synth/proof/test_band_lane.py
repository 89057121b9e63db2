from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.weightless.banded import Banded
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.hw.rivals.band import BandLane
from xorweave.synth.flow.liberty import GATES_LIB
from xorweave.synth.flow.synthesis import map_to_cells
from xorweave.synth.proof.band_lane import judge_band_lane

KEYS = np.arange(0, 2000, 7)
CLUSTERS = 5


def small(seed: int = 0, window: int = 16) -> Banded:
    return Banded.build(KEYS, KEYS % CLUSTERS, t=3, window=window, key_bits=11, seed=seed)


@pytest.fixture(scope="module")
def netlist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lane")
    (folder / "lane.v").write_text(amaranth_verilog(BandLane(small(), CLUSTERS), "lane"))
    map_to_cells([folder / "lane.v"], "lane", folder)
    return folder / "netlist.v"


def test_a_mapped_lane_is_the_plain_one(netlist: Path) -> None:
    found = judge_band_lane(netlist, "lane", small(), CLUSTERS, liberty=GATES_LIB)
    assert found.outcome == "proved", found.reason


@pytest.mark.parametrize("wrong", ["hash", "clusters"])
def test_a_lane_of_another_filter_is_refuted(netlist: Path, wrong: str) -> None:
    table = small(seed=1) if wrong == "hash" else small()
    clusters = CLUSTERS + (wrong == "clusters")
    if wrong == "hash":
        assert table.seed != small().seed
        table = Banded(table.table, 3, 16, small().starts, 11, table.seed, table.keys)
    assert judge_band_lane(netlist, "lane", table, clusters, liberty=GATES_LIB).outcome == "failed"
