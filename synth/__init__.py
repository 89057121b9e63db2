"""Counting gates, mapping to libraries and FPGAs, and proving netlists; called as a function, it does so.

``xorweave.synth`` is both this package and the function of the public interface: importing any of its modules binds
the package to that name, so the package itself can be called.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any


class _Callable(types.ModuleType):
    def __call__(self, directory: Path | str, **options: Any) -> Any:
        """Count the gates of a package, prove its netlist: `xorweave.synth.package.synthesize_package`."""
        from xorweave.synth.package import synthesize_package

        return synthesize_package(Path(directory), **options)


sys.modules[__name__].__class__ = _Callable
