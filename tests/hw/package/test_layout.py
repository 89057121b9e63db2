"""What a manifest says of scans of many loops, read back by somebody who has nothing else, against the scans."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.golden.tensor.stored_kinds import stored_kind
from xorweave.golden.scan.tiles import TileLayout, TileOrder
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.package.layout import layout_entry, layout_lines


def _tiles() -> EncodedTensor:
    """Only its scan counts here."""
    tensor, _ = stored_kind("chain code")
    scan = TileOrder(48, 50, 6, 2, TileLayout(8, 8))
    return replace(tensor, scan=scan)


def _read(text: str, columns: int, count: int) -> list[int]:
    said = re.search(r"loops of ([\d ]+) turns", text)
    assert said is not None
    turns = [int(word) for word in said[1].split()]
    found = re.findall(
        r"(\w+) from (\d+) gains ([\d ]+) mod (\d+)((?:, \w+ \d+ more where it passes \d+)*)", text
    )
    value = {name: int(start) for name, start, *_ in found}
    bounds = dict(re.findall(r"(\w+) (\d+)(?=,| means)", text[text.index("what reaches") :]))
    at = [0] * len(turns)
    elements = []
    for _ in range(count):
        inside = all(value[name] < int(bound) for name, bound in bounds.items())
        elements.append(value["row"] * columns + value["column"] if inside else -1)
        moves = next((k for k, turn in enumerate(at) if turn < turns[k] - 1), len(turns))
        at = [0] * moves + [turn + (k == 0) for k, turn in enumerate(at[moves:])]
        more = dict.fromkeys(value, 0)
        for name, _, steps, modulus, carries in found:
            total = value[name] + int(steps.split()[moves]) + more[name]
            value[name] = total % int(modulus)
            for other, amount in re.findall(r", (\w+) (\d+) more", carries):
                more[other] += total // int(modulus) * int(amount)
    return elements


@pytest.mark.parametrize("kind", ["cells, int8", "cells, int4", "tiles"])
def test_the_manifest_says_where_every_weight_goes(kind: str) -> None:
    tensor = _tiles() if kind == "tiles" else stored_kind(kind)[0]
    entry = layout_entry(tensor, "w")
    assert entry["scan"].startswith(kind[:5] + ": ")
    assert _read(entry["scan"], 50, tensor.scan.length) == tensor.scan.positions().tolist()
    assert max(map(len, layout_lines(tensor, "w"))) <= 110
