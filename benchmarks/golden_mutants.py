"""Mutants of golden: is every fault in the model's Python seen by a test?

    python benchmarks/golden_mutants.py map -o touched.json
    python benchmarks/golden_mutants.py run touched.json --sample 200 --seed 1 -o results.jsonl
    python benchmarks/golden_mutants.py run touched.json --rooms base code -o results.jsonl
    python benchmarks/golden_mutants.py run --since COMMIT --sample 40 -o results.jsonl

`map` runs the tests of golden once and notes which functions each test calls and what it takes. `run` changes one
operator, constant, comparison, condition or statement of golden at a time, in a copy of the project, and runs the tests
that call the function it is in: those of the mirrored test file first, then the cheapest, until one fails or `--budget`
seconds of tests have passed. What lives is printed line by line, to be judged by a person; docs/mutants.md has the
judgements. Without a map the tests are up to three files: the mirrored one, those that import the changed file;
`--since` changes only lines that are newer than a commit.

A compiled kernel is called from compiled code, where nothing notes it: its tests are those of the functions that name
it. Kernels compiled before are kept; but where a kernel or a constant is changed, those of its file and its importers
are compiled anew, as a caller's machine code holds its callees'.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TESTS = "tests/golden"
ROOM = b"\n" * 200  # at the end of each file of the copy: a changed file has the length that it had
# Tests elsewhere that call golden in their own process, for what no test of golden kills.
WIDER = ("tests/xorweave/library", "tests/xorweave/test_road.py")

COMPARE = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==", ast.Is: "is not",
    ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
BINARY = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "//", ast.FloorDiv: "*", ast.Div: "*", ast.Mod: "//", ast.BitAnd: "|",
    ast.BitOr: "&", ast.BitXor: "|", ast.LShift: ">>", ast.RShift: "<<",
}  # fmt: skip
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}


@dataclass(frozen=True)
class Mutant:
    """One change of a file: bytes ``start`` to ``end`` become ``new``; ``function`` is the first line of the innermost
    function around it, 0 outside of any; ``compiled`` says that kernels hold what is changed."""

    file: str
    kind: str
    line: int
    function: int
    compiled: bool
    start: int
    end: int
    new: str

    def shown(self, source: bytes) -> tuple[str, str]:
        """Return the line before and after."""
        begin = source.rfind(b"\n", 0, self.start) + 1
        stop = source.find(b"\n", self.end)
        old = source[begin:stop].decode()
        new = (source[begin : self.start] + self.new.encode() + source[self.end : stop]).decode()
        return " ".join(old.split()), " ".join(new.split())


class _Changes(ast.NodeVisitor):
    """Collects the changes of a file. Left out are texts, annotations, decorators and what errors say."""

    def __init__(self, file: str, source: bytes) -> None:
        self.file, self.source, self.found = file, source, list[Mutant]()
        self.starts = [0]
        for line in source.split(b"\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.function, self.compiled = 0, True  # a constant of a file is compiled in

    def at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column

    def span(self, node: Any) -> tuple[int, int]:
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def text(self, node: Any) -> str:
        start, end = self.span(node)
        return self.source[start:end].decode()

    def add(self, kind: str, node: Any, new: str) -> None:
        self.put(kind, node.lineno, *self.span(node), new)

    def put(self, kind: str, line: int, start: int, end: int, new: str) -> None:
        self.found.append(Mutant(self.file, kind, line, self.function, self.compiled, start, end, new))

    def visit_FunctionDef(self, node: Any) -> None:
        before = self.function, self.compiled
        self.compiled = bool(self.function and self.compiled) or any(
            "njit" in self.text(d) for d in node.decorator_list
        )
        self.function = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        for default in [*node.args.defaults, *(d for d in node.args.kw_defaults if d)]:
            self.visit(default)
        for statement in node.body:
            self.visit(statement)
        self.function, self.compiled = before

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_Raise(self, node: ast.Raise) -> None:
        self.add("raise removed", node, "pass")

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in self.text(node.test):
            self.add("condition turned", node.test, f"(not ({self.text(node.test)}))")
            self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.add("condition turned", node.test, f"(not ({self.text(node.test)}))")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        left: Any = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            self._between("comparison", left, right, COMPARE.get(type(operator)))
            left = right
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if not (isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)):
            self._between("operator", node.left, node.right, BINARY.get(type(node.op)))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = "or" if isinstance(node.op, ast.And) else "and"
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between("and/or", left, right, other)
        self.generic_visit(node)

    def _between(self, kind: str, left: Any, right: Any, other: str | None) -> None:
        """Change the operator between two operands, whatever brackets stand there."""
        start, end = self.span(left)[1], self.span(right)[0]
        between = self.source[start:end].decode()
        core = between.strip(" \n()\\")
        if other is None or not core or "#" in between:
            return
        at = start + between.index(core)
        self.put(kind, left.end_lineno, at, at + len(core), other)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if not (isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)):
            self.add("sign or not dropped", node, f"({self.text(node.operand)})")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.add("constant", node, str(not node.value))
        elif isinstance(node.value, int):
            for step in (1, -1):
                self.add("constant", node, str(node.value + step))

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func
        if isinstance(name, ast.Name) and name.id in CALLS:
            self.add("call", name, CALLS[name.id])
        elif isinstance(name, ast.Attribute) and name.attr in CALLS:
            self.add("call", name, f"{self.text(name.value)}.{CALLS[name.attr]}")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.add("statement removed", node, "pass")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if self.function and all(isinstance(t, ast.Subscript | ast.Attribute) for t in node.targets):
            self.add("statement removed", node, "pass")
        if self.function or not (isinstance(node.value, ast.Subscript) or "TypeVar" in self.text(node)):
            self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.add("statement removed", node, "pass")
        other = BINARY.get(type(node.op))
        if other:
            self._between("operator", node.target, node.value, f"{other}=")
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        self.add("statement removed", node, "pass")

    def visit_Continue(self, node: ast.Continue) -> None:
        self.add("statement removed", node, "pass")


def changes(file: str, source: bytes) -> list[Mutant]:
    """Return every change of a file that can still be parsed."""
    found = _Changes(file, source)
    found.visit(ast.parse(source))
    return found.found


class Touched:
    """Which tests call which functions, and what they take.

    Parameters
    ----------
    data : dict
        ``seconds`` by test, and ``calls``: by ``file:first line`` of a function the numbers of the tests that call it.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.tests = list(data["seconds"])
        self.seconds: dict[str, float] = data["seconds"]
        self.calls: dict[str, list[int]] = data["calls"]
        self.kernels = _kernels()

    def portions(self, mutant: Mutant, budget: float, _tree: Path) -> Iterator[tuple[list[str], float]]:
        """Yield the tests to run in order, at least one, and their seconds, at most the budget but for the first."""
        tests, spent = list[str](), 0.0
        for test in self._of(mutant):
            if tests and spent + self.seconds[test] > budget:
                break
            tests.append(test)
            spent += self.seconds[test]
        if tests:
            yield tests, spent

    def _of(self, mutant: Mutant) -> list[str]:
        keys = [f"{mutant.file}:{mutant.function}"]
        if keys[0] not in self.calls:
            keys = self.kernels.get(keys[0], [])
        found = {t for key in keys for t in self.calls.get(key, ())}
        if not found:  # code that runs when the file is imported, or that nothing calls
            found = {
                t for key, tests in self.calls.items() if key.startswith(f"{mutant.file}:") for t in tests
            }
        mirror = f"tests/{Path(mutant.file).parent}/test_{Path(mutant.file).name}"
        return sorted(
            (self.tests[t] for t in found),
            key=lambda test: (not test.startswith(mirror), test.startswith(WIDER), self.seconds[test]),
        )


class Named:
    """Tests by what they import, where no map was made: up to three files, the mirrored one first if there is one, then
    those that import the changed file, then those of its importers."""

    MOST = 3

    def __init__(self) -> None:
        self.tests = {
            str(path.relative_to(ROOT)): path.read_text()
            for folder in (TESTS, *WIDER)
            for path in ((ROOT / folder).rglob("test_*.py") if (ROOT / folder).is_dir() else [ROOT / folder])
        }
        self.seconds: dict[str, float | None] = {}  # None: it fails as it is

    def portions(self, mutant: Mutant, budget: float, tree: Path) -> Iterator[tuple[list[str], float]]:
        """Yield test files one by one and the seconds of each, until the budget is spent."""
        spent = 0.0
        for test in self._of(mutant):
            if test not in self.seconds:
                self.seconds[test] = self._seconds(test, tree)
            seconds = self.seconds[test]
            if seconds is not None:
                if spent and spent + seconds > budget:
                    break
                spent += seconds
                yield [test], seconds

    def _of(self, mutant: Mutant) -> list[str]:
        found: list[str] = []
        for file in [mutant.file, *importers(mutant.file, ROOT)]:
            mirror = f"tests/{Path(file).parent}/test_{Path(file).name}"
            some = [test for test, text in self.tests.items() if test == mirror or imports(text, file)]
            found += sorted({*some} - {*found}, key=lambda test: (test != mirror, len(self.tests[test])))
            if len(found) >= self.MOST:
                break
        return found[: self.MOST]

    def _seconds(self, test: str, tree: Path) -> float | None:
        """Play a test file as it is, which leaves the kernels that it needs; None if it does not pass."""
        (tree / ".kernels-before").rename(tree / ".kernels")
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        passes = pytest_in_a_child([test], limit_s=900) == 0
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        (tree / ".kernels").rename(tree / ".kernels-before")
        print(f"{test}: {f'{seconds:.0f} s' if passes else 'fails, left out'}", flush=True)
        return seconds if passes else None


def newer_lines(file: str, commit: str) -> set[int]:
    """Return the lines of a file, from 1, that a commit did not have yet."""
    said = subprocess.run(
        ["git", "diff", "-U0", commit, "--", file], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    lines: set[int] = set()
    for start, count in re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", said, re.MULTILINE):
        lines.update(range(int(start), int(start) + int(count or 1)))
    return lines


def _kernels() -> dict[str, list[str]]:
    """Return for each function the interpreted ones that come to it by names alone, as keys of `Touched.calls`."""
    named: dict[str, set[str]] = {}
    where: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "golden").rglob("*.py")):
        file = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef):
                key = f"{file}:{min([node.lineno, *(d.lineno for d in node.decorator_list)])}"
                where[node.name].append(key)
                named[key] = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} | {
                    n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)
                }
    callers: dict[str, set[str]] = defaultdict(set)
    for caller, names in named.items():
        for name in names:
            for key in where.get(name, ()):
                callers[key].add(caller)
    closure = {}
    for key in named:
        seen, left = {key}, [key]
        while left:
            for caller in callers[left.pop()] - seen:
                seen.add(caller)
                left.append(caller)
        closure[key] = sorted(seen)
    return closure


def copy_of_the_project(folder: Path) -> None:
    """Copy what git knows, and what it does not ignore, into `folder`."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            target.symlink_to((ROOT / name).readlink())
        elif (ROOT / name).is_file():
            shutil.copy2(ROOT / name, target)
            if name.startswith("golden/") and name.endswith(".py"):
                target.write_bytes(target.read_bytes() + ROOM)


def enter(tree: Path) -> None:
    """Work in the copy: imports, data, kernels; what takes long to import and is not ours is imported once."""
    os.environ.setdefault("XORWEAVE_DATA", str(ROOT.parent / "shared" / "data"))
    os.environ["PYTHONPATH"] = str(tree)
    os.environ["NUMBA_CACHE_DIR"] = str(tree / ".kernels")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    os.chdir(tree)
    sys.path[:0] = [str(tree)]
    import hypothesis  # noqa: F401
    import networkx  # noqa: F401
    import numba.core.caching  # noqa: F401
    import pytest  # noqa: F401
    import safetensors.numpy  # noqa: F401
    import scipy.optimize
    import scipy.sparse.linalg
    import scipy.stats  # noqa: F401


def pytest_in_a_child(arguments: list[str], *, limit_s: int, plugin: Any = None) -> int | None:
    """Run pytest in a fork of this process; its status, or None if it used up its processor time or hung."""
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 5))
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        import pytest

        os._exit(
            int(pytest.main(["-q", "-p", "no:cacheprovider", *arguments], plugins=[plugin] if plugin else []))
        )
    end = time.monotonic() + 20 * limit_s
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else None
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return None


class _Notes:
    """A plugin of pytest that notes what each test calls."""

    def __init__(self, tree: Path, out: Path) -> None:
        self.inside, self.out = f"{tree}/", out
        self.calls: dict[str, set[int]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.codes: set[Any] = set()

    def _note(self, frame: Any, event: str, _argument: object) -> None:
        if event == "call":
            self.codes.add(frame.f_code)

    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> None:
        self.codes, self.begin = set(), time.process_time()
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        sys.setprofile(None)
        threading.setprofile(None)
        number = len(self.seconds)
        self.seconds[nodeid] = time.process_time() - self.begin
        for code in self.codes:
            file = os.path.realpath(code.co_filename)
            if file.startswith(f"{self.inside}golden/"):
                self.calls[f"{file.removeprefix(self.inside)}:{code.co_firstlineno}"].add(number)

        if not number % 20:
            self.pytest_sessionfinish()

    def pytest_sessionfinish(self) -> None:
        calls = {key: sorted(tests) for key, tests in sorted(self.calls.items())}
        self.out.write_text(json.dumps({"seconds": self.seconds, "calls": calls}))


def imports(text: str, file: str) -> bool:
    """Whether a text imports a file of golden."""
    module = f"xorweave.{file.removesuffix('.py').replace('/', '.')}"
    room, name = module.rsplit(".", 1)
    return f"from {module} import" in text or f"from {room} import {name}" in text


@cache
def importers(file: str, tree: Path) -> list[str]:
    """Return the files of golden that import a file, directly or not, those that do it directly first."""
    files = {str(p.relative_to(tree)): p.read_text() for p in sorted((tree / "golden").rglob("*.py"))}
    found = [file]
    for nearer in found:
        found += [other for other, text in files.items() if other not in found and imports(text, nearer)]
    return found[1:]


@contextmanager
def changed(mutant: Mutant, tree: Path) -> Iterator[None]:
    """Make the change in the copy. Kernels stay as they are unless they hold what is changed: a file is known by its
    length and its time, and its empty lines at the end make up for the change."""
    path = tree / mutant.file
    source = path.read_bytes()
    stale = [path] if mutant.compiled else []
    if mutant.compiled:
        stale += [tree / f for f in importers(mutant.file, tree) if "njit" in (tree / f).read_text()]
    times = {file: file.stat() for file in {*stale, path}}
    new = source[: mutant.start] + mutant.new.encode() + source[mutant.end :]
    shutil.copytree(tree / ".kernels-before", tree / ".kernels", copy_function=os.link)
    try:
        path.write_bytes(new.rstrip(b"\n").ljust(len(source), b"\n"))
        for file, before in times.items():
            if file in stale:
                os.utime(file)
            else:
                os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        yield
    finally:
        shutil.rmtree(tree / ".kernels", ignore_errors=True)
        path.write_bytes(source)
        for file, before in times.items():
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def verdict(mutant: Mutant, tree: Path, touched: Touched | Named, budget: float) -> str:
    """Run the tests of a mutant: ``killed``, ``killed by time``, ``alive`` or ``no test``."""
    said = "no test"
    for tests, seconds in touched.portions(mutant, budget, tree):
        with changed(mutant, tree):
            status = pytest_in_a_child(["-x", *tests], limit_s=int(60 + 4 * seconds))
        if status != 0:
            return "killed by time" if status is None else "killed"
        said = "alive"
    return said


def sampled(
    rooms: list[str], number: int, rng: random.Random, skip: set[str], since: str | None = None
) -> Iterator[Mutant]:
    """Yield mutants of all files of the rooms, each change as likely as any other."""
    every = []
    for room in rooms:
        for path in sorted((ROOT / "golden" / room).glob("*.py")):
            file = str(path.relative_to(ROOT))
            if file not in skip:
                lines = newer_lines(file, since) if since else None
                some = changes(file, path.read_bytes())
                every += [mutant for mutant in some if lines is None or mutant.line in lines]
    yield from rng.sample(every, min(number, len(every)))


def main() -> None:
    """Map the tests, or play mutants and print the verdicts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("map", "run"))
    parser.add_argument(
        "touched", nargs="?", type=Path, help="what `map` wrote; tests by their imports without it"
    )
    parser.add_argument("--since", help="change only lines that are newer than this commit")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--tree", type=Path, help="where the copy is made, and its kernels kept")
    parser.add_argument("--tests", nargs="*", default=[TESTS, *WIDER])
    parser.add_argument("--rooms", nargs="*")
    parser.add_argument("--skip", nargs="*", default=[], help="files that are not changed")
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=float, default=60, help="seconds of tests for a mutant")
    parser.add_argument("--first", type=int, default=0, help="begin with the mutant of this number")
    given = parser.parse_args()
    out = given.out.resolve()
    touched: Touched | Named | None = None
    if given.what == "run":
        touched = Touched(json.loads(given.touched.read_text())) if given.touched else Named()
    rooms = given.rooms or sorted(p.name for p in (ROOT / "golden").iterdir() if (p / "__init__.py").exists())
    chosen = list(sampled(rooms, given.sample, random.Random(given.seed), set(given.skip), given.since))
    tree = (given.tree or Path(tempfile.mkdtemp(prefix="xorweave-golden-mutants-"))).resolve()
    if not (tree / "golden").exists():
        copy_of_the_project(tree)
    enter(tree)
    if touched is None:
        print(pytest_in_a_child(given.tests, limit_s=36000, plugin=_Notes(tree, out)))
        return
    if not (tree / ".kernels-before").exists():
        (tree / ".kernels").mkdir(exist_ok=True)
        (tree / ".kernels").rename(tree / ".kernels-before")
    counts: Counter[str] = Counter()
    for number, mutant in list(enumerate(chosen))[given.first :]:
        begin = time.monotonic()
        said = verdict(mutant, tree, touched, given.budget)
        counts[said] += 1
        old, new = mutant.shown((tree / mutant.file).read_bytes())
        row = {
            "number": number, "file": mutant.file, "line": mutant.line, "kind": mutant.kind, "old": old, "new": new,
            "verdict": said, "seconds": round(time.monotonic() - begin, 1),
        }  # fmt: skip
        with out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        if not said.startswith("killed"):
            print(f"{number} {mutant.file}:{mutant.line} {mutant.kind} ({said}): {old} -> {new}", flush=True)
    print(", ".join(f"{count} {said}" for said, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
