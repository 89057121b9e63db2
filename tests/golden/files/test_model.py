"""Many tensors at once: what one of them is refused for ends the others' work too."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.files.model import encode_model, prepare_model
from xorweave.golden.files.prepare import Preparation
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.tensor.encode import EncodeOptions


def test_a_refused_tensor_is_named_and_what_waits_is_not_begun() -> None:
    rng = np.random.default_rng(0)
    tensors = {f"w{i}": Tensor.of(rng.integers(-100, 100, (60 - i, 60)).astype(np.int8)) for i in range(12)}
    model = prepare_model(tensors, Preparation())
    choice = Choice(code=CodeChoice.parse("n_in=4,n_out=8,n_s=1"), error_free=True)
    begun: list[str] = []

    def begin(name: str, share: float) -> None:
        begun.append(name)

    with pytest.raises(InputError, match=r"^tensor w0: .* leaves \d+ weights unmatched"):
        encode_model(model, choice, EncodeOptions(), progress=begin)
    assert len(set(begun)) < 6  # one thread: the largest, and those it took up before the refusal was seen
