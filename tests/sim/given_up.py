"""A run that is given up half-way: whatever the engine held, after a reset it does all as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from xorweave.sim.stream_model import StreamModel


@contextmanager
def given_up(model: StreamModel, cycles: int) -> Iterator[None]:
    """Let every run of a model be reset after so many cycles, and begun again."""
    model.run = partial(model.run, reset_after=cycles)  # type: ignore[method-assign]
    try:
        yield
    finally:
        del model.run
