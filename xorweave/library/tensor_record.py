"""The figures of a stored tensor with its decoder's gates: told where it is stored, or when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xorweave.golden.tensor.figures import Figures, tensor_record
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.library.gates import estimated_gates

if TYPE_CHECKING:
    from xorweave.hw.decoders.gate_estimate import DecoderGates


def record_of(
    name: str, tensor: EncodedTensor, figures: Figures, gates: DecoderGates | str
) -> dict[str, object]:
    """Return a tensor's entry of ``inspect --json``."""
    per_weight = None if isinstance(gates, str) else gates.per_weight
    return {**tensor_record(name, tensor, figures), "gates_per_weight": per_weight}


def describe(name: str, tensor: EncodedTensor, figures: Figures) -> dict[str, object]:
    """Return the same of a tensor whose codes are at hand: to read them again takes longer than to count them."""
    return record_of(name, tensor, figures, estimated_gates({name: tensor}))
