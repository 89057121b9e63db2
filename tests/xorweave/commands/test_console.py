"""Tables, names and progress on any terminal."""

from __future__ import annotations

import io
import re
import sys

import pytest

from xorweave.commands import console
from xorweave.commands.console import print_table
from xorweave.golden.base.printable import printable


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
