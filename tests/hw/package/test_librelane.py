"""LibreLane's schema takes the configuration in a package, and refuses a wrong one; layout itself needs its tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xorweave.hw.package.package import librelane_configuration

# it wants older releases of click and others than we do, so it has an environment of its own
pytest.importorskip("librelane", reason="LibreLane is not installed (pip install librelane)")


def _load(entries: dict[str, Any], folder: Path) -> Any:
    """Check every name and value; the variables of a process are left out, for its files are not there."""
    from librelane.config import Config
    from librelane.flows import Flow

    process = {"PDK": "sky130A", "STD_CELL_LIBRARY": "sky130_fd_sc_hd"}
    flow = Flow.factory.get(entries["meta"]["flow"])
    variables = [v for v in flow.get_all_config_variables(flow) if not v.pdk or v.name in process]
    loaded, _ = Config.load(
        entries | process, variables, design_dir=str(folder), pdk_root="/", _load_pdk_configs=False
    )
    return loaded


def test_the_schema_accepts_it(tmp_path: Path) -> None:
    from librelane.config import InvalidConfig

    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "xorweave_decoder.v").write_text("module xorweave_decoder (input clk); endmodule\n")
    entries = json.loads(librelane_configuration("xorweave_decoder"))
    loaded = _load(entries, tmp_path)
    assert loaded["DESIGN_NAME"] == "xorweave_decoder" and loaded["CLOCK_PERIOD"] == 10
    assert [Path(path).name for path in loaded["VERILOG_FILES"]] == ["xorweave_decoder.v"]
    for wrong in ({"FP_CORE_UTILS": 40}, {"CLOCK_PERIOD": "soon"}):
        with pytest.raises(InvalidConfig):
            _load(entries | wrong, tmp_path)
