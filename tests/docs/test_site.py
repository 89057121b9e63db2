"""The documentation site is built without a warning, and looked at in a browser of two widths."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_OVERFLOW = """
<script>addEventListener("load", () => {
  document.title = `WIDE ${document.documentElement.scrollWidth} OF ${document.documentElement.clientWidth}`;
});</script>
"""


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
@pytest.mark.parametrize("page", ["index", "tutorial", "verification", "api", "commands"])
def test_no_page_is_wider_than_the_screen(site: Path, page: str, width: int, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("chromium is not installed: the site's pages are not looked at")
    shown = site / f"{page}-{width}.html"
    shown.write_text((site / f"{page}.html").read_text() + _OVERFLOW)
    # headless windows are never narrower than 500 pixels: a frame of the width stands for the phone
    frame = site / f"frame-{page}-{width}.html"
    frame.write_text(
        f'<iframe id="f" src="{shown.name}" style="width:{width}px;height:900px;border:0"></iframe>'
        "<script>setTimeout(() => {"
        " document.title = document.getElementById('f').contentDocument.title }, 1500)</script>"
    )
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--allow-file-access-from-files", "--hide-scrollbars", f"--user-data-dir={tmp_path}",
            "--window-size=1400,1000", "--virtual-time-budget=4000", "--dump-dom", frame.as_uri(),
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    title = done.stdout.split("<title>")[1].split("</title>")[0]
    wide, of = (int(word) for word in title.split() if word.isdigit())
    assert of == width and wide <= of, title
