"""The generated Verilog in a simulator against the golden model, under every kind of stall."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.code.usual_graph import usual_graph
from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.book_mask import encode_book_mask
from xorweave.golden.tensor.encode import EncodeOptions, encode_stored
from xorweave.golden.values.raw_planes import RawPlanes
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.package.manifest import read_manifest
from xorweave.hw.package.package import write_package
from xorweave.hw.package.vectors import random_tensor
from xorweave.sim import verilator_build
from xorweave.sim.simulate import simulate
from xorweave.sim.simulators import SIMULATORS, available

BLOCKS, SEGMENT = 192, 64


def _make(folder: Path, **options: object) -> Path:
    code = Code.uniform(n_in=5, n_out=18, n_s=2, seed=9)
    tensor = random_tensor(
        code,
        number_format("int8"),
        blocks=BLOCKS,
        segment_blocks=SEGMENT,
        sparsity=0.7,
        patches_per_block=3,
        inversion=0xA5,
        transform="sign-magnitude",
        seed=2,
    )
    write_package(folder, config_for(tensor, inversion_port=True, **options), tensor)
    return folder


@pytest.fixture(scope="module")
def lean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder without any optional register."""
    return _make(tmp_path_factory.mktemp("sim") / "lean")


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder with every optional register, gap-coded corrections and a stream guard."""
    options = {
        "output_register": True,
        "skid_buffers": True,
        "patches": "gap",
        "gap_bits": 3,
        "length_bits": 7,
    }
    return _make(tmp_path_factory.mktemp("sim") / "registered", **options)


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("which", ["lean", "registered"])
def test_every_word_of_every_cycle(request: pytest.FixtureRequest, which: str, simulator: str) -> None:
    if not available(simulator):
        pytest.skip(f"{simulator} is not installed")
    folder = request.getfixturevalue(which)
    latency = {"lean": 1, "registered": 2}[which]
    quiet = simulate(folder, simulator=simulator)
    assert (quiet.mismatches, quiet.blocks, quiet.stall_cycles, quiet.idle_cycles) == (0, BLOCKS, 0, 0)
    assert quiet.cycles == BLOCKS + latency
    for stalls in ("regular", "random"):
        result = simulate(folder, simulator=simulator, stalls=stalls, seed=5)
        assert (result.mismatches, result.blocks, result.stall_cycles) == (0, BLOCKS, 0)
        assert result.idle_cycles > 0


@pytest.mark.parametrize("which", ["lean", "registered"])
@pytest.mark.parametrize("stalls", ["none", "random", "sink", "source"])
def test_restarts_resets_errors_and_flags(request: pytest.FixtureRequest, which: str, stalls: str) -> None:
    folder = request.getfixturevalue(which)
    manifest = read_manifest(folder)
    blocks = BLOCKS + sum(scene.words["m_axis"] for scene in manifest.scenes)
    result = simulate(folder, restarts=True, stalls=stalls, seed=7)
    assert (result.mismatches, result.blocks, result.stall_cycles, result.passed) == (0, blocks, 0, True)


@pytest.mark.skipif(not available("verilator"), reason="verilator is not installed")
@pytest.mark.parametrize("options", [{}, {"length_bits": 7, "skid_buffers": True}], ids=["lean", "guarded"])
def test_a_mask_by_a_pattern_book_in_segments(tmp_path: Path, options: dict[str, int | bool]) -> None:
    """What is stored by default, every segment a stream of its own; and random streams of the same parts."""
    rng = np.random.default_rng(4)
    kept = rng.random(1200) < 0.15
    words = np.where(kept, rng.integers(1, 16, 1200), 0).astype(np.uint8)
    book = PatternBook(6, (1, 0, 0, 6, 0, 0, 16))
    codes = [Code.from_family("identity", n_in=6, n_out=6, n_s=0)]
    codes += [usual_graph(n_in, 6, n_s) for n_in, n_s in ((3, 1), (1, 3), (1, 6))]
    tensor = encode_stored(
        words,
        shape=(30, 40),
        number_format=number_format("int4"),
        scan=Interleaver(1200),
        mask_coder=encode_book_mask(kept, book, codes, segment_blocks=12),
        values=RawPlanes(4),
        codes=[usual_graph(8, 36, 2)],
        options=EncodeOptions(encoder="elimination", segment_blocks=12),
    )
    assert tensor.blocks > 2 * tensor.segment_blocks
    folder = tmp_path / "decoder"
    write_package(folder, config_for(tensor, **options), tensor)
    quiet = simulate(folder)
    assert (quiet.mismatches, quiet.stall_cycles, quiet.idle_cycles) == (0, 0, 0)
    for stalls in ("random", "sink"):
        result = simulate(folder, restarts=True, stalls=stalls, seed=7)
        assert (result.mismatches, result.stall_cycles, result.passed) == (0, 0, True)


@pytest.mark.parametrize("which", ["lean", "registered"])
def test_every_pair_of_a_stall_and_a_place_is_met(request: pytest.FixtureRequest, which: str) -> None:
    folder = request.getfixturevalue(which)
    runs = [simulate(folder, restarts=True, stalls="random", seed=seed) for seed in range(4)]
    never = set.intersection(*(set(run.unmet) for run in runs))
    # a decoder that is empty takes the first symbol at once, a skid buffer that of any stream
    first = {f"{s.prefix} is held up first" for s in read_manifest(folder).inputs}
    assert never <= (first if which == "registered" else {"s_axis is held up first"})
    assert {run.pairs for run in runs} == {6 * len(read_manifest(folder).inputs) + 3}
    # those that the definition leaves where nobody outside pauses
    quiet = set(simulate(folder).unmet)
    assert {pair for pair in quiet if " pauses " in pair or pair.startswith("m_axis")} == {
        *(
            f"{s.prefix} pauses {place}"
            for s in read_manifest(folder).inputs
            for place in ("first", "inside", "last")
        ),
        *(f"m_axis is held up {place}" for place in ("first", "inside", "last")),
    }


# a fault, and in which of the two packages it is: every one of them is invisible to one tensor from reset to end
FAULTS = {
    "a stream starts only on tuser": ("lean", r"start = i_first \| ~running;", "start = i_first;"),
    "a stream starts only after tlast": ("lean", r"start = i_first \| ~running;", "start = ~running;"),
    "running survives a reset": (
        "lean",
        r"(if \(rst\) begin\n\s*)running <= 1'b0;",
        r"\1running <= running;",
    ),
    "a block survives a reset": ("lean", r"(if \(rst\) begin\n\s*)full <= 1'b0;", r"\1full <= full;"),
    "patch_restart is ignored": ("registered", r"\.restart\(patch_restart\)", ".restart(1'b0)"),
    "an overflow is never told": ("registered", r"overflow <= 1'b1;", "overflow <= 1'b0;"),
    "too long is never told": ("registered", r"too_long <= 1'b1;", "too_long <= 1'b0;"),
    "too short is never told": ("registered", r"too_short <= 1'b1;", "too_short <= 1'b0;"),
    "stream_clear is ignored": ("registered", r"\.clear\(stream_clear\)", ".clear(1'b0)"),
}


@pytest.mark.skipif(not available("icarus"), reason="icarus is not installed")
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_control_are_seen(request: pytest.FixtureRequest, tmp_path: Path, fault: str) -> None:
    which, pattern, wrong = FAULTS[fault]
    folder = tmp_path / "d"
    shutil.copytree(request.getfixturevalue(which), folder, ignore=shutil.ignore_patterns("sim_build"))
    (path,) = (folder / "rtl").glob("*.v")
    text, hits = re.subn(pattern, wrong, path.read_text())
    assert hits
    path.write_text(text)
    result = simulate(folder, simulator="icarus", restarts=True)
    assert not result.passed and result.messages


def test_one_wrong_bit_is_seen(lean: Path, tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled"
    shutil.copytree(lean, spoiled)
    path = spoiled / "vectors" / "weights.hex"
    lines = path.read_text().split()
    lines[77] = f"{int(lines[77], 16) ^ 1 << 40:0{len(lines[77])}x}"
    path.write_text("\n".join(lines))
    result = simulate(spoiled)
    assert result.mismatches == 1
    assert result.messages[0].startswith("golden: block 77: got ")


def test_a_broken_decoder_is_seen(lean: Path, tmp_path: Path) -> None:
    """The history is not cleared at a start: only blocks after the first stream are wrong."""
    broken = tmp_path / "broken"
    shutil.copytree(lean, broken)
    (path,) = (broken / "rtl").glob("*.v")
    text = path.read_text()
    assert "start ? 40'h0 : x0" in text
    path.write_text(text.replace("start ? 40'h0 : x0", "x0"))
    result = simulate(broken)
    assert 0 < result.mismatches <= 3 * 2
    assert result.messages[0].startswith(f"golden: block {SEGMENT}:")


def test_waves_can_be_opened(lean: Path, tmp_path: Path) -> None:
    path = tmp_path / "waves" / "run.vcd"
    simulate(lean, waves=path)
    text = path.read_text()
    assert "$enddefinitions $end" in text
    assert "m_axis_tdata" in text


@pytest.mark.parametrize(
    "name", ["rtl/decoder.v", "manifest.json", "notes.vcd", "folder.vcd", ".", "run.fst"]
)
def test_waves_replace_nothing_else(lean: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "p"
    shutil.copytree(lean, folder)
    (folder / "notes.vcd").write_text("my notes")
    (folder / "folder.vcd").mkdir()
    held = sorted((path, path.is_file() and path.read_bytes()) for path in folder.rglob("*"))
    with pytest.raises(InputError, match=r"must be named \.vcd|of another kind|must be a file, not a folder"):
        simulate(folder, waves=folder / name)
    assert sorted((path, path.is_file() and path.read_bytes()) for path in folder.rglob("*")) == held


def test_waves_of_icarus_are_what_their_name_says(lean: Path, tmp_path: Path) -> None:
    if not available("icarus"):
        pytest.skip("Icarus Verilog is not installed")
    with pytest.raises(InputError, match=r"must be named \.fst"):
        simulate(lean, simulator="icarus", waves=tmp_path / "run.vcd")
    simulate(lean, simulator="icarus", waves=tmp_path / "run.fst")
    assert (tmp_path / "run.fst").read_bytes()[:1] == b"\0"  # an FST file begins with a block of type 0


NAMES = ['it\'s a "q" $(touch PWN)x;&#%d ünï-☃', "\udcff\n"]


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_any_folder(lean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: str) -> None:
    """Neither make nor a shell sees the name of the folder, nor of the one for temporary files."""
    if not available(simulator):
        pytest.skip(f"{simulator} is not installed")
    for name in NAMES:
        folder = tmp_path / name / "package"
        shutil.copytree(lean, folder)
        temporary = tmp_path / name / "tmp"
        temporary.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        before = sorted(folder.rglob("*"))
        result = simulate(folder, simulator=simulator)
        assert (result.mismatches, result.blocks) == (0, BLOCKS)
        assert sorted(folder.rglob("*")) == before and not list(temporary.iterdir())
    assert not list(tmp_path.rglob("PWN"))


def test_a_build_in_any_folder_for_temporary_files_and_where_nothing_can_be_kept(
    lean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was kept before in this process: the folder is asked for anew."""
    asked = []
    kept = verilator_build._folder
    monkeypatch.setattr(verilator_build, "_folder", lambda *how: asked.append(kept(*how)) or asked[-1])
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")
    temporary = tmp_path / "a b'$(touch PWN);&#%d"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    assert simulate(lean).mismatches == 0
    assert not list(tmp_path.rglob("PWN")) and not list(temporary.iterdir())
    # once to lend, once to keep
    assert len(asked) == 2 and all(path.parent == Path("/proc/xorweave") for path in asked)


def test_without_a_home_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless() -> Path:
        raise RuntimeError("there is no home")

    monkeypatch.setattr(Path, "home", homeless)
    (tmp_path / "verilated.o").touch()
    verilator_build.keep_objects(tmp_path)
    verilator_build.lend_objects(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["verilated.o"]


def test_two_runs_at_once(lean: Path) -> None:
    command = [sys.executable, "-m", "xorweave.cli", "simulate", str(lean), "--json"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    for run in runs:
        out, _ = run.communicate()
        assert run.returncode == 0 and json.loads(out)["mismatches"] == 0


_KEEP = """
import sys
from pathlib import Path
from xorweave.sim import verilator_build
for number in range(100):
    verilator_build._folder = lambda waves, vpi: Path(sys.argv[2]) / str(number)
    verilator_build.keep_objects(Path(sys.argv[1]))
"""


def test_builds_that_end_at_once_keep_the_objects_of_one(tmp_path: Path) -> None:
    kept, builds = tmp_path / "kept", [tmp_path / "a", tmp_path / "b"]
    for build in builds:
        build.mkdir()
        for number in range(20):
            (build / f"verilated{number}.o").write_text(build.name)
    runs = [subprocess.Popen([sys.executable, "-c", _KEEP, build, kept]) for build in builds]
    assert [run.wait() for run in runs] == [0, 0]
    assert sorted(path.name for path in kept.iterdir()) == sorted(map(str, range(100)))
    for folder in kept.iterdir():
        found = [path.read_text() for path in folder.iterdir()]
        assert len(found) == 20 and len(set(found)) == 1


def test_bad_input(tmp_path: Path, lean: Path) -> None:
    with pytest.raises(InputError, match="must be a folder that generate wrote"):
        simulate(tmp_path)
    with pytest.raises(
        InputError, match="stalls must be one of none, random, regular, sink, source, not 'often'"
    ):
        simulate(lean, stalls="often")
    with pytest.raises(InputError, match="the simulator must be one of verilator, icarus, not 'vcs'"):
        simulate(lean, simulator="vcs")
