"""``xorweave prune``: masks by every method, to a direct or an effective sparsity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xorweave.commands.console import meter, print_json, print_table
from xorweave.commands.sparsity import SPARSITY_COLUMNS, sparsity_rows
from xorweave.golden.base.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xorweave.golden.network.network import Network
    from xorweave.golden.pruning.pruners import Gradients


def prune(
    src: Annotated[
        Path,
        typer.Argument(
            help="Weights: .npz .safetensors .onnx .pt .pth, a folder or index of shards; a .json description; "
            "or a network by name (resnet-50, ...), with drawn weights"
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Pruned tensors to write (.safetensors)")],
    method: Annotated[
        str,
        typer.Option(
            help="random, magnitude, lamp, snip, grasp or synflow; snip:100 scores what is left in 100 rounds"
        ),
    ] = "magnitude",
    sparsity: Annotated[float | None, typer.Option(help="Share of weights to remove, 0 to 1")] = None,
    compression: Annotated[float | None, typer.Option(help="Instead: weights over weights left")] = None,
    effective: Annotated[
        bool, typer.Option("--effective", help="The target is the effective sparsity, found by search")
    ] = False,
    quota: Annotated[
        str | None,
        typer.Option(
            help="Layer quotas: uniform, uniform+, erk, igq, or those that a method leaves (synflow, ...); "
            "default: random uniform, else global"
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            help="A name, a .json description or .onnx; default: a fully connected one if it is one"
        ),
    ] = None,
    gradients: Annotated[
        Path | None,
        typer.Option(
            help="For snip and grasp: images and labels (.npz) to find gradients with (extra train), or gradients by "
            "tensor name (for grasp the Hessian times them)"
        ),
    ] = None,
    fold: Annotated[
        bool,
        typer.Option("--fold", help="Drop inactivated connections too and fold their constants into biases"),
    ] = False,
    masks_out: Annotated[
        Path | None, typer.Option("--masks", help="Write the masks too (.safetensors)")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of random pruning, and of the weights of a network given by name")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Prune a network, in one shot or in rounds, and write the pruned weights."""
    from xorweave.golden.files.safetensors_file import Tensor, write_safetensors
    from xorweave.golden.network.effective import make_effective
    from xorweave.golden.network.network_files import PRUNED, pruned_tensors, read_source
    from xorweave.golden.pruning.pruners import prune as prune_network
    from xorweave.golden.pruning.sparsity import measure_sparsity
    from xorweave.golden.pruning.targets import target_sparsity

    for path in (out, masks_out):
        if path is not None and path.suffix.lower() != ".safetensors":
            raise InputError(f"the file to write must be named .safetensors, not {path.name!r}")
        if path is not None and not path.parent.is_dir():
            raise InputError(f"there is no folder {path.parent} to write into")
    target = target_sparsity(sparsity, compression)
    source = read_source(src, network, seed=seed)
    described, tensors = source.network, source.arrays
    if fold and not tensors:
        raise InputError("to fold, there must be weights and biases, not only a description")
    if (fold or effective) and described.remark.startswith("every"):
        raise InputError(f"the network must be known for what is effective: {described.remark}")
    if described.remark:
        typer.echo(f"xorweave: {described.remark}", err=True)
    with meter() as show, show.task(method) as advance:
        masks = prune_network(
            described, tensors or None, method=method, sparsity=target, quota=quota, effective=effective, seed=seed,
            gradients=_gradients(described, tensors, (method, quota), gradients), progress=advance,
        )  # fmt: skip
    layers, total = measure_sparsity(described, masks)
    folded = None
    if fold:
        folded = make_effective(tensors, masks, described)
        masks = {name: folded.masks[name] for name in described.weights}
    written = pruned_tensors(source, masks, folded.biases if folded else {})
    done = {
        "source": src.name, "network": described.name, "method": method, "quota": quota, "seed": seed,
        "sparsity": target, "effective": effective, "folded": fold, "layers": list(described.weights),
    }  # fmt: skip
    note = {PRUNED: json.dumps(done)}
    write_safetensors(out, written, source.file.metadata | note)
    if masks_out is not None:
        write_safetensors(masks_out, {name: Tensor.of(mask) for name, mask in masks.items()}, note)
    if as_json:
        print_json(
            {
                "network": described.name,
                "method": method,
                "layers": [layer.to_dict() for layer in layers],
                "total": total.to_dict(),
                "biases_folded": sorted(folded.biases) if folded else [],
                "inactivated_but_kept": folded.kept if folded else {},
            }
        )
        return
    print_table(
        f"{described.name}: {method} -> {out.name}", SPARSITY_COLUMNS, sparsity_rows([*layers, total])
    )
    if folded:
        typer.echo(f"{sum(folded.inactivated.values()):,} inactivated connections dropped")


def _gradients(
    network: Network, tensors: dict[str, NDArray], words: tuple[str, str | None], path: Path | None
) -> Gradients | None:
    """Return gradients that are given, or what finds them with the images that are given.

    `words` are the method and the quota: the gradients are for the first of them that takes gradients.
    """
    import numpy as np

    from xorweave.golden.files.weight_files import read_weight_file
    from xorweave.golden.network.network_files import as_arrays
    from xorweave.golden.network.training import flow_gradients, initial_tensors, loss_gradients
    from xorweave.studies.inference import Images

    if path is None:
        return None
    names = [word.partition(":")[0] for word in words if word]
    name = next((name for name in names if name in ("snip", "grasp")), None)
    if name is None:
        raise InputError(f"gradients are for snip and grasp; {names[0]} needs none")
    given = as_arrays(read_weight_file(path).tensors)
    if "images" not in given:
        return given
    shown = Images.read(path)
    if shown.labels is None:
        raise InputError(f"{path} must hold labels, too: the loss is that of naming what the images show")
    labels, values = shown.labels, shown.values.astype(np.float32)
    held = {
        **initial_tensors(network, 0),
        **tensors,
    }  # a parameter that the source lacks is as it is before training
    find = loss_gradients if name == "snip" else flow_gradients
    return lambda masks: find(network, held, values, labels, masks)
