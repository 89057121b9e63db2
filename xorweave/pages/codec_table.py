"""What ``xorweave codecs`` shows, as plain records: terminal, JSON, CSV and page all print the same ones."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from xorweave import __version__
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.comparison import Row

Record = dict[str, Any]

_WIDE = ("dense", "csr32")
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


def tensor_head(name: str, tensor: PrunedTensor) -> Record:
    """Return what is known of a tensor without encoding it."""
    return {
        "name": name,
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
        name = tensor["name"]
        head = [
            # a spreadsheet takes these for formulas, and names come from files
            f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name,
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


def page(source: str, tensors: Sequence[Record], total: Sequence[Record], gates: GateTable) -> str:
    """Return one self-contained HTML page."""
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)
    environment.filters["number"] = lambda value, digits=3: "-" if value is None else f"{value:.{digits}f}"
    environment.filters["percent"] = lambda value: "-" if value is None else f"{100 * value:.2f} %"
    environment.filters["count"] = lambda value: "-" if value is None else f"{value:,.0f}"
    environment.globals["lossless_text"] = lossless_text
    template = environment.from_string(
        resources.files("xorweave.pages").joinpath("codecs.html.j2").read_text(encoding="utf-8")
    )
    tables = [dict(tensor) for tensor in tensors]
    if len(tensors) > 1:
        tables.append({"name": f"all {len(tensors)} tensors", "codecs": list(total), "shape": None})
    for table in tables:
        # what is stored by index words or not at all would make all other bars short
        usual = [r["bits_per_weight_with_mask"] or 0.0 for r in table["codecs"] if r["codec"] not in _WIDE]
        table["widest"] = max([*usual, 1e-9])
    return template.render(
        version=__version__, source=source, tables=tables, formats=tensors[0]["codecs"], gates=gates
    )
