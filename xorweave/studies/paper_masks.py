"""The masks of the paper's experiments: random ones, and those of a folder, by network, method and target."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.weight_files import read_smtx

#: Pruning methods of the paper, as the Deep Learning Matrix Collection names their folders.
METHODS = ("magnitude_pruning", "l0_regularization", "variational_dropout", "random_pruning")
_TARGETS = (0.7, 0.9)


@dataclass(frozen=True, eq=False)
class MaskCase:
    """A mask of an experiment.

    Attributes
    ----------
    family : str
        What its figures are added up under: a network, a pruning method and its target; or random data.
    name : str
    load : Callable
        ``load(generator)`` gives the mask, True = kept, two axes; masks of files are the same for all generators.
    """

    family: str
    name: str
    load: Callable[[int], NDArray[np.bool_]]


def _wanted(labels: Iterable[str]) -> set[str]:
    """Return the labels nearest to S = .7 and .9."""
    numbers = sorted(labels, key=float)
    return {min(numbers, key=lambda label: abs(float(label) - wanted)) for wanted in _TARGETS}


def _target(folder: Path) -> float | None:
    try:
        return float(folder.name)
    except ValueError:
        return None


def real_masks(folder: Path, largest: int) -> tuple[list[MaskCase], list[str]]:
    """Find the .smtx masks below a folder.

    Of a tree NETWORK/METHOD/TARGET, as the Deep Learning Matrix Collection is, the paper's methods and the targets
    nearest to .7 and .9 are taken; of another tree, everything, each folder a family.

    Parameters
    ----------
    largest : int
        Masks of more weights are left out.

    Returns
    -------
    (list of MaskCase, list of str)
        And what was left out, in words (but masks that keep nothing).

    Raises
    ------
    InputError
        There is no such folder, or no such mask.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder} of .smtx masks")
    families: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*.smtx")):
        families.setdefault(path.parent.relative_to(folder), []).append(path)
    targets: dict[Path, set[str]] = {}
    for family in families:
        if _target(family) is not None and family.parent.name in METHODS:
            targets.setdefault(family.parent, set()).add(family.name)
    cases: list[MaskCase] = []
    foreign: list[str] = []
    large = 0
    for family, paths in families.items():
        other = _target(family) is not None and bool(targets) and family.parent not in targets
        if other or (family.parent in targets and family.name not in _wanted(targets[family.parent])):
            foreign.append(str(family))
            continue
        for path in paths:
            mask = read_smtx(path)
            if mask.size > largest:
                large += 1
            elif mask.any():
                load = partial(_unpacked, np.packbits(mask), mask.shape)
                cases.append(MaskCase(str(family), path.stem, load))
    left = [f"other methods and targets ({', '.join(foreign)})"] if foreign else []
    if large:
        left.append(f"{large} masks of more than {largest:,} weights")
    if not cases:
        raise InputError(
            f"{folder} must hold .smtx masks of at most {largest} weights; --largest allows more"
        )
    return cases, left


def _unpacked(bits: NDArray[np.uint8], shape: tuple[int, ...], _generator: int) -> NDArray[np.bool_]:
    return np.unpackbits(bits, count=shape[0] * shape[1]).astype(bool).reshape(shape)
