"""Every page as a browser shows it, on a phone and on a desk: nothing too wide, too small, too pale or cut off."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.browser import dump, look
from tests.xorweave.pages.made_pages import HOSTILE, PAGES


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    path = folder / "page.html"
    path.write_text(PAGES[request.param](folder), encoding="utf-8")
    return path


class _Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action") and not (value or "").startswith("#"):
                self.fetched.append(f"{tag} {name}={value}")


def test_a_page_stands_alone_and_names_cannot_write_into_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = _Markup()
    found.feed(text)
    assert found.fetched == [] and not re.search(r"@import|url\((?!#)", text)
    assert "<script>alert" not in text and "\u202e" not in text and "\x07" not in text
    assert found.tags.count("script") <= 2 and found.tags.count("style") <= 2 + text.count("<svg")
    assert text.startswith("<!doctype html>") and text.count("<h1>") == 1


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_can_be_read(page: Path, width: int, tmp_path: Path) -> None:
    found = look(page, width, tmp_path)
    assert found["width"] == width and found["wide"] <= width
    assert found["small"] == [] and found["pale"] == [] and found["cut"] == []
    assert found["lang"] == "en" and len(found["heads"]) == 1
    said, top = found["conclusion"]
    assert len(said) > 30 and top < 400
    for table in found["tables"]:
        assert table["scoped"] and table["bodies"] and len(table["about"]) > 5, table
        assert table["hinted"] == table["over"] and table["focus"] == 0, table
    assert all(length > 20 for length in found["pictures"]), found["pictures"]


def test_bars_are_as_long_as_their_figures(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGES["codecs"](tmp_path), encoding="utf-8")
    found = look(path, 1280, tmp_path)
    shown = {}
    for note, length in zip(found["notes"], found["tracks"], strict=True):
        if "no bar" in note:
            assert length == 0
        else:
            shown[float(note.split(",")[0])] = length
    assert set(shown) == {1.8, 1.14, 1.9, 1.5, 2.2, 1.07}
    for figure, length in shown.items():
        assert length == pytest.approx(found["track"][0] * figure / 2.2, abs=1.0)


def test_a_table_wider_than_the_phone_says_so(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGES["reproduction"](tmp_path), encoding="utf-8")
    assert [table["over"] for table in look(path, 390, tmp_path)["tables"]] == [True]
    assert [table["over"] for table in look(path, 1280, tmp_path)["tables"]] == [False]


def test_no_page_complains(page: Path, tmp_path: Path) -> None:
    done = dump(page, tmp_path / "profile", wait=1000)
    assert "CONSOLE" not in done.stderr


_SHRUNK = '<svg viewBox="0 0 800 10" width="200" role="img" aria-label="shrunk"><text font-size="16">tiny</text></svg>'
_LONG_BAR = '<div class="bar"><span class="track" style="width: 9px"><b style="width: 150%"></b></span></div>'


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ('<p style="font-size: 11px">small print</p>', "small"),
        ('<p style="color: #aaa">pale print</p>', "pale"),
        (_SHRUNK, "small"),
        ('<div style="width: 600px">wide</div>', "cut"),
        (_LONG_BAR, "cut"),
        ("<table><tr><th>head</th><td>cell</td></tr></table>", "tables"),
    ],
)
def test_what_is_bad_is_seen(broken: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGES["reproduction"](tmp_path).replace("<h2>", f"{broken}<h2>", 1), encoding="utf-8")
    found = look(path, 390, tmp_path)
    if said == "tables":
        assert not all(table["scoped"] for table in found["tables"])
    else:
        assert found[said]


def test_the_hostile_name_is_hostile() -> None:
    assert "<script>" in HOSTILE and "\u202e" in HOSTILE


def test_a_page_can_be_printed(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("@media print") == 1
    printed = tmp_path / "printed.html"
    printed.write_text(text.replace("@media print", "@media all"), encoding="utf-8")
    found = look(printed, 1032, tmp_path)  # A4 across, without its margins
    assert found["cut"] == [] and found["pale"] == []
    for table in found["tables"]:
        assert not table["over"] and not table["hinted"], table


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "codecs",
            "xor takes the fewest bits of the lossless formats, 1.140 a weight at a fixed rate, 6.5 % over mask and "
            "value entropy; the best other format, eie, takes 1.500 at a fixed one; the smallest decoder is that of "
            "xor (",
        ),
        (
            "explore",
            "2 of 3 decoders are beaten by none in both figures; family=chain,n_in=8,n_out=80,n_s=1,seed=0 has "
            "the least overhead (2.00 %, 7.00 GE an output); family=uniform,n_in=8,n_out=80,n_s=0,seed=0 has the",
        ),
        (
            "spmv",
            "Over 2 layers together: CPU, bitmap INT8, 1 thread takes the least time of what was measured, 2.0 µs, and "
            "CPU, encoded, 1 thread 4.0 µs, 2.00 times as much; all products agree bit for bit.",
        ),
        ("reproduction", "1 table of the papers' experiments"),
        ("report of a hardware model", "hardware.safetensors takes "),
    ],
)
def test_a_page_says_its_conclusion_in_a_sentence(name: str, sentence: str, tmp_path: Path) -> None:
    said = re.search(r'<p class="conclusion">(.*?)</p>', PAGES[name](tmp_path), re.DOTALL)
    assert said and sentence in html.unescape(said[1])
