"""Where the benchmarks' real inputs lie: the folder named by XORWEAVE_DATA, or ../shared/data beside the project."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def data_folder() -> Path:
    """Return the folder, or stop with a line that says where it is looked for."""
    here = Path(os.environ.get("XORWEAVE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not here.is_dir():
        sys.exit(f"there is no folder {here}; set XORWEAVE_DATA to the real masks and weights")
    return here
