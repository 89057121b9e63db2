"""Print the bytes of a small stored tensor, part by part, as docs/format.md shows them."""

from __future__ import annotations

import numpy as np

from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.files.blob import write_blob
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.golden.tensor.stored import EncodedTensor


def example() -> EncodedTensor:
    """Return a matrix of 4 x 8 INT4 weights, six of them kept, at four plane bits in one encoded bit."""
    weights = np.zeros((4, 8), np.int8)
    weights[[0, 0, 1, 2, 3, 3], [1, 6, 3, 0, 2, 7]] = [3, -2, 7, -8, 1, 5]
    code = Code.from_family("chain", n_in=4, n_out=16, n_s=1, seed=0, taps=2, run=4)
    return encode_tensor(weights, number_format("int4"), code)


# (bytes, what they say) up to the sections, in the order of docs/format.md
PARTS = (
    (1, "version 3"),
    (1, "int4 (0), raw (0), bitmap (1 << 5), one segment"),
    (1, "row-major (0), no patches (0), Viterbi (1 << 5), code in full (1 << 6), unusual (1 << 7)"),
    (3, "rank 2, sides 4 and 8"),
    (1, "n_out = 16"),
    (3, "raw: no transform, inversion 1, no constant planes"),
    (3, "code: chain, n_in = 4, n_s = 1"),
    (4, "seed 0, taps 2, run 4, of 0"),
)


def main() -> None:
    """Print offset, bytes and meaning."""
    tensor = example()
    blob = write_blob(tensor)
    parts = list(PARTS)
    form, *numbers = tensor.correction_format.split(":")
    at = sum(size for size, _ in parts)
    assert (form, numbers) == ("none", [])
    parts += [
        (4, f"checksum of the words, {tensor.checksum:08x}"),
        (4, "mask, 32 bits"),
        (4, "symbols: 2 blocks of 4 bits for 4 planes"),
    ]
    parts.append((4, "checksum of the bytes before"))
    at = 0
    for size, meaning in parts:
        print(f"{at:3}  {blob[at : at + size].hex(' '):<16}  {meaning}")
        at += size
    assert at == len(blob)


if __name__ == "__main__":
    main()
