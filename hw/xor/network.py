"""The XOR network: a generator matrix as a directed acyclic graph of two-input XOR gates.

A network is what an optimiser makes from the matrix and what the hardware writer reads: it knows nothing of
any hardware description language. Cryptographers call the same thing a linear straight-line program.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xorweave.golden.base.errors import InputError

if TYPE_CHECKING:
    import networkx as nx

Gate = tuple[int, int]


def as_matrix(matrix: ArrayLike) -> NDArray[np.uint8]:
    """Return a matrix over GF(2) as uint8, shape (outputs, inputs).

    Raises
    ------
    InputError
        It has not two dimensions, no column, or other values than 0 and 1.
    """
    array = np.asarray(matrix)
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(
            f"the matrix must have two dimensions and at least one column, not shape {array.shape}"
        )
    if not np.isin(array, (0, 1)).all():
        raise InputError("the matrix must hold only 0 and 1")
    return array.astype(np.uint8)


@dataclass(frozen=True)
class XorNetwork:
    """A network of two-input XOR gates.

    Parameters
    ----------
    inputs : int
        Number of inputs; they are the signals ``0 .. inputs - 1``.
    gates : tuple of (int, int)
        Gate g makes signal ``inputs + g``, the exclusive-or of two different, earlier signals.
    outputs : tuple of (int or None)
        The signal each output is taken from, or None for an output that is always 0.

    Raises
    ------
    InputError
        A gate reads a signal that is not before it, or the same one twice, or an output takes no such signal.
    """

    inputs: int
    gates: tuple[Gate, ...]
    outputs: tuple[int | None, ...]

    def __post_init__(self) -> None:
        if self.inputs < 1:
            raise InputError(f"the number of inputs must be at least 1, not {self.inputs}")
        gates = tuple((operator.index(a), operator.index(b)) for a, b in self.gates)
        outputs = tuple(None if s is None else operator.index(s) for s in self.outputs)
        for signal, (a, b) in enumerate(gates, self.inputs):
            if not (0 <= a < signal and 0 <= b < signal and a != b):
                raise InputError(
                    f"signal {signal} must be the XOR of two different earlier signals, not {a}, {b}"
                )
        signals = self.inputs + len(gates)
        for row, output in enumerate(outputs):
            if output is not None and not 0 <= output < signals:
                raise InputError(f"output {row} must be a signal in 0 .. {signals - 1} or None, not {output}")
        object.__setattr__(self, "gates", gates)
        object.__setattr__(self, "outputs", outputs)

    @property
    def signals(self) -> int:
        """Number of signals: inputs and gates."""
        return self.inputs + len(self.gates)

    @property
    def xor2(self) -> int:
        """Number of two-input XOR gates."""
        return len(self.gates)

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Level of every signal: 0 for an input, else one more than the deeper of the two it is made from."""
        level = [0] * self.inputs
        for a, b in self.gates:
            level.append(1 + max(level[a], level[b]))
        return tuple(level)

    @property
    def depth(self) -> int:
        """Two-input XORs on the longest way from an input to an output."""
        return max((self.levels[s] for s in self.outputs if s is not None), default=0)

    @cached_property
    def fanout(self) -> tuple[int, ...]:
        """How many gates and outputs read each signal."""
        readers = [0] * self.signals
        for a, b in self.gates:
            readers[a] += 1
            readers[b] += 1
        for s in self.outputs:
            if s is not None:
                readers[s] += 1
        return tuple(readers)

    def evaluate(self, words: ArrayLike) -> NDArray[np.unsignedinteger]:
        """Run the network on words, every bit of a word apart from the others.

        Parameters
        ----------
        words : array of unsigned (or bool), shape (inputs, ...)
            ``words[s]`` is input s. Further axes are carried along.

        Returns
        -------
        ndarray, shape (outputs, ...), of the same dtype

        Raises
        ------
        InputError
            The first axis is not as long as the network has inputs.
        """
        array = np.asarray(words)
        if array.ndim == 0 or array.shape[0] != self.inputs:
            raise InputError(
                f"the network must be given {self.inputs} inputs on the first axis, not {array.shape}"
            )
        signals = np.empty((self.signals, *array.shape[1:]), array.dtype)
        signals[: self.inputs] = array
        for signal, (a, b) in enumerate(self.gates, self.inputs):
            np.bitwise_xor(signals[a], signals[b], out=signals[signal : signal + 1].reshape(array.shape[1:]))
        result = np.zeros((len(self.outputs), *array.shape[1:]), array.dtype)
        for row, output in enumerate(self.outputs):
            if output is not None:
                result[row] = signals[output]
        return result

    def matrix(self) -> NDArray[np.uint8]:
        """Return the matrix the network computes, (outputs, inputs): it is run on the unit vectors."""
        units = np.packbits(np.eye(self.inputs, dtype=np.uint8), axis=1)
        return np.unpackbits(self.evaluate(units), axis=1)[:, : self.inputs]

    def graph(self) -> nx.DiGraph:
        """Return the network as a graph: a node a signal, an edge from a signal to each gate that reads it.

        Node attributes: ``kind`` ("input" or "xor") and ``level``. Outputs are nodes ``("output", r)`` of
        kind "output" with one edge from their signal (none if the output is always 0).
        """
        import networkx as nx  # takes longer to load than most networks to make

        graph = nx.DiGraph()
        for signal, level in enumerate(self.levels):
            graph.add_node(signal, kind="input" if signal < self.inputs else "xor", level=level)
        for signal, gate in enumerate(self.gates, self.inputs):
            graph.add_edges_from((source, signal) for source in gate)
        for row, output in enumerate(self.outputs):
            graph.add_node(("output", row), kind="output", level=0 if output is None else self.levels[output])
            if output is not None:
                graph.add_edge(output, ("output", row))
        return graph

    def pruned(self) -> XorNetwork:
        """Return the same network without gates that no output needs and without a pair made twice."""
        return self._pruned

    @cached_property
    def _pruned(self) -> XorNetwork:
        made: dict[Gate, int] = {}
        name: list[int | None] = list(range(self.inputs))  # None: always 0
        pairs: list[Gate] = []
        for first, second in self.gates:
            a, b = name[first], name[second]
            if a is None or b is None or a == b:
                name.append(b if a is None else a if b is None else None)
                continue
            pair = (min(a, b), max(a, b))
            if pair not in made:
                made[pair] = self.inputs + len(pairs)
                pairs.append(pair)
            name.append(made[pair])
        roots = [None if s is None else name[s] for s in self.outputs]
        needed = {s for s in roots if s is not None}
        for signal in range(self.inputs + len(pairs) - 1, self.inputs - 1, -1):
            if signal in needed:
                needed.update(pairs[signal - self.inputs])
        rank = {s: s for s in range(self.inputs)}
        gates: list[Gate] = []
        for signal, (a, b) in enumerate(pairs, self.inputs):
            if signal in needed:
                rank[signal] = self.inputs + len(gates)
                gates.append((rank[a], rank[b]))
        outputs = tuple(None if s is None else rank[s] for s in roots)
        found = XorNetwork(self.inputs, tuple(gates), outputs)
        found.__dict__["_pruned"] = found  # nothing is left to take away
        return found


def balanced_trees(matrix: ArrayLike) -> XorNetwork:
    """Make the plain network: every output a balanced tree of its own, nothing shared.

    Parameters
    ----------
    matrix : array of 0 and 1, shape (outputs, inputs)

    Returns
    -------
    XorNetwork
        A row of weight w takes w - 1 gates and depth ceil(log2(w)); an empty row is None.
    """
    array = as_matrix(matrix)
    inputs = array.shape[1]
    gates: list[Gate] = []
    outputs: list[int | None] = []
    for row in array:
        front = [int(s) for s in np.flatnonzero(row)]
        while len(front) > 1:
            following: list[int] = []
            for i in range(0, len(front) - 1, 2):
                gates.append((front[i], front[i + 1]))
                following.append(inputs + len(gates) - 1)
            front = following + front[len(front) & ~1 :]
        outputs.append(front[0] if front else None)
    return XorNetwork(inputs, tuple(gates), tuple(outputs))
