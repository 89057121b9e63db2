"""Public ONNX models, whole: do `encode`, `prune` by magnitude and `sparsity` take them as they are?

    pip download --no-deps --only-binary :all: -d wheels silero-vad==6.2.3 rapidocr-onnxruntime==1.4.4 ...
    python benchmarks/public_models.py wheels/*.whl [MODEL.onnx ...]

Arguments are models, or wheels whose models are all taken (the largest of each wheel with ``--largest``). Each model is
encoded with the defaults and verified, pruned to S = .8, and what `prune` wrote is counted on the model's network.
docs/effective-sparsity.md lists the packages. Prints a row a model; the exit status is 1 if a command refused one.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-c", "from xorweave.cli import main; main()"]


def models(given: list[Path], folder: Path, *, largest: bool) -> Iterator[tuple[str, Path]]:
    """Yield a name and the path of each model, those of wheels unpacked into `folder`."""
    for path in given:
        if path.suffix != ".whl":
            yield path.name, path
            continue
        with zipfile.ZipFile(path) as wheel:
            inside = [entry for entry in wheel.infolist() if entry.filename.endswith(".onnx")]
            inside.sort(key=lambda entry: -entry.file_size)
            for entry in inside[: 1 if largest else None]:
                target = Path(wheel.extract(entry, folder / path.stem))
                yield f"{'-'.join(path.name.split('-')[:2])}: {target.name}", target


def run(*arguments: object) -> tuple[dict[str, Any] | None, str, float]:
    """Run a command: what it printed as JSON, or the line it refused with; its seconds of processor time."""
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["nothing said"])[-1], seconds
    return (json.loads(done.stdout) if "--json" in arguments else {}), "", seconds


def play(path: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Take one model through the commands: the cells of its row, and what was refused."""
    cells, refused = [], []
    stored, pruned = folder / "stored.safetensors", folder / "pruned.safetensors"
    calls: list[tuple[str, list[object]]] = [
        ("encode", [path, "-o", stored, "--json", "--force"]),
        ("verify", [stored]),
        ("prune", [path, "-o", pruned, "--method", "magnitude", "--sparsity", "0.8", "--json"]),
        ("sparsity", [pruned, "--network", path, "--json"]),
    ]
    for command, arguments in calls:
        answer, line, seconds = run(command, *arguments)
        if answer is None:
            refused.append(f"{command}: {line}")
            cells.append("refused")
        elif command == "encode":
            total = answer["total"]
            kept = sum(1 for _ in answer["tensors"])
            cells += [
                str(kept),
                f"{total['bits_per_weight_with_mask']:.3f}" if kept else "-",
                f"{seconds:.0f}",
            ]
        elif command == "sparsity":
            total = answer["total"]
            bound = " at most" if answer["upper_bound"] else ""
            alive = 1 - total["effective_sparsity"]
            cells.append(
                f"{1 - total['direct_sparsity']:.3f} kept,{bound} {alive:.3f} alive ({seconds:.0f} s)"
            )
        else:
            cells.append(f"yes ({seconds:.0f} s)")
    return cells, refused


def main() -> None:
    """Play the models and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path, help="models (.onnx), or wheels that hold some")
    parser.add_argument("--largest", action="store_true", help="only the largest model of each wheel")
    given = parser.parse_args()
    print("| model | MB | tensors encoded | bits a weight | s | verify | prune | sparsity |")
    print("|---|---|---|---|---|---|---|---|")
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="xorweave-models-") as scratch:
        for name, path in models(given.models, Path(scratch), largest=given.largest):
            cells, refused = play(path, Path(scratch))
            print(f"| {name} | {path.stat().st_size / 1e6:.1f} | {' | '.join(cells)} |", flush=True)
            for line in refused:
                print(f"  {name}: {line}", file=sys.stderr)
            wrong += bool(refused)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
