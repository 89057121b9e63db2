"""Why a tensor lies in a container as it came: told from the container alone, which does not record it."""

from __future__ import annotations

import numpy as np

from xorweave.golden.files.container import Container
from xorweave.golden.files.prepare import DTYPES, Preparation, sort_tensors
from xorweave.golden.files.safetensors_file import Tensor

#: What the reason of a tensor of scales starts with, before the name of the quantised one.
SCALE_OF = "the scale of "


def why_carried(container: Container) -> dict[str, str]:
    """Return the reason for each tensor that is not encoded, in the words of `sort_tensors`.

    What could have been encoded was left out on purpose: by its name, or as a mask that was taken into another tensor.

    Raises
    ------
    InputError
        A carried tensor is damaged; the line names it.
    """
    reasons = {
        scale: f"{SCALE_OF}{name}" for name, scale in container.scales.items() if scale in container.plain
    }
    others = {name: container.plain[name] for name in container.plain if name not in reasons}
    # the weights that were encoded decide what is a buffer beside them
    floats = bool(container.scales) or any(
        container.encoded[name].number_format.is_float for name in container.encoded
    )
    stand_in = "".join(others) + "+"
    others[stand_in] = Tensor.of(np.ones((1, 1), np.float32 if floats else np.int8))
    dtype = container.info.get("dtype")
    carried = sort_tensors(others, Preparation(dtype=dtype if dtype in DTYPES else None))[1]
    left = dict.fromkeys((name for name in others if name != stand_in), "left out when it was encoded")
    return {name: {**left, **carried, **reasons}[name] for name in container.plain}
