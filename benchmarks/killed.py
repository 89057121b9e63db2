"""`encode` killed with SIGKILL at random moments and taken up with --resume: the same file, and what was lost.

    python benchmarks/killed.py [--model FILE] [--kills 10] [--tensors 16] [--side 256] [--jobs 2] [--seed 0]

A file of weights, or a model of random ones, is encoded once without an interruption. Then, for each kill, anew: the
command is killed at a moment drawn uniformly between its first finished tensor and the time that the whole run took,
and taken up. Shown are the tensors that were finished when it was killed, those of them that the resumed run took over
(their files are touched by nobody until the output is there), the tensors that were lost (started, not finished: as
many as are encoded at once at most), and processor seconds of the resumed run beside those of the whole one (those of
processes that encode, which files of 16 MiB and more get, are not among them). Exits with 1 if a file differs or a
finished tensor was lost.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

import xorweave as xw

COLUMNS = ("kill", "after_s", "finished", "taken_over", "stored_again", "cpu_s", "whole_cpu_s", "same_file")


def model(path: Path, tensors: int, side: int, seed: int) -> None:
    """Write a model of random weights, its tensors of different sizes."""
    rng = np.random.default_rng(seed)
    sides = {f"fc{i}": (side // (1 + i % 3), side) for i in range(tensors)}
    np.savez(path, **{name: rng.standard_normal(shape, np.float32) for name, shape in sides.items()})  # type: ignore[arg-type]


def command(source: Path, out: Path, jobs: int, *more: str) -> list[str]:
    """Return the words of one run."""
    words = [
        "encode",
        str(source),
        "-o",
        str(out),
        "--dtype",
        "int8",
        "--sparsity",
        "0.9",
        "--jobs",
        str(jobs),
    ]
    return [sys.executable, "-m", "xorweave.cli", *words, *more]


def ran(words: list[str], out: Path) -> tuple[float, float, float]:
    """Run to the end; return its processor seconds, and when the first tensor and when all was finished."""
    before, started, first = os.times(), time.monotonic(), 0.0
    run = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    while run.poll() is None:
        if not first and finished(out):
            first = time.monotonic() - started
        time.sleep(0.005)
    if run.returncode:
        raise SystemExit(f"the run ended with status {run.returncode}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, first, time.monotonic() - started


def finished(out: Path) -> dict[str, tuple[int, int]]:
    """Return the tensors that are finished: files that appear whole or not at all, with when they did."""
    parts = out.with_name(out.name + ".parts")
    found = {}
    for path in sorted(parts.glob("*.part")):
        with suppress(FileNotFoundError):  # removed meanwhile: the output is there
            state = path.stat()
            found[path.name] = (state.st_ino, state.st_mtime_ns)
    return found


def kill_at(words: list[str], out: Path, after: float) -> dict[str, tuple[int, int]] | None:
    """Start a run and kill it; return what was finished just before, or None where the run was done by then."""
    run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    started = time.monotonic()
    while time.monotonic() - started < after and run.poll() is None:
        time.sleep(0.002)
    before = finished(out)
    if run.poll() is not None:
        return None
    run.send_signal(signal.SIGKILL)
    run.wait()
    time.sleep(1.0)  # the keeper ends what the killed process had started
    return before


def taken_over(words: list[str], out: Path, kept: dict[str, tuple[int, int]]) -> int:
    """Resume; return how many finished tensors stayed as they were to the last look."""
    run = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    last = kept
    while run.poll() is None:
        now = finished(out)
        if len(now) >= len(last):  # fewer: they are removed, as the output is there
            last = now
        time.sleep(0.005)
    if run.returncode:
        raise SystemExit(f"the resumed run ended with status {run.returncode}")
    return sum(last.get(name) == state for name, state in kept.items())


def main() -> None:
    """Kill and resume, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a file of weights, INT8, S = .9; else random ones")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--tensors", type=int, default=16)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = arguments.model or folder / "model.npz"
        if arguments.model is None:
            model(source, arguments.tensors, arguments.side, arguments.seed)
        whole = folder / "whole.safetensors"
        cpu, first, took = ran(command(source, whole, arguments.jobs), whole)
        tensors = len(xw.open(whole))
        print("  ".join(COLUMNS))
        for kill in range(1, arguments.kills + 1):
            out = folder / f"{kill}.safetensors"
            while True:
                after = float(rng.uniform(first, took))
                before = kill_at(command(source, out, arguments.jobs), out, after)
                if before:
                    break
                out.unlink(missing_ok=True)  # it was done, or had not begun
            kept = finished(out)
            words = command(source, out, arguments.jobs, "--resume")
            clock = os.times()
            same_parts = taken_over(words, out, kept)
            now = os.times()
            again = now.children_user + now.children_system - clock.children_user - clock.children_system
            same = out.read_bytes() == whole.read_bytes()
            lost = len(set(before) - set(kept)) + len(kept) - same_parts
            wrong += not same or lost > 0
            row = (
                kill,
                f"{after:.2f}",
                len(kept),
                same_parts,
                tensors - same_parts,
                f"{again:.1f}",
                f"{cpu:.1f}",
                "yes" if same else "NO",
            )
            print(
                "  ".join(str(cell).rjust(len(head)) for cell, head in zip(row, COLUMNS, strict=True)),
                flush=True,
            )
            out.unlink()
    print(
        f"{arguments.kills} kills of a run of {tensors} tensors, {arguments.jobs} at once: {wrong} went wrong"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
