"""Random small configurations through the whole flow: encoded, saved, opened, decoded bit for bit; some simulated."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import xorweave as xw
from xorweave.sim.simulators import available

_CORRECTIONS = ("auto", "paper", "joint", "plane")


@st.composite
def tensors(draw: st.DrawFn) -> NDArray:
    """Any words at kept places, NaNs and -0.0 among those of floats; some skewed, some masks clustered."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = np.dtype(draw(st.sampled_from(("int8", "uint8", "int16", "float16", "float32"))))
    shape = draw(st.sampled_from(((1, 1), (1, 70), (3, 5, 7), (16, 40), (40, 16), (30, 50))))
    density = draw(st.sampled_from((0.0, 0.03, 0.1, 0.3, 0.6, 1.0)))
    if draw(st.booleans()):
        words = rng.integers(0, 256, (*shape, dtype.itemsize), np.uint8).view(dtype)[..., 0]
    else:
        words = np.rint(rng.standard_normal(shape) * 12).astype(dtype)
    if draw(st.booleans()):
        density = density * np.minimum(1, rng.exponential(1, (shape[0], *[1] * (len(shape) - 1))))
    return np.where(rng.random(shape) < density, words, dtype.type(0))


@st.composite
def raw_words(draw: st.DrawFn) -> dict[str, Any]:
    """A code that is given, and what only raw planes have."""
    family = draw(st.sampled_from(("uniform", "sparse,taps=3", "chain", "paired", "graph")))
    n_in, n_out, n_s = draw(st.integers(3, 9)), draw(st.integers(2, 60)), draw(st.integers(1, 4))
    return {
        "code": f"family={family},n_in={n_in},n_out={n_out},n_s={n_s},seed={draw(st.integers(0, 9))}",
        "transform": draw(st.sampled_from(("none", "difference", "sign-magnitude", "auto"))),
        "drop_planes": draw(st.booleans()),
        "corrections": draw(st.sampled_from(_CORRECTIONS)),
        "scan": draw(st.sampled_from(("auto", "row-major"))),
        "segments": draw(st.sampled_from((None, 1, 3))),
    }


def words() -> st.SearchStrategy[dict[str, Any]]:
    """What `encode` is told."""
    stored = st.fixed_dictionaries(
        {
            "mask_code": st.sampled_from(("auto", "bitmap", "book", "shaped")),
            "values_code": st.sampled_from(("auto", "raw", "prefix")),
        }
    )
    goals = st.fixed_dictionaries({"goal": st.sampled_from(("hardware", "products", "paper"))})
    paper = st.fixed_dictionaries(
        {"code": st.sampled_from(("paper,n_s=0", "paper,n_s=1", "paper,n_s=2,invert=0"))}
    )
    scans = st.fixed_dictionaries({"scan": st.sampled_from(("lanes", "cells", "tiles"))})
    return st.one_of(st.just({}), stored, goals, paper, scans, raw_words())


def _stored(tensor: NDArray, told: dict[str, Any], folder: Path) -> xw.StoredTensor:
    """Encode, save, open; what cannot be had is refused in a line, and is no example."""
    try:
        encoded = xw.encode(tensor, **told)
    except xw.InputError as error:
        event(f"refused: {str(error)[:40]}")
        assume(False)
    encoded.save(folder / "w.safetensors")
    opened = xw.open(folder / "w.safetensors")
    assume("weights" in opened)  # what is nothing but zeros is carried
    return opened["weights"]


def _same(found: NDArray, wanted: NDArray) -> bool:
    return found.dtype == wanted.dtype and found.shape == wanted.shape and found.tobytes() == wanted.tobytes()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
@given(tensors(), words())
def test_what_is_decoded_is_what_was_encoded(tensor: NDArray, told: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        stored = _stored(tensor, told, Path(folder))
        assert _same(stored.decode(), tensor)
        matrix = tensor.reshape(tensor.shape[0], -1)
        last = len(matrix) - 1
        assert _same(stored.rows(last, last + 1).reshape(-1), matrix[last])


@pytest.mark.skipif(not available("verilator"), reason="verilator is not installed")
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # a smaller example would take as long
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(tensors(), words())
def test_the_decoder_gives_the_same_words(tensor: NDArray, told: dict[str, Any]) -> None:
    assume(100 < tensor.size < 1000 and tensor.itemsize < 4 and np.count_nonzero(tensor) > 10)
    with TemporaryDirectory() as folder:
        stored = _stored(tensor, told, Path(folder))
        assume(stored.tensor.values.kind != "packed")
        xw.decoder(stored).write(Path(folder) / "decoder", vectors=stored)
        result = xw.simulate(Path(folder) / "decoder", stalls="random", restarts=True)
        assert (result.mismatches, result.stall_cycles) == (0, 0)
