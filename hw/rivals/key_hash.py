"""The hash of keys in gates: two XOR networks and the AND layer between them, shared by the decoders of filters."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value

from xorweave.golden.base.errors import InputError
from xorweave.golden.weightless.key_hash import KeyHash
from xorweave.hw.xor.network import XorNetwork, balanced_trees

HashNetworks = tuple[XorNetwork, XorNetwork]


def hash_networks(hashing: KeyHash, networks: HashNetworks | None = None) -> HashNetworks:
    """Return the gates of the hash's two maps: those given, or balanced trees.

    Raises
    ------
    InputError
        The networks do not compute the hash.
    """
    matrices = hashing.first[:, :-1], hashing.second
    if networks is None:
        return balanced_trees(matrices[0]), balanced_trees(matrices[1])
    for network, matrix in zip(networks, matrices, strict=True):
        if not np.array_equal(network.matrix(), matrix):
            raise InputError("the XOR networks must compute the two maps of the filter's hash")
    return networks


def xor_values(network: XorNetwork, inputs: list[Value], m: Module, name: str) -> list[Value]:
    """Return what a network makes of its inputs; sums used twice become signals with that name."""
    signals: list[Value] = list(inputs)
    for index, (a, b) in enumerate(network.gates):
        value: Value = signals[a] ^ signals[b]
        if network.fanout[network.inputs + index] > 1:
            shared = Signal(name=f"{name}{index}")
            m.d.comb += shared.eq(value)
            value = shared
        signals.append(value)
    return [Const(0, 1) if output is None else signals[output] for output in network.outputs]


def ring_value(hashing: KeyHash, network: XorNetwork, key: Value, m: Module) -> Value:
    """Return the bits behind the first map and the AND layer."""
    mixed = xor_values(network, list(key), m, "a")
    linear = Signal(len(mixed))
    flipped = [bit ^ int(flip) for bit, flip in zip(mixed, hashing.first[:, -1], strict=True)]
    m.d.comb += linear.eq(Cat(flipped))
    return linear ^ (~linear.rotate_right(1) & linear.rotate_right(2))
