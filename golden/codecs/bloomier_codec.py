"""Weightless as a way to store a tensor: clustered weights in a Bloomier filter. Lossy, twice over."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from xorweave.golden.base.bit_fields import BitReader, BitWriter
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.codecs.codec import Codec, DecodeTraits, Encoding, PrunedTensor
from xorweave.golden.codecs.deep_compression import cluster_words
from xorweave.golden.weightless.bloomier import Bloomier
from xorweave.golden.weightless.layout import Layout

# layout, k, bank, starts, seed, t, clusters, keys: what a decoder must know besides the tables
_HEADER = (1, 1, 32, 32, 32, 6, 16, 32)


@dataclass
class Weightless(Codec):
    """Positions of kept weights mapped to cluster numbers by a Bloomier filter (Reagen et al., 2018).

    Lossy: values become centroids, and a share clusters / 2^t of the pruned weights reads back as a weight.
    The paper retrains the later layers to live with that; a codec alone cannot.

    Parameters
    ----------
    clusters : int
        Number of clusters.
    t : int
        Bits of a cell.
    k : int
        Cells of a key, 3 or 4.
    layout : str
        ``uniform`` (the paper's) or ``fuse``.
    seed : int
    """

    clusters: int = 16
    t: int = 8
    k: int = 4
    layout: str = "fuse"
    seed: int = 0

    name: str = "weightless"
    title: str = "Weightless (lossy)"
    lossless: ClassVar[bool] = False
    traits: DecodeTraits = field(
        default=DecodeTraits("fixed", "none while k banks answer each cycle", "k cells")
    )

    def __post_init__(self) -> None:
        if not 1 <= self.clusters < 1 << self.t:
            raise InputError(
                f"clusters must be between 1 and 2^t - 1 = {(1 << self.t) - 1}, not {self.clusters}"
            )

    def objection(self, tensor: PrunedTensor) -> str | None:
        """Say why the format cannot hold this tensor."""
        kept = tensor.number_format.from_words(tensor.words)
        if (
            tensor.number_format.name != "bf16"
            and tensor.number_format.is_float
            and not np.isfinite(kept).all()
        ):
            return "clusters finite weights only"
        return None

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor."""
        clustered = cluster_words(tensor.words[tensor.mask], tensor.number_format, self.clusters)
        centroids, labels = np.unique(clustered, return_inverse=True)
        positions = np.flatnonzero(tensor.mask)
        key_bits = max(1, (max(tensor.n, 1) - 1).bit_length())
        table = Bloomier.build(
            positions, labels, t=self.t, k=self.k, layout=self.layout, key_bits=key_bits, seed=self.seed
        )
        shape = table.layout
        writer = BitWriter()
        header = (
            int(shape.kind == "fuse"), int(shape.k == 4), shape.bank, shape.starts, table.seed, self.t,
            centroids.size, positions.size,
        )  # fmt: skip
        side = sum(writer.field(value, width) for value, width in zip(header, _HEADER, strict=True))
        side += writer.fields(centroids, tensor.n_w)
        cells = writer.fields(table.table, self.t)
        return Encoding(stream=writer.stream(), parts={"table": side, "mixed": cells})

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back: every position is looked up."""
        reader = BitReader(encoding.stream)
        fuse, four, bank, starts, seed, t, clusters, keys = (reader.field(width) for width in _HEADER)
        layout = Layout("fuse" if fuse else "uniform", 4 if four else 3, bank, starts)
        centroids = reader.fields(clusters, number_format.n_w).astype(number_format.word)
        n = math.prod(shape)
        cells = reader.fields(layout.cells, t).astype(np.uint32)
        table = Bloomier(cells, t, layout, max(1, (max(n, 1) - 1).bit_length()), seed, keys)
        answers = table.query(np.arange(n))
        words = np.zeros(n, number_format.word)
        found = answers < clusters
        words[found] = centroids[answers[found]]
        return words
