"""What a run of any SpMV engine reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class EngineRun:
    """Figures that every engine has.

    Attributes
    ----------
    cycles : int
        From the end of reset, activations not yet loaded, to the last result.
    mismatches : int
        Values that differ from the golden ones or never came.
    macs_used, slots : int
        Products made of kept weights, and those the lanes could have made.
    bytes_read : float
    lanes, batch : int
    results : ndarray of int32, shape (batch, rows)
    messages : tuple of str
    label : str
        What the engine is called.
    """

    label: ClassVar[str]

    cycles: int
    mismatches: int
    macs_used: int
    slots: int
    bytes_read: float
    lanes: int
    batch: int
    results: NDArray[np.int32]
    messages: tuple[str, ...] = ()

    @property
    def slots_used(self) -> float:
        """Share of the multiply slots that carry a kept weight."""
        return self.macs_used / self.slots if self.slots else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the figures, without the results."""
        figures = asdict(self)
        figures.pop("results")
        return {
            "engine": self.label,
            **figures,
            "slots_used": self.slots_used,
            "messages": list(self.messages),
        }
