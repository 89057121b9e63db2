"""Code books of few gates: bits of a word against the gates of its decoder, estimated and synthesised.

    python benchmarks/book_gates.py [FILE.safetensors NAME] [--magnitudes plain prefix-inverted ...] [--sparsity 0.9]

Words are the kept weights of a magnitude-pruned normal tensor, of a normal and of a uniform one under a random mask,
and of the named tensor, and as many zeros as a shaped mask has false ones. Of the books that `make_prefix_codes`
offers those are shown for which no other is better in both bits and gates; a plane counts as `PLANE` gates, which its
XOR decoder takes. Bits of a word: codeword, sign, tail, or a patch.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from xorweave.golden.base.number_format import Words
from xorweave.golden.files.weight_files import read_weights
from xorweave.golden.values.book_gates import word_gates
from xorweave.golden.values.prefix_code import PrefixCode, make_prefix_codes
from xorweave.hw.stages.prefix_word import PrefixWord
from xorweave.synth.codec_gates import gates_of

PLANE = 5.0
_PATCH_BITS = 22.0
_FALSE_ONES = 0.32  # of the kept weights, at S = .9


def quantised(values: np.ndarray) -> np.ndarray:
    """Return INT8 by the largest value."""
    return np.round(values / np.abs(values).max() * 127).astype(np.int8)


def samples(path: Path | None, name: str, sparsity: float) -> Iterator[tuple[str, Words]]:
    """Yield the words to be stored."""
    random = np.random.default_rng(0)
    normal = random.standard_normal(1 << 17)
    kept = np.abs(normal) > np.quantile(np.abs(normal), sparsity)
    drawn = {
        "normal, magnitude-pruned": quantised(normal)[kept],
        "normal, random mask": quantised(normal)[: kept.sum()],
        "uniform": random.integers(-127, 128, kept.sum()).astype(np.int8),
    }
    if path is not None:
        values = read_weights(path)[name].values.astype(np.float64).reshape(-1)
        drawn[name] = quantised(values)[np.abs(values) > np.quantile(np.abs(values), sparsity)]
    for title, values in drawn.items():
        words = values[values != 0].view(np.uint8)
        yield title, np.concatenate([words, np.zeros(round(_FALSE_ONES * words.size), np.uint8)])


def bits_a_word(book: PrefixCode, words: Words) -> float:
    """Return the mean of codeword, sign and tail, or of a patch."""
    rank = book.rank_of(words)
    return float(np.where(rank >= 0, book.lengths[rank] + book.tails[rank] + 1, _PATCH_BITS).mean())


def main() -> None:
    """Choose, synthesise, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", nargs="?", type=Path)
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--magnitudes", nargs="*", default=["prefix-inverted", "negated"])
    parser.add_argument("--sparsity", type=float, default=0.9)
    arguments = parser.parse_args()
    print(
        "| words | magnitude | classes | planes | bits a word | entropy | GE estimated | GE | GE with planes |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    errors = []
    for title, words in samples(arguments.path, arguments.name, arguments.sparsity):
        shares = np.bincount(words) / words.size
        entropy = -float((shares[shares > 0] * np.log2(shares[shares > 0])).sum())
        books = [
            book
            for magnitude in arguments.magnitudes
            for class_bits in (0.002, 0.02)
            for book in make_prefix_codes(
                words, 8, magnitude=magnitude, patch_bits=_PATCH_BITS, class_bits=class_bits
            )
        ]
        judged = sorted(
            (
                (bits_a_word(book, words), word_gates(book) + PLANE * book.planes, i)
                for i, book in enumerate(books)
            )
        )
        cheapest = np.inf
        for bits, gates, i in judged:
            if gates >= cheapest or bits > 1.06 * judged[0][0]:
                continue
            cheapest = gates
            book, measured = books[i], gates_of(PrefixWord(books[i], gated=True))
            if measured:  # a book of one class has no gates
                errors.append(word_gates(book) / measured - 1)
            print(
                f"| {title} | {book.magnitude} | {book.lengths.size} | {book.planes} | {bits:.3f} | {entropy:.3f}"
                f" | {word_gates(book):.0f} | {measured:.1f} | {measured + PLANE * book.planes:.0f} |",
                flush=True,
            )
    print(f"\nestimate against synthesis: {min(errors):+.2f} to {max(errors):+.2f}")


if __name__ == "__main__":
    main()
