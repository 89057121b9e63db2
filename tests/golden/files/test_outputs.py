"""An output is checked before any work is done for it: nothing of another kind, and no input, is replaced."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.outputs import PAGE_MARK, check_output, check_output_files


def begin(header: bytes, size: int | None = None) -> bytes:
    return (len(header) if size is None else size).to_bytes(8, "little") + header


@pytest.mark.parametrize(
    ("held", "replaced"),
    [
        (b"", True),
        (begin(b"{}"), True),
        (begin(json.dumps({"w": {}}).encode()) + bytes(20), True),
        (begin(b"{"), True),  # as far as it is looked at
        (begin(b"{}", 3), False),  # a header that would end behind the file
        (begin(b"[]"), False),
        (begin(b"", 0), False),
        (b"my notes", False),
        (b"my notes, at length", False),
    ],
)
def test_only_safetensors_files_are_replaced(held: bytes, replaced: bool, tmp_path: Path) -> None:
    out = tmp_path / "o.safetensors"
    out.write_bytes(held)
    check_output(out, force=True)
    if replaced:
        check_output(out)
    else:
        with pytest.raises(
            InputError, match=r"is a file of another kind: remove it first, or replace it with force$"
        ):
            check_output(out)


def test_pipes_and_devices_are_replaced_by_force_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "null.safetensors").symlink_to("/dev/null")
    for out in (tmp_path / "pipe.safetensors", tmp_path / "null.safetensors"):
        with pytest.raises(
            InputError, match=r"is a file of another kind: remove it first, or replace it with force$"
        ):
            check_output(out)
        check_output(out, force=True)


def test_inputs_folders_and_other_names_are_refused_whatever_is_forced(tmp_path: Path) -> None:
    source = tmp_path / "s.safetensors"
    source.write_bytes(begin(b"{}"))
    (tmp_path / "link.safetensors").symlink_to(source)
    (tmp_path / "d.safetensors").mkdir()
    for out, message in (
        (source, "must be another file than the input"),
        (tmp_path / "link.safetensors", "must be another file than the input"),
        (tmp_path / "d.safetensors", "must be a file, not a folder"),
        (tmp_path / "o.npz", r"must be named .safetensors, not 'o.npz'"),
        (tmp_path / "none" / "o.safetensors", "there is no folder"),
    ):
        with pytest.raises(InputError, match=message):
            check_output(out, inputs=[tmp_path / "missing", source], force=True)
    check_output(tmp_path / "new.safetensors", inputs=[source])


def test_tables_of_ours_alone_are_replaced(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    for held, ours in (
        ("", True),
        ("tensor,shape,dtype,sparsity,codec\n", True),
        ("date,amount\n1,2\n", False),
    ):
        out.write_text(held)
        if ours:
            check_output(out, suffix=".csv")
        else:
            with pytest.raises(InputError, match="is a file of another kind"):
                check_output(out, suffix=".csv")


@pytest.mark.parametrize("index", [False, True])
def test_no_shard_of_the_source_is_replaced(tmp_path: Path, index: bool) -> None:
    part = tmp_path / "part.safetensors"
    part.write_bytes(begin(b"{}"))
    source = tmp_path
    if index:
        source = tmp_path / "m.safetensors.index.json"
        source.write_text(json.dumps({"weight_map": {"w": "part.safetensors"}}))
    with pytest.raises(InputError, match=r"another file than the input .*part\.safetensors"):
        check_output(part, inputs=[source], force=True)
    check_output(tmp_path / "new.safetensors", inputs=[source])


@pytest.mark.parametrize(
    ("name", "held", "ours"),
    [
        ("t.csv", "a,b,c\n", True),
        ("t.csv", "a;b\n", False),
        ("p.html", f"<html><head>{PAGE_MARK}", True),
        ("p.html", "<html>mine", False),
        ("p.html", "", True),
        ("other.txt", "mine", True),
    ],
)
def test_of_a_folder_only_files_of_ours_are_replaced(
    tmp_path: Path, name: str, held: str, ours: bool
) -> None:
    (tmp_path / name).write_text(held)
    kinds = {"t.csv": "a,b,", "p.html": ""}
    check_output_files(tmp_path / "new", kinds)
    if ours:
        check_output_files(tmp_path, kinds)
    else:
        with pytest.raises(InputError, match=f"{name} is a file of another kind"):
            check_output_files(tmp_path, kinds)


def test_what_is_no_folder_gets_no_results(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "t.csv").mkdir()
    for folder in (tmp_path / "file", tmp_path / "link", tmp_path):
        with pytest.raises(InputError, match=r"must be a folder|another kind"):
            check_output_files(folder, {"t.csv": "a,"})
