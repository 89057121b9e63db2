"""Masks with empty rows and columns: what `encode` stores by default, affine, and zstd's size, all over the bound.

    python benchmarks/empty_rows.py [--all] [--jobs 2]

The masks of L0 regularisation and variational dropout of the Deep Learning Matrix Collection at hand, with --all every
mask; INT8 values, uniform random (seed 0). The bound is n h(S) + order-0 entropy of the kept words (`over_bound` of
`encode --json`): it knows of no rows and columns, so that a size may lie below it. Everything stored is counted. zstd
(level 19, of the dense words) takes the extra baselines. The last lines say which masks became larger than affine.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard
from real_inputs import data_folder

from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.choose.choice import Choice
from xorweave.golden.files.blob import read_blob
from xorweave.golden.files.prepare import synthetic_values
from xorweave.golden.files.smallest import store
from xorweave.golden.files.weight_files import read_smtx
from xorweave.golden.scan.live import LiveScan
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.figures import figures_of

REGULARISED = ("l0_regularization", "variational_dropout")


@dataclass(frozen=True, kw_only=True)
class Row:
    """Bits of one mask; `listed` are what the live rows and columns are told in, 0 where all are scanned."""

    name: str
    shape: tuple[int, ...]
    empty: tuple[int, int]
    bound: float
    zstd: int
    affine: int
    ours: int
    listed: int


def measured(folder: Path, name: str) -> Row:
    """Store a mask with values both ways.

    Raises
    ------
    RuntimeError
        It came back different.
    """
    mask = read_smtx(folder / name)
    values, form = synthetic_values(mask, "uniform", "int8", 0)
    values = np.where(mask, values, np.int8(0)).astype(np.int8)
    kept = values != 0
    sizes = {}
    for scan in ("auto", "affine"):
        stored, blob = store(values, FORMATS["int8"], kept, Choice(scan=scan))
        if not np.array_equal(decode_tensor(read_blob(blob)), values):
            raise RuntimeError(f"{name} came back different")
        sizes[scan] = stored, 8 * len(blob)
    scan = sizes["auto"][0].scan
    return Row(
        name=name.removesuffix(".smtx"),
        shape=values.shape,
        empty=(int((~kept.any(axis=1)).sum()), int((~kept.any(axis=0)).sum())),
        bound=figures_of(sizes["auto"][0], 0, form.to_words(values).reshape(-1)).bound_bits,
        zstd=8 * len(zstandard.ZstdCompressor(level=19).compress(values.tobytes())),
        affine=sizes["affine"][1],
        ours=sizes["auto"][1],
        listed=8 * len(scan.row_bits + scan.column_bits) if isinstance(scan, LiveScan) else 0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--all", action="store_true", help="every mask, not only regularisers'")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    folder = data_folder() / "dlmc"
    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.smtx"))]
    if not options.all:
        names = [name for name in names if name.split("/")[1] in REGULARISED]
    print(
        "| mask | shape | empty rows, columns | bound, bytes | zstd -19 | affine | by default | live ones told, bytes |"
    )
    print("|---|---|---|---|---|---|---|---|")
    rows = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for row in pool.map(measured, [folder] * len(names), names):
            rows.append(row)
            zstd, affine, ours = (bits / row.bound for bits in (row.zstd, row.affine, row.ours))
            print(
                f"| {row.name} | {'x'.join(map(str, row.shape))} | {row.empty[0]}, {row.empty[1]} "
                f"| {row.bound / 8:.0f} | {zstd:.3f} | {affine:.3f} | {ours:.3f} | {row.listed // 8 or '-'} |",
                flush=True,
            )
    larger = [row.name for row in rows if row.ours > row.affine]
    live = [row for row in rows if row.listed]
    print(f"\n{len(rows)} masks, {len(live)} with rows or columns left out")
    print(f"larger than affine: {', '.join(larger) or 'none'}")
    total = {way: sum(getattr(row, way) for row in rows) // 8 for way in ("zstd", "affine", "ours")}
    print(f"together: zstd {total['zstd']} bytes, affine {total['affine']}, by default {total['ours']}")


if __name__ == "__main__":
    main()
