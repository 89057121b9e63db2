"""Deep Compression (Han, Mao, Dally, ICLR 2016): relative indices and values, both Huffman coded."""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar

import numpy as np

from xorweave.golden.base.bit_fields import BitReader, BitWriter, width_for
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words, from_bfloat16, to_bfloat16
from xorweave.golden.codecs.codec import Codec, DecodeTraits, Encoding, PrunedTensor
from xorweave.golden.codecs.huffman import read_huffman, write_huffman
from xorweave.golden.codecs.relative_index import padded_runs
from xorweave.golden.weightless.clustering import cluster_weights

_LARGEST_ALPHABET = 1 << 16


def cluster_words(words: Words, number_format: NumberFormat, clusters: int) -> Words:
    """Replace every word by its cluster's centroid, rounded to the number format. This loses information."""
    values = number_format.from_words(words)
    numbers = (from_bfloat16(values) if number_format.name == "bf16" else values).astype(np.float64)
    centroids, labels = cluster_weights(numbers, clusters)
    if number_format.name == "bf16":
        rounded = to_bfloat16(centroids.astype(np.float32))
    elif number_format.is_float:
        rounded = centroids.astype(number_format.storage)
    else:
        rounded = np.rint(centroids).astype(number_format.storage)
    return number_format.to_words(rounded[labels])


class DeepCompression(Codec):
    """Deep Compression's storage without its clustering: lossless.

    The weights go row by row through one run-length code (5-bit runs for matrices, 8-bit runs for
    convolutions, as in the paper's section 2); runs and values get a Huffman table each. Values that a table
    does not make shorter, table included, are stored raw.
    """

    name = "deep-compression"
    title = "Deep Compression (Huffman), lossless"
    traits = DecodeTraits(
        "variable", "one symbol after another, up to the longest code", "all symbols before it"
    )
    clusters_of_matrix: ClassVar[int | None] = None
    clusters_of_convolution: ClassVar[int | None] = None
    run_bits_of_matrix: ClassVar[int] = 5
    run_bits_of_convolution: ClassVar[int] = 8

    def _run_bits(self, shape: tuple[int, ...]) -> int:
        return self.run_bits_of_convolution if len(shape) > 2 else self.run_bits_of_matrix

    @staticmethod
    def _better_raw(values: Words, n_w: int) -> bool:
        if np.unique(values).size > _LARGEST_ALPHABET:
            return True
        return sum(write_huffman(BitWriter(), values, n_w)) > values.size * n_w

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor."""
        run_bits = self._run_bits(tensor.shape)
        runs, real, _ = padded_runs(tensor.mask.reshape(1, -1), run_bits)
        kept = tensor.words[tensor.mask]
        clusters = self.clusters_of_convolution if len(tensor.shape) > 2 else self.clusters_of_matrix
        if clusters is not None:
            kept = cluster_words(kept, tensor.number_format, clusters)
        values = np.zeros(runs.size, tensor.words.dtype)
        values[real] = kept
        raw = self._better_raw(values, tensor.n_w)
        writer = BitWriter()
        table = writer.field(runs.size, width_for(tensor.n)) + writer.field(int(raw), 1)
        run_table, run_codes = write_huffman(writer, runs.astype(np.uint64), run_bits)
        if raw:
            value_table, value_codes = 0, writer.fields(values, tensor.n_w)
        else:
            value_table, value_codes = write_huffman(writer, values, tensor.n_w)
        return Encoding(
            stream=writer.stream(),
            parts={"mask": run_codes, "values": value_codes, "table": table + run_table + value_table},
        )

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back."""
        n = math.prod(shape)
        reader = BitReader(encoding.stream)
        entries = reader.field(width_for(n))
        raw = bool(reader.field(1))
        runs = read_huffman(reader, entries, self._run_bits(shape)).astype(np.int64)
        read = reader.fields if raw else partial(read_huffman, reader)
        values = read(entries, number_format.n_w)
        positions = np.cumsum(runs + 1) - 1
        if positions.size and positions[-1] >= n:
            raise InputError(f"runs must stay within {n} weights")
        words = np.zeros(n, number_format.word)
        words[positions] = values
        return words


class DeepCompressionClustered(DeepCompression):
    """Deep Compression with its clustering: 32 centroids for a matrix, 256 for a convolution. Lossy."""

    name = "deep-compression-clustered"
    title = "Deep Compression, clustered (lossy)"
    lossless = False
    clusters_of_matrix = 32
    clusters_of_convolution = 256
