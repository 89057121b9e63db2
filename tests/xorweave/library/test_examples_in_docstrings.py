"""The examples in the docstrings of the public interface do what they show."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = {"xorweave": 5, "xorweave.library.encodable": 6, "xorweave.library.encoding": 4,
           "xorweave.library.stored": 6, "xorweave.library.products": 4, "xorweave.library.hardware": 3}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0 and found.attempted >= MODULES[name]
