"""What a stored tensor's decoder is estimated to cost, for tables: quickly, and once for each code."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import EXTRA_OF
from xorweave.golden.code.code import Code
from xorweave.golden.tensor.stored import EncodedTensor

if TYPE_CHECKING:
    from xorweave.hw.xor.network import XorNetwork


def gates_per_weight(tensor: EncodedTensor) -> float | None:
    """Estimate the decoder's gate equivalents for one weight a cycle.

    Returns
    -------
    float or None
        None where the extra ``hw`` is not installed, or no decoder can be made of the tensor.
    """
    if not tensor.blocks:
        return None
    try:
        from xorweave.hw.decoders.config_for import config_for
        from xorweave.hw.decoders.gate_estimate import decoder_gates
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA_OF:
            raise
        return None
    try:
        return decoder_gates(config_for(tensor, network_of=_network)).per_weight
    except InputError:
        return None


@lru_cache(maxsize=64)
def _network(code: Code) -> XorNetwork:
    """Return a network about as small as the one that is generated, in a tenth of the time."""
    from xorweave.hw.xor.chains import difference_network, serial_network
    from xorweave.hw.xor.paired import STRUCTURES, paired_network

    if code.family == "chain" and code.constraint_length >= 96:  # short windows have sums to share
        return serial_network(code)
    return paired_network(code) if code.family in STRUCTURES else difference_network(code.generator)
