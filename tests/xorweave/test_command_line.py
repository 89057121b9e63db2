"""encode, decode and inspect as a user or a script runs them: in a process of their own, or in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from xorweave import __version__, cli
from xorweave.golden.base.number_format import from_bfloat16
from xorweave.golden.files.container import Container, read_container, write_container
from xorweave.golden.files.mapped import read_safetensors
from xorweave.golden.files.safetensors_file import Tensor, write_safetensors

KEYS = {
    "name", "shape", "dtype", "sparsity", "n_in", "n_out", "n_s", "constraint_length", "care_bits", "payload_bits",
    "correction_bits", "mask_bits", "unmatched_bits", "efficiency", "overhead", "memory_reduction",
    "memory_reduction_with_mask", "bits_per_weight", "bits_per_weight_with_mask", "encoder", "mask_code", "values_code",
    "scan", "side_bits", "bound_bits", "over_bound", "gates_per_weight",
}  # fmt: skip


class Outcome:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output: nothing else may be there."""
        assert self.status == 0, self.err
        assert self.out.count("\n") == 1 and self.err == ""

        def refuse(text: str) -> None:
            raise AssertionError(f"{text} is no JSON")

        return json.loads(self.out, parse_constant=refuse)


class Here:
    """The command line in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd, self._monkeypatch = capfd, monkeypatch

    def __call__(self, *arguments: object) -> Outcome:
        self._monkeypatch.setattr(sys, "argv", ["xorweave", *map(str, arguments)])
        status: object = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code or 0
        out, err = self._capfd.readouterr()
        assert isinstance(status, int)
        return Outcome(status, out, err)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(capfd, monkeypatch)


def in_a_process(*arguments: object) -> Outcome:
    command = [sys.executable, "-m", "xorweave.cli", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"}, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "w.safetensors"
    save_file(
        {
            "a.weight": rng.standard_normal((24, 40)).astype(np.float32),
            "a.bias": rng.standard_normal(24).astype(np.float32),
            "b.weight": rng.standard_normal((6, 4, 3, 3)).astype(np.float32),
            "empty": np.zeros((0, 5), np.float32),
        },
        path,
    )
    return path


FIXED = "n_in=16,n_out=160,n_s=7"


def test_help_and_version_in_a_process() -> None:
    shown = in_a_process("--version")
    assert (shown.status, shown.out, shown.err) == (0, f"xorweave {__version__}\n", "")
    text = in_a_process("--help").out
    assert all(command in text for command in ("encode", "decode", "inspect"))


def test_the_whole_way_in_processes(tmp_path: Path, weights: Path) -> None:
    made, back = tmp_path / "m.safetensors", tmp_path / "back.safetensors"
    encoded = in_a_process(
        "encode", weights, "-o", made, "--dtype", "int8", "--sparsity", "0.9", "--code", FIXED, "--json"
    ).json
    assert set(encoded) == {"tensors", "total", "carried"}
    inspected = in_a_process("inspect", made, "--json").json
    assert encoded["total"].pop("seconds") > 0
    # how a tensor was carried is known to the one who encodes only
    assert set(inspected.pop("carried")) - set(encoded.pop("carried")) == {"a.weight.scale", "b.weight.scale"}
    assert inspected == encoded
    assert in_a_process("decode", made, "-o", back).out == ""
    source, tensors = load_file(weights), load_file(back)
    assert set(tensors) == {*source, "a.weight.scale", "b.weight.scale"}
    for name in ("a.weight", "b.weight"):
        magnitude = np.abs(source[name])
        scale = np.float32(magnitude.max().astype(np.float64) / 127)
        kept = magnitude.size - round(magnitude.size * 0.9)
        cut = np.sort(magnitude.reshape(-1))[-kept]
        expected = np.where(magnitude >= cut, np.rint(source[name].astype(np.float64) / scale), 0)
        assert tensors[name].dtype == np.int8 and np.array_equal(tensors[name], expected)
        assert tensors[f"{name}.scale"] == scale
    assert np.array_equal(tensors["a.bias"], source["a.bias"])
    assert tensors["empty"].shape == (0, 5)


def test_records_hold_the_contract(run: Here, tmp_path: Path, weights: Path) -> None:
    plain = ["--mask-code", "bitmap", "--values-code", "raw"]
    result = run(
        "encode", weights, "-o", tmp_path / "m.safetensors", "--sparsity", 0.9, *plain, "--json"
    ).json
    names = [record["name"] for record in result["tensors"]]
    assert names == ["a.weight", "b.weight"]
    for record in result["tensors"]:
        assert set(record) >= KEYS
        assert record["dtype"] == "fp32"
        for key in ("n_in", "n_out", "n_s", "constraint_length"):
            assert type(record[key]) is int
        assert record["constraint_length"] == record["n_in"] * (record["n_s"] + 1)
        weights_ = int(np.prod(record["shape"]))
        blocks = -(-weights_ // record["n_out"])
        assert record["payload_bits"] <= blocks * record["n_in"] * 32
        assert record["mask_bits"] == weights_
        assert record["care_bits"] == (weights_ - round(0.9 * weights_)) * 32
        assert record["sparsity"] == pytest.approx(round(0.9 * weights_) / weights_)
    for record in [*result["tensors"], result["total"]]:
        for key in ("care_bits", "payload_bits", "correction_bits", "mask_bits", "unmatched_bits"):
            assert type(record[key]) is int
        count = sum(
            int(np.prod(r["shape"])) for r in result["tensors"] if record.get("name") in (None, r["name"])
        )
        stored, dense = record["payload_bits"] + record["correction_bits"], count * 32
        whole = stored + record["mask_bits"] + record["side_bits"]
        assert record["efficiency"] == pytest.approx(1 - record["unmatched_bits"] / record["care_bits"])
        assert record["overhead"] == pytest.approx(stored / record["care_bits"] - 1)
        assert record["memory_reduction"] == pytest.approx(1 - stored / dense)
        assert record["memory_reduction_with_mask"] == pytest.approx(1 - whole / dense)
        assert record["over_bound"] == pytest.approx(whole / record["bound_bits"])
        assert record["bits_per_weight"] == pytest.approx(stored / count)
        assert record["bits_per_weight_with_mask"] == pytest.approx(whole / count)
    for key in ("care_bits", "payload_bits", "correction_bits", "mask_bits", "unmatched_bits"):
        assert result["total"][key] == sum(record[key] for record in result["tensors"])


def test_tables_are_for_people(run: Here, tmp_path: Path, weights: Path) -> None:
    shown = run("encode", weights, "-o", tmp_path / "m.safetensors", "--sparsity", 0.9, "--code", FIXED)
    assert shown.status == 0 and shown.err == ""
    assert "a.weight" in shown.out and "total" in shown.out
    assert "16 -> 160, K 128" in " ".join(shown.out.split())
    assert "overhead" in run("inspect", tmp_path / "m.safetensors").out


@pytest.mark.parametrize("dtype", ["int8", "int4", "fp16", "bf16", "fp32", None])
def test_every_dtype_comes_back_as_it_was_encoded(
    run: Here, tmp_path: Path, weights: Path, dtype: str | None
) -> None:
    made, back = tmp_path / "m.safetensors", tmp_path / "b.safetensors"
    options = ["--dtype", dtype] if dtype else []
    assert (
        run(
            "encode", weights, "-o", made, "--sparsity", 0.5, "--code", "n_in=16,n_out=30,n_s=7", *options
        ).status
        == 0
    )
    assert run("decode", made, "-o", back, "--dequantize").status == 0
    source = load_file(weights)
    for name, tensor in read_safetensors(back)[0].items():
        if "weight" not in name:
            continue
        values = from_bfloat16(tensor.values) if tensor.dtype == "BF16" else tensor.values.astype(np.float32)
        original = source[name]
        mask = np.abs(original) > np.median(np.abs(original))
        assert not values[~mask].any()
        step = {"int8": 1 / 127, "int4": 1 / 7, "fp16": 2e-3, "bf16": 2e-2}.get(dtype or "", 0.0)
        assert np.abs(values - original)[mask].max() <= step * np.abs(original).max() / 2 * 1.001
        assert tensor.dtype == {"fp16": "F16", "bf16": "BF16"}.get(dtype or "", "F32")
    names = set(read_safetensors(back)[0])
    assert names == set(source)  # the scales are used up


def test_the_scale_of_a_tensor_that_was_never_quantised_stays_a_tensor(run: Here, tmp_path: Path) -> None:
    source, made, back = (tmp_path / f"{name}.safetensors" for name in ("s", "m", "b"))
    save_file({"w": np.eye(8, dtype=np.float32), "w.scale": np.array([3.0], np.float32)}, source)
    assert run("encode", source, "-o", made, "--code", FIXED).status == 0
    assert run("decode", made, "-o", back, "--dequantize").status == 0
    tensors = load_file(back)
    assert np.array_equal(tensors["w"], np.eye(8)) and tensors["w.scale"] == [3.0]


def test_the_same_bytes_again_and_with_more_jobs(run: Here, tmp_path: Path, weights: Path) -> None:
    stored = []
    for jobs in (1, 1, 3):
        path = tmp_path / "m.safetensors"
        assert (
            run(
                "encode",
                weights,
                "-o",
                path,
                "--prune",
                "random",
                "--sparsity",
                0.7,
                "--seed",
                5,
                "--jobs",
                jobs,
            ).status
            == 0
        )
        stored.append(path.read_bytes())
    assert stored[0] == stored[1] == stored[2]
    assert read_container(tmp_path / "m.safetensors").info["seed"] == "5"


def smtx(path: Path, mask: np.ndarray) -> Path:
    offsets = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
    columns = np.nonzero(mask)[1]
    lines = [
        f"{mask.shape[0]}, {mask.shape[1]}, {columns.size}",
        *(" ".join(map(str, row)) for row in (offsets, columns)),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("values", ["uniform", "normal"])
@pytest.mark.parametrize("dtype", ["int8", "int4", "fp32", "bf16"])
def test_masks_get_values(run: Here, tmp_path: Path, values: str, dtype: str) -> None:
    mask = np.random.default_rng(1).random((20, 30)) < 0.4
    source, made, back = (
        smtx(tmp_path / "m.smtx", mask),
        tmp_path / "c.safetensors",
        tmp_path / "b.safetensors",
    )
    result = run(
        "encode",
        source,
        "-o",
        made,
        "--values",
        values,
        "--dtype",
        dtype,
        "--code",
        "n_in=16,n_out=34,n_s=7",
        "--json",
    ).json
    (record,) = result["tensors"]
    assert record["dtype"] == dtype and record["care_bits"] == mask.sum() * {
        "int8": 8,
        "int4": 4,
        "fp32": 32,
    }.get(dtype, 16)
    assert run("decode", made, "-o", back).status == 0
    decoded = read_safetensors(back)[0]["m"].values
    assert not decoded[~mask].any() and np.unique(decoded[mask]).size > 5


def test_the_papers_code_on_a_published_mask(run: Here, tmp_path: Path, data_dir: Path) -> None:
    source = (
        data_dir
        / "dlmc/transformer/random_pruning/0.9"
        / ("body_encoder_layer_0_self_attention_multihead_attention_v_fully_connected.smtx")
    )
    if not source.is_file():
        pytest.skip(f"{source} is not there")
    efficiencies = []
    for n_s in (0, 1):
        result = run(
            "encode", source, "-o", tmp_path / "m.safetensors", "--values", "uniform", "--dtype", "int8",
            "--code", f"paper,n_s={n_s}", "--encoder", "viterbi", "--json",
        ).json  # fmt: skip
        (record,) = result["tensors"]
        assert (record["n_in"], record["n_out"], record["n_s"]) == (8, 80, n_s)
        efficiencies.append(record["efficiency"])
    assert efficiencies == pytest.approx([0.935, 0.987], abs=0.003)


# --- what is legitimate


@pytest.mark.parametrize("content", ["zeros", "dense", "single"])
@pytest.mark.parametrize("code", ["auto", "paper,n_s=1", FIXED])
def test_zeros_and_dense_tensors_are_legitimate(run: Here, tmp_path: Path, content: str, code: str) -> None:
    rng = np.random.default_rng(3)
    values = {
        "zeros": np.zeros((16, 24), np.int8),
        "dense": rng.integers(1, 128, (16, 24)).astype(np.int8),
        "single": np.zeros((16, 24), np.int8),
    }[content]
    if content == "single":
        values[7, 5] = -77
    np.save(tmp_path / "w.npy", values)
    made, back = tmp_path / "m.safetensors", tmp_path / "b.safetensors"
    options = ["--encoder", "elimination"] if code == FIXED else []
    result = run("encode", tmp_path / "w.npy", "-o", made, "--code", code, "--json", *options).json
    assert run("decode", made, "-o", back).status == 0
    assert np.array_equal(load_file(back)["w"], values)
    (record,) = result["tensors"]
    if code != "auto":  # a book has fewer
        assert record["care_bits"] == int(np.count_nonzero(values)) * 8
    if content == "zeros":
        assert record["efficiency"] is None and record["overhead"] is None and record["sparsity"] == 1.0
    if content == "dense" and code == "auto":
        assert record["payload_bits"] + record["correction_bits"] <= values.size * 8


@pytest.mark.parametrize("sparsity", [0.0, 1.0])
def test_sparsities_at_the_ends_are_legitimate(
    run: Here, tmp_path: Path, weights: Path, sparsity: float
) -> None:
    made, back = tmp_path / "m.safetensors", tmp_path / "b.safetensors"
    assert run("encode", weights, "-o", made, "--sparsity", sparsity, "--dtype", "int8").status == 0
    assert run("decode", made, "-o", back).status == 0
    for name in ("a.weight", "b.weight"):
        decoded = load_file(back)[name]
        assert decoded.any() == (sparsity == 0.0) and decoded.shape == load_file(weights)[name].shape


def test_files_without_a_matrix_are_carried_through(run: Here, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", bias=np.arange(3.0), empty=np.zeros((0, 3)), flags=np.array([True]))
    made, back = tmp_path / "m.safetensors", tmp_path / "b.safetensors"
    result = run("encode", tmp_path / "x.npz", "-o", made, "--json").json
    assert result["tensors"] == [] and result["total"]["overhead"] is None
    assert run("decode", made, "-o", back).status == 0
    assert load_file(back)["bias"].tolist() == [0.0, 1.0, 2.0]


def test_masks_from_files(run: Here, tmp_path: Path, weights: Path) -> None:
    mask = np.random.default_rng(5).random((24, 40)) < 0.3
    other = np.ones((6, 4, 3, 3), bool)
    np.savez(tmp_path / "masks.npz", **{"a.weight": mask, "b.weight": other})
    made, back = tmp_path / "m.safetensors", tmp_path / "b.safetensors"
    assert run("encode", weights, "-o", made, "--mask", tmp_path / "masks.npz").status == 0
    assert run("decode", made, "-o", back).status == 0
    source, decoded = load_file(weights), load_file(back)
    assert np.array_equal(decoded["a.weight"], np.where(mask, source["a.weight"], 0))
    assert np.array_equal(decoded["b.weight"], source["b.weight"])
    # one mask for one tensor needs no name
    np.save(tmp_path / "one.npy", source["a.weight"])
    assert (
        run("encode", tmp_path / "one.npy", "-o", made, "--mask", smtx(tmp_path / "x.smtx", mask)).status == 0
    )
    assert run("decode", made, "-o", back).status == 0
    assert np.array_equal(load_file(back)["one"], np.where(mask, source["a.weight"], 0))


# --- what is not


def bad_inputs(folder: Path) -> dict[str, tuple[list[object], str]]:
    """Arguments after `encode -o OUT`, and what the one line must say."""
    good = folder / "good.npy"
    np.save(good, np.ones((4, 6), np.float32))
    (folder / "text.npy").write_text("0.1 0.2\n0.3 0.4\n")
    save_file({"w": np.ones((4, 6), np.float32)}, folder / "whole.safetensors")
    (folder / "cut.safetensors").write_bytes((folder / "whole.safetensors").read_bytes()[:-5])
    np.save(folder / "complex.npy", np.ones((4, 6), complex))
    np.save(folder / "object.npy", np.array([[{}, 1]], object), allow_pickle=True)
    np.save(folder / "nan.npy", np.array([[1.0, np.nan]], np.float32))
    np.save(folder / "huge.npy", np.array([[1.0, 1e300]]))
    np.save(folder / "max.npy", np.full((2, 2), np.finfo(np.float32).max))
    np.save(folder / "double.npy", np.ones((4, 6)))
    np.save(folder / "long.npy", np.ones((4, 6), np.int64))
    np.save(folder / "other.npy", np.ones((6, 4), bool))
    np.savez(folder / "none.npz")
    np.savez(folder / "elsewhere.npz", x=np.ones((4, 6)), y=np.ones((4, 6)))
    (folder / "empty").mkdir(exist_ok=True)
    smtx(folder / "mask.smtx", np.ones((4, 6), bool))
    return {
        "missing file": ([folder / "no.npy"], f"there is no file {folder}/no.npy"),
        "folder": ([folder / "empty"], "must hold .safetensors or .npy files, as it is a folder, but has none"),
        "text as .npy": ([folder / "text.npy"], "must be a NumPy array file: it does not begin like one"),
        "cut safetensors": ([folder / "cut.safetensors"], "must be a whole safetensors file: "),
        "complex": ([folder / "complex.npy"], "tensors must hold integers, floats or booleans, not complex128"),
        "objects": ([folder / "object.npy"], "must be a NumPy array file: it holds Python objects"),
        "NaN quantised": (
            [folder / "nan.npy", "--dtype", "int8"],
            "tensor nan: weights must be finite to be quantised, but there is a NaN or an infinity",
        ),
        "NaN pruned": (
            [folder / "nan.npy", "--sparsity", "0.5"],
            "tensor nan: weights must be numbers to be pruned by magnitude, but there is a NaN",
        ),
        "beyond fp16": ([folder / "huge.npy", "--dtype", "fp16"], "tensor huge holds values beyond the range of fp16"),
        "beyond bf16": ([folder / "huge.npy", "--dtype", "bf16"], "tensor huge holds values beyond the range of bf16"),
        "rounds beyond bf16": (
            [folder / "max.npy", "--dtype", "bf16"],
            "tensor max holds values beyond the range of bf16",
        ),
        "double without dtype": (
            [folder / "double.npy"],
            "tensor double holds F64: F64 has no code of its own; give a dtype (int8, int4, fp16, bf16, fp32)",
        ),
        "integers cast": (
            [folder / "long.npy", "--dtype", "int8"],
            "tensor long holds I64: I64 has no code",
        ),
        "N_in = 0": ([good, "--code", "n_in=0,n_out=8,n_s=1"], "n_in must be between 1 and 1024, not 0"),
        "window too long": (
            [good, "--code", "n_in=16,n_out=160,n_s=1", "--encoder", "viterbi"],
            "the viterbi encoder takes n_in * (n_s + 1) up to 24, not 32; use the encoder elimination",
        ),
        "mask of another shape": (
            [good, "--mask", folder / "other.npy"],
            "tensor good: the mask must have the weights' shape (4, 6), not (6, 4)",
        ),
        "mask of no tensor": ([good, "--mask", folder / "none.npz"], "must hold at least one mask"),
        "masks of other tensors": (
            [good, "--mask", folder / "elsewhere.npz"],
            "the mask x must be named as weights are, one of good",
        ),
        "mask and sparsity": (
            [good, "--mask", good, "--sparsity", "0.5"],
            "a sparsity and masks must not be given together",
        ),
        "sparsity above 1": ([good, "--sparsity", "1.5"], "the sparsity must be between 0 and 1, not 1.5"),
        "sparsity NaN": ([good, "--sparsity", "nan"], "the sparsity must be between 0 and 1, not nan"),
        "dtype": ([good, "--dtype", "int3"], "the dtype must be one of int8, int4, fp16, bf16, fp32, not 'int3'"),
        "pruner": ([good, "--prune", "best"], "the way to prune must be one of magnitude, random, not 'best'"),
        "values for weights": ([good, "--values", "uniform"], "values must be given with an .smtx mask only"),
        "values": ([folder / "mask.smtx", "--values", "ones"], "the values must be uniform or normal, not 'ones'"),
        "dtype of a mask": (
            [folder / "mask.smtx", "--dtype", "int16"],
            "the dtype must be one of int8, int4, fp16, bf16, fp32, not 'int16'",
        ),
        "sparsity of a mask": (
            [folder / "mask.smtx", "--sparsity", "0.5"],
            "an .smtx file is a mask already: sparsity and mask must not be given with it",
        ),
        "code": ([good, "--code", "best"], "the code must be auto, paper[,n_s=0|1|2], KEY=VALUE,..."),
        "paper's n_s": ([good, "--code", "paper,n_s=3"], "the paper's code has n_s = 0, 1 or 2, not 3"),
        "paper's words": (
            [good, "--code", "paper,K=3"],
            "the paper's code takes n_s=NUMBER, seed=NUMBER and invert=0|1, not 'K=3'",
        ),
        "family": ([good, "--code", "cls=1,n_in=8,n_out=8,n_s=0"], "the family uniform takes seed, not cls"),
        "max-k": ([good, "--max-k", "3"], "max_k must be at least 4, not 3"),
        "encoder": ([good, "--encoder", "best"], "encoder must be one of auto, elimination, viterbi, not 'best'"),
        "corrections": ([good, "--corrections", "all"], "corrections must be one of auto, paper, joint, "),
        "jobs": ([good, "--jobs", "0"], "jobs must be at least 1, not 0"),
        "jobs no number": ([good, "--jobs", "two"], "--jobs"),
        "unknown option": ([good, "--nonsense"], "--nonsense"),
        "a tensor twice": ([good, good], "holds the tensor"),
    }  # fmt: skip


CASES = [
    "missing file", "folder", "text as .npy", "cut safetensors", "complex", "objects", "NaN quantised", "NaN pruned",
    "beyond fp16", "beyond bf16", "rounds beyond bf16", "double without dtype", "integers cast", "N_in = 0",
    "window too long", "mask of another shape", "mask of no tensor", "masks of other tensors", "mask and sparsity",
    "sparsity above 1", "sparsity NaN", "dtype", "pruner", "values for weights", "values",
    "dtype of a mask", "sparsity of a mask", "code", "paper's n_s", "paper's words", "family", "max-k", "encoder",
    "corrections", "jobs", "jobs no number", "unknown option", "a tensor twice",
]  # fmt: skip


def assert_refused(outcome: Outcome, says: str) -> None:
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.startswith("xorweave: ") and outcome.err.count("\n") == 1
    assert says in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line_and_status_2(run: Here, tmp_path: Path, case: str) -> None:
    cases = bad_inputs(tmp_path)
    assert set(cases) == set(CASES)
    arguments, says = cases[case]
    before = sorted(tmp_path.iterdir())
    assert_refused(run("encode", *arguments, "-o", tmp_path / "out.safetensors", "--json"), says)
    assert sorted(tmp_path.iterdir()) == before  # nothing written, nothing half-written


def test_bad_input_in_a_process(tmp_path: Path) -> None:
    arguments, says = bad_inputs(tmp_path)["text as .npy"]
    assert_refused(in_a_process("encode", *arguments, "-o", tmp_path / "out.safetensors"), says)


def test_outputs_that_cannot_be_are_refused(run: Here, tmp_path: Path, weights: Path) -> None:
    made = tmp_path / "m.safetensors"
    assert_refused(
        run("encode", weights, "-o", tmp_path / "m.bin"),
        "the output must be named .safetensors, not 'm.bin'",
    )
    assert_refused(
        run("encode", weights, "-o", tmp_path / "no" / "m.safetensors"),
        f"there is no folder {tmp_path}/no to write into",
    )
    assert_refused(run("encode", weights), "-o")
    assert run("encode", weights, "-o", made, "--sparsity", 0.9, "--code", FIXED).status == 0
    assert_refused(
        run("decode", made, "-o", tmp_path / "m.npy"), "the output must be named .safetensors, not 'm.npy'"
    )
    assert_refused(
        run("decode", made, "-o", tmp_path / "no" / "m.safetensors"),
        f"there is no folder {tmp_path}/no to write into",
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.safetensors", "w.safetensors"]


@pytest.mark.parametrize("command", ["decode", "inspect"])
def test_files_that_are_no_containers_are_refused(
    run: Here, tmp_path: Path, weights: Path, command: str
) -> None:
    out = ["-o", tmp_path / "b.safetensors"] if command == "decode" else []
    assert_refused(run(command, tmp_path / "no.safetensors", *out), "there is no file")
    assert_refused(run(command, weights, *out), "must be a file written by 'xorweave encode'")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(weights.read_bytes()[:100])
    assert_refused(run(command, cut, *out), "must be a whole safetensors file: ")


def test_a_scale_takes_a_name_that_is_free(run: Here, tmp_path: Path) -> None:
    w, own = np.linspace(-1, 1, 24).reshape(4, 6), np.arange(3.0)
    np.savez(tmp_path / "s.npz", **{"w": w, "w.scale": own})
    made, back, real = (tmp_path / f"{name}.safetensors" for name in ("made", "back", "real"))
    assert run("encode", tmp_path / "s.npz", "-o", made, "--dtype", "int8", "--code", FIXED).status == 0
    assert (
        run("decode", made, "-o", back).status == run("decode", made, "-o", real, "--dequantize").status == 0
    )
    tensors, floats = read_safetensors(back)[0], read_safetensors(real)[0]
    assert set(tensors) == {"w", "w.scale", "w.scale.1"} and set(floats) == {"w", "w.scale"}
    assert np.array_equal(tensors["w.scale"].values, own) and np.array_equal(floats["w.scale"].values, own)
    assert np.abs(floats["w"].values - w).max() <= tensors["w.scale.1"].values[0] / 2 + 1e-7


def test_buffers_and_metadata_come_back(run: Here, tmp_path: Path) -> None:
    tensors = {
        "w": Tensor.of(np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)),
        "position_ids": Tensor.of(np.arange(512)[None]),
        "small": Tensor(np.arange(4, dtype=np.uint8).reshape(2, 2), "F8_E5M2"),
    }
    source, made, back = (tmp_path / f"{name}.safetensors" for name in ("source", "made", "back"))
    write_safetensors(source, tensors, {"format": "pt"})
    done = run("encode", source, "-o", made, "--code", FIXED)
    assert done.status == 0 and "(a buffer of I64 beside float weights): position_ids" in done.out
    assert run("decode", made, "-o", back).status == 0
    found, metadata = read_safetensors(back)
    assert metadata == {"format": "pt"} and set(found) == set(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype and np.array_equal(found[name].values, tensor.values)


def test_a_scale_of_another_length_is_refused(run: Here, tmp_path: Path, weights: Path) -> None:
    made = tmp_path / "m.safetensors"
    assert (
        run("encode", weights, "-o", made, "--dtype", "int8", "--sparsity", 0.9, "--code", FIXED).status == 0
    )
    opened = read_container(made)
    plain = {**opened.plain, "a.weight.scale": Tensor.of(np.ones(7, np.float32))}
    write_container(made, Container(encoded=dict(opened.encoded), plain=plain))
    assert_refused(
        run("decode", made, "-o", tmp_path / "b.safetensors", "--dequantize"),
        "a.weight.scale must hold one float32, or one for each of 24 rows",
    )
