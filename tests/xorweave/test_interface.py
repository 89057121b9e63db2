"""``import xorweave as xw``: cheap, and every name there when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import xorweave as xw

HEAVY = ("numpy", "numba", "scipy", "amaranth", "networkx", "safetensors", "typer", "rich")


def _loaded(script: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after a script."""
    command = [sys.executable, "-c", f"{script}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_importing_loads_nothing_heavy() -> None:
    loaded = _loaded("import xorweave as xw\nxw.InputError\ndir(xw)\nxw.__version__")
    assert "xorweave" in loaded and not loaded & set(HEAVY)


def test_storing_does_without_hardware_tools() -> None:
    loaded = _loaded("import xorweave as xw\nxw.encode, xw.open, xw.verify")
    assert "xorweave.library.stored" in loaded
    assert not loaded & {"amaranth", "networkx", "cocotb", "pyosys", "typer", "rich", "jinja2"}


@pytest.mark.parametrize("name", xw.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(xw, name).__doc__ and name in dir(xw)


def test_synth_stays_a_function_when_its_package_is_imported() -> None:
    import xorweave.synth.flow.netlist

    assert callable(xw.synth) and xorweave.synth.flow.netlist.__doc__
    with pytest.raises(xw.InputError):
        xw.synth("/nothing/here")


def test_no_such_name() -> None:
    with pytest.raises(AttributeError, match=r"^module 'xorweave' has no attribute 'decode_all'$"):
        xw.decode_all  # noqa: B018
