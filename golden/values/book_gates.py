"""What a code book costs in gates, for every weight of a block: an estimate, for choosing among books."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.values.prefix_code import PrefixCode

# Gate equivalents, fitted to Yosys' counts of the words' decoder, mask included (benchmarks/book_gates.py): a decision
# between two functions, one of which may be constant; a bit of the magnitude that is always fixed by the class, always
# follows from the tail, or now one, now the other; and what is there in any case.
_DECISION, _ONE_SIDED = 0.95, 0.8
_BIT = {
    "plain": (1.0, 2.0, 2.5, 0.7),
    "inverted": (3.9, 3.4, 4.4, 0.0),
    "negated": (2.1, 2.4, 2.2, 20.3),
    "prefix-inverted": (3.3, 2.0, 4.5, 0.7),
}


def word_gates(book: PrefixCode) -> float:
    """Estimate the gate equivalents of `xorweave.hw.stages.prefix_word.PrefixWord`, the mask's among them.

    The functions of the codeword (which bits does its class fix, and to what) are counted as nodes of one decision
    diagram over the codeword's bits; what turns them into the word is counted by bits.
    """
    if not book.lengths.size:
        return 0.0
    tails, prefixes = _by_codeword(book)
    named = tails >= 0
    functions = [named]
    fixed, passed, mixed = 0, 0, 0
    for bit in range(book.n_w - 1):
        one = named & ((prefixes << np.maximum(tails, 0)) >> bit & 1 == 1)
        follows = tails > bit
        functions += [one, follows]
        if not follows.any():
            fixed += bool(one.any())
        elif follows[named].all():
            passed += 1
        else:
            mixed += 1
    decisions, one_sided = _decisions(functions)
    of_fixed, of_passed, of_mixed, always = _BIT[book.magnitude]
    bits = of_fixed * fixed + of_passed * passed + of_mixed * mixed
    return always + _DECISION * decisions + _ONE_SIDED * one_sided + bits


def _by_codeword(book: PrefixCode) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return tail (-1: the word 0) and prefix by the first `depth` bits."""
    size = 1 << book.depth
    spans = size >> book.lengths
    left = size - int(spans.sum())
    tails = np.concatenate([np.repeat(book.tails, spans), np.full(left, -1)])
    return tails, np.concatenate([np.repeat(book.prefixes, spans), np.zeros(left, np.int64)])


def _decisions(functions: list[NDArray[np.bool_]]) -> tuple[int, int]:
    """Count the nodes of the functions' common decision diagram: between two functions, and with a constant."""
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
    constants = [(first < 2) + (second < 2) for _, first, second in nodes]
    return constants.count(0), constants.count(1)
