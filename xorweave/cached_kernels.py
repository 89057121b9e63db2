"""Kernels that were compiled before are loaded without what Numba needs to compile others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_CACHE = "numba.core.caching"


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find Numba's cache, and change how it loads what it keeps; find nothing else."""
        if fullname != _CACHE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                _change(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _change(module: ModuleType) -> None:
    from numba.core import environment
    from numba.core.runtime import rtsys

    rebuild = environment._rebuild_env

    def rebuild_env(modname: str, consts: Any, env_name: str) -> Any:
        """Make what compiled code keeps of a function of Numba's own; of its module, machine code needs the name alone.

        `np.zeros` in a kernel would have all of Numba's NumPy loaded, and SciPy's linear algebra with it.
        """
        if (
            modname in sys.modules
            or not modname.startswith("numba.")
            or environment.lookup_environment(env_name)
        ):
            return rebuild(modname, consts, env_name)
        made = environment.Environment({"__name__": modname})
        made.consts[:] = consts
        made.env_name = env_name
        environment.Environment._memo[env_name] = made
        return made

    # under the name by which kernels that are kept ask for it
    rebuild_env.__module__, rebuild_env.__qualname__ = rebuild.__module__, rebuild.__qualname__
    rebuild_env.__name__ = rebuild.__name__
    environment._rebuild_env = rebuild_env

    def load_overload(cache: Any, signature: Any, target_context: Any) -> Any:
        """Load a kernel; of what `target_context.refresh` does, machine code needs this alone."""
        rtsys.initialize(target_context)
        with cache._guard_against_spurious_io_errors():
            return cache._load_overload(signature, target_context)

    module.Cache.load_overload = load_overload


def load_cached_kernels_alone() -> None:
    """Save a command half a second: Numba reads all that it can compile before it loads what it compiled long ago.

    For a process of our own only. A kernel that is not kept yet is compiled as ever: the compiler sees to what it
    needs. A kernel must not call what Numba finds in a registry (dictionaries, sets, random numbers).
    """
    loaded = sys.modules.get(_CACHE)
    if loaded is not None:
        _change(loaded)
    else:
        sys.meta_path.insert(0, _Finder())
