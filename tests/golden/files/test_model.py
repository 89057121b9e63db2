"""Many tensors at once: what one of them is refused for ends the others' work too."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.files.model import encode_model, prepare_model
from xorweave.golden.files.prepare import Preparation
from xorweave.golden.files.recipe import Recipe
from xorweave.golden.files.safetensors_file import Tensor


def test_a_refused_tensor_is_named_and_what_waits_is_not_begun() -> None:
    rng = np.random.default_rng(0)
    tensors = {f"w{i}": Tensor.of(rng.integers(-100, 100, (60 - i, 60)).astype(np.int8)) for i in range(12)}
    model = prepare_model(tensors, Preparation())
    choice = Choice(code=CodeChoice.parse("n_in=4,n_out=8,n_s=1"), error_free=True)
    begun: list[str] = []

    def begin(name: str, share: float) -> None:
        begun.append(name)

    with pytest.raises(InputError, match=r"^tensor w0: .* leaves \d+ weights unmatched"):
        encode_model(model, Recipe(choice=choice), progress=begin)
    assert len(set(begun)) < 6  # one thread: the largest, and those it took up before the refusal was seen


def test_what_would_grow_is_packed_unless_a_code_is_asked_for() -> None:
    rng = np.random.default_rng(1)
    values = {
        "noise": rng.integers(-128, 128, (16, 16)).astype(np.int8),
        "sparse": np.where(rng.random((64, 64)) < 0.1, 77, 0).astype(np.int8),
    }
    model = prepare_model({name: Tensor.of(array) for name, array in values.items()}, Preparation())
    for choice, kind in (
        (Choice(), "packed"),
        (Choice(goal="hardware"), "raw"),
        (Choice(code=CodeChoice.parse("paper")), "raw"),
    ):
        container, _ = encode_model(model, Recipe(choice=choice))
        assert set(container.encoded) == set(values)
        assert container.encoded["noise"].values.kind == kind
        assert container.encoded["sparse"].values.kind != "packed"
        assert np.array_equal(container.decode("noise"), values["noise"])
