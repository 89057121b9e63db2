"""Programs of the flow run in processes of their own: what one does wrong cannot end ours."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from xorweave.golden.base.errors import ToolError


def run_tool(
    name: str, command: Sequence[str | Path], directory: Path, timeout_s: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in `directory`; what it prints on either output is in ``stdout``. Its status is not looked at.

    It gets a process group of its own, which is killed when it takes too long and when we are interrupted: tools start
    tools, and none of them outlives the call.

    Raises
    ------
    ToolError
        It took longer than `timeout_s` seconds; `name` is what the message calls it.
    """
    with subprocess.Popen(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            raise ToolError(f"{name} did not finish in {timeout_s:g} s") from None
        except BaseException:
            _end(process)
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
