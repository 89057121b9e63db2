"""``xorweave prune``: masks by every method, to a direct or an effective sparsity."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xorweave.commands.console import meter, percent, print_json, print_table, say, tell
from xorweave.commands.sparsity import SPARSITY_COLUMNS, sparsity_rows
from xorweave.golden.base.errors import InputError
from xorweave.library.words import ENCODABLE_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xorweave.golden.files.safetensors_file import Tensor
    from xorweave.golden.network.network import Masks, Network
    from xorweave.golden.network.network_files import NetworkSource
    from xorweave.golden.pruning.encodable import Moved
    from xorweave.golden.pruning.pruners import Gradients

MOVED_COLUMNS = (
    "tensor", "kept", "flips", "of kept", "|w| lost", "largest dropped", "values rounded", "rms error", "largest error",
)  # fmt: skip


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
    **words: Any,
) -> None:
    """Prune a network, in one shot or in rounds, and write the pruned weights.

    With --encodable the code has a say in what is kept, and in the values: lossy by choice, and fewer bits.
    """
    from xorweave.golden.files.safetensors_file import Tensor, write_safetensors
    from xorweave.golden.network.effective import make_effective
    from xorweave.golden.network.network_files import PRUNED, pruned_tensors, read_source
    from xorweave.golden.pruning.pruners import prune as prune_network
    from xorweave.golden.pruning.sparsity import measure_sparsity
    from xorweave.golden.pruning.targets import target_sparsity

    _check_outputs(out, masks_out, [src, gradients, network])
    lossy = _Lossy(words, method, fold)
    target = target_sparsity(sparsity, compression)
    source = read_source(src, network, seed=seed)
    described, tensors = source.network, source.arrays
    _check_known(described, tensors, fold, effective)
    if described.remark:
        tell(described.remark)
    with meter() as show, show.task(method) as advance:
        masks = prune_network(
            described, tensors or None, method=method, sparsity=target, quota=quota, effective=effective, seed=seed,
            gradients=_gradients(described, tensors, (method, quota), gradients), progress=advance,
        )  # fmt: skip
    written, masks = lossy.prune(source, masks)
    layers, total = measure_sparsity(described, masks)
    folded = None
    if fold:
        folded = make_effective(tensors, masks, described)
        masks = {name: folded.masks[name] for name in described.weights}
    written = written or pruned_tensors(source, masks, folded.biases if folded else {})
    done = {
        "source": src.name, "network": described.name, "method": method, "quota": quota, "seed": seed,
        "sparsity": target, "effective": effective, "folded": fold, "layers": list(described.weights),
        **lossy.record(),
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
                **lossy.record(),
            }
        )
        return
    print_table(
        f"{described.name}: {method} -> {out.name}", SPARSITY_COLUMNS, sparsity_rows([*layers, total])
    )
    lossy.show()
    if folded:
        say(f"{sum(folded.inactivated.values()):,} inactivated connections dropped")


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


def _check_outputs(out: Path, masks_out: Path | None, read: Sequence[Path | str | None]) -> None:
    from xorweave.golden.files.outputs import check_output

    inputs = [Path(name) for name in read if name is not None]
    check_output(out, inputs=inputs, force=None)
    if masks_out is None:
        return
    check_output(masks_out, inputs=inputs, force=None)
    if masks_out.resolve() == out.resolve():
        raise InputError(f"the masks must be written to another file than the weights, {out}")


def _check_known(network: Network, tensors: Mapping[str, NDArray], fold: bool, effective: bool) -> None:
    if fold and not tensors:
        raise InputError("to fold, there must be weights and biases, not only a description")
    if (fold or effective) and network.remark.startswith("every"):
        raise InputError(f"the network must be known for what is effective: {network.remark}")


class _Lossy:
    """What --encodable asks for, does and says."""

    def __init__(self, words: Mapping[str, Any], method: str, fold: bool) -> None:
        from xorweave.library.encodable import leeway_of

        self.asked = bool(words["encodable"])
        self.moved: dict[str, Moved] = {}
        given = [name for name, value in words.items() if value not in (None, False) and name != "encodable"]
        if not self.asked:
            if given:
                raise InputError(f"{given[0]} must be given with encodable only")
            return
        if method not in ("magnitude", "lamp"):
            raise InputError(f"encodable pruning ranks by magnitude: magnitude or lamp, not {method}")
        if fold:
            raise InputError("fold must not be given with encodable: fold first, then prune what is left")
        self.leeway = leeway_of(words)

    def prune(self, source: NetworkSource, masks: Masks) -> tuple[dict[str, Tensor], Masks]:
        """Return what is written of a source, and the masks that it has then; nothing where it was not asked for."""
        from xorweave.golden.network.network_files import as_arrays
        from xorweave.golden.pruning.encodable_tensors import encodable_tensors

        if not self.asked:
            return {}, masks
        if not source.file.tensors:
            raise InputError("encodable pruning needs weights, not only a description")
        with meter() as show, show.task("encodable") as advance:
            written, self.moved = encodable_tensors(
                source.file.tensors, masks, self.leeway, advance, source.file.arranged
            )
        arrays = as_arrays({name: written[name] for name in masks})
        return written, {name: arrays[name] != 0 for name in masks}

    def record(self) -> dict[str, Any]:
        """Return what the file and the JSON object say of it."""
        from dataclasses import asdict

        if not self.asked:
            return {}
        moved = {name: row.to_dict() for name, row in self.moved.items()}
        return {"encodable": {"lossy": True, **asdict(self.leeway), "moved": moved}}

    def show(self) -> None:
        """Print what was moved."""
        from xorweave.golden.pruning.encodable_tensors import all_moved

        if not self.asked:
            return
        rows = [_moved_row(name, row) for name, row in self.moved.items()]
        if len(rows) > 1:
            rows.append(_moved_row("total", all_moved(self.moved)))
        print_table("lossy by choice: moved beside plain pruning", MOVED_COLUMNS, rows)


def _moved_row(name: str, moved: Moved) -> list[str]:
    share = moved.dropped / moved.kept if moved.kept else None
    lost = moved.lost / moved.magnitude if moved.magnitude else None
    return [
        name, f"{moved.kept:,}", f"{moved.dropped:,}", percent(share), percent(lost),
        f"{moved.largest_dropped:.3f}", f"{moved.rounded:,}", f"{moved.error:.2f}", f"{moved.largest_error:.2f}",
    ]  # fmt: skip


def _parameters() -> list[inspect.Parameter]:
    """Return the parameters of the command: those of --encodable stand behind its own."""
    own = list(inspect.signature(prune, eval_str=True).parameters.values())[:-1]
    kinds: dict[str, Any] = {"dtype": str, "effort": int, "per_row": bool}
    about = {
        "encodable": "Choose masks (and values, with --dtype) that take few bits: lossy",
        **ENCODABLE_WORDS,
    }
    options = []
    for name, text in about.items():
        flag = name == "encodable" or kinds.get(name) is bool
        kind = bool if flag else kinds.get(name, float) | None
        option = typer.Option(f"--{name.replace('_', '-')}", help=text)
        options.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if flag else None,
                annotation=Annotated[kind, option],
            )
        )
    return [*own[:-1], *options, own[-1]]


# typer reads the signature: with it the words are options
prune.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in _parameters()]
)
prune.__annotations__ = {each.name: each.annotation for each in prune.__signature__.parameters.values()}  # type: ignore[attr-defined]
