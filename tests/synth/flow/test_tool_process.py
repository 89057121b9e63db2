"""A tool that is late ends with all that it started."""

import time
from pathlib import Path

import pytest

from xorweave.golden.base.errors import ToolError
from xorweave.synth.flow.tool_process import run_tool


def test_output_and_status_come_back(tmp_path: Path) -> None:
    done = run_tool("sh", ["sh", "-c", "echo out; echo err >&2; exit 3"], tmp_path)
    assert done.returncode == 3 and done.stdout.split() == ["out", "err"]


def test_a_late_tool_leaves_no_process(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="it did not finish in 1 s"):
        run_tool("it", ["sh", "-c", "sleep 60 & echo $! > pid; wait"], tmp_path, timeout_s=1)
    process = Path("/proc") / (tmp_path / "pid").read_text().strip() / "stat"
    for _ in range(100):
        # what was killed may wait for somebody to take note of it
        if not process.exists() or process.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the tool's own child is still running")
