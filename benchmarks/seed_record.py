"""What a benchmark measured for each seed, in a file that grows by one line a seed: a run that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class SeedRecord:
    """A file of measured seeds; without a path nothing is kept.

    Parameters
    ----------
    path : Path, optional
    setting : dict
        Everything that the figures depend on beside the seed; lines of other settings are left alone.
    """

    def __init__(self, path: Path | None, setting: dict[str, Any]) -> None:
        self._path, self._setting = path, json.loads(json.dumps(setting))
        lines = path.read_text("utf-8").splitlines() if path and path.exists() else []
        entries = [json.loads(line) for line in lines]
        self._found = {e["seed"]: e["figures"] for e in entries if e["setting"] == self._setting}

    def of(self, seed: int, measure: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
        """Return the figures of a seed, measured now if they are not in the file."""
        if seed not in self._found:
            self._found[seed] = json.loads(json.dumps(measure(seed)))
            if self._path:
                line = {"setting": self._setting, "seed": seed, "figures": self._found[seed]}
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
        return self._found[seed]
