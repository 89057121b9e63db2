"""The documentation site is built without a warning, and looked at in a browser of two widths."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import look

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built anew with warnings as errors."""
    if missing := [name for name in ("sphinx", "myst_parser", "furo") if not importlib.util.find_spec(name)]:
        pytest.skip(f"the site is not built: {', '.join(missing)} missing (extra `docs`)")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "docs", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages <= {path.stem for path in site.glob("*.html")}


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("page", ["index", "tutorial", "verification", "report", "api", "commands"])
def test_no_page_is_wider_than_the_screen(site: Path, page: str, width: int, tmp_path: Path) -> None:
    found = look(site / f"{page}.html", width, tmp_path)
    assert found["width"] == width and found["wide"] <= width
