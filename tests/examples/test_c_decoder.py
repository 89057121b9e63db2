"""The C decoder, which was written from docs/format.md, against ours: every kind of stored tensor, and damaged ones."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import xorweave as xw
from tests.golden.files.stored_examples import BOOKS, book_example, prefix_example
from tests.golden.tensor.stored_kinds import STORED_KINDS, stored_kind
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.code.code import Code
from xorweave.golden.code.usual_graph import usual_graph
from xorweave.golden.files.blob import read_blob, write_blob
from xorweave.golden.files.smallest import store
from xorweave.golden.scan.live import LiveScan
from xorweave.golden.scan.strides import coprime_near
from xorweave.golden.scan.tiles import TileLayout, TileOrder
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor

ROOT = Path(__file__).resolve().parents[2]
FROZEN = {
    f"{version}, {kind}": blob
    for version in (2, 3)
    for kind, blob in json.loads(
        (ROOT / f"tests/golden/files/version_{version}_blobs.json").read_text()
    ).items()
}
CHECKED = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1", "-fsanitize=address,undefined"]


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example program, with every access checked."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: cc is not on the PATH")
    program = tmp_path_factory.mktemp("c") / "decode"
    source = ROOT / "examples" / "c" / "decode.c"
    built = subprocess.run(
        [compiler, *CHECKED, str(source), "-o", str(program)], capture_output=True, text=True
    )
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip("the C compiler has no sanitizers")
    assert built.returncode == 0, built.stderr
    return program


def _run(decoder: Path, folder: Path, blob: bytes) -> subprocess.CompletedProcess[bytes]:
    (folder / "blob").write_bytes(blob)
    # the example asks for what a header wants; one that wants the earth gets nothing
    options = {**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1:max_allocation_size_mb=256"}
    done = subprocess.run([decoder, folder / "blob"], capture_output=True, timeout=120, env=options)
    kept = [line for line in done.stderr.splitlines(True) if b"exceeds maximum" not in line]
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout, b"".join(kept))


def _words(values: NDArray) -> bytes:
    return np.ascontiguousarray(values).tobytes()


@pytest.mark.parametrize("kind", STORED_KINDS)
def test_every_kind(decoder: Path, tmp_path: Path, kind: str) -> None:
    tensor, wanted = stored_kind(kind)
    done = _run(decoder, tmp_path, write_blob(tensor))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == _words(tensor.number_format.to_words(wanted))


def test_a_large_tensor_of_nothing(decoder: Path, tmp_path: Path) -> None:
    values = np.zeros((1500, 1000), np.int8)
    _, blob = store(values, number_format("int8"), values != 0, Choice())
    done = _run(decoder, tmp_path, blob)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", bytes(values.size))


@pytest.mark.parametrize("kind", FROZEN)
def test_frozen_files(decoder: Path, tmp_path: Path, kind: str) -> None:
    blob = base64.b64decode(FROZEN[kind])
    done = _run(decoder, tmp_path, blob)
    assert (done.returncode, done.stderr) == (0, b"")
    tensor = read_blob(blob)
    assert done.stdout == _words(tensor.number_format.to_words(decode_tensor(tensor)))


@pytest.mark.parametrize(
    "spec",
    [
        "n_in=32,n_out=320,n_s=7,seed=0",
        "family=sparse,n_in=32,n_out=320,n_s=7,seed=9,taps=7",
        "family=chain,n_in=85,n_out=649,n_s=2,seed=0,taps=2,run=10",
        "family=chain,n_in=3,n_out=40,n_s=0,seed=1,taps=2",
        "family=chain,n_in=32,n_out=300,n_s=3,seed=0,taps=1,run=20,of=320",
        "family=paired,n_in=16,n_out=200,n_s=3,seed=2",
        "family=graph,n_in=128,n_out=1225,n_s=1,seed=0,pool=600,run=4,start=2",
        "family=graph,n_in=40,n_out=394,n_s=4,seed=5,run=3,start=4,history=60",
        "family=graph,n_in=16,n_out=100,n_s=0,seed=1,pool=20",
    ],
)
def test_every_generator(decoder: Path, tmp_path: Path, spec: str) -> None:
    rng = np.random.default_rng(4)
    values = (rng.integers(-128, 128, (40, 77)) * (rng.random((40, 77)) < 0.08)).astype(np.int8)
    tensor = encode_tensor(values, number_format("int8"), Code.from_spec(spec))
    done = _run(decoder, tmp_path, write_blob(tensor))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == values.tobytes()


@pytest.mark.parametrize(
    ("n_w", "registers", "run"), [(4, 8, 3), (8, 8, 2), (8, 16, 4), (16, 16, 1), (16, 16, 6)]
)
@pytest.mark.parametrize("shape", [(70, 300), (16, 64), (7, 1000), (300, 5)])
def test_tiles_of_every_layout(
    decoder: Path, tmp_path: Path, shape: tuple[int, int], n_w: int, registers: int, run: int
) -> None:
    form = number_format({4: "int4", 8: "int8", 16: "fp16"}[n_w])
    rng = np.random.default_rng(5)
    values = (rng.integers(-8, 8, shape) * (rng.random(shape) < 0.1)).astype(form.storage)
    code = Code.from_family("chain", n_in=4, n_out=24, n_s=2)
    scan = TileOrder(*shape, 24, run, TileLayout(n_w, registers))
    done = _run(decoder, tmp_path, write_blob(encode_tensor(values, form, code, scan=scan)))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == _words(form.to_words(values))


@pytest.mark.parametrize(
    ("rows", "columns"), [("all", "some"), ("some", "all"), ("some", "some"), ("last", "first")]
)
@pytest.mark.parametrize("shape", [(70, 30), (9, 8, 3)])
def test_empty_rows_and_columns(
    decoder: Path, tmp_path: Path, shape: tuple[int, ...], rows: str, columns: str
) -> None:
    rng = np.random.default_rng(6)
    sides = shape[0], int(np.prod(shape[1:]))
    live = []
    for side, how in zip(sides, (rows, columns), strict=True):
        some = {"all": np.ones(side, bool), "some": rng.random(side) < 0.4}.get(how, np.zeros(side, bool))
        if how in ("last", "first"):
            some[-1 if how == "last" else 0] = True
        live.append(some)
    values = (rng.integers(-99, 99, sides) * np.outer(*live)).astype(np.int8).reshape(shape)
    scan = LiveScan.of(live[0], live[1])
    scan = dataclasses.replace(
        scan, stride=coprime_near(scan.length * 3 // 5, scan.length), offset=scan.length // 3
    )
    blob = write_blob(
        encode_tensor(values, number_format("int8"), Code.uniform(n_in=8, n_out=9, n_s=2), scan=scan)
    )
    done = _run(decoder, tmp_path, blob)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == values.tobytes()
    at = blob.index(scan.row_bits or scan.column_bits)
    broken = bytearray(blob)
    broken[at - 1] = 4
    broken[-4:] = zlib.crc32(broken[:-4]).to_bytes(4, "little")
    assert b"live rows, live columns or both" in _run(decoder, tmp_path, bytes(broken)).stderr


@pytest.mark.parametrize("all_usual", [True, False])
@pytest.mark.parametrize("period", [None, 3])
@pytest.mark.parametrize(("values", "dtype"), [("raw", "int4"), ("raw", "fp16"), ("prefix", "int8")])
@pytest.mark.parametrize("book", BOOKS)
def test_masks_through_books(
    decoder: Path, tmp_path: Path, book: str, values: str, dtype: str, period: int | None, all_usual: bool
) -> None:
    tensor = book_example(book, dtype, values=values, period=period, all_usual=all_usual)
    done = _run(decoder, tmp_path, write_blob(tensor))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == _words(tensor.number_format.to_words(decode_tensor(tensor)))


@pytest.mark.parametrize("seed", [0, 1])  # of seed 0 the header says the sizes alone
@pytest.mark.parametrize(
    ("n_in", "n_s", "n_out"),
    [(1, 1, 40), (1, 2, 4000), (1, 4, 1024), (2, 2, 4000), (2, 0, 20), (3, 0, 60), (6, 0, 300), (64, 3, 700)],
)
def test_graphs_of_few_columns(
    decoder: Path, tmp_path: Path, n_in: int, n_s: int, n_out: int, seed: int
) -> None:
    """Cards that are put aside pile up on the decks that such graphs are drawn from."""
    values = np.zeros(9000, np.int8)
    values[::500] = 3
    options = EncodeOptions(encoder="elimination")
    tensor = encode_tensor(
        values, number_format("int8"), usual_graph(n_in, n_out, n_s, seed), options=options
    )
    done = _run(decoder, tmp_path, write_blob(tensor))
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", values.tobytes())


def test_the_scratch_holds_all_that_is_made_before_a_code_is_refused(decoder: Path, tmp_path: Path) -> None:
    tensor = prefix_example(n=400)
    first, second = (group.code for group in tensor.groups[:2])
    codes = [usual_graph(first.n_in, first.n_out, first.n_s, 3)] + [
        Code.uniform(n_in=group.code.n_in, n_out=group.code.n_out, n_s=group.code.n_s, seed=1)
        for group in tensor.groups[1:]
    ]
    groups = tuple(dataclasses.replace(g, code=code) for g, code in zip(tensor.groups, codes, strict=True))
    blob = bytearray(write_blob(dataclasses.replace(tensor, groups=groups, checksum=None)))
    said = bytes([1, second.n_in, second.n_s, 1, 0])  # uniform, its sizes, its seed, `of`
    assert blob.count(said) == 1
    blob[blob.index(said) + 4] = 3  # the first rows of 3
    blob[-4:] = zlib.crc32(blob[:-4]).to_bytes(4, "little")
    done = _run(decoder, tmp_path, bytes(blob))
    assert (done.returncode, done.stderr) == (1, b"decode: a code must have at least n_out rows\n")


@pytest.mark.parametrize("kind", ["for storage", "graph code", "lanes", "corrections plane"])
def test_lying_bytes_are_refused(decoder: Path, tmp_path: Path, kind: str) -> None:
    blob = write_blob(stored_kind(kind)[0])
    for at in np.random.default_rng(0).integers(0, len(blob), 6).tolist():
        damaged = bytearray(blob)
        damaged[at] ^= 1 << at % 8
        done = _run(decoder, tmp_path, bytes(damaged))
        assert done.returncode == 1 and done.stderr == b"decode: the stored tensor is damaged\n"
    assert _run(decoder, tmp_path, blob[:-1]).returncode == 1


@pytest.mark.parametrize(
    "kind",
    [
        "for storage",
        "shaped, own taps",
        "paired code",
        "graph code",
        "lanes",
        "cells, int8",
        "tiles, int8",
        "packed",
        "book",
        "book, segments",
        "book, wide, fp16",
    ],
)
def test_headers_that_lie_lead_nowhere(decoder: Path, tmp_path: Path, kind: str) -> None:
    """Their checksums are right: what they ask for is refused, or decoded within the buffers."""
    blob = write_blob(stored_kind(kind)[0])
    rng = np.random.default_rng(1)
    for _ in range(25):
        lying = bytearray(blob)
        lying[rng.integers(45)] ^= 1 << int(rng.integers(8))
        lying[-4:] = zlib.crc32(lying[:-4]).to_bytes(4, "little")
        done = _run(decoder, tmp_path, bytes(lying))
        lines = done.stderr.decode().splitlines()
        if done.returncode:
            assert done.returncode == 1 and len(lines) == 1 and lines[0].startswith("decode: ")
        else:
            assert not lines


def test_the_file_is_what_the_page_says(decoder: Path, tmp_path: Path) -> None:
    """Read with json and zlib alone, as somebody who has the page would."""
    rng = np.random.default_rng(0)
    layer, bias = rng.standard_normal((30, 40), np.float32), np.arange(4, dtype=np.float32)
    encoded = xw.encode(
        {"é": layer, "bias": bias}, dtype="int8", sparsity=0.8, code="n_in=8,n_out=40,n_s=1,seed=0"
    )
    encoded.save(tmp_path / "m.safetensors")
    data = (tmp_path / "m.safetensors").read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    directory = json.loads(data[8:end])
    metadata = directory.pop("__metadata__")
    parts = {
        name: data[end + a : end + b]
        for name, (a, b) in ((n, e["data_offsets"]) for n, e in directory.items())
    }
    assert set(parts) == {"xorweave/é", "bias", "é.scale"}
    last = {name: part[-4:].hex() if name.startswith("xorweave/") else "" for name, part in parts.items()}
    entries = sorted(
        [name, [entry["dtype"], entry["shape"], last[name]]] for name, entry in directory.items()
    )
    told = [entries, sorted([key, text] for key, text in metadata.items() if key != "xorweave.crc")]
    assert metadata["xorweave.crc"] == f"{zlib.crc32(json.dumps(told, separators=(',', ':')).encode()):08x}"
    head = json.loads(metadata["xorweave"])
    assert head["version"] == 2 and head["scales"] == {}
    carried = sorted(name for name in parts if not name.startswith("xorweave/"))
    assert head["plain"] == "".join(f"{zlib.crc32(parts[name]):08x}" for name in carried)
    assert parts["bias"] == bias.tobytes()
    done = _run(decoder, tmp_path, parts["xorweave/é"])
    assert done.returncode == 0 and done.stdout == encoded["é"].decode().tobytes()


def test_the_page_shows_the_example_as_it_is_made() -> None:
    script = ROOT / "examples" / "c" / "example_bytes.py"
    made = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    assert made.rstrip() in (ROOT / "docs" / "format.md").read_text()
