"""The tutorial, line by line, in the order in which a newcomer copies it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PROMPT = "$ "


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return (language, text) of the fenced blocks that a reader runs, in order."""
    found: list[tuple[str, str]] = _FENCED.findall(page.read_text())
    return [block for block in found if block[0] in ("python", "console")]


def test_every_line_of_the_tutorial_runs(tmp_path: Path) -> None:
    run = blocks(ROOT / "docs" / "tutorial.md")
    assert [language for language, _ in run].count("console") >= 4
    # the command is the one beside this Python, and the package the one of this checkout
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": paths, "PYTHONPATH": str(ROOT)}
    shown = {}
    for language, text in run:
        if language == "python":
            commands = [([sys.executable, "-c", text], text)]
        else:
            lines = text.splitlines()
            assert all(line.startswith(_PROMPT) for line in lines), text
            commands = [(["/bin/sh", "-c", line.removeprefix(_PROMPT)], line) for line in lines]
        for command, line in commands:
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400
            )
            assert done.returncode == 0, f"{line}\n{done.stderr}"
            shown[line] = done.stdout
    # what the page says of the last two
    simulated, counted = list(shown.values())[-2:]
    assert "0 mismatches" in simulated, simulated
    assert "proved" in counted, counted
