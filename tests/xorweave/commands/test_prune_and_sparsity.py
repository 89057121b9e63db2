"""The commands prune and sparsity, run as a user runs them, apart from the program's own wiring."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from xorweave.commands.prune import prune
from xorweave.commands.sparsity import sparsity
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import to_bfloat16
from xorweave.golden.files.mapped import read_safetensors
from xorweave.golden.files.safetensors_file import Tensor, write_safetensors
from xorweave.golden.network.catalogue import lenet_5, perceptron
from xorweave.golden.network.network import Network

app = typer.Typer()
app.command()(prune)
app.command()(sparsity)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    network = perceptron((30, 40, 20, 5))
    file = tmp_path / "weights.npz"
    np.savez(file, **{n: rng.normal(size=s) for n, s in {**network.weights, **network.parameters}.items()})
    return file


@pytest.mark.parametrize("method", ["random", "magnitude", "lamp", "synflow"])
def test_prune_then_sparsity_tell_the_same(weights: Path, tmp_path: Path, method: str) -> None:
    out, masks = tmp_path / "out.safetensors", tmp_path / "masks.safetensors"
    arguments = (weights, "-o", out, "--masks", masks, "--method", method, "--compression", 12, "--seed", 5)
    first = json.loads(run("prune", *arguments, "--json"))
    second = json.loads(run("sparsity", out, "--json"))
    assert first["layers"] == second["layers"]
    assert first["total"]["direct_compression"] == pytest.approx(12, rel=0.01)
    assert second["largest_difference"] < 1e-12
    before, after = np.load(weights), read_safetensors(out)[0]
    kept = read_safetensors(masks)[0]
    for name in before.files:
        wanted = np.where(kept[name].values, before[name], 0) if name in kept else before[name]
        assert (after[name].values == wanted).all()
    assert json.loads(run("sparsity", weights, "--mask", masks, "--json"))["layers"] == first["layers"]


def test_networks_by_name_need_no_file(tmp_path: Path) -> None:
    out, masks = tmp_path / "out.safetensors", tmp_path / "masks.safetensors"
    shared = ("prune", "lenet-5-cifar", "-o", out, "--masks", masks, "--sparsity", 0.97, "--json")
    found = json.loads(run(*shared, "--method", "magnitude", "--seed", 3))
    assert found["network"] == "lenet-5-cifar"
    assert found["total"]["kept"] == 61_770 - round(0.97 * 61_770)
    counted = json.loads(run("sparsity", "lenet-5-cifar", "--mask", masks, "--json"))
    assert counted["layers"] == found["layers"]
    # the weights are drawn: the same for the same seed, others for another
    kept = read_safetensors(masks)[0]
    run(*shared, "--method", "magnitude", "--seed", 3)
    again = read_safetensors(masks)[0]
    assert all((kept[name].values == again[name].values).all() for name in kept)
    run(*shared, "--method", "magnitude", "--seed", 4)
    other = read_safetensors(masks)[0]
    assert any((kept[name].values != other[name].values).any() for name in kept)
    with pytest.raises(InputError, match="the network of lenet-5-cifar must be itself, not 'vgg-16'"):
        run("sparsity", "lenet-5-cifar", "--network", "vgg-16")


def test_effective_target_and_fold(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    shared = (
        "prune",
        weights,
        "-o",
        out,
        "--method",
        "random",
        "--quota",
        "igq",
        "--compression",
        20,
        "--json",
    )
    found = json.loads(run(*shared, "--effective", "--fold"))["total"]
    assert found["effective_compression"] == pytest.approx(20, rel=0.02)
    assert found["direct_compression"] < found["effective_compression"]
    again = json.loads(run("sparsity", out, "--json"))["total"]
    assert again["kept"] == again["alive"] == found["alive"]


def test_saving_is_reported(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    run("prune", weights, "-o", out, "--method", "random", "--sparsity", 0.9)
    found = json.loads(run("sparsity", out, "--encode", "--json"))
    assert found["encoded"].keys() == {"fc1.weight", "fc2.weight", "fc3.weight"}
    bits = {mask: found["encoded_total"][mask]["stored_bits"] for mask in ("direct", "effective")}
    assert bits["direct"] == sum(part["direct"]["stored_bits"] for part in found["encoded"].values())
    assert found["encoded_total"]["share_saved"] == pytest.approx(1 - bits["effective"] / bits["direct"])


def test_tables_for_people(weights: Path, tmp_path: Path) -> None:
    text = run("prune", weights, "-o", tmp_path / "o.safetensors", "--sparsity", 0.95, "--fold")
    assert "fc1.weight" in text and "inactivated connections dropped" in text
    text = run("sparsity", tmp_path / "o.safetensors", "--encode")
    assert "largest difference of the outputs on 16 random inputs" in text and "saved" in text


def test_a_description_without_weights(tmp_path: Path) -> None:
    file, out = tmp_path / "net.json", tmp_path / "masks.safetensors"
    file.write_text(lenet_5().to_json())
    found = json.loads(
        run("prune", file, "-o", out, "--method", "random", "--quota", "erk", "--sparsity", 0.99, "--json")
    )
    assert found["total"]["direct_sparsity"] == pytest.approx(0.99, abs=1e-4)
    masks = read_safetensors(out)[0]
    assert sum(int(mask.values.sum()) for mask in masks.values()) == found["total"]["kept"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sparsity", 0.5, "-o", "x.npz"), r"the output must be named .safetensors, not 'x.npz'"),
        (("--sparsity", 0.5, "-o", "nowhere/x.safetensors"), r"there is no folder nowhere to write into"),
        (("-o", "x.safetensors"), r"give one of --sparsity and --compression"),
        (("--sparsity", 0.5, "-o", "x.safetensors", "--method", "l1"), r"the pruning method must be one of"),
        (
            ("--sparsity", 0.5, "-o", "x.safetensors", "--method", "snip"),
            r"snip needs gradients of the loss, or images to find them with",
        ),
        (("--sparsity", 0.5, "-o", "x.safetensors", "--network", "vgg"), r"the network must be one of"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message) as caught:
        run("prune", weights, *arguments)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_neither_an_input_nor_somebody_elses_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = {"w": Tensor.of(np.eye(4, dtype=np.float32))}
    Path("shards").mkdir()
    for name in ("w.safetensors", "gradients.safetensors", "shards/part.safetensors"):
        write_safetensors(Path(name), weights, {})
    Path("mine.safetensors").write_text("my notes")
    before = {path: path.read_bytes() for path in Path().rglob("*.safetensors")}
    half = ("--sparsity", 0.5, "-o")
    for arguments, message in (
        (("w.safetensors", *half, "w.safetensors"), "another file than the input w.safetensors"),
        (("shards", *half, "shards/part.safetensors"), "another file than the input shards/part.safetensors"),
        (("w.safetensors", *half, "mine.safetensors"), "is a file of another kind"),
        (
            ("w.safetensors", *half, "o.safetensors", "--masks", "w.safetensors"),
            "another file than the input",
        ),
        (
            ("w.safetensors", *half, "o.safetensors", "--masks", "./o.safetensors"),
            "to another file than the weights",
        ),
        (
            ("w.safetensors", "--gradients", "gradients.safetensors", *half, "gradients.safetensors"),
            "another file than the input gradients",
        ),
    ):
        with pytest.raises(InputError, match=message):
            run("prune", *arguments)
        assert {path: path.read_bytes() for path in Path().rglob("*.safetensors")} == before


def test_metadata_types_and_buffers_come_through(tmp_path: Path) -> None:
    source, out = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    rng = np.random.default_rng(0)
    bits = to_bfloat16(rng.normal(size=(8, 4)).astype(np.float32))
    tensors = {
        "in.weight": Tensor(bits, "BF16"),
        "fin.weight": Tensor.of(rng.normal(size=(2, 8)).astype(np.float16)),
        "position_ids": Tensor.of(np.arange(16)[None]),
        "small": Tensor(np.arange(4, dtype=np.uint8).reshape(2, 2), "F8_E4M3"),
    }
    write_safetensors(source, tensors, {"format": "pt"})
    found = json.loads(run("prune", source, "-o", out, "--sparsity", 0.5, "--json"))
    assert found["total"]["weights"] == 48 and found["total"]["kept"] == 24
    after, metadata = read_safetensors(out)
    assert metadata["format"] == "pt"
    assert json.loads(metadata["xorweave.prune"])["layers"] == ["in.weight", "fin.weight"]
    for name, tensor in tensors.items():
        assert after[name].dtype == tensor.dtype
        kept = after[name].values != 0 if name.endswith("weight") else np.ones(tensor.values.shape, bool)
        assert np.array_equal(after[name].values[kept], tensor.values[kept])
    assert json.loads(run("sparsity", out, "--json"))["total"] == found["total"]


def test_the_order_of_layers_is_stored_and_used(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    order = ["in.weight", "mid.weight", "fin.weight"]
    np.savez(tmp_path / "n.npz", **{name: rng.normal(size=(6, 6)) for name in order})
    out = tmp_path / "out.safetensors"
    first = json.loads(run("prune", tmp_path / "n.npz", "-o", out, "--sparsity", 0.8, "--json"))
    second = json.loads(run("sparsity", out, "--json"))
    assert [layer["name"] for layer in second["layers"]] == order and second["layers"] == first["layers"]
    tensors, _ = read_safetensors(out)
    write_safetensors(out, tensors, {})  # without the note, three squares have no order
    bound = json.loads(run("sparsity", out, "--json"))
    assert bound["upper_bound"] and bound["total"]["alive"] == bound["total"]["kept"]


def test_a_checkpoint_that_is_no_known_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=(4, 3, 3, 3)), "b": rng.normal(size=(7, 5)), "c": rng.normal(size=5)}
    np.savez(tmp_path / "n.npz", **weights)
    out = tmp_path / "out.safetensors"
    found = json.loads(run("prune", tmp_path / "n.npz", "-o", out, "--sparsity", 0.75, "--json"))
    magnitudes = np.sort(np.abs(np.concatenate([weights["a"].reshape(-1), weights["b"].reshape(-1)])))
    limit = magnitudes[-found["total"]["kept"]]
    after = read_safetensors(out)[0]
    for name, values in weights.items():
        wanted = np.where(np.abs(values) >= limit, values, 0) if values.ndim > 1 else values
        assert np.array_equal(after[name].values, wanted)
    with pytest.raises(InputError, match="the network must be known for what is effective"):
        run("prune", tmp_path / "n.npz", "-o", out, "--sparsity", 0.75, "--effective")


def test_convolutions_are_counted_by_channels_too(tmp_path: Path) -> None:
    """A 3x3 kernel on a 1x1 map: its centre alone is alive, all nine taps are for the paper's code."""
    network = Network("border")
    x = network.conv(network.input((1, 1, 1)), "a.weight", 1, 3, padding=1)
    network.dense(network.flatten(x), "b.weight", 1)
    (tmp_path / "net.json").write_text(network.to_json())
    np.savez(tmp_path / "w.npz", **{name: np.ones(shape) for name, shape in network.weights.items()})
    words = ("sparsity", tmp_path / "w.npz", "--network", tmp_path / "net.json")
    found = json.loads(run(*words, "--json"))
    assert (found["total"]["alive"], found["alive_by_channels"]) == (2, 10)
    assert "alive in the graph of channels, as the paper's code counts: 10" in run(*words)
