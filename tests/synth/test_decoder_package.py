import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from xorweave.command_line import app
from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.choose.choice import Choice
from xorweave.golden.code.code import Code
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.package.manifest import Manifest, read_manifest
from xorweave.hw.package.package import write_package
from xorweave.sim.simulate import simulate
from xorweave.synth import decoder_package
from xorweave.synth.decoder_package import shape_of, synthesize_decoder
from xorweave.synth.flow import synthesis
from xorweave.synth.proof.induction import NOT_RUN
from xorweave.synth.proof.shape import code_from_rows


def generated(folder: Path, transform: str = "none", **options: Any) -> Path:
    rng = np.random.default_rng(0)
    code = Code.uniform(n_in=2, n_out=4, n_s=1)
    mask = rng.random((8, 8)) < 0.4
    values = rng.integers(-8, 8, mask.shape).astype(np.int8)
    tensor = encode_tensor(values, FORMATS["int4"], code, mask=mask, transform=transform)
    write_package(folder, config_for(tensor, **options), tensor)
    return folder


@pytest.mark.parametrize(
    "options",
    [
        {"transform": "difference"},
        {"length_bits": 5},
        {"max_depth": 1},
        {"patches": "gap", "gap_bits": 3},
        {"patches": "bounded", "patches_per_block": 2},
    ],
)
def test_what_generate_writes_is_proved(tmp_path: Path, options: dict[str, Any]) -> None:
    result = synthesize_decoder(generated(tmp_path / "decoder", **options))
    assert result.equivalence == "proved" and not result.notes
    assert result.gate_equivalents is not None
    assert result.outputs_per_cycle == 16


@pytest.fixture(scope="module")
def of_a_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a tensor becomes by default, its mask in a pattern book."""
    rng = np.random.default_rng(2)
    values = rng.integers(-8, 8, (18, 20)).astype(np.int8)
    tensor = Choice().encode(values, FORMATS["int4"], rng.random(values.shape) < 0.15)
    assert tensor.mask_coder.kind == "book"
    folder = tmp_path_factory.mktemp("book") / "decoder"
    write_package(folder, config_for(tensor), tensor)
    return folder


def test_the_decoder_of_a_default_tensor_is_proved(of_a_book: Path) -> None:
    assert read_manifest(of_a_book).decoder["mask_kind"] == "book"
    result = synthesize_decoder(of_a_book)
    assert result.equivalence == "proved" and not result.notes


def _other_tap(entries: Any) -> None:
    rows = entries["mask_book"]["groups"][-1]["code"]["generator"]
    rows[0] = f"{int(rows[0], 16) ^ 1:x}"
    head = entries["mask_book"]["groups"][-1]["code"]
    code = code_from_rows([int(row, 16) for row in rows], n_in=head["n_in"], n_s=head["n_s"])
    head["check_value"] = code.check_value


def _inverted(entries: Any) -> None:
    entries["mask_book"]["inverted"] ^= True


@pytest.mark.parametrize("change", [_other_tap, _inverted])
def test_a_mask_book_that_the_decoder_has_not_is_refuted(
    of_a_book: Path, change: Callable[[Any], None], tmp_path: Path
) -> None:
    folder = tmp_path / "decoder"
    shutil.copytree(of_a_book, folder)
    entries = json.loads((folder / "manifest.json").read_text())
    change(entries)
    (folder / "manifest.json").write_text(json.dumps(entries))
    assert synthesize_decoder(folder).equivalence == "failed"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entries: entries["mask_book"].update(pattern_bits=3, counts=[1, 0, 3, 2]), "mask_book"),
        (
            lambda entries: entries["mask_book"]["groups"][0]["code"].update(check_value="0"),
            "must have the check value 0",
        ),
        (lambda entries: entries["mask_book"]["groups"][0]["code"].pop("generator"), "generator"),
    ],
)
def test_a_mask_book_that_does_not_fit_is_refused(
    of_a_book: Path, change: Callable[[Any], None], message: str
) -> None:
    entries = json.loads((of_a_book / "manifest.json").read_text())
    change(entries)
    with pytest.raises(InputError, match=message):
        shape_of(Manifest.parse(entries))


def test_what_is_late_leaves_the_figures_that_were_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = generated(tmp_path / "decoder")

    def late(*arguments: object, **options: object) -> None:
        raise ToolError("Yosys did not finish in 1 s")

    monkeypatch.setattr(decoder_package, "judge_equivalence", late)
    run_yosys = synthesis.run_yosys
    monkeypatch.setattr(
        synthesis,
        "run_yosys",
        lambda script, *a, **k: late() if "map,-a" in script else run_yosys(script, *a, **k),
    )
    told: list[str] = []
    result = synthesize_decoder(folder, progress=told.append)
    assert result.gate_equivalents is not None and result.equivalence == NOT_RUN
    assert ["by area" in note for note in result.notes] == [True, False]
    assert told[0].startswith("reading") and told[-1] == "proving the netlist"


def test_a_refuted_netlist_says_why_and_is_status_1(tmp_path: Path) -> None:
    folder = generated(tmp_path / "decoder")
    (source,) = (folder / "rtl").glob("*.v")
    source.write_text(source.read_text().replace("posedge clk", "negedge clk"))
    result = synthesize_decoder(folder)
    assert result.equivalence == "failed" and "clocked by something else than clk" in result.notes[0]
    done = CliRunner().invoke(app, ["synth", str(folder), "--json"])
    assert done.exit_code == 1 and json.loads(done.stdout)["equivalence"] == "failed"


def test_dense_corrections_are_proved(tmp_path: Path) -> None:
    folder = generated(tmp_path / "decoder", patches_per_block=3)
    assert read_manifest(folder).decoder["dense_corrections"] is True
    assert synthesize_decoder(folder).equivalence == "proved"


def test_planes_outside_the_payload_have_no_hardware_and_the_proof_holds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    code = Code.uniform(n_in=4, n_out=12, n_s=2, seed=1)
    mask = rng.random(600) < 0.3
    # bit 0 is always 0, bits 4 and 5 are always 1: three planes of eight are the same everywhere
    values = np.where(mask, rng.integers(0, 8, 600) * 2 + 48, 0).astype(np.int8)
    tensor = encode_tensor(values, FORMATS["int8"], code, mask=mask, drop_planes=True)
    assert tensor.raw.constant_planes & 0b110001 == 0b110001
    whole, lean = tmp_path / "whole", tmp_path / "lean"
    write_package(whole, config_for(replace(tensor, values=replace(tensor.raw, constant_planes=0))), tensor)
    write_package(lean, config_for(tensor), tensor)
    assert simulate(lean, stalls="random").mismatches == 0
    full, less = synthesize_decoder(whole, prove=False), synthesize_decoder(lean)
    assert less.equivalence == "proved"
    assert full.flip_flops is not None and less.flip_flops is not None
    assert (
        full.flip_flops - less.flip_flops == tensor.raw.constant_planes.bit_count() * code.constraint_length
    )
    assert less.outputs_per_cycle == full.outputs_per_cycle == 96
    with pytest.raises(InputError, match="constant planes must be among the tensor's"):
        write_package(
            lean, config_for(replace(tensor, values=replace(tensor.raw, constant_planes=255))), tensor
        )
