"""The XOR network: a generator matrix as a directed acyclic graph of two-input XOR gates.

A network is what an optimiser makes from the matrix and what the hardware writer reads: it knows nothing of
any hardware description language. Cryptographers call the same thing a linear straight-line program.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xorweave.golden.base.errors import InputError
from xorweave.hw.xor.gate_kernels import NOTHING, prune_gates, run_gates

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


class XorNetwork:
    """A network of two-input XOR gates, which nothing changes.

    Parameters
    ----------
    inputs : int
        Number of inputs; they are the signals ``0 .. inputs - 1``.
    gates : sequence of (int, int), or array of int, shape (gates, 2)
        Gate g makes signal ``inputs + g``, the exclusive-or of two different, earlier signals.
    outputs : sequence of (int or None), or array of int, shape (outputs,)
        The signal each output is taken from; None, in an array -1, for an output that is always 0.

    Raises
    ------
    InputError
        A gate reads a signal that is not before it, or the same one twice, or an output takes no such signal.

    Attributes
    ----------
    pairs : ndarray of int64, shape (gates, 2)
    ends : ndarray of int64, shape (outputs,)
        Gates and outputs as compiled loops take them.
    """

    def __init__(
        self, inputs: int, gates: Sequence[Gate] | NDArray, outputs: Sequence[int | None] | NDArray
    ) -> None:
        if inputs < 1:
            raise InputError(f"the number of inputs must be at least 1, not {inputs}")
        pairs = np.array(gates) if len(gates) else np.zeros((0, 2), np.int64)
        if pairs.dtype.kind not in "iu" or pairs.ndim != 2 or pairs.shape[1] != 2:
            raise InputError("the gates must be pairs of signals")
        signals = inputs + len(pairs)
        made = np.arange(inputs, signals)[:, None]
        wrong = ((pairs < 0) | (pairs >= made)).any(axis=1) | (pairs[:, 0] == pairs[:, 1])
        if wrong.any():
            a, b = pairs[wrong.argmax()].tolist()
            raise InputError(
                f"signal {inputs + wrong.argmax()} must be the XOR of two different earlier signals, not {a}, {b}"
            )
        if not isinstance(outputs, np.ndarray):
            # none is -1, and what was negative before stays wrong
            outputs = np.array(
                [NOTHING if s is None else s if s >= 0 else s - 1 for s in map(_index, outputs)], np.int64
            )
        out_of_range = (outputs < NOTHING) | (outputs >= signals)
        if out_of_range.any():
            row = int(out_of_range.argmax())
            said = int(outputs[row]) + (outputs[row] < 0)
            raise InputError(f"output {row} must be a signal in 0 .. {signals - 1} or None, not {said}")
        self.inputs = inputs
        self.pairs = pairs.astype(np.int64)
        self.ends = outputs.astype(np.int64)
        self.pairs.setflags(write=False)
        self.ends.setflags(write=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, XorNetwork):
            return NotImplemented
        return (
            self.inputs == other.inputs
            and np.array_equal(self.pairs, other.pairs)
            and np.array_equal(self.ends, other.ends)
        )

    def __hash__(self) -> int:
        return hash((self.inputs, self.pairs.tobytes(), self.ends.tobytes()))

    def __repr__(self) -> str:
        return f"XorNetwork(inputs={self.inputs}, gates={self.gates}, outputs={self.outputs})"

    @cached_property
    def gates(self) -> tuple[Gate, ...]:
        """The two signals that each gate reads."""
        return tuple(map(tuple, self.pairs.tolist()))

    @cached_property
    def outputs(self) -> tuple[int | None, ...]:
        """The signal of each output, None where it is always 0."""
        return tuple(None if s == NOTHING else s for s in self.ends.tolist())

    @property
    def signals(self) -> int:
        """Number of signals: inputs and gates."""
        return self.inputs + len(self.pairs)

    @property
    def xor2(self) -> int:
        """Number of two-input XOR gates."""
        return len(self.pairs)

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
        read = np.concatenate([self.pairs.reshape(-1), self.ends[self.ends != NOTHING]])
        return tuple(np.bincount(read, minlength=self.signals).tolist())

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
        run_gates(self.pairs, signals.view(np.uint8).reshape(self.signals, -1))
        result = signals[self.ends]
        result[self.ends == NOTHING] = 0
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
        gates, roots = np.empty_like(self.pairs), np.empty_like(self.ends)
        left = prune_gates(self.pairs, self.ends, self.inputs, gates, roots)
        found = XorNetwork(self.inputs, gates[:left], roots)
        found.__dict__["_pruned"] = found  # nothing is left to take away
        return found


def _index(signal: int | None) -> int | None:
    return None if signal is None else operator.index(signal)


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
    return XorNetwork(inputs, gates, outputs)
