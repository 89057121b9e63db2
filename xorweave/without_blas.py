"""Numba's kernels are loaded without SciPy's BLAS, which none of ours calls."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

_LOOKS_FOR_BLAS = "numba.np.arraymath"


class _Finder(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Find nothing, and refuse `scipy.linalg` while Numba looks whether it is there."""
        if fullname == "scipy.linalg":
            loading = sys.modules.get(_LOOKS_FOR_BLAS)
            if loading is not None and not hasattr(loading, "_HAVE_BLAS"):
                raise ModuleNotFoundError("not looked for", name=fullname)


def load_kernels_without_blas() -> None:
    """Save a command a third of a second: Numba imports `scipy.linalg` with the first kernel, to see if it is there.

    For a process of our own only: in it compiled code could not call `np.cov` or `np.corrcoef`.
    """
    sys.meta_path.insert(0, _Finder())
