"""Files appear whole or not at all, and nothing half-written stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from xorweave.golden.base import leftovers
from xorweave.golden.base.leftovers import beside, leftover
from xorweave.golden.base.whole_file import whole_file, write_whole


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with whole_file(path) as partial:
        partial.write_text("after")
        assert path.read_text() == "before" and partial.parent == tmp_path
    assert path.read_text() == "after"
    assert _names(tmp_path) == ["a.txt"]


def test_what_goes_wrong_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as partial:
        partial.write_text("aft")
        raise KeyboardInterrupt
    assert path.read_text() == "before" and _names(tmp_path) == ["a.txt"]


def test_a_folder_that_cannot_be_written_is_named_by_the_file(tmp_path: Path) -> None:
    path = tmp_path / "no" / "a.txt"
    with pytest.raises(FileNotFoundError) as caught:
        write_whole(path, "text")
    assert caught.value.filename == str(path)


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "a.txt", "text")
    assert _names(tmp_path) == ["a.txt"]


def test_names_at_the_limit_of_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_whole(path, "text")
    assert path.read_text() == "text"


def test_a_name_that_is_no_text_is_written_as_an_escape(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "name \udcff\n")
    assert (tmp_path / "a.txt").read_bytes() == b"name \\udcff\n"


def test_leftovers_are_told_of_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[bool, Path]] = []
    monkeypatch.setattr(leftovers, "watcher", lambda there, path: told.append((there, path)))
    with leftover(beside(tmp_path / "folder")) as partial:
        (partial / "deep").mkdir(parents=True)
        assert told == [(True, partial)]
    assert told == [(True, partial), (False, partial)] and _names(tmp_path) == []


def test_a_link_is_removed_and_not_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with leftover(tmp_path / "link") as link:
        link.symlink_to(tmp_path / "kept")
    assert _names(tmp_path) == ["kept"]
