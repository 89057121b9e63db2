"""What a stored tensor's decoder is estimated to cost, for tables: quickly, and once for each code."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import EXTRA_OF
from xorweave.golden.code.code import Code
from xorweave.golden.tensor.stored import EncodedTensor

if TYPE_CHECKING:
    from xorweave.hw.xor.network import XorNetwork

_MOST_EXCLUSIVE_ORS = 20_000  # about five seconds; a file of 300 bytes can ask for half a million


def gates_per_weight(tensor: EncodedTensor) -> float | None:
    """Estimate the decoder's gate equivalents for one weight a cycle.

    Returns
    -------
    float or None
        None where the extra ``hw`` is not installed, no decoder can be made of the tensor, or its network is so large
        that counting it would take minutes.
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
    if any(_slow(group.code) for group in tensor.groups):
        return None
    try:
        return decoder_gates(config_for(tensor, network_of=_network)).per_weight
    except InputError:
        return None


def _slow(code: Code) -> bool:
    """Whether so many exclusive-ors are to be shared that it takes more than a few seconds."""
    return (
        not _brings_network(code) and int(np.count_nonzero(code.generator)) - code.n_out > _MOST_EXCLUSIVE_ORS
    )


def _brings_network(code: Code) -> bool:
    """Whether the code's own structure is its network: short windows of chains have sums to share, too."""
    from xorweave.hw.xor.paired import STRUCTURES

    return code.family in STRUCTURES or (code.family == "chain" and code.constraint_length >= 96)


@lru_cache(maxsize=64)
def _network(code: Code) -> XorNetwork:
    """Return a network about as small as the one that is generated, in a tenth of the time."""
    from xorweave.hw.xor.chains import difference_network, serial_network
    from xorweave.hw.xor.paired import paired_network

    if not _brings_network(code):
        return difference_network(code.generator)
    return serial_network(code) if code.family == "chain" else paired_network(code)
