"""From the words of `encode` to how each tensor is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.files.prepare import Preparation
from xorweave.golden.files.recipe import Recipe
from xorweave.golden.tensor.encode import EncodeOptions
from xorweave.library.options_file import OptionsFile, Table
from xorweave.library.words import DEFAULTS


def recipe_of(said: Mapping[str, Any]) -> Recipe:
    """Return how a tensor is stored of which all words are known.

    Raises
    ------
    InputError
        A word is none that it may be, or words exclude each other.
    """
    return Recipe(_preparation(said), _choice(said), _options(said))


def check_options(file: OptionsFile) -> None:
    """Refuse options that `encode` would refuse, in the words of the table where they stand.

    Raises
    ------
    InputError
        The line names file and table.
    """
    usual = {**DEFAULTS, **file.words}
    places = [("[options]", usual), *((table.place, _merged(usual, [table])) for table in file.tables)]
    for place, said in places:
        try:
            recipe_of(said)
        except InputError as error:
            raise InputError(f"{file.path}, {place}: {error}") from None


def own_recipes(said: Mapping[str, Any], tables: Sequence[Table], names: Iterable[str]) -> dict[str, Recipe]:
    """Return how those tensors are stored that tables name; what a later table says wins.

    Raises
    ------
    InputError
        Tables that name one tensor contradict each other.
    """
    found: dict[str, Recipe] = {}
    made: dict[tuple[int, ...], Recipe] = {}
    for name in names:
        which = tuple(i for i, table in enumerate(tables) if fnmatchcase(name, table.match))
        if not which:
            continue
        if which not in made:
            try:
                made[which] = recipe_of(_merged(said, [tables[i] for i in which]))
            except InputError as error:
                raise InputError(f"tensor {name}, {tables[which[-1]].place}: {error}") from None
        found[name] = made[which]
    return found


def unmatched(tables: Sequence[Table], names: Sequence[str]) -> list[str]:
    """Return what there is to say of tables that name no tensor."""
    return [
        f"{table.place} matches no tensor"
        for table in tables
        if not any(fnmatchcase(name, table.match) for name in names)
    ]


def _merged(said: Mapping[str, Any], tables: Sequence[Table]) -> dict[str, Any]:
    merged = dict(said)
    for table in tables:
        merged.update(table.words)
        if table.encode is not None:
            merged["include"], merged["exclude"] = (), () if table.encode else ("*",)
    return merged


_FAST_BEAM = 128  # of effort 0, for a shaped mask: a third of the time, and half a percent more bits


def _choice(said: Mapping[str, Any]) -> Choice:
    effort = said["effort"]
    if str(effort) != "exact" and not str(effort).isdecimal():
        raise InputError(f"effort must be a number or 'exact', not {effort!r}")
    if said["error_free"] and said["corrections"] not in ("auto", "none"):
        raise InputError(
            f"error_free stores no corrections, so corrections must not be {said['corrections']!r}"
        )
    return Choice(
        goal=said["goal"],
        mask_code=said["mask_code"],
        values_code=said["values_code"],
        scan=said["scan"],
        code=CodeChoice.parse(
            said["code"], max_k=256 if said["max_k"] is None else said["max_k"], seed=said["seed"]
        ),
        prefix_k=said["max_k"],
        overhead=said["overhead"],
        beam=1024 if str(effort) == "exact" else min(32768, 1024 * int(effort)) or _FAST_BEAM,
        quick=str(effort) == "0",
        error_free=said["error_free"],
        transform=said["transform"],
        drop_planes=said["drop_planes"],
        segments=said["segments"],
    )


def _options(said: Mapping[str, Any]) -> EncodeOptions:
    effort = None if str(said["effort"]) == "exact" else max(1, int(said["effort"]))
    return EncodeOptions(
        encoder=said["encoder"], effort=effort, corrections=said["corrections"], jobs=said["jobs"]
    )


def _preparation(said: Mapping[str, Any]) -> Preparation:
    names = ("dtype", "sparsity", "prune", "per_row", "seed", "negative_zero")
    given = {name: said[name] for name in names}
    globs = {name: _globs(name, said[name]) for name in ("include", "exclude")}
    return Preparation(**given, include=globs["include"], exclude=globs["exclude"])


def _globs(name: str, said: object) -> tuple[str, ...]:
    given = (said,) if isinstance(said, str) else said
    if not isinstance(given, Sequence) or not all(isinstance(glob, str) for glob in given):
        raise InputError(f"{name} must be patterns of names, not {said!r:.60}")
    return tuple(given)
