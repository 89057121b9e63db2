"""``xorweave sparsity``: direct and effective sparsity of a pruned network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xorweave.commands.console import meter, percent, print_json, print_table, say, tell
from xorweave.golden.base.errors import InputError

if TYPE_CHECKING:
    from xorweave.golden.network.effective import Effective
    from xorweave.golden.network.network import Masks, Network, Tensors
    from xorweave.golden.pruning.savings import Saving
    from xorweave.golden.pruning.sparsity import Sparsity

_MOST_VALUES = 1 << 27  # values of a run on 16 inputs, all activations together: 1 GB


def sparsity(
    src: Annotated[
        Path,
        typer.Argument(
            help="Weights: .npz .safetensors .onnx .pt .pth, a folder or index of shards; or a network by name"
        ),
    ],
    network: Annotated[
        str | None,
        typer.Option(
            help="A name (lenet-300-100, vgg-16, resnet-50, ...: all in docs/effective-sparsity.md), "
            "a .json description or .onnx"
        ),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="Masks by tensor name; default: the weights that are not zero")
    ] = None,
    encode: Annotated[
        bool, typer.Option("--encode", help="Encode with both masks and say what is saved")
    ] = False,
    dtype: Annotated[str, typer.Option(help="Number format for --encode")] = "int8",
    code: Annotated[str, typer.Option(help="Code for --encode, as for the command encode")] = "auto",
    seed: Annotated[int, typer.Option(help="Of the random inputs and of the code")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Count the connections that are kept, and those that are alive."""
    from xorweave.golden.files.weight_files import read_masks
    from xorweave.golden.network.effective import make_effective
    from xorweave.golden.network.network_files import read_network
    from xorweave.golden.pruning.savings import measure_saving
    from xorweave.golden.pruning.sparsity import measure_sparsity

    described, tensors = read_network(src, network, seed=seed)
    if not tensors:
        raise InputError(f"{src} must hold weights, not only a description")
    if described.remark:
        tell(described.remark)
    masks = described.check_masks(read_masks(mask)) if mask else described.zero_masks(tensors)
    layers, total = measure_sparsity(described, masks)
    effective = make_effective(tensors, masks, described)
    apart = _difference(described, tensors, masks, effective, seed)
    savings: dict[str, Saving] = {}
    if encode:
        with meter() as show, show.task("encoding") as advance:
            order = list(described.weights)
            savings = measure_saving(
                tensors, masks, {name: effective.masks[name] for name in order}, dtype=dtype, code=code, seed=seed,
                progress=lambda name: advance(order.index(name) / len(order)),
            )  # fmt: skip
    whole = _together(savings)
    channels = _alive_by_channels(described, masks)
    if as_json:
        print_json(
            {
                "network": described.name,
                "upper_bound": _is_bound(described),
                "layers": [layer.to_dict() for layer in layers],
                "total": total.to_dict(),
                "alive_by_channels": channels,
                "biases_folded": sorted(effective.biases),
                "inactivated_but_kept": effective.kept,
                "largest_difference": apart,
                "encoded": {name: saving.to_dict() for name, saving in savings.items()},
                "encoded_total": whole.to_dict() if whole else None,
            }
        )
        return
    _print(described, [*layers, total], effective, apart)
    if channels is not None:
        say(f"alive in the graph of channels, as the paper's code counts: {channels:,}")
    if whole:
        _print_savings(savings, whole, dtype)


def _difference(
    network: Network, tensors: Tensors, masks: Masks, effective: Effective, seed: int
) -> float | None:
    """Run both networks; None where the network cannot be run, or is too large to be."""
    from xorweave.golden.network.effective import largest_difference

    units = sum(math.prod(node.shape) for node in network.nodes.values())
    runnable = network.is_known and all(name in tensors for name in (*network.weights, *network.parameters))
    if not runnable or 16 * units > _MOST_VALUES:
        return None
    apart = largest_difference(network, tensors, masks, effective, seed=seed)
    return apart if math.isfinite(apart) else None


def _alive_by_channels(network: Network, masks: Masks) -> int | None:
    """Count by channels; None without convolutions, where it is the same, and where the graph does not serve."""
    from xorweave.golden.network.channel_graph import channel_masks
    from xorweave.golden.network.layers import Conv

    if not any(isinstance(node.layer, Conv) for node in network.nodes.values()):
        return None
    try:
        return sum(int(mask.sum()) for mask in channel_masks(network, masks).values())
    except InputError:
        return None


def _is_bound(network: Network) -> bool:
    """Whether what is alive is an upper bound: a layer is not known."""
    from xorweave.golden.network.layers import Opaque

    return any(isinstance(node.layer, Opaque) for node in network.nodes.values())


def _together(savings: dict[str, Saving]) -> Saving | None:
    from xorweave.golden.pruning.savings import Saving

    if not savings:
        return None
    direct, effective = ([getattr(s, mask) for s in savings.values()] for mask in ("direct", "effective"))
    return Saving(type(direct[0]).together(direct), type(effective[0]).together(effective))


def compression(value: float) -> str:
    """Write a compression; nothing left is infinite."""
    return "inf" if value == float("inf") else f"{value:,.2f}x"


def sparsity_rows(rows: list[Sparsity]) -> list[list[str]]:
    """Return the rows of the table of layers and total."""
    return [
        [
            row.name, f"{row.total:,}", f"{row.kept:,}", f"{row.alive:,}", f"{row.inactivated:,}",
            percent(row.direct_sparsity), percent(row.effective_sparsity),
            compression(row.direct_compression), compression(row.effective_compression),
        ]
        for row in rows
    ]  # fmt: skip


SPARSITY_COLUMNS = (
    "tensor", "weights", "kept", "alive", "inactivated", "direct sparsity", "effective",
    "direct compression", "effective",
)  # fmt: skip


def _print(network: Network, rows: list[Sparsity], effective: Effective, apart: float | None) -> None:

    print_table(f"{network.name}: sparsity and compression", SPARSITY_COLUMNS, sparsity_rows(rows))
    if _is_bound(network):
        say("layers that are not known count as connecting everything: what is alive is an upper bound")
    if effective.biases:
        say(f"biases to be folded: {', '.join(sorted(effective.biases))}")
    if effective.kept:
        kept = ", ".join(f"{name} {count}" for name, count in effective.kept.items())
        say(f"inactivated, but needed for a constant no bias can take: {kept}")
    difference = "not measured" if apart is None else f"{apart:.1e} of the largest output"
    say(f"largest difference of the outputs on 16 random inputs: {difference}")


def _print_savings(savings: dict[str, Saving], whole: Saving, dtype: str) -> None:
    rows = []
    for name, saving in (*savings.items(), ("total", whole)):
        bits = [
            f"{(figures.stored_bits + extra) / figures.weights:.4f}"
            for extra_mask in (False, True)
            for figures in (saving.direct, saving.effective)
            for extra in (figures.mask_bits if extra_mask else 0,)
        ]
        rows.append([name, *bits, percent(saving.share_saved)])
    columns = ("tensor", "direct", "effective", "direct, mask", "effective, mask", "saved")
    print_table(f"bits a weight, {dtype}, with the direct and the effective mask", columns, rows)
