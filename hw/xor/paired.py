"""The network that the families paired and graph are made for: running sums, and one XOR of two for each output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.generators import paired_structure
from xorweave.golden.code.graph_code import graph_structure
from xorweave.hw.xor.gate_kernels import add_edges
from xorweave.hw.xor.network import XorNetwork
from xorweave.hw.xor.synthesis import optimize

STRUCTURES: dict[str, Callable[..., tuple[Sequence[Sequence[int]], Any]]] = {
    "paired": paired_structure,
    "graph": graph_structure,
}


def paired_network(code: Code) -> XorNetwork:
    """Make the network of a code of a family of `STRUCTURES`: about one gate a sum and one an output.

    Raises
    ------
    InputError
        The code is of another family.
    """
    if code.family not in STRUCTURES:
        raise InputError(f"the code must be of the family {' or '.join(STRUCTURES)}, not {code.family}")
    sizes = dict(code.parameters)
    n_out = sizes.pop("of", code.n_out)
    added, edges = STRUCTURES[code.family](n_in=code.n_in, n_out=n_out, n_s=code.n_s, **sizes)
    columns = np.fromiter(chain.from_iterable(added), np.int64)
    counts = np.array([len(adds) for adds in added], np.int64)
    gates, outputs = add_edges(
        columns, counts, np.asarray(edges[: code.n_out], np.int64), sizes["run"], code.constraint_length
    )
    network = XorNetwork(code.constraint_length, gates, outputs).pruned()
    if not np.array_equal(network.matrix(), code.generator):
        raise InputError("the code must be what its parameters make, but its generator is another matrix")
    return network


def shared_network(
    code: Code, *, effort: int = 0, depth_limit: int | None = None, seed: int = 0
) -> XorNetwork:
    """Make the network of any code with its common sums made once.

    A paired code or a graph code brings a network of its own, which is searched for a better one only if `effort` or
    `depth_limit` ask for it; every other code gets what `optimize` finds on its matrix.

    Raises
    ------
    InputError
        As in `optimize`.
    """
    if code.family not in STRUCTURES:
        return optimize(code.generator, effort=effort, depth_limit=depth_limit, seed=seed)
    own = paired_network(code)
    if not effort and (depth_limit is None or own.depth <= depth_limit):
        return own
    found = optimize(code.generator, effort=effort, depth_limit=depth_limit, seed=seed)
    fitting = [n for n in (own, found) if depth_limit is None or n.depth <= depth_limit]
    return min(fitting, key=lambda network: (network.xor2, network.depth))
