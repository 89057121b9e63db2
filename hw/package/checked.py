"""Checks of what a manifest says: a package may come from anybody, so every field has a type and a range.

A check takes a value and what to call it, and returns the value or raises InputError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from xorweave.golden.base.errors import InputError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def shown(value: object) -> str:
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:57]}..."


def refuse(where: str, rule: str, value: object) -> InputError:
    return InputError(f"the manifest's {where} must be {rule}, not {shown(value)}")


Check = Callable[[Any, str], Any]


def integer(low: int, high: int) -> Check:
    def check(value: Any, where: str) -> int:
        if type(value) is not int or not low <= value <= high:
            raise refuse(where, f"a whole number from {low} to {high}", value)
        return value

    return check


def flag(value: Any, where: str) -> bool:
    if type(value) is not bool:
        raise refuse(where, "true or false", value)
    return value


def line_of_text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > 10_000 or not value.isprintable():
        raise refuse(where, "a line of text", value)
    return value


def scan_of_text(value: Any, where: str) -> str:
    """Check what a manifest says of a scan: a line that may list the rows and columns of a matrix."""
    if not isinstance(value, str) or len(value) > 1 << 24 or not value.isprintable():
        raise refuse(where, "a line of text", value)
    return value


def verilog_name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise refuse(where, "a Verilog name of up to 64 letters, digits and _", value)
    return value


def inside_path(value: Any, where: str) -> str:
    if not isinstance(value, str) or not all(_PART.fullmatch(part) for part in value.split("/")):
        raise refuse(where, "a path inside the folder, of letters, digits, _, - and dots", value)
    return value


def one_of(*known: str) -> Check:
    def check(value: Any, where: str) -> str:
        if value not in known:
            raise refuse(where, f"one of {', '.join(known)}", value)
        return str(value)

    return check


def or_null(inner: Check) -> Check:
    return lambda value, where: None if value is None else inner(value, where)


def list_of(inner: Check, most: int, least: int = 0) -> Check:
    def check(value: Any, where: str) -> list[Any]:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise refuse(where, f"a list of {least} to {most} entries", value)
        return [inner(entry, f"{where}[{k}]") for k, entry in enumerate(value)]

    return check


def object_of(entries: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Check an object with these entries; what is neither in `entries` nor `optional` is refused."""
    known = {**entries, **(optional or {})}

    def check(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refuse(where, "an object", value)
        for key in entries:
            if key not in value:
                raise InputError(f"the manifest's {where} must have the entry {key}")
        for key in value:
            if key not in known:
                raise InputError(f"the manifest's {where} must have no entry {shown(key)}: it is not known")
        return {key: known[key](entry, f"{where}.{key}") for key, entry in value.items()}

    return check


def mapping_of(inner: Check, most: int) -> Check:
    def check(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > most:
            raise refuse(where, f"an object of up to {most} entries", value)
        return {
            verilog_name(key, f"name in {where}"): inner(entry, f"{where}.{key}")
            for key, entry in value.items()
        }

    return check
