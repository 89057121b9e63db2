"""synth on the command line: the figures against independent counts, the proof against a broken file, bad input."""

import json
import re
import sys
from pathlib import Path

import pytest

from xorweave.cli import main
from xorweave.synth.flow.liberty import GATES_LIB

CODE = "n_in=3,n_out=9,n_s=1"
# what scripts may depend on
CONTRACT = {
    "gate_equivalents",
    "xor2",
    "flip_flops",
    "area_um2",
    "critical_path_ns",
    "fmax_mhz",
    "outputs_per_cycle",
    "bits_per_cycle_per_kge",
    "gbit_per_s_per_kge",
    "equivalence",
    "tool_versions",
}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["xorweave", *map(str, arguments)])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def decoder(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Path:
    folder = tmp_path / "d"
    words = ("generate", "--code", CODE, "--dtype", "int4", "--blocks", 5, "-o", folder)
    assert run(monkeypatch, *words) == 0
    capsys.readouterr()
    return folder


def test_json_holds_the_contract_and_figures_that_add_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], decoder: Path
) -> None:
    assert run(monkeypatch, "synth", decoder, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) >= CONTRACT
    areas = dict(re.findall(r"cell \((\w+)\) \{\s*area : ([\d.]+);", GATES_LIB.read_text()))
    cells = found["cells"]
    assert found["gate_equivalents"] == pytest.approx(sum(float(areas[c]) * k for c, k in cells.items()))
    assert found["xor2"] == cells.get("XOR2", 0) + cells.get("XNOR2", 0)
    # two symbols of three bits in four planes, and running, full, first and last
    assert found["flip_flops"] == cells["DFF"] == 2 * 3 * 4 + 4
    assert found["outputs_per_cycle"] == 9 * 4
    assert found["bits_per_cycle_per_kge"] == pytest.approx(36000 / found["gate_equivalents"])
    assert found["equivalence"] == "proved"
    # generic gates have no timing: not made is null
    assert found["area_um2"] is found["critical_path_ns"] is found["fmax_mhz"] is None
    assert found["gbit_per_s_per_kge"] is None
    assert set(found["tool_versions"]) == {"yosys", "abc"}


def test_a_decoder_whose_file_was_changed_fails_its_proof(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], decoder: Path
) -> None:
    source = decoder / json.loads((decoder / "manifest.json").read_text())["verilog"][0]
    text = source.read_text()
    assert " ^ " in text
    source.write_text(text.replace(" ^ ", " | ", 1))
    assert run(monkeypatch, "synth", decoder) == 1
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["equivalence"].startswith("failed")


def test_luts_are_counted_for_an_fpga(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], decoder: Path
) -> None:
    assert run(monkeypatch, "synth", decoder, "--target", "xilinx", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    # every one of the 36 outputs is a function of more than a wire
    assert found["luts"] >= 36 and found["gate_equivalents"] is None
    assert found["equivalence"] == "proved"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "asic"), "the target must be one of gates, ice40, ecp5, gowin, xilinx, not 'asic'"),
        (("--clock", 100), "a clock constraint must come with a Liberty file: generic gates have no timing"),
        (
            ("--target", "ecp5", "--clock", 100),
            "a Liberty file and a clock must come with the target gates, not ecp5",
        ),
        (("--clock", "fast"), "valid number"),
    ],
)
def test_bad_options_end_with_one_line_and_status_two(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    decoder: Path,
    options: tuple[object, ...],
    message: str,
) -> None:
    assert run(monkeypatch, "synth", decoder, *options) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and message in captured.err


def test_a_folder_that_generate_did_not_write_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "synth", tmp_path) == 2
    assert capsys.readouterr().err.endswith(
        "must be a folder that generate wrote, but has no manifest.json\n"
    )
