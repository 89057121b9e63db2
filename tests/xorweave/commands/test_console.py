"""Tables, names and progress on any terminal."""

from __future__ import annotations

import ast
import io
import re
import sys
from pathlib import Path

import pytest

from xorweave.commands import console
from xorweave.commands.console import print_table
from xorweave.golden.base.printable import listed, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a.weight", "a.weight"),
        ("ünï-☃", "ünï-☃"),
        ("\x1b[31mRED\x07", "\\x1b[31mRED\\x07"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("\udcff.npy", "\\udcff.npy"),
        ("a\u200fb\u061cc\u2067d", "a\\u200fb\\u061cc\\u2067d"),  # marks that turn what stands around them
        ("fc\u200b1\ufeff\xad", "fc\\u200b1\\ufeff\\xad"),  # takes no room: looks like fc1
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_a_terminal_would_act_upon_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_names_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("[red]title[/]", ["name", "bits"], [["[/b]x", "1"], ["[red]bold[/red]", "2"]])
    out = capsys.readouterr().out
    assert all(text in out for text in ("[red]title[/]", "[/b]x", "[red]bold[/red]"))


def test_long_names_keep_their_ends(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("", ["name", "bits"], [["first" + "x" * 5000 + "last", "1"]])
    out = capsys.readouterr().out
    assert "first" in out and "last" in out and "..." in out
    assert max(map(len, out.splitlines())) <= 160 and len(out.splitlines()) < 8


COLUMNS = [
    "tensor",
    "code",
    "sparsity",
    "overhead",
    "memory reduction",
    "with mask",
    "bits a weight",
    "seconds",
]
ROW = [
    "bert.encoder.layer.0.attention.self.query.weight",
    "32 -> 300, K = 256",
    *(f"{k}.25 %" for k in range(6)),
]


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_narrow_terminal_breaks_no_word(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_PIPE_WIDTH", width)
    print_table("title", COLUMNS, [ROW, ["b", *ROW[1:]]])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    words = set(re.findall(r"[^\s\u2500-\u257f]+", out))
    assert {word for name in COLUMNS for word in name.split()} <= words
    assert {f"{k}.25" for k in range(6)} <= words
    assert out.count("title") == 1


def test_a_pipe_keeps_a_row_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("title", COLUMNS, [ROW])
    out = capsys.readouterr().out
    assert sum(line.startswith("│") for line in out.splitlines()) == 1
    assert all(cell in out for cell in ROW)


def test_no_progress_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with console.meter() as show, show.task("[/b]\x1b") as advance:
        advance(0.5)
    assert capfd.readouterr() == ("", "")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_shows_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with console.meter() as show, show.task("[/b]x\x1b]0;own\x07") as advance:
        advance(0.0)
        advance(0.5)
    shown = terminal.getvalue()
    assert "[/b]x\\x1b]0;own\\x07" in shown and "\x1b]0;own" not in shown


def test_every_line_goes_through_the_same_door() -> None:
    """Names come from files: what prints them without `say`, `tell` or a table lets escape codes through."""
    doors = {"print", "typer.echo", "sys.stdout.write", "sys.stderr.write"}
    for path in sorted(Path(str(console.__file__)).parent.glob("*.py")):
        if path.name == "console.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in doors:
                said = ast.unparse(node.args[0])
                assert said in ("json.dumps(result.to_json())", "f'\\r{done} of {total}'"), (
                    f"{path.name}: {said}"
                )


def test_lines_show_any_name(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("fc\x1b[31m\n: 3 zeros")
    console.tell("the tensors \x1b]0;t\x07 " + "x" * 5000)
    shown = capsys.readouterr()
    assert shown.out == "fc\\x1b[31m\\n: 3 zeros\n"
    assert shown.err.startswith("xorweave: the tensors \\x1b]0;t\\x07 x") and len(shown.err) < 530
    assert listed(["a" * 300, "b"]) == f"{'a' * 48}...{'a' * 48}, b"
