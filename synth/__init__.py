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
        """Count a decoder's gates, prove its netlist: `xorweave.synth.decoder_package.synthesize_decoder`."""
        from xorweave.synth.decoder_package import synthesize_decoder

        return synthesize_decoder(Path(directory), **options)


sys.modules[__name__].__class__ = _Callable
