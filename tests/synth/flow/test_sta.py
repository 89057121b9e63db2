"""OpenSTA: its answer is read, and where it is installed its path is a little longer than ABC's."""

import os
from pathlib import Path

import pytest

from xorweave.golden.base.errors import ToolError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.package.package import write_package
from xorweave.hw.package.vectors import random_tensor
from xorweave.synth import decoder_package
from xorweave.synth.decoder_package import synthesize_decoder
from xorweave.synth.flow.sta import read_worst_slack, sta_executable

SHARED = Path(os.environ.get("XORWEAVE_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")).parent
LIBRARY = SHARED / "liberty" / "sg13g2_stdcell_typ_1p20V_25C.lib"


def test_slack_is_read_and_what_went_wrong_is_said():
    assert read_worst_slack("Warning: x\nWORST SLACK 9.98e+02\n") == 998
    with pytest.raises(ToolError, match=r"gave no path: path\.tcl, 3 module top not found"):
        read_worst_slack("Error: path.tcl, 3 module top not found.".rstrip("."))
    with pytest.raises(ToolError, match="gave no path"):
        read_worst_slack("WORST SLACK \n")


@pytest.fixture
def decoder(tmp_path):
    if not LIBRARY.is_file():
        pytest.skip(f"{LIBRARY.name} is not at hand")
    tensor = random_tensor(Code.uniform(n_in=3, n_out=8, n_s=1, seed=3), number_format("int4"), blocks=4)
    write_package(tmp_path / "decoder", config_for(tensor), tensor)
    return tmp_path / "decoder"


def test_without_it_the_path_is_abcs(decoder, monkeypatch):
    monkeypatch.setattr(decoder_package, "sta_executable", lambda: None)
    result = synthesize_decoder(decoder, liberty=LIBRARY, prove=False)
    assert result.timing == "abc" and "opensta" not in result.tool_versions


def test_stand_in_is_asked_and_its_answer_is_the_path(decoder, tmp_path, monkeypatch):
    """A stand-in that reads the script: it must name the library's cells, and says the slack is 997.5."""
    fake = tmp_path / "sta"
    fake.write_text(
        '#!/bin/sh\nif [ "$1" = -version ]; then echo 9.8.7; exit; fi\n'
        "grep -q 'set_driving_cell -lib_cell sg13g2_buf_1' path.tcl && test -s netlist.v && test -s cells.lib"
        " && echo 'WORST SLACK 9.975e+02'\n"
    )
    fake.chmod(0o755)
    monkeypatch.setattr(decoder_package, "sta_executable", lambda: str(fake))
    result = synthesize_decoder(decoder, liberty=LIBRARY, prove=False)
    assert result.timing == "opensta" and result.tool_versions["opensta"] == "OpenSTA 9.8.7"
    assert result.critical_path_ns == pytest.approx(2.5) and result.fmax_mhz == pytest.approx(400)


def test_real_one_agrees_with_abc_in_order_of_size(decoder, monkeypatch):
    if sta_executable() is None:
        pytest.skip("OpenSTA is not installed (no sta on PATH)")
    result = synthesize_decoder(decoder, liberty=LIBRARY, prove=False)
    assert result.timing == "opensta"
    monkeypatch.setattr(decoder_package, "sta_executable", lambda: None)
    by_abc = synthesize_decoder(decoder, liberty=LIBRARY, prove=False)
    assert 0.5 < result.fmax_mhz / by_abc.fmax_mhz < 1.5
