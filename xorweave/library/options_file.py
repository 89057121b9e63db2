"""The options of `encode` in a file: those of the whole call, and those of tensors by their names.

::

    [options]
    dtype = "int8"
    for = "hardware"

    [[tensor]]
    match = "*.embeddings.*"
    encode = false

Keys are the options of the command line. Where several ``[[tensor]]`` tables name a tensor, what a later one says wins;
any of them wins over ``[options]``.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from xorweave.golden.base.errors import InputError
from xorweave.library.words import WORDS, Word, check_words

#: The first line of every file that is written here: what begins with it may be replaced.
FIRST_LINE = "# Options of xorweave encode."
_LARGEST = 1 << 24
_NETWORKS = (".json", ".onnx")
# The parser looks at all beginnings of a key with dots: one of 40,000 parts takes it minutes and gigabytes.
_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_LONG_KEY = re.compile(rf"(?<![\w.-])(?:{_PART}[ \t]*\.[ \t]*){{64}}")


@dataclass(frozen=True)
class Table:
    """One ``[[tensor]]`` table.

    Attributes
    ----------
    match : str
        A pattern of tensors' names (``*`` and ``?``).
    place : str
        How a line of an error names the table.
    words : mapping of str to object
        Words of `encode`.
    encode : bool or None
        False: carry the tensors; True: encode them, whatever is excluded.
    """

    match: str
    place: str
    words: Mapping[str, Any]
    encode: bool | None = None


@dataclass(frozen=True)
class OptionsFile:
    """What an options file says.

    Attributes
    ----------
    path : Path
    words : mapping of str to object
        Words of `encode` for the whole call; files among them are looked up beside the options file.
    tables : tuple of Table
    """

    path: Path
    words: Mapping[str, Any]
    tables: tuple[Table, ...]


def read_options(path: Path) -> OptionsFile:
    """Read an options file.

    Raises
    ------
    InputError
        It is no TOML, holds something else than options, or an option is of the wrong type; the line names the table.
    """
    from xorweave.golden.files.safetensors_file import check_file  # not for `encode --help`

    check_file(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it is larger than {_LARGEST >> 20} MiB")
        text = path.read_text("utf-8")
        if _LONG_KEY.search(text):
            raise ValueError("no key of options has 64 parts")
        held = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} must be a TOML file of options: {str(error) or 'nested too deep'}"
        ) from None
    for name in held:
        if name not in ("options", "tensor"):
            raise InputError(f"{path} must hold the table [options] and [[tensor]] tables, not {name!r:.60}")
    options, tables = held.get("options", {}), held.get("tensor", [])
    if not isinstance(options, dict):
        raise InputError(f"{path} must hold the options as a table [options]")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"{path} must hold what is said of tensors as [[tensor]] tables")
    words = _words(path, "[options]", options, WORDS, ())
    return OptionsFile(path, words, tuple(_table(path, i, table) for i, table in enumerate(tables, 1)))


def _table(path: Path, number: int, table: Mapping[str, Any]) -> Table:
    place, match = f"[[tensor]] {number}", table.get("match")
    if not isinstance(match, str) or not match:
        raise InputError(f"{path}, {place}: match must be a pattern of tensors' names, not {match!r:.60}")
    place += f" (match {match!r:.60})"
    encode = table.get("encode")
    if encode is not None and not isinstance(encode, bool):
        raise InputError(f"{path}, {place}: encode must be true or false, not {encode!r:.60}")
    own = {key: value for key, value in table.items() if key not in ("match", "encode")}
    words = _words(path, place, own, [word for word in WORDS if word.of_tensor], ("match", "encode"))
    return Table(match, place, words, encode)


def _words(
    path: Path, place: str, table: Mapping[str, Any], known: Sequence[Word], others: Sequence[str]
) -> dict[str, Any]:
    """Turn the keys of a table into words of `encode`."""
    by_option = {word.option: word for word in known}
    words: dict[str, Any] = {}
    for key, value in table.items():
        word = by_option.get(key)
        if word is None:
            if any(key == other.option for other in WORDS):
                raise InputError(
                    f"{path}, {place}: {key} is an option of the whole call and belongs in [options]"
                )
            raise InputError(
                f"{path}, {place}: {key!r:.60} is no option, but {', '.join([*others, *by_option])} are"
            )
        try:
            if word.is_path and not isinstance(value, str):
                raise InputError(f"{word.option} must be a text, the path of a file, not {value!r:.60}")
            check_words({word.name: value})
        except InputError as error:
            raise InputError(f"{path}, {place}: {error}") from None
        words[word.name] = str(path.parent / value) if _is_file(word, value) else value
    return words


def _is_file(word: Word, value: object) -> bool:
    if not word.is_path or not isinstance(value, str | PathLike):
        return False
    return word.name != "network" or str(value).lower().endswith(_NETWORKS)  # else the name of a network


def write_options(said: Mapping[str, Any], tables: Sequence[Table]) -> str:
    """Return the text of an options file with everything in it, each option with what it is for.

    Parameters
    ----------
    said : mapping of str to object
        All words of `encode`.
    tables : sequence of Table
    """
    lines = [
        FIRST_LINE,
        "# With --options and the same source the same bytes are written. What a later [[tensor]] table says wins over",
        "# earlier ones, and over [options]; what is given on the command line wins over [options], too.",
        "",
        "[options]",
    ]
    for word in WORDS:
        value = said[word.name]
        lines += [f"# {word.about}"]
        if value is None:
            lines += [f"#{word.option} ="]
        elif word.is_path and not isinstance(value, str | PathLike):
            lines += [f"# {word.option} was given as arrays, which this file cannot hold"]
        elif _is_file(word, value):
            lines += [f"{word.option} = {_toml(str(Path(value).absolute()))}"]
        else:
            lines += [f"{word.option} = {_toml(value)}"]
        lines += [""]
    for table in tables:
        lines += ["[[tensor]]", f"match = {_toml(table.match)}"]
        if table.encode is not None:
            lines += [f"encode = {_toml(table.encode)}"]
        own = {word.option: table.words[word.name] for word in WORDS if word.name in table.words}
        lines += [*(f"{option} = {_toml(value)}" for option, value in own.items()), ""]
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | PathLike):
        # TOML's basic strings are JSON's, but that they escape the last control character, too
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value.item() if hasattr(value, "item") else value)
