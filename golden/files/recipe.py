"""All that decides how one tensor is stored: what is done to it, what is chosen, how it is encoded."""

from __future__ import annotations

from dataclasses import dataclass, field

from xorweave.golden.choose.choice import Choice
from xorweave.golden.files.prepare import Preparation
from xorweave.golden.tensor.encode import EncodeOptions


@dataclass(frozen=True)
class Recipe:
    """How a tensor is stored.

    Attributes
    ----------
    how : Preparation
        Cast or quantised, pruned or masked, or carried unchanged.
    choice : Choice
    options : EncodeOptions
    """

    how: Preparation = field(default_factory=Preparation)
    choice: Choice = field(default_factory=Choice)
    options: EncodeOptions = field(default_factory=EncodeOptions)
