"""The page of a stored model: what ``xorweave report`` writes. All its figures are those of `model_record`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from xorweave.pages.bars import Bar, Bars
from xorweave.pages.decoder_parts import PARTS, STORED
from xorweave.pages.page import name, number, percent, render

Record = Mapping[str, Any]

_LEAST_SHARE = 0.01
_MOST_BARS = 24  # of a picture; the tables have all


def conclusion(model: str, record: Record) -> str:
    """Say in a sentence what the model takes, where it goes, and what decodes it."""
    total, tensors = record["total"], record["tensors"]
    if not total["weights"]:
        return f"{model} holds no encoded weights."
    all_bits = sum(total[key] for _, key, _ in STORED)
    part, key, _ = max(STORED, key=lambda stored: total[stored[1]])
    said = [
        f"{model} takes {number(total['bits_per_weight_with_mask'])} bits a weight{_over(total['over_bound'])}",
        f"the largest part is {part} ({percent(total[key] / all_bits, 0)})",
    ]
    # a tensor of a few weights is far from its bound whatever one does
    large = [t for t in tensors if t["over_bound"] is not None and _all_bits(t) >= _LEAST_SHARE * all_bits]
    if len(large) > 1:
        worst = max(large, key=lambda tensor: tensor["over_bound"])
        whose = f"of its tensors with {percent(_LEAST_SHARE, 0)} of the bits or more"
        over = _beyond(worst["over_bound"])
        said.append(f"{whose}, {name(worst['name'])} is farthest from its bound ({over})")
    return "; ".join([*said, _decoder_said(record)]) + "."


def _over(ratio: float | None) -> str:
    return "" if ratio is None else f", {_beyond(ratio)} the bound"


def _beyond(ratio: float) -> str:
    return f"{percent(abs(ratio - 1), 1)} {'over' if ratio >= 1 else 'under'}"


def _decoder_said(record: Record) -> str:
    one, each = record["decoder"]["one"], list(record["decoder"]["each"].values())
    if one is not None:
        whom = "it" if len(each) == 1 else f"all {len(each)} tensors"
        return (
            f"one decoder of about {one['per_weight']:.0f} gates (NAND2) for a weight a cycle serves {whom}"
        )
    made = sorted(gates["per_weight"] for gates in each if gates is not None)
    if not made:
        return "there is no estimate of a decoder"
    span = f"{made[0]:.0f}" if len(made) == 1 else f"{made[0]:.0f} to {made[-1]:.0f}"
    return f"no one decoder serves all: those of single tensors take about {span} gates (NAND2) for a weight a cycle"


def _weights(tensor: Record) -> int:
    return math.prod(tensor["shape"])


def _all_bits(tensor: Record) -> int:
    return sum(tensor[key] for _, key, _ in STORED)


def _largest(tensors: Sequence[Record]) -> list[Record]:
    """The tensors that take the most bits, in the order of the model."""
    kept = sorted(tensors, key=_all_bits, reverse=True)[:_MOST_BARS]
    chosen = {tensor["name"] for tensor in kept}
    return [tensor for tensor in tensors if tensor["name"] in chosen]


def bits_bars(record: Record) -> Bars:
    """Bits a weight of each tensor by part, its bound as a mark; the model last."""
    rows = [(name(tensor["name"]), tensor, _weights(tensor)) for tensor in _largest(record["tensors"])]
    if len(record["tensors"]) > 1:
        rows.append(("the whole model", record["total"], record["total"]["weights"]))
    bars = []
    for label, figures, weights in rows:
        over = figures["over_bound"]
        bars.append(
            Bar(
                label=label,
                parts=[figures[key] / max(weights, 1) for _, key, _ in STORED],
                note=number(figures["bits_per_weight_with_mask"])
                + ("" if over is None else f", {_beyond(over)}"),
                marks=[figures["bound_bits"] / weights if weights else None],
            )
        )
    return Bars(
        about="Stored bits a weight, and how far that is from the bound",
        kinds=[(kind, colour) for kind, _, colour in STORED],
        marks=["bound"],
        bars=bars,
    )


def main_group(groups: Sequence[Record]) -> Record | None:
    """The group of planes with the most care bits that vary; None where there is none."""
    varying = [group for group in groups if group["variation"] is not None]
    return max(varying, key=lambda group: group["planes"] * group["mean"] / group["n_out"], default=None)


def care_bars(record: Record) -> Bars | None:
    """How unevenly care bits fall on the blocks of each tensor, beside a random mask; None where nothing varies."""
    bars = []
    for tensor in _largest(record["tensors"]):
        group = main_group(record["care"][tensor["name"]])
        if group is not None:
            found, wanted = group["variation"], group["random_variation"]
            note = f"{found:.3f}, random {wanted:.3f}"
            bars.append(Bar(label=name(tensor["name"]), parts=[found], note=note, marks=[wanted]))
    if not bars:
        return None
    return Bars(
        about="Coefficient of variation of the care bits of a block, of the group with the most of them",
        kinds=[("this tensor", "c1")],
        marks=["as many care bits at random places"],
        bars=bars,
    )


def gates_bars(record: Record) -> Bars | None:
    """Estimated gates for one weight a cycle by stage: of the one decoder, or of each tensor's own."""
    one = record["decoder"]["one"]
    each = record["decoder"]["each"]
    shown = {"one decoder for all": one} if one is not None else {
        name(tensor["name"]): each[tensor["name"]] for tensor in _largest(record["tensors"])
    }  # fmt: skip
    bars = [
        Bar(
            label=label,
            parts=[gates["parts"].get(key, 0.0) / gates["n_out"] for _, key, _ in PARTS],
            note=f"{gates['per_weight']:.1f} GE",
        )
        for label, gates in shown.items()
        if gates is not None
    ]
    if not bars:
        return None
    return Bars(
        about="Gate equivalents for one weight a cycle, estimated",
        kinds=[(kind, colour) for kind, _, colour in PARTS],
        bars=bars,
    )


def report_page(model: str, record: Record, machine: Record) -> str:
    """Return the page.

    Parameters
    ----------
    model : str
        What the model is called.
    record : dict
        What `xorweave.library.model_record.model_record` returns.
    machine : dict
        What decoding was timed on: ``processor``, ``cores``.
    """
    return render(
        "report.html.j2",
        model=model,
        conclusion=conclusion(name(model), record),
        record=record,
        machine=machine,
        total=record["total"],
        weights=max(record["total"]["weights"], 1),
        all_bits=_all_bits(record["total"]),
        stored=STORED,
        stages=PARTS,
        many=len(record["tensors"]) > _MOST_BARS,
        packed=[tensor["name"] for tensor in record["tensors"] if tensor["values_code"] == "packed"],
        size=_weights,
        bits=bits_bars(record),
        care=care_bars(record),
        gates=gates_bars(record),
    )
