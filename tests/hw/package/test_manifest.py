"""A manifest is not believed: hostile fields give one line, and nothing outside the folder is read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.code.code import Code
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.package.manifest import Manifest, check_verilog, read_manifest
from xorweave.hw.package.package import write_package
from xorweave.hw.package.vectors import random_tensor


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "d"
    tensor = random_tensor(Code.uniform(n_in=3, n_out=8, n_s=1, seed=1), number_format("int4"), blocks=9)
    write_package(folder, config_for(tensor, length_bits=4), tensor)
    return folder


def _set(*path: Any) -> Callable[[Any], None]:
    """Return a change: the last of `path` becomes the value of the entry that the others lead to."""

    def change(entries: Any) -> None:
        for step in path[:-2]:
            entries = entries[step]
        entries[path[-2]] = path[-1]

    return change


HOSTILE: dict[str, tuple[Callable[[Any], None], str]] = {
    "a command in the top": (_set("top", "x; exec -- touch y"), "top must be a Verilog name"),
    "a line break in the top": (_set("top", "x\n"), "top must be a Verilog name"),
    "a number as top": (_set("top", 7), "top must be a Verilog name"),
    "a path upwards": (_set("verilog", ["../x.v"]), "must be a path inside the folder"),
    "an absolute path": (_set("verilog", ["/etc/passwd"]), "must be a path inside the folder"),
    "a hidden path": (_set("files", [".ssh/id"]), "must be a path inside the folder"),
    "a command in a path": (_set("verilog", ["rtl/x.v; touch y"]), "must be a path inside the folder"),
    "no Verilog": (_set("verilog", []), "list of 1 to 16"),
    "Verilog that is not listed": (_set("verilog", ["rtl/other.v"]), "files must list rtl/other.v"),
    "a text as width": (_set("n_w", "x"), "n_w must be a whole number from 1 to 64"),
    "truth as width": (_set("n_w", True), "n_w must be a whole number from 1 to 64"),
    "a fraction as latency": (_set("latency", 1.5), "latency must be a whole number"),
    "a negative latency": (_set("latency", -1), "latency must be a whole number"),
    "an endless bus": (_set("streams", "output", "pins", 0, 1, 1 << 40), "must be a whole number from 1"),
    "a pin called like an escape": (
        _set("streams", "output", "pins", 0, 0, "\\a "),
        "must be a Verilog name",
    ),
    "two pins of one name": (_set("streams", "output", "pins", 0, 0, "s_axis_tdata"), "different names"),
    "an endless number of words": (_set("streams", "output", "words", 1 << 60), "must be a whole number"),
    "a code without sizes": (_set("code", {}), "code must have the entry"),
    "a matrix that is too large": (
        _set("code", {"spec": "x", "check_value": "y", "n_in": 65536, "n_out": 65536, "n_s": 1}),
        "generator must be",
    ),
    "a matrix row that is none": (_set("code", "generator", 0, "zz"), "in hexadecimal"),
    "an unknown entry": (_set("shell", "touch y"), "no entry 'shell'"),
    "a scene's pin that is none": (_set("scenes", 0, "static", {"rst": 1}), "must set input pins"),
    "a scene without words": (_set("scenes", 0, "words", {}), "must have words of every stream"),
    "another version": (_set("version", 1), "must have version 2, not 1: generate the decoder again"),
    "another format": (_set("format", "zip"), "must be that of a generated decoder"),
    "control characters": (_set("kind", "\x1b[2J"), "must be a line of text"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_fields_are_refused(package: Path, name: str) -> None:
    change, message = HOSTILE[name]
    entries = copy.deepcopy(json.loads((package / "manifest.json").read_text()))
    change(entries)
    with pytest.raises(InputError, match=message) as refused:
        Manifest.parse(entries)
    said = str(refused.value)
    assert len(said) < 300 and said.isprintable()


@pytest.fixture(scope="module")
def of_a_book(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The manifest of a decoder whose mask is a pattern book."""
    rng = np.random.default_rng(0)
    values = rng.integers(1, 100, (20, 30)).astype(np.int8)
    tensor = Choice(mask_code="book").encode(values, number_format("int8"), rng.random((20, 30)) < 0.15)
    assert tensor.mask_coder.kind == "book"
    folder = tmp_path_factory.mktemp("book") / "d"
    write_package(folder, config_for(tensor), tensor)
    read_manifest(folder)
    return json.loads((folder / "manifest.json").read_text())


BOOKS: dict[str, tuple[Callable[[Any], None], str]] = {
    "no such kind": (_set("mask_kind", "other"), "mask_kind must be one of none, bitmap, book, shaped"),
    "patterns of too many bits": (
        _set("mask_book", "pattern_bits", 40),
        "pattern_bits must be a whole number",
    ),
    "no codewords": (_set("mask_book", "counts", []), "counts must be a list of 1 to 15 entries"),
    "codewords that are no prefix code": (_set("mask_book", "counts", [1, 1]), "a complete prefix code"),
    "codewords of all lengths": (_set("mask_book", "counts", [0] * 40), "counts must be a list"),
    "more codewords than patterns": (
        _set("mask_book", "counts", [0, 0, 0, 0, 0, 0, 0, 0, 512]),
        "pattern book",
    ),
    "a text as inverted": (_set("mask_book", "inverted", "no"), "inverted must be true or false"),
    "no groups": (_set("mask_book", "groups", []), "groups must be a list of 1 to 64 entries"),
    "other planes": (_set("mask_book", "groups", 0, "planes", 60), "groups must be groups of"),
    "a code that is none": (_set("mask_book", "groups", 0, "code", {}), "code must have the entry"),
    "an unknown entry": (_set("mask_book", "shell", "x"), "no entry 'shell'"),
}


@pytest.mark.parametrize("name", BOOKS)
def test_a_pattern_book_is_not_believed(of_a_book: Any, name: str) -> None:
    change, message = BOOKS[name]
    entries = copy.deepcopy(of_a_book)
    change(entries)
    with pytest.raises(InputError, match=message) as refused:
        Manifest.parse(entries)
    said = str(refused.value)
    assert len(said) < 300 and said.isprintable()


def test_every_missing_entry_is_named(package: Path) -> None:
    whole = json.loads((package / "manifest.json").read_text())
    for key in ("top", "streams", "static", "scenes", "latency", "verilog", "files", "full_rate"):
        entries = {k: v for k, v in whole.items() if k != key}
        with pytest.raises(InputError, match=f"must have the entry {key}"):
            Manifest.parse(entries)


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", "[" * 100_000, "1" * 5000])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError):
        read_manifest(tmp_path)


def test_links_and_missing_files_are_refused(package: Path, tmp_path: Path) -> None:
    manifest = read_manifest(package)
    rtl = package / manifest.verilog[0]
    text = rtl.read_text()
    rtl.unlink()
    try:
        with pytest.raises(InputError, match="must have the file rtl"):
            read_manifest(package)
        (tmp_path / "elsewhere.v").write_text(text)
        rtl.symlink_to(tmp_path / "elsewhere.v")
        with pytest.raises(InputError, match="not a link or a device"):
            read_manifest(package)
    finally:
        rtl.unlink(missing_ok=True)
        rtl.write_text(text)
    read_manifest(package)


@pytest.mark.parametrize(
    "text",
    [
        'initial $system("touch y");',
        '`include "/etc/passwd"',
        "`systemc_imp_header",
        'import "DPI-C" function int system(input string s);',
        "wire \\a;b ;",
        "/* a comment */ initial $finish;",
        "// $finish\ninitial $stop;",
    ],
)
def test_verilog_that_does_more_than_describe_hardware_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="must only describe hardware"):
        check_verilog("x.v", f"module x; {text} endmodule")


@pytest.mark.parametrize("end", ["\r", "\0", "\v", "\f", "\x1b", "\x85", "\x7f"])
def test_nothing_but_a_new_line_ends_a_comment(end: str) -> None:
    """Icarus ran what stands behind a carriage return in a comment; the others end a text at a zero."""
    with pytest.raises(InputError, match="must only describe hardware, but has the control character"):
        check_verilog("x.v", f"module x; // it says{end}initial $finish;\nendmodule")
    check_verilog("x.v", "module x; // ünï ☃\r\n\tassign y = x; /* $finish */\r\nendmodule\r\n")


def test_words_are_counted_and_read_as_what_they_are(package: Path, tmp_path: Path) -> None:
    manifest = read_manifest(package)
    path = package / manifest.output.file
    text = path.read_text()
    try:
        for wrong, message in (
            (text + "0\n", "9 words"),
            ("x" + text[1:], "hexadecimal"),
            ("f" + text, "bits"),
        ):
            path.write_text(wrong)
            with pytest.raises(InputError, match=message):
                manifest.words(package, manifest.output)
    finally:
        path.write_text(text)
