"""Programs of the flow run in processes of their own: what one does wrong cannot end ours."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from xorweave.golden.base.errors import ToolError


def run_tool(
    name: str, command: Sequence[str | Path], directory: Path, timeout_s: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in `directory`; what it prints on either output is in ``stdout``. Its status is not looked at.

    Raises
    ------
    ToolError
        It took longer than `timeout_s` seconds; `name` is what the message calls it.
    """
    try:
        return subprocess.run(
            command,
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"{name} did not finish in {timeout_s:g} s") from None
