"""What a stored tensor's decoder is estimated to cost, for tables: quickly, and once for each code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.mask.coders import BookMask
from xorweave.golden.tensor.stored import EncodedTensor

if TYPE_CHECKING:
    from xorweave.hw.decoders.gate_estimate import DecoderGates
    from xorweave.hw.xor.network import XorNetwork

_MOST_EXCLUSIVE_ORS = 20_000  # about five seconds; a file of 300 bytes can ask for half a million
_MOST_COMPARED = (
    2_000_000_000  # elements of rows, all with all: half a second; a small file can ask for 70 billion
)


def estimated_gates(tensors: Mapping[str, EncodedTensor]) -> DecoderGates | str:
    """Estimate the gates of the one decoder of stored tensors, by part.

    Returns
    -------
    DecoderGates or str
        In words why there is no estimate: no one decoder serves them, or its network is so large that counting it
        would take minutes.
    """
    from xorweave.hw.decoders.config_for import config_for_all
    from xorweave.hw.decoders.gate_estimate import decoder_gates

    groups = [g for tensor in tensors.values() for g in (*tensor.groups, *_mask_groups(tensor))]
    if any(_slow(group.code) for group in groups):
        return "not estimated: counting the gates of so large a code would take minutes"
    try:
        return decoder_gates(config_for_all(tensors, network_of=_network))
    except InputError as error:
        return str(error)


def _mask_groups(tensor: EncodedTensor) -> tuple[PlaneGroup, ...]:
    """Groups of a pattern book's planes but the first, whose code is wires."""
    return tensor.mask_coder.groups[1:] if isinstance(tensor.mask_coder, BookMask) else ()


def _slow(code: Code) -> bool:
    """Whether so many rows are to be compared, or exclusive-ors shared, that it takes more than a few seconds."""
    if _brings_network(code):
        return False
    # comparing rows costs something whatever their length
    compared = code.n_out**2 * (code.constraint_length + 16)
    shared = int(np.count_nonzero(code.generator)) - code.n_out
    return compared > _MOST_COMPARED or shared > _MOST_EXCLUSIVE_ORS


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
