"""What ``xorweave codecs`` shows, as plain records: terminal, JSON, CSV and page all print the same ones."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from xorweave.golden.base.printable import sheet_cell
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.comparison import Row
from xorweave.pages.bars import Bar, Bars
from xorweave.pages.page import name, percent, render

Record = dict[str, Any]

_LONGEST_BAR = 2.5  # times the middle format: longer ones would make all others short
_TENSOR_FIELDS = ("tensor", "shape", "dtype", "sparsity")
# macko's deltas run by row instead of by column; the decoder of the entries is the same
_SAME_DECODER = {"macko": "eie"}


@dataclass(frozen=True)
class GateTable:
    """Gates of the decoders that exist in RTL, measured once and kept with how they were made.

    Attributes
    ----------
    setting, command : str
        What was synthesised, and how to make the figures again.
    tools : mapping of str to str
    decoders : mapping of str to mapping
        By format: gate_equivalents, weights_per_cycle, parts, memory_bits, note.
    """

    setting: str
    command: str
    tools: Mapping[str, str]
    decoders: Mapping[str, Mapping[str, Any]]

    @classmethod
    def stored(cls) -> GateTable:
        """Read the table that comes with the package."""
        return cls(
            **json.loads(resources.files("xorweave.pages").joinpath("decoder_gates.json").read_text("utf-8"))
        )

    def of(self, codec: str) -> Record:
        """Return the figures of one format's decoder; None where there is none in RTL."""
        found = self.decoders.get(_SAME_DECODER.get(codec, codec))
        if found is None:
            return dict.fromkeys(
                ("decoder_ge_per_weight", "decoder_weights_per_cycle", "decoder_memory_bits", "decoder_note")
            )
        return {
            "decoder_ge_per_weight": found["gate_equivalents"] / found["weights_per_cycle"],
            "decoder_weights_per_cycle": found["weights_per_cycle"],
            "decoder_memory_bits": found["memory_bits"],
            "decoder_note": found["note"],
        }


def tensor_head(title: str, tensor: PrunedTensor) -> Record:
    """Return what is known of a tensor without encoding it."""
    return {
        "name": title,
        "shape": list(tensor.shape),
        "dtype": tensor.number_format.name,
        "sparsity": 1 - tensor.kept / max(1, tensor.n),
    }


def records(rows: Sequence[Row], gates: GateTable) -> list[Record]:
    """Return the lines of a table, each with the gates of the format's decoder."""
    return [{**row.as_dict(), **gates.of(row.codec)} for row in rows]


def csv_text(tensors: Sequence[Record]) -> str:
    """Return a line for every tensor and format; what was not measured is empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    for index, tensor in enumerate(tensors):
        if index == 0:
            writer.writerow([*_TENSOR_FIELDS, *tensor["codecs"][0]])
        head = [
            sheet_cell(tensor["name"]),
            "x".join(map(str, tensor["shape"])),
            tensor["dtype"],
            f"{tensor['sparsity']:.6f}",
        ]
        for record in tensor["codecs"]:
            writer.writerow(head + ["" if cell is None else cell for cell in record.values()])
    return out.getvalue()


def lossless_text(record: Record) -> str:
    """Say whether a format is lossless; bounds are no formats."""
    if record["codec"].startswith("bound"):
        return "bound" if record["bits"] is not None else "-"
    return "yes" if record["lossless"] else "no"


def conclusion(source: str, formats: Sequence[Record]) -> str:
    """Say in a sentence which format is smallest, how far from the bound, and what the other side reaches."""
    found = [r for r in formats if lossless_text(r) == "yes" and r["bits_per_weight_with_mask"] is not None]
    if not found:
        return f"{source}: no lossless format was measured."

    def bits(record: Record) -> float:
        return float(record["bits_per_weight_with_mask"])

    best = min(found, key=bits)
    said = [
        f"{source}: {best['title']} takes the fewest bits of the lossless formats, {bits(best):.3f} a weight at a "
        f"{best['rate']} rate"
    ]
    bound = next(
        (r for r in formats if r["codec"] == "bound-entropy" and r["bits_per_weight_with_mask"]), None
    )
    if bound is not None:
        over = bits(best) / bits(bound) - 1
        said[0] += f", {percent(abs(over), 1)} {'over' if over >= 0 else 'under'} {bound['title']}"
    ours = best["codec"].startswith("xor")
    rest = [record for record in found if record["codec"].startswith("xor") != ours]
    if rest:
        second = min(rest, key=bits)
        whose = "other" if ours else "XOR"
        said.append(
            f"the best {whose} format, {second['title']}, takes {bits(second):.3f} at a {second['rate']} one"
        )
    built = [record for record in found if record["decoder_ge_per_weight"] is not None]
    if built:
        least = min(built, key=lambda record: record["decoder_ge_per_weight"])
        gates = f"{least['decoder_ge_per_weight']:.1f} GE for a weight a cycle, corrections apart"
        said.append(f"the smallest decoder is that of {least['title']} ({gates})")
    return "; ".join(said) + "."


def format_bars(formats: Sequence[Record]) -> Bars:
    """Bits a weight of every format that was measured; what is far above the others has no bar."""
    known = [record for record in formats if record["bits_per_weight_with_mask"] is not None]
    longest = _LONGEST_BAR * statistics.median([r["bits_per_weight_with_mask"] for r in known] or [0.0])
    bars = []
    for record in known:
        whole, values = record["bits_per_weight_with_mask"], record["bits_per_weight"] or 0.0
        kind = lossless_text(record)
        parts = {"bound": (0.0, 0.0, 0.0, whole), "no": (0.0, 0.0, whole, 0.0)}.get(
            kind, (values, whole - values, 0.0, 0.0)
        )
        shown = whole <= longest
        note = f"{whole:.3f}{', lossy' if kind == 'no' else ''}{'' if shown else ', no bar'}"
        bars.append(Bar(label=record["title"], parts=parts if shown else (), note=note))
    return Bars(
        about="Bits a weight, mask included",
        kinds=[
            ("values", "c1"), ("mask, or all where it cannot be told apart", "c3"), ("lossy", "c2"), ("bound", "c6"),
        ],
        bars=bars,
    )  # fmt: skip


def page(source: str, tensors: Sequence[Record], total: Sequence[Record], gates: GateTable) -> str:
    """Return one self-contained HTML page."""
    tables = [dict(tensor) for tensor in tensors]
    if len(tensors) > 1:
        tables.append({"name": f"all {len(tensors)} tensors", "codecs": list(total), "shape": None})
    return render(
        "codecs.html.j2",
        conclusion=conclusion(name(source), tables[-1]["codecs"]),
        source=source,
        tables=[{**table, "bars": format_bars(table["codecs"])} for table in tables],
        longest=_LONGEST_BAR,
        formats=tensors[0]["codecs"],
        gates=gates,
        lossless_text=lossless_text,
    )
