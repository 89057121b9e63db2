"""Load every kernel that is kept with what `load_cached_kernels_alone` leaves of Numba.

Prints how many there are. Where one calls a function that the process does not have, LLVM ends it.
Run as ``python kept_kernels.py PACKAGE ...``.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator

from xorweave.cached_kernels import load_cached_kernels_alone

load_cached_kernels_alone()

from numba.core.dispatcher import Dispatcher  # noqa: E402 - after what is looked at here


def modules(packages: list[str]) -> Iterator[object]:
    for package in map(importlib.import_module, packages):
        yield package
        for found in pkgutil.walk_packages(getattr(package, "__path__", []), f"{package.__name__}."):
            yield importlib.import_module(found.name)


count = 0
for module in modules(sys.argv[1:]):
    for kernel in vars(module).values():
        if not isinstance(kernel, Dispatcher) or kernel.py_func.__module__ != module.__name__:  # type: ignore[attr-defined]
            continue
        for signature, *_ in kernel._cache._cache_file._load_index():
            kernel._cache.load_overload(signature, kernel.targetctx)
            count += 1
print(
    count,
    "kernels",
    any(name in sys.modules for name in ("numba.np.npyimpl", "numba.np.arrayobj", "scipy.linalg")),
)
