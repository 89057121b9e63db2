"""Make the figures of docs again, and say which changed.

    python benchmarks/check_figures.py [--all] [WORD...]     # or: make figures

Tables and pictures of docs stand beside the commands that make them. This goes through the pages, takes the commands of
benchmarks and modules, and runs those that are cheap and print the same on every machine (`CHEAP`); WORDs choose by
page or command instead; --all takes all that need no data from elsewhere, which is many hours, and some print times. A
table is the same where every row that the command prints stands on the page; a picture or a record where its bytes are.
Nothing is written to the checkout. Status 1: something changed.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Minutes of a core at most, nothing timed among what they print. The others take longer, or measure this machine.
CHEAP = (
    "benchmarks/theory.py",
    "benchmarks/fault_locality.py",
    "benchmarks/register_faults.py",
    "benchmarks/stall_pairs.py",
    "xorweave.hw.package.pictures",
)
_COMMAND = re.compile(
    r"(?:^ {4}|`|^)(python (?:benchmarks/\w+\.py|-m xorweave\.[\w.]+)[^`#\n\\]*)", re.MULTILINE
)
_ELSEWHERE = re.compile(
    r"\b(DATA|DIR|SECONDS|wheels|model\.safetensors|touched\.json|codecs\.csv|\w+\.lib)\b|--help"
)


@dataclass(frozen=True)
class Figure:
    """A command of docs.

    Attributes
    ----------
    page : Path
    command : str
    """

    page: Path
    command: str

    @property
    def cheap(self) -> bool:
        """Whether it is run without being asked for."""
        return any(name in self.command for name in CHEAP)

    def changed(self) -> str:
        """Run it; return in words what is not as docs have it, nothing if all is."""
        page = {_plain(line) for line in self.page.read_text(encoding="utf-8").splitlines()}
        with tempfile.TemporaryDirectory() as folder:
            pictures: list[tuple[Path, Path]] = []
            words = []
            for word in shlex.split(self.command):
                old = ROOT / word
                if "/" in word and old.exists() and old.suffix != ".py":  # what it would write
                    pictures.append((old, Path(folder) / old.name))
                    (shutil.copytree if old.is_dir() else shutil.copy)(old, pictures[-1][1])
                    word = str(pictures[-1][1])
                words.append(sys.executable if word == "python" else word)
            paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
            done = subprocess.run(
                words,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": paths},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                return f"status {done.returncode}: {(done.stderr.strip() or done.stdout.strip())[-200:]}"
            rows = [line for line in map(_plain, done.stdout.splitlines()) if line.startswith("|")]
            new = [row for row in rows if row not in page]
            drawn = [old.name for old, made in pictures if not _alike(old, made)]
        said = [f"{len(new)} of {len(rows)} rows, the first: {new[0]}"] if new else []
        if not rows and not pictures:
            said.append("prints no table to compare")
        return "; ".join([*said, *drawn])


def _plain(line: str) -> str:
    """A row without the spaces that line its columns up."""
    return re.sub(r"\s*\|\s*", "|", line.strip())


def _alike(old: Path, made: Path) -> bool:
    if made.is_dir():
        return all((old / one.name).read_bytes() == one.read_bytes() for one in made.iterdir())
    return made.exists() and old.read_bytes() == made.read_bytes()


def figures() -> list[Figure]:
    """Return the commands of all pages, each once, in the order of the pages."""
    found = {}
    for page in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]:
        for command in _COMMAND.findall(page.read_text(encoding="utf-8")):
            found.setdefault(command.strip(), Figure(page, command.strip()))
    return list(found.values())


def main() -> int:
    """Run what was chosen, and list the rest."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("words", nargs="*", help="only pages and commands with such a word in them")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true", help="name the commands that are not run, too")
    args = parser.parse_args()
    changed, left = 0, 0
    for figure in figures():
        asked = any(word in f"{figure.page.name} {figure.command}" for word in args.words)
        elsewhere = _ELSEWHERE.search(figure.command)
        if elsewhere or not (asked or args.all or (figure.cheap and not args.words)):
            left += 1
            if args.list:
                why = "needs data from elsewhere" if elsewhere else "not asked for"
                print(f"{figure.page.name:24} {figure.command}\n{'':24} {why}")
            continue
        print(f"{figure.page.name:24} {figure.command}", flush=True)
        what = figure.changed()
        changed += bool(what)
        print(f"{'':24} {f'CHANGED: {what}' if what else 'same'}", flush=True)
    print(f"{changed or 'none'} changed, {left} not run (--list names them)")
    return int(changed > 0)


if __name__ == "__main__":
    sys.exit(main())
