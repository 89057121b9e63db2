from __future__ import annotations

import csv
import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.weight_files import read_masks, read_smtx, read_weights


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_weights(path)
    text = str(caught.value)
    assert "\n" not in text
    assert (
        text.startswith(f"{path} ") or text.startswith(f"there is no file {path}") or "tensors must" in text
    )
    return text


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# --- .smtx


def smtx(mask: np.ndarray) -> str:
    rows, cols = mask.shape
    offsets = [0]
    columns: list[int] = []
    for row in mask:
        columns += [c for c in range(cols) if row[c]]
        offsets.append(len(columns))
    return f"{rows}, {cols}, {len(columns)}\n{' '.join(map(str, offsets))}\n{' '.join(map(str, columns))}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 9), st.integers(0, 9), st.floats(0, 1), st.integers(0, 999), st.sampled_from(["", "\n"])
)
def test_smtx_of_any_mask(tmp_path: Path, rows: int, cols: int, density: float, seed: int, end: str) -> None:
    mask = np.random.default_rng(seed).random((rows, cols)) < density
    path = written(tmp_path / "m.smtx", (smtx(mask) + end).encode())
    assert np.array_equal(read_smtx(path), mask)
    assert np.array_equal(read_masks(path)["m"], mask)


def test_smtx_reads_every_published_mask_as_its_publisher_counted_it(data_dir: Path) -> None:
    with (data_dir / "dlmc" / "dlmc.csv").open(newline="") as handle:
        published = {row["path"].strip(): row for row in csv.DictReader(handle)}
    files = sorted((data_dir / "dlmc").rglob("*.smtx"))
    if not files:
        pytest.skip(f"no .smtx file under {data_dir / 'dlmc'}")
    missing = []
    for path in files:
        row = published.get(path.relative_to(data_dir).as_posix())
        if row is None:
            missing.append(path.name)
            continue
        mask = read_smtx(path)
        assert mask.shape == (int(row["nrows"]), int(row["ncols"])), path
        assert int(mask.sum()) == float(row["nnz"]), path
        by_row, by_col = mask.sum(axis=1), mask.sum(axis=0)
        for got, key in (
            (by_row.mean(), "mean_nnz_per_row"),
            (by_row.std(), "std_nnz_per_row"),
            (by_col.mean(), "mean_nnz_per_col"),
            (by_col.std(), "std_nnz_per_col"),
            (1 - mask.mean(), "sparsity"),
        ):
            assert got == pytest.approx(float(row[key]), rel=1e-6, abs=1e-9), (path, key)
    assert not missing, f"the publisher's table lacks {missing}"


def test_smtx_takes_no_more_memory_than_four_times_the_file_and_the_mask(tmp_path: Path) -> None:
    """Its numbers lie there as texts of two characters."""
    rows = 200_000
    offsets = " ".join(map(str, range(0, 9 * rows + 1, 9)))
    text = f"{rows}, 9, {9 * rows}\n{offsets}\n{'0 1 2 3 4 5 6 7 8 ' * rows}\n"
    path = written(tmp_path / "m.smtx", text.encode())
    tracemalloc.start()
    found = read_smtx(path)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.shape == (rows, 9) and found.all()
    assert peak < 4 * (path.stat().st_size + found.nbytes)


@pytest.mark.parametrize(("columns", "allowed"), [(1 << 24, True), ((1 << 24) + 1, False)])
def test_an_empty_mask_may_have_sixteen_million_weights(columns: int, allowed: bool, tmp_path: Path) -> None:
    path = tmp_path / "m.smtx"
    path.write_text(f"1, {columns}, 0\n0 0\n\n")
    if allowed:
        assert read_smtx(path).shape == (1, columns)
    else:
        with pytest.raises(InputError, match=f"claims 1 rows and {columns} columns, too many for a file of"):
            read_smtx(path)


FORM = "must be an .smtx file: 'rows, cols, nnz', row offsets, column indices"


@pytest.mark.parametrize(
    "text, message",
    [
        ("", FORM),
        ("2, 3", FORM),
        ("2, 3, x\n0 0 0\n", FORM),
        ("2, 3, 1", FORM),
        ("2, 3, 1\n0 1 1.5\n0", FORM),
        ("2, 3, 1\n0 1 99999999999999999999\n0", FORM),
        ("\u00b2, 3, 1\n0 1 1\n0", FORM),
        (f"{'9' * 5000}, 3, 1\n0 1 1\n0", FORM),
        ("-2, 3, 0\n0\n", "claims -2 rows, 3 columns and 0 non-zeros, which cannot be"),
        ("2, 3, 2\n0 1 2\n0", "must hold 3 row offsets and 2 column indices, not 3 and 1"),
        ("2, 3, 1\n0 1\n0", "must hold 3 row offsets and 1 column indices, not 2 and 1"),
        ("2, 3, 1\n1 1 1\n0", "must have row offsets that rise from 0 to 1"),
        ("2, 3, 1\n0 2 1\n0", "must have row offsets that rise from 0 to 1"),
        ("2, 3, 1\n0 0 0\n0", "must have row offsets that rise from 0 to 1"),
        ("2, 3, 1\n0 1 1\n3", "must have column indices between 0 and 2"),
        ("2, 3, 1\n0 1 1\n-1", "must have column indices between 0 and 2"),
        ("2, 3, 2\n0 2 2\n1 1", "names a position twice"),
    ],
)
def test_smtx_that_is_not_what_it_says_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path / "m.smtx", text.encode())
    with pytest.raises(InputError) as caught:
        read_smtx(path)
    assert str(caught.value) == f"{path} {message}"


@pytest.mark.parametrize("rows, cols", [(1, 1 << 39), (1, 1 << 30), (3, 10**30), (2, 1 << 28)])
def test_smtx_may_not_claim_more_than_its_bytes_warrant(tmp_path: Path, rows: int, cols: int) -> None:
    text = f"{rows}, {cols}, 0\n{' '.join(['0'] * (rows + 1))}\n"
    path = written(tmp_path / "m.smtx", text.encode())
    with pytest.raises(InputError) as caught:
        read_smtx(path)
    assert str(caught.value) == (
        f"{path} claims {rows} rows and {cols} columns, too many for a file of {len(text)} bytes"
    )


def test_smtx_without_a_kept_weight_may_be_as_large_as_a_layer(tmp_path: Path) -> None:
    path = written(tmp_path / "m.smtx", smtx(np.zeros((2048, 8192), bool)).encode())
    assert read_smtx(path).shape == (2048, 8192)


# --- .npy and .npz

DTYPES = ["f8", "f4", "f2", "i8", "u8", "i4", "u4", "i2", "u2", "i1", "u1", "?", ">f4", ">i2"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_every_dtype_and_order(tmp_path: Path, dtype: str, order: str) -> None:
    values = np.asarray(np.random.default_rng(0).integers(0, 2, (3, 4, 5)), dtype, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "layer.0.npy", values)
    ((name, tensor),) = read_weights(tmp_path / "layer.0.npy").items()
    assert name == "layer.0"
    assert np.array_equal(tensor.values, values)
    kind = np.dtype(dtype)
    expected = "BOOL" if kind.kind == "b" else f"{kind.kind.upper()}{kind.itemsize * 8}"
    assert tensor.dtype == expected


@pytest.mark.parametrize("compressed", [False, True])
def test_npz_holds_several_arrays(tmp_path: Path, compressed: bool) -> None:
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "b/c": np.asfortranarray(np.ones((2, 2), np.int8)),
        "s": np.float32(3),
    }
    (np.savez_compressed if compressed else np.savez)(tmp_path / "x.npz", **arrays)  # type: ignore[arg-type]
    tensors = read_weights(tmp_path / "x.npz")
    assert list(tensors) == list(arrays)
    for name, array in arrays.items():
        assert np.array_equal(tensors[name].values, array)
    # a thousand zeros to a byte is what deflate can do, and must not be taken for an attack
    np.savez_compressed(tmp_path / "zeros.npz", zeros=np.zeros((2000, 2000), np.float32))
    assert not read_weights(tmp_path / "zeros.npz")["zeros"].values.any()


def test_derived_arrays_of_real_networks_are_read(data_dir: Path) -> None:
    tensors = read_weights(data_dir / "dns" / "derived" / "lenet300100_sparse.npz")
    weights = tensors["ip1.weight"]
    assert weights.values.shape == (300, 784) and weights.dtype == "F32"
    assert np.mean(weights.values == 0) == pytest.approx(0.9814, abs=2e-3)
    fortran = read_weights(data_dir / "l-obs" / "LeNet300100" / "CR_10" / "fc1.weight.npy")["fc1.weight"]
    assert fortran.dtype == "F64" and fortran.values.size == 235200


@pytest.mark.parametrize("dtype", ["c16", "U3", "S3", "M8[s]", "V4", "f8,i4"])
def test_what_is_no_number_is_refused(tmp_path: Path, dtype: str) -> None:
    values = np.zeros((2, 2), dtype)
    np.save(tmp_path / "x.npy", values)
    np.savez(tmp_path / "x.npz", values)
    for suffix in ("npy", "npz"):
        assert (
            refusal(tmp_path / f"x.{suffix}")
            == f"tensors must hold integers, floats or booleans, not {values.dtype}"
        )


def test_python_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[{}, 1]], object), allow_pickle=True)
    np.savez(tmp_path / "x.npz", np.array([[{}, 1]], object), allow_pickle=True)
    assert refusal(tmp_path / "x.npy") == (
        f"{tmp_path}/x.npy must be a NumPy array file: it holds Python objects"
    )
    assert refusal(tmp_path / "x.npz") == (
        f"{tmp_path}/x.npz must be a NumPy .npz archive: it holds Python objects"
    )


def npy(header: str, body: bytes = b"", version: int = 1) -> bytes:
    text = header.encode() + b"\n"
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + struct.pack("<H" if version == 1 else "<I", len(text))
        + text
        + body
    )


def header(shape: str, descr: str = "'<f4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"0.1 0.2\n0.3 0.4\n",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x09\x00" + b"\x00" * 50,
        npy(header("(2, 2)")),
        npy(header("(2, 2)"), b"\x00" * 15),
        npy(header("(1099511627776,)"), b"\x00" * 64),
        npy(header("(4294967296, 4)"), b"\x00" * 64),
        npy(header("(18446744073709551616, 0)")),
        npy(header("(-1, -1)"), b"\x00" * 4),
        npy(header("(2, 2)", "'O'"), b"\x00" * 32),
        npy(header("(2, 2)", "'nonsense'"), b"\x00" * 32),
        npy(header("(2, 2)", "3"), b"\x00" * 32),
        npy(header("2"), b"\x00" * 32),
        npy(header("(True, 2)"), b"\x00" * 7),
        npy("{'descr': '<f4'}", b"\x00" * 32),
        npy("__import__('os').system('true')", b"\x00" * 32),
        npy("(" * 4000, b"\x00" * 32),
        npy("-" * 9000 + "1", b"\x00" * 32),
        npy("'", b"\x00" * 32),
        npy(header("(" + "1, " * 70 + ")"), b"\x00" * 4),
        npy(header("(2L, 2L)") + " " * 20 + "'", b"\x00" * 32),
    ],
    ids=range(23),
)
def test_npy_that_is_damaged_or_lies_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "must be a NumPy array file: " in refusal(written(tmp_path / "x.npy", content))
    archive = tmp_path / "x.npz"
    with zipfile.ZipFile(archive, "w") as handle:
        handle.writestr("x.npy", content)
    assert "must be a NumPy .npz archive: " in refusal(archive)


def test_text_as_npy_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "x.npy", b"0.1 0.2\n0.3 0.4\n")
    assert refusal(path) == f"{path} must be a NumPy array file: it does not begin like one"


def test_an_archive_named_npy_and_an_array_named_npz_are_refused(tmp_path: Path) -> None:
    array, archive = io.BytesIO(), io.BytesIO()
    np.save(array, np.zeros((2, 2)))
    np.savez(archive, np.zeros((2, 2)))
    assert "must be a NumPy array file: " in refusal(written(tmp_path / "x.npy", archive.getvalue()))
    assert "must be a NumPy .npz archive: " in refusal(written(tmp_path / "x.npz", array.getvalue()))


def test_archives_with_other_things_in_them_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as handle:
        handle.writestr("readme.txt", "hello")
    assert "must be a NumPy .npz archive: " in refusal(path)
    array = io.BytesIO()
    np.save(array, np.arange(1000.0))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as handle:
        handle.writestr("a.npy", array.getvalue())
    whole = path.read_bytes()
    assert "must be a NumPy .npz archive: " in refusal(written(path, whole[: len(whole) // 2]))
    # encrypted: the flag alone is enough to stop a reader
    locked = bytearray(whole)
    for sign, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        locked[whole.index(sign) + at] |= 1
    assert "must be a NumPy .npz archive: " in refusal(written(path, bytes(locked)))
    unknown = bytearray(whole)
    for sign, at in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        unknown[whole.index(sign) + at] = 99  # a compression nobody knows
    assert "must be a NumPy .npz archive: " in refusal(written(path, bytes(unknown)))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_flipped_bytes_give_a_result_or_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    if suffix == "npy":
        np.save(path, values)
    else:
        np.savez_compressed(path, values)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    outcomes = {"read": 0, "refused": 0}
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            for tensor in read_weights(path).values():
                assert tensor.values.nbytes <= 1 << 16
            outcomes["read"] += 1
        except InputError as error:
            assert "\n" not in str(error)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 0


# --- all of them


def test_missing_files_folders_and_other_suffixes(tmp_path: Path) -> None:
    for suffix in ("npy", "npz", "safetensors", "bin", "onnx", "pth"):
        assert refusal(tmp_path / f"no.{suffix}") == f"there is no file {tmp_path}/no.{suffix}"
        (tmp_path / f"folder.{suffix}").mkdir()
        assert refusal(tmp_path / f"folder.{suffix}") == (
            f"{tmp_path}/folder.{suffix} must hold .safetensors or .npy files, as it is a folder, but has none"
        )
    with pytest.raises(InputError) as caught:
        read_smtx(tmp_path / "no.smtx")
    assert str(caught.value) == f"there is no file {tmp_path}/no.smtx"
    assert refusal(written(tmp_path / "x.data", b"")) == (
        f"{tmp_path}/x.data must end in one of .npy, .npz, .safetensors, .onnx, .pt, .pth, .th, .bin, .ckpt, "
        ".gguf, .smtx, or be a folder or an index of shards"
    )


def test_masks_are_what_is_not_zero(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.array([[0.0, -0.0, 2.0, np.nan]]))
    assert read_masks(tmp_path / "m.npy")["m"].tolist() == [[False, False, True, True]]
    np.savez(tmp_path / "m.npz", a=np.array([[True, False]]), b=np.array([[0, -3]]))
    assert {k: v.tolist() for k, v in read_masks(tmp_path / "m.npz").items()} == {
        "a": [[True, False]],
        "b": [[False, True]],
    }
