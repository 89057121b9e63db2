"""Where tensors are encoded: processes of this machine, a Dask cluster, one line where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import xorweave as xw
from xorweave.golden.base.errors import InputError
from xorweave.library import workers as room
from xorweave.library.workers import shard_of_job, workers


@pytest.fixture
def model(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    np.savez(tmp_path / "m.npz", **{f"fc{i}": rng.standard_normal((24, 64), np.float32) for i in range(6)})
    return tmp_path / "m.npz"


def test_processes_are_for_large_files(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with workers([model], 2) as executor:
        assert executor is None
    monkeypatch.setattr(room, "_WORTH_PROCESSES", 1)
    with workers([model], 2, raw=True) as executor:
        assert executor is None
    with workers([model], 1) as executor:
        assert executor is None
    one = xw.encode(model, dtype="int8", sparsity=0.9)
    with workers([model], 2) as executor:
        assert executor is not None
        other = xw.encode(model, dtype="int8", sparsity=0.9, executor=executor)
    assert {name: one.container.blob(name) for name in one} == {
        name: other.container.blob(name) for name in other
    }
    # what the processes said of the tensors is what is counted here
    assert set(other.container.records) == set(one) and not one.container.records
    assert [other[name].figures.to_dict() for name in other] == [one[name].figures.to_dict() for name in one]


def test_a_shard_is_itself() -> None:
    assert shard_of_job(None) is None
    assert shard_of_job("2/3") == "2/3"


def test_no_scheduler_is_one_line(model: Path) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),  # instead of half a minute
        pytest.raises(InputError, match="the scheduler nowhere:1 must"),
        workers([model], 1, "nowhere:1"),
    ):
        pass


def test_a_cluster_whose_worker_is_killed_makes_the_same_bytes(model: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
    one = xw.encode(model, dtype="int8", sparsity=0.9)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, workers([model], 1, cluster.scheduler_address) as executor:
        killed = []

        def kill(share: float) -> None:
            if share > 0.2 and not killed:
                killed.append(share)
                next(iter(cluster.workers.values())).process.process._process.kill()

        other = xw.encode(model, dtype="int8", sparsity=0.9, executor=executor, progress=kill)
    assert killed
    assert {name: one.container.blob(name) for name in one} == {
        name: other.container.blob(name) for name in other
    }
