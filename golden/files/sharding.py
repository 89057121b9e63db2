"""A model in parts: which tensors a part encodes, and the parts put together, byte for byte as one run writes them.

For clusters without a scheduler: every job encodes its part, ``merge`` makes the file. The parts depend on the tensors'
names and sizes alone. What serves all tensors (the one code of ``hardware``) is chosen from all of them in each job.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.container import Container, read_container

if TYPE_CHECKING:  # who only reads files need not load all that chooses how they are made
    from xorweave.golden.files.model import PreparedModel

_SHARD, _ORDER = "shard", "order"
MOST = 1 << 16


def parse_shard(spec: str) -> tuple[int, int]:
    """Read ``i/n``, i from 1 to n.

    Raises
    ------
    InputError
        It is nothing of the kind.
    """
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", spec)
    number, of = (int(word) for word in found.groups()) if found else (0, 0)
    if not 1 <= number <= of <= MOST:
        raise InputError(f"the shard must be written as 1/4, 2/4 ..., not {spec!r:.40}")
    return number, of


def divide(sizes: Mapping[str, int], of: int) -> list[list[str]]:
    """Deal tensors out to `of` parts, the largest first, each to the part that has the fewest weights so far."""
    parts: list[list[str]] = [[] for _ in range(of)]
    filled = [0] * of
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        at = filled.index(min(filled))
        parts[at].append(name)
        filled[at] += sizes[name]
    return parts


def take_shard(
    model: PreparedModel, spec: str, info: Mapping[str, str]
) -> tuple[PreparedModel, Sequence[str], dict[str, str]]:
    """Return the model of one part, the tensors that it encodes, and what its file records of how it was made.

    Carried tensors are in the first part.

    Raises
    ------
    InputError
        The shard is none.
    """
    number, of = parse_shard(spec)
    mine = divide(model.sizes(), of)[number - 1]
    plain = model.plain if number == 1 else {}
    order = json.dumps([list(model.plain), list(model.work)], separators=(",", ":"))
    return replace(model, plain=plain), mine, {**info, _SHARD: f"{number}/{of}", _ORDER: order}


def is_part(container: Container) -> bool:
    """Whether a container is a part that was written with a shard."""
    return _SHARD in container.info


def merge_shards(paths: Sequence[Path]) -> Container:
    """Put the parts of a model together.

    Returns
    -------
    Container
        What one run would have made.

    Raises
    ------
    InputError
        A file is no part, parts are missing or given twice, or they are not of one model encoded in one way.
    """
    parts: dict[int, Container] = {}
    of = 0
    common: dict[str, str] = {}
    for path in paths:
        part = read_container(path)
        info = dict(part.info)
        if not is_part(part):
            raise InputError(f"{path} must be a part of a model, written with a shard")
        number, total = parse_shard(info.pop(_SHARD))
        if parts and (total, info, part.metadata) != (of, common, next(iter(parts.values())).metadata):
            raise InputError(
                f"{path} must be a part of the same model, encoded in the same way, as {paths[0]}"
            )
        if number in parts:
            raise InputError(f"{path} is part {number} of {total}, which was given already")
        of, common, parts[number] = total, info, part
    if missing := [str(number) for number in range(1, of + 1) if number not in parts]:
        raise InputError(f"all {of} parts must be given: {', '.join(missing[:8])} missing")
    carried, names = _order(paths[0], common)
    holders = {name: part for part in parts.values() for name in part.encoded}
    plain = {name: tensor for part in parts.values() for name, tensor in part.plain.items()}
    scales = {name: scale for part in parts.values() for name, scale in part.scales.items()}
    if set(holders) != set(names):
        raise InputError(f"the parts must hold the tensors of one model, as {paths[0]} lists them")
    ordered = [*carried, *(scales[name] for name in names if name in scales)]
    return Container(
        encoded={name: holders[name].checked(name) for name in names},
        plain={name: plain[name] for name in ordered if name in plain},
        info={key: value for key, value in common.items() if key != _ORDER},
        metadata=parts[1].metadata,
        scales={name: scales[name] for name in names if name in scales},
    )


def _order(path: Path, info: Mapping[str, str]) -> tuple[list[str], list[str]]:
    try:
        carried, names = json.loads(info[_ORDER])
        if all(isinstance(name, str) for name in [*carried, *names]):
            return carried, names
    except (KeyError, ValueError, TypeError, RecursionError):
        pass
    raise InputError(f"{path} must list the tensors of its model")
