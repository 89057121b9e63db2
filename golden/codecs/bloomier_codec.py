"""Weightless as a way to store a tensor: clustered weights in a static map. Lossy, twice over."""

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
from xorweave.golden.weightless.banded import Banded, bucket_count
from xorweave.golden.weightless.bloomier import Bloomier
from xorweave.golden.weightless.filters import BAND, Filter, build_filter
from xorweave.golden.weightless.layout import Layout

# layout, k, bank, starts, seed, t, clusters, keys: what a decoder must know besides the tables
_HEADER = (1, 1, 32, 32, 32, 6, 16, 32)
# A band has no banks: bank 0 tells it from the peeled layouts, and its window stands where they have starts. Its
# directory follows the centroids: cells, least width of a bucket, bits of a width above that, the widths.
_BAND = 0
_DIRECTORY = (32, 32, 6)

_BAND_TRAITS = DecodeTraits("fixed", "none while two rows of cells answer each cycle", "a window of cells")
_PEELED_TRAITS = DecodeTraits("fixed", "none while k banks answer each cycle", "k cells")


@dataclass
class Weightless(Codec):
    """Positions of kept weights mapped to cluster numbers by a static map (Reagen et al., 2018).

    Lossy: values become centroids, and a share clusters / 2^t of the pruned weights reads back as a weight.
    The paper retrains the later layers to live with that; a codec alone cannot.

    Parameters
    ----------
    clusters : int
        Number of clusters.
    t : int
        Bits of a cell.
    k : int
        Cells of a key, 3 or 4, where it is peeled.
    layout : str
        ``band``, ``uniform`` (the paper's) or ``fuse``: see ``build_filter``.
    seed : int
    """

    clusters: int = 16
    t: int = 8
    k: int = 4
    layout: str = BAND
    seed: int = 0

    name: str = "weightless"
    title: str = "Weightless (lossy)"
    lossless: ClassVar[bool] = False
    traits: DecodeTraits = field(init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.clusters < 1 << self.t:
            raise InputError(
                f"clusters must be between 1 and 2^t - 1 = {(1 << self.t) - 1}, not {self.clusters}"
            )
        self.traits = _BAND_TRAITS if self.layout == BAND else _PEELED_TRAITS

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
        table = build_filter(
            positions, labels, t=self.t, k=self.k, layout=self.layout, key_bits=key_bits, seed=self.seed
        )
        writer = BitWriter()
        side = _write_head(writer, table, int(centroids.size))
        side += writer.fields(centroids, tensor.n_w)
        if isinstance(table, Banded):
            side += _write_directory(writer, table)
        cells = writer.fields(table.table, self.t)
        return Encoding(stream=writer.stream(), parts={"table": side, "mixed": cells})

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back: every position is looked up."""
        reader = BitReader(encoding.stream)
        fuse, four, bank, starts, seed, t, clusters, keys = (reader.field(width) for width in _HEADER)
        centroids = reader.fields(clusters, number_format.n_w).astype(number_format.word)
        n = math.prod(shape)
        if keys > n:
            raise InputError(f"the stream must hold at most {n} kept weights, one a position, not {keys}")
        key_bits = max(1, (max(n, 1) - 1).bit_length())
        table: Filter
        if bank == _BAND:
            cells, directory = _read_directory(reader, bucket_count(keys, max(1, starts)))
            table = Banded(
                reader.fields(cells, t).astype(np.uint32), t, starts, directory, key_bits, seed, keys
            )
        else:
            layout = Layout("fuse" if fuse else "uniform", 4 if four else 3, bank, starts)
            read = reader.fields(layout.cells, t).astype(np.uint32)
            table = Bloomier(read, t, layout, key_bits, seed, keys)
        answers = table.query(np.arange(n))
        words = np.zeros(n, number_format.word)
        found = answers < clusters
        words[found] = centroids[answers[found]]
        return words


def weightless_peeled() -> Weightless:
    """Return the format with a Bloomier filter, as the paper has it, in its smallest layout."""
    return Weightless(layout="fuse", name="weightless-peeled", title="Weightless, peeled (lossy)")


def _write_head(writer: BitWriter, table: Filter, clusters: int) -> int:
    if isinstance(table, Banded):
        layout = (0, 0, _BAND, table.window)
    else:
        shape = table.layout
        layout = (int(shape.kind == "fuse"), int(shape.k == 4), shape.bank, shape.starts)
    header = (*layout, table.seed, table.t, clusters, table.keys)
    return sum(writer.field(value, width) for value, width in zip(header, _HEADER, strict=True))


def _write_directory(writer: BitWriter, table: Banded) -> int:
    widths = np.diff(table.starts)
    values = (table.cells, int(widths.min()), table.width_bits)
    side = sum(writer.field(value, width) for value, width in zip(values, _DIRECTORY, strict=True))
    return side + writer.fields(widths - widths.min(), table.width_bits)


def _read_directory(reader: BitReader, buckets: int) -> tuple[int, np.ndarray]:
    """Return the number of cells, and where buckets begin: int64, shape (buckets + 1,)."""
    cells, least, bits = (reader.field(width) for width in _DIRECTORY)
    widths = reader.fields(buckets, bits).astype(np.int64) + least
    return cells, np.concatenate(([0], np.cumsum(widths)))
