"""Where an output may be written: never over an input, and over another kind of file only when that is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.shards import INDEX, shard_files


def check_output(
    out: Path, *, inputs: Iterable[Path] = (), force: bool | None = False, suffix: str = ".safetensors"
) -> None:
    """Refuse an output before any work is done for it.

    Parameters
    ----------
    out : Path
        A file to write.
    inputs : iterable of Path
        Files that are read, or folders or indices of shards: the output must be none of them.
    force : bool or None
        Replace an existing file that is of another kind. None: whoever asks knows no such word.
    suffix : {".safetensors", ".html", ".csv", ".vcd", ".fst"}
        What is written: a safetensors file, a page of ours, a table, or waves.

    Raises
    ------
    InputError
        The name does not end with the suffix, there is no such folder, the output is a folder or an input, or a file
        of another kind lies there.
    """
    if out.suffix.lower() != suffix:
        raise InputError(f"the output must be named {suffix}, not {out.name!r}")
    if not out.parent.is_dir():
        raise InputError(f"there is no folder {out.parent} to write into")
    if out.is_dir():
        raise InputError(f"the output {out} must be a file, not a folder")
    if not out.exists():
        return
    for source in inputs:
        for read in _files_of(source):
            if read.exists() and out.samefile(read):
                raise InputError(f"the output must be another file than the input {read}")
    if not force and not (out.is_file() and (not out.stat().st_size or _KINDS[suffix](out))):
        way = "remove it first" if force is None else "remove it first, or replace it with force"
        raise InputError(f"{out} is a file of another kind: {way}")


def check_output_folder(out: Path, *, inputs: Iterable[Path] = ()) -> None:
    """Refuse a folder of safetensors files as an output before any work is done for it.

    Raises
    ------
    InputError
        Its name is that of a file, there is no folder to make it in, it is an input or holds one, or it holds anything
        but safetensors files and their index.
    """
    if out.suffix.lower() == ".safetensors":
        raise InputError(f"the output must be a folder, not named as a file is, {out.name!r}")
    if not out.parent.is_dir():
        raise InputError(f"there is no folder {out.parent} to write into")
    if not out.exists():
        return
    if not out.is_dir() or out.is_symlink():
        raise InputError(f"the output {out} must be a folder")
    for source in inputs:
        if source.exists() and (out.samefile(source) or out.resolve() in source.resolve().parents):
            raise InputError(f"the output must be another folder than that of the input {source}")
    for path in out.iterdir():
        if not path.name.endswith((".safetensors", INDEX)) or not path.is_file():
            raise InputError(
                f"the output {out} must be a new folder, or one of safetensors files: {path.name} lies there"
            )


def check_output_files(folder: Path, beginnings: Mapping[str, str]) -> None:
    """Refuse a folder to write results into before any work is done for it.

    Parameters
    ----------
    folder : Path
        Made later where it is not there.
    beginnings : mapping of str to str
        The files that will be written, and how what this package writes there begins; of pages (.html) nothing need be
        said.

    Raises
    ------
    InputError
        It is no folder, or a file of that name lies there that this package did not write.
    """
    if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
        raise InputError(f"{folder} must be a folder, but is a file")
    for name, begins in beginnings.items():
        path = folder / name
        if not path.exists() and not path.is_symlink():
            continue
        ours = _is_page(path) if path.suffix == ".html" else _begins(path, begins)
        if not ours and not (path.is_file() and not path.stat().st_size):
            raise InputError(f"{path} is a file of another kind: remove it first, or name another folder")


def _files_of(source: Path) -> Iterator[Path]:
    """Yield the files that are read where a source is named: itself, or the shards of a folder or an index."""
    yield source
    if source.is_dir() or source.name.lower().endswith(INDEX):
        try:
            index, files = shard_files(source)
        except InputError:  # whoever reads it says why
            return
        yield from files if index is None else (index, *files)


def _begins(path: Path, text: str) -> bool:
    """Whether a regular file begins with a text."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(text.encode())) == text.encode()


def _is_safetensors(path: Path) -> bool:
    """Whether the file begins as a safetensors file does: the size of a header that lies in it, then an object."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(9)
    return (
        len(head) == 9 and int.from_bytes(head[:8], "little") <= path.stat().st_size - 8 and head[8:] == b"{"
    )


def _is_page(path: Path) -> bool:
    """Whether the file begins as the pages of this package do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return PAGE_MARK.encode() in file.read(300)


#: What the head of every page of ours has in it.
PAGE_MARK = '<meta name="generator" content="xorweave '
#: How the tables that a name is given for begin.
TABLE_HEAD = "tensor,shape,dtype,sparsity,"
_KINDS = {
    ".safetensors": _is_safetensors,
    ".html": _is_page,
    ".csv": lambda path: _begins(path, TABLE_HEAD),
    ".vcd": lambda path: _begins(path, "$"),
    ".fst": lambda path: _begins(path, "\0"),
}
