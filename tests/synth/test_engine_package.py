"""Engines as packages: mapped, and proved part by part against a plain engine that is itself run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.lane_code import encode_layers_on_lanes
from xorweave.golden.network.integer_network import IntegerLayer
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.hw.decoders.config_for import config_for_all
from xorweave.hw.engines.spmv_engine import SpmvConfig
from xorweave.hw.package.engine_core import write_engine
from xorweave.hw.package.engine_manifest import EngineManifest, read_engine_manifest
from xorweave.sim import network_run
from xorweave.sim.simulators import available
from xorweave.synth.engine_package import engine_shape, synthesize_engine_package
from xorweave.synth.flow.liberty import GATES_LIB
from xorweave.synth.flow.memory_ports import take_out_memories
from xorweave.synth.package import synthesize_package
from xorweave.synth.proof.engine_proof import PARTS, judge_engine
from xorweave.synth.proof.engine_reference import engine_reference
from xorweave.synth.proof.induction import FAILED, PROVED


def _config(lanes: int, *, interleave: int, cols: int = 7, batch: int = 1) -> SpmvConfig:
    rng = np.random.default_rng(0)
    layers = [
        (rng.integers(-7, 8, s) * (rng.random(s) < 0.3)).astype(np.int8)
        for s in ((lanes * interleave * 2, cols), (lanes, lanes))
    ]
    tensors = encode_layers_on_lanes(layers, number_format("int4"), lanes, max_k=12)
    return SpmvConfig(
        layout=LaneLayout(rows=lanes * interleave * 2, cols=cols, lanes=lanes, interleave=interleave),
        decoder=config_for_all({str(k): tensor for k, tensor in enumerate(tensors)}, patches="list"),
        batch=batch,
        load_words=2,
        result_words=1,
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine") / "network"
    write_engine(folder, _config(2, interleave=2))
    return folder


def test_a_network_engine_is_proved_by_parts(package: Path) -> None:
    found = synthesize_package(package)
    assert found.equivalence == PROVED, found.notes
    assert found.equivalence_by_part == dict.fromkeys(PARTS, PROVED)
    # two rings of two lines of four words, two sums and two results a lane, one bit beside them
    assert found.memory_bits == 2 * 2 * 4 * 8 + 2 * 2 * 32 + 2 * (2 * 32 + 1)
    assert found.gate_equivalents is not None and found.gate_equivalents > 1000


@pytest.mark.parametrize(
    ("interleave", "cols", "batch"), [(1, 2, 1), (3, 9, 2)], ids=["registers only", "memories"]
)
def test_a_product_engine_is_proved(tmp_path: Path, interleave: int, cols: int, batch: int) -> None:
    write_engine(
        tmp_path / "engine", _config(2, interleave=interleave, cols=cols, batch=batch), kind="product"
    )
    found = synthesize_engine_package(tmp_path / "engine")
    assert found.equivalence_by_part == dict.fromkeys(PARTS[:-1], PROVED), found.notes


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("lanes", "factor * factor_1", "factor * ~factor_1"),
        ("control", "beats <= beats - 3'h1", "beats <= beats - 3'h3"),
        ("control", "loaded & (beats == 3'h0)", "loaded & (beats == 3'h1)"),  # rings swapped a word early
        ("control", "(~busy | ends)", "(~busy | ended)"),  # ... and a pass early
        (
            "activations",
            "1'b0) ? turned : loaded",
            "1'b0) ? (turned | loaded) : loaded",
        ),  # into the ring in use
        ("activations", "ring1_load = half != 1'b1", "ring1_load = half == 1'b1"),
        ("activations", "place0 <= following0", "place0 <= following1"),
        ("results", "free <= 1'b0", "free <= 1'b1"),
        ("requantiser", "scaled0_0[0]", "scaled0_0[1]"),
    ],
)
def test_a_fault_is_seen_in_its_part(package: Path, tmp_path: Path, part: str, old: str, new: str) -> None:
    text = (package / "rtl/xorweave_engine.v").read_text()
    assert old in text, part
    (tmp_path / "broken.v").write_text(text.replace(old, new, 1))
    manifest = read_engine_manifest(package)
    # as it is before it is mapped: a netlist of it would be no other
    logic, memories = take_out_memories([tmp_path / "broken.v"], manifest.top, tmp_path)
    found = judge_engine(
        logic, manifest.top, engine_shape(manifest), memories, liberty=GATES_LIB, timeout_s=60
    )
    assert found[part].outcome == FAILED, found


@pytest.mark.skipif(not available("verilator"), reason="verilator is not installed")
def test_the_plain_engine_runs_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    layers = []
    for number, (rows, cols, multiplier) in enumerate(((37, 21, 30000), (5, 37, 20000), (11, 5, 0))):
        weights = (rng.integers(-127, 128, (rows, cols)) * (rng.random((rows, cols)) < 0.4)).astype(np.int8)
        bias = rng.integers(-3000, 3000, rows).astype(np.int32)
        layers.append(IntegerLayer(f"fc{number}", weights, bias, multiplier, 20 if multiplier else 0))

    def plain(engine: object, top: str) -> str:
        folder = tmp_path / "engine"
        write_engine(folder, engine.config)  # type: ignore[attr-defined]
        return engine_reference(engine_shape(read_engine_manifest(folder)), top)

    monkeypatch.setattr(network_run, "structured_verilog", plain)
    run = network_run.NetworkSimulator(layers, lanes=8, batch=2, interleave=3).run(
        rng.integers(0, 128, (4, 21)).astype(np.int8), stalls=(20, 20), seed=1
    )
    assert run.mismatches == 0, run.messages


def test_a_manifest_that_is_not_right(package: Path) -> None:
    entries = json.loads((package / "manifest.json").read_text())
    for change, said in (
        ({"kind": "loom"}, "engine.kind must be one of network, product, not 'loom'"),
        ({"batch": 0}, "engine.batch must be a whole number from 1"),
        ({"files": ["rtl/xorweave_engine.v"]}, "files must list"),
        ({"more": 1}, "must have no entry 'more'"),
        ({"layout": {**entries["layout"], "lanes": 1}}, "words loaded in a cycle must be between"),
    ):
        with pytest.raises(InputError, match=said):
            EngineManifest.parse({**entries, **change})
    other = EngineManifest.parse({**entries, "decoder": {"n_w": 4}})
    with pytest.raises(InputError, match="must describe a decoder"):
        engine_shape(other)
    with pytest.raises(InputError, match=r"^the target of an engine must be gates, not 'ice40'$"):
        synthesize_package(package, target="ice40")
