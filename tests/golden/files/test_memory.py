"""Opening and decoding take no more memory than `read_container` states, whatever the file says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.files.container import Container, write_container
from xorweave.golden.tensor.encode import encode_tensor

WATCHED = """
import resource, sys
from pathlib import Path
from xorweave.golden.base.errors import InputError
from xorweave.golden.files.container import read_container
small, path = map(Path, sys.argv[1:])
read_container(small).decode("w")  # kernels are loaded
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
before, size, decoded, said = resident(), path.stat().st_size, 0, "decoded"
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
try:
    container = read_container(path)
    for name in container.encoded:
        decoded += container.decode(name).nbytes
except InputError as error:
    said = "refused"
peak = 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(said, peak - before, 16 * size + 3 * decoded + (128 << 20))
"""


def watched(path: Path, folder: Path) -> tuple[str, int, int]:
    """Open and decode a file in a process of its own: what came of it, the bytes it took, those that it may take."""
    values = np.zeros(100, np.int8)
    small = encode_tensor(values, number_format("int8"), Code.uniform(n_in=8, n_out=80, n_s=1))
    write_container(folder / "small.safetensors", Container({"w": small}))
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, folder / "small.safetensors", path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said, took, may = done.stdout.split()
    return said, int(took), int(may)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are not tested: no Linux /proc")
@pytest.mark.parametrize("dtype", ["int8", "fp32"])
def test_a_large_tensor_takes_what_is_stated(dtype: str, tmp_path: Path) -> None:
    form = number_format(dtype)
    values = np.zeros((4096, 8192 if dtype == "int8" else 2048), form.storage)
    tensor = encode_tensor(values, form, Code.uniform(n_in=8, n_out=8000, n_s=1))
    write_container(tmp_path / "large.safetensors", Container({"w": tensor}))
    said, took, may = watched(tmp_path / "large.safetensors", tmp_path)
    assert said == "decoded" and took < may
    assert took > values.nbytes  # the measure sees what is decoded


def version_1(path: Path, *, spec: str, shape: list[int], planes: int, parts: dict[str, bytes]) -> None:
    """Write a file of version 1 as anybody can: it says what it likes."""
    record = {
        "shape": shape, "dtype": "fp32", "code": spec, "check_value": Code.from_spec(spec).check_value, "stride": 1,
        "offset": 0, "segment_blocks": 1, "corrections": "none", "correction_bits": 0, "inversion": 0,
        "constant_planes": planes, "transform": "none", "encoder": "elimination", "seconds": 0.0,
    }  # fmt: skip
    head = {"version": 1, "info": {}, "tensors": {"w": record}}
    header: dict = {"__metadata__": {"xorweave": json.dumps(head)}}
    data = b""
    for name, part in parts.items():
        span = [len(data), len(data) + len(part)]
        header[f"xorweave/w/{name}"] = {"dtype": "U8", "shape": [len(part)], "data_offsets": span}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are not tested: no Linux /proc")
@pytest.mark.parametrize(
    ("spec", "n", "planes", "symbols"),
    [
        # all planes constant: no payload, yet a symbol of 1024 bits a weight
        ("family=uniform,n_in=1024,n_out=1,n_s=0,seed=0", 2_000_000, (1 << 32) - 1, 0),
        # one plane stored, 64 bits a weight
        ("family=uniform,n_in=64,n_out=1,n_s=0,seed=0", 400_000, (1 << 32) - 2, 400_000 * 64 // 8),
        # a block of 16384 for next to nothing
        ("family=uniform,n_in=1,n_out=16384,n_s=0,seed=0", 1 << 24, (1 << 32) - 2, (1 << 24) // 16384),
    ],
)
def test_a_file_that_asks_for_much_does_not_get_it(
    spec: str, n: int, planes: int, symbols: int, tmp_path: Path
) -> None:
    parts = {"symbols": bytes(symbols), "mask": bytes(-(-n // 8)), "corrections": b""}
    version_1(tmp_path / "x.safetensors", spec=spec, shape=[n], planes=planes, parts=parts)
    said, took, may = watched(tmp_path / "x.safetensors", tmp_path)
    assert said in ("decoded", "refused") and took < may
