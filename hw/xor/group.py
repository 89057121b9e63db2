"""Planes that share a code, and with it the gates of its generator matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.hw.xor.network import XorNetwork, balanced_trees


@dataclass(frozen=True, eq=False)
class XorGroup:
    """Planes that are decoded by one code: they share its network, each has registers of its own.

    Attributes
    ----------
    planes : int
        At least 1.
    code : Code
    network : XorNetwork or None
        Gates of the generator matrix; None for balanced trees without sharing.
    """

    planes: int
    code: Code
    network: XorNetwork | None = None

    def __post_init__(self) -> None:
        if self.planes < 1:
            raise InputError(f"the planes of a group must be at least 1, not {self.planes}")

    @property
    def symbol_bits(self) -> int:
        """Encoded bits of a block, all planes together."""
        return self.planes * self.code.n_in

    @property
    def gates(self) -> XorNetwork:
        """The network, balanced trees where none was given."""
        return self.network or balanced_trees(self.code.generator)


def check_groups(groups: Sequence[XorGroup]) -> None:
    """Raise InputError unless there is a group, and all have one N_out."""
    if not groups:
        raise InputError("a decoder must have at least one group of planes")
    if len({group.code.n_out for group in groups}) != 1:
        raise InputError("the groups of planes must have one n_out")
