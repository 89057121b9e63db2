"""A page as a headless Chromium shows it: at any width, what is too wide, too small, too pale, or cut off."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

# What the page says of itself.
_LOOK = f"<script>{Path(__file__).with_name('look.js').read_text()}</script>"


def chromium() -> str:
    """Return the browser; skip the test where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium here to open the page in")
    return found


def dump(page: Path, profile: Path, *, wait: int = 0) -> subprocess.CompletedProcess[str]:
    """Open a page and return what it has become, and what it said on its console.

    Parameters
    ----------
    profile : Path
        A folder that the browser may fill.
    wait : int
        Milliseconds of the page's own time.
    """
    return subprocess.run(
        [
            chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--allow-file-access-from-files", "--hide-scrollbars", f"--user-data-dir={profile}",
            "--window-size=1400,1000", "--enable-logging=stderr",
            *([f"--virtual-time-budget={wait}"] if wait else []), "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip


def look(page: Path, width: int, folder: Path) -> dict[str, Any]:
    """Show a page at a width and return what there is to say of it.

    Parameters
    ----------
    page : Path
        Copied beside itself, so that what it loads is found.
    folder : Path
        For the browser.
    """
    chromium()
    shown = page.with_name(f"{page.stem}-{width}-looked.html")
    shown.write_text(page.read_text(encoding="utf-8") + _LOOK, encoding="utf-8")
    # headless windows are never narrower than 500 pixels: a frame of the width stands for the phone
    frame = page.with_name(f"{page.stem}-{width}-frame.html")
    frame.write_text(
        f'<iframe id="f" src="{shown.name}" style="width:{width}px;height:900px;border:0"></iframe>'
        "<script>setInterval(() => {"  # as soon as it is there: a busy machine takes its time
        " const said = document.getElementById('f').contentDocument.title;"
        " if (said.startsWith('LOOKED')) document.title = said }, 100)</script>"
    )
    done = dump(frame, folder / f"profile-{width}", wait=20000)
    found = re.search(r"<title>LOOKED (.*?)</title>", done.stdout, re.DOTALL)
    assert found, done.stdout[:500]
    return dict(json.loads(html.unescape(found[1])))
