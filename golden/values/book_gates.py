"""What a code book costs in gates, for every weight of a block: an estimate, for choosing among books."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.values.prefix_code import PrefixCode

# Gate equivalents, fitted to 22 tables of 8-bit words that Yosys mapped (0.78 to 1.19 of what it made of each; 1.26 of
# one that was not fitted): a node of the decision diagram; a bit of the magnitude that is always fixed by the class,
# that now follows from the tail and now does not, and that always follows; and what is there in any case.
_DECISION = 1.5
_BIT = {
    "plain": (0.1, 0.1, 0.0, 0.0),
    "inverted": (2.2, 2.2, 2.2, 0.0),
    "negated": (0.1, 0.3, 0.0, 25.0),
    "prefix-inverted": (1.15, 0.3, 0.0, 0.0),
}


def word_gates(book: PrefixCode) -> float:
    """Estimate the gate equivalents of `xorweave.hw.stages.prefix_word.PrefixWord`, sign and tail shut off before it.

    The functions of the codeword (which bits does its class fix, and to what) are counted as nodes of one decision
    diagram over the codeword's bits; what turns them into the word is counted by bits.
    """
    if not book.lengths.size:
        return 0.0
    tails, prefixes = classes_by_codeword(book)
    named = tails >= 0
    functions = [named]
    fixed, passed, mixed = 0, 0, 0
    for bit in range(book.n_w - 1):
        one = named & ((prefixes << np.maximum(tails, 0)) >> bit & 1 == 1)
        follows = tails > bit
        functions += [one, follows]
        if not follows.any():
            fixed += 1
        elif follows[named].all():
            passed += 1
        else:
            mixed += 1
    of_fixed, of_mixed, of_passed, always = _BIT[book.magnitude]
    bits = of_fixed * fixed + of_mixed * mixed + of_passed * passed
    return always + _DECISION * _decisions(functions) + bits


def classes_by_codeword(book: PrefixCode) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return tail (-1: the word 0) and prefix by the first `depth` bits."""
    size = 1 << book.depth
    spans = size >> book.lengths
    left = size - int(spans.sum())
    tails = np.concatenate([np.repeat(book.tails, spans), np.full(left, -1)])
    return tails, np.concatenate([np.repeat(book.prefixes, spans), np.zeros(left, np.int64)])


def _decisions(functions: list[NDArray[np.bool_]]) -> int:
    """Count the nodes of the functions' common decision diagram."""
    nodes: dict[
        tuple[int, int, int], int
    ] = {}  # how many codewords it tells apart (so which bit), and its children
    seen: dict[bytes, int] = {}

    def node_of(table: NDArray[np.bool_]) -> int:
        if not table.any() or table.all():
            return int(table[0])
        key = table.tobytes()
        if key not in seen:
            half = table.size // 2
            first, second = node_of(table[:half]), node_of(table[half:])
            new = len(nodes) + 2
            seen[key] = first if first == second else nodes.setdefault((half, first, second), new)
        return seen[key]

    for function in functions:
        node_of(function)
    return len(nodes)
