"""The examples run, and the README shows what they hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_encode_layer(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "encode_layer.py"), str(tmp_path / "decoder")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "bits a weight, mask included" in done.stdout
    assert "module xorweave_decoder" in (tmp_path / "decoder" / "rtl" / "xorweave_decoder.v").read_text()


def test_readme_quotes_the_example() -> None:
    readme = (ROOT / "README.md").read_text()
    quoted = readme.split("```python\n")[1].split("```")[0].strip()
    assert quoted in (ROOT / "examples" / "encode_layer.py").read_text()
