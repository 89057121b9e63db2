"""What is measured of the paper's experiments: its code and exact encoder (Algorithm 3), and ours beside.

A *cell* is one encoding: one mask, one number format, one code, one generator. Everything that is shown is worked out
from the counts of cells, and a cell that was measured once is not measured again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS, NumberFormat, from_bfloat16
from xorweave.golden.choose.code_choice import paper_n_out
from xorweave.golden.code.code import Code
from xorweave.golden.files.prepare import synthetic_values
from xorweave.golden.files.weight_files import read_weights
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.figures import Figures, figures_of
from xorweave.golden.values.quantize import quantize
from xorweave.library.encoding import ONLY, encode
from xorweave.studies.paper_masks import MaskCase, real_masks

SPARSITIES = (0.6, 0.7, 0.8, 0.9)
HISTORIES = (0, 1, 2)
#: N_out of the sweep on random data, over the one at the entropy limit.
LOADS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5)
#: What stands beside the paper's code: the goals of ``encode --for``.
OURS = ("storage", "hardware")
DTYPES = ("int8", "fp32")


@dataclass(frozen=True, order=True)
class Cell:
    """One encoding, named by everything that decides its counts.

    Attributes
    ----------
    family, mask : str
    dtype : str
    code : str
        ``paper,n_s=N,invert=0|1``, the same with ``n_out=M`` for another rate, or a goal of ours.
    generator : int
        Seed of the generator matrix, of the values, and of a random mask.
    weights : int
        Of the mask that were encoded, in whole rows; 0: all.
    values : str
    """

    family: str
    mask: str
    dtype: str
    code: str
    generator: int
    weights: int
    values: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured.

    Attributes
    ----------
    random_weights : int
        Of each random mask that ours takes; the exact encoder takes one of `sample` weights.
    sample : int
        Weights of a real mask that the exact encoder takes, in whole rows drawn anew for each generator.
    generators : int
        Seeds 0 .. generators - 1.
    loads : tuple of float
        See `LOADS`.
    dtypes, ours : tuple of str
    values : str
        ``uniform``, ``normal``, or a file of weights: its largest tensor's, in order, again from the start where the
        mask is larger.
    masks : list of MaskCase
        Real ones.
    """

    random_weights: int
    sample: int
    generators: int
    loads: tuple[float, ...] = LOADS
    dtypes: tuple[str, ...] = DTYPES
    ours: tuple[str, ...] = OURS
    values: str = "normal"
    masks: list[MaskCase] = field(default_factory=list)

    def random_cases(self, weights: int = 0) -> list[MaskCase]:
        """Return a random mask for each sparsity of the paper's synthetic data; each generator has its own."""
        size = weights or self.sample
        return [
            MaskCase(f"random, S = {s}", f"{size} weights", partial(random_mask, (1, size), s))
            for s in SPARSITIES
        ]

    def cases(self) -> list[MaskCase]:
        """Return all masks, random ones first."""
        return [*self.random_cases(), *self.random_cases(self.random_weights), *self.masks]

    def sweep(self, limit: int) -> list[int]:
        """Return the N_out that are tried on random data around the one at the limit, which is among them."""
        return sorted({limit, *(round(load * limit) for load in self.loads)})

    def cells(self) -> Iterator[Cell]:
        """Yield every cell, generator by generator, so that an interrupted run has whole generators."""
        for generator in range(self.generators):
            for case in self.random_cases():
                limit = paper_n_out(case.load(generator))
                for n_out in self.sweep(limit):
                    for n_s in HISTORIES:
                        for invert in (0, 1) if n_out == limit else (1,):
                            code = paper_code(n_s, invert, None if n_out == limit else n_out)
                            yield Cell(case.family, case.name, "int8", code, generator, 0, "uniform")
            for case in self.random_cases(self.random_weights):
                for goal in self.ours:
                    yield Cell(case.family, case.name, "int8", goal, generator, 0, "uniform")
            for case in self.masks:
                for dtype in self.dtypes:
                    for code in (paper_code(n_s, invert) for invert in (0, 1) for n_s in HISTORIES):
                        yield Cell(case.family, case.name, dtype, code, generator, self.sample, self.values)
                    for goal in self.ours:
                        yield Cell(case.family, case.name, dtype, goal, generator, 0, self.values)


def paper_code(n_s: int, invert: int = 1, n_out: int | None = None) -> str:
    """Return a cell's words for the paper's code; without `n_out` its own, floor(8 / (1 - S))."""
    return f"paper,n_s={n_s},invert={invert}" + (f",n_out={n_out}" if n_out else "")


def sample_rows(mask: NDArray[np.bool_], weights: int, seed: int) -> NDArray[np.bool_]:
    """Return rows of a mask, drawn at random and in their order, of about so many weights; 0, or enough: all of it."""
    rows = max(1, weights // mask.shape[1])
    if not weights or rows >= mask.shape[0]:
        return mask
    return mask[np.sort(np.random.default_rng(seed).choice(mask.shape[0], rows, replace=False))]


def values_for(mask: NDArray[np.bool_], kind: str, dtype: str, seed: int) -> tuple[NDArray, NumberFormat]:
    """Make values for a mask, pruned positions included: see `Plan.values`.

    Returns
    -------
    (ndarray, NumberFormat)
        Of the mask's shape.

    Raises
    ------
    InputError
        A file holds no floats of two axes, or there is no such kind.
    """
    if kind in ("uniform", "normal"):
        return synthetic_values(mask, kind, dtype, seed)
    best: NDArray | None = None
    for tensor in read_weights(Path(kind)).values():
        values = from_bfloat16(tensor.values) if tensor.dtype == "BF16" else tensor.values
        if values.dtype.kind == "f" and values.ndim > 1 and (best is None or values.size > best.size):
            best = values
    if best is None:
        raise InputError(f"{kind} must hold a tensor of floats with two or more axes")
    real = np.resize(best.astype(np.float32).reshape(-1), mask.shape)
    return (quantize(real, dtype)[0] if dtype == "int8" else real), FORMATS[dtype]


def measure(cell: Cell, case: MaskCase) -> Figures:
    """Encode one cell and count it."""
    mask = case.load(cell.generator)
    if cell.code in OURS:
        values, _form = values_for(mask, cell.values, cell.dtype, cell.generator)
        stored = encode(values, mask=mask, goal=cell.code, seed=cell.generator)
        return stored[ONLY].counted
    words = dict(item.split("=") for item in cell.code.split(",")[1:])
    n_out = int(words.get("n_out", 0)) or paper_n_out(mask)
    part = sample_rows(mask, cell.weights, cell.generator)
    values, form = values_for(part, cell.values, cell.dtype, cell.generator)
    code = Code.uniform(n_in=8, n_out=n_out, n_s=int(words["n_s"]), seed=cell.generator)
    encoded = encode_tensor(
        values,
        form,
        code,
        mask=part,
        invert=words["invert"] == "1",
        options=EncodeOptions(encoder="viterbi", corrections="paper"),
    )
    return figures_of(encoded)


# A random mask that ours takes is so many times the exact encoder's sample.
_RANDOM = 32
_QUICK_LOADS = (0.9, 1.0, 1.25)


def whole_plan(
    data: Path | None,
    *,
    sample: int | None,
    dtypes: str | None,
    generators: int,
    values: str,
    largest: int,
) -> tuple[Plan, list[str]]:
    """Plan every experiment on a folder of masks (None: random data alone); see `Plan` and `real_masks`.

    Returns
    -------
    (Plan, list of str)
        And the masks that were left out, in words.

    Raises
    ------
    InputError
        A number is too small, the values are none, or the folder holds no masks.
    """
    sample = 4096 if sample is None else sample
    if sample < 1000:
        raise InputError(f"the sample must be at least 1000 weights, not {sample}")
    formats = tuple(DTYPES if dtypes is None else dict.fromkeys(dtypes.split(",")))
    if not set(formats) <= set(DTYPES):
        raise InputError(f"the values must be int8, fp32 or int8,fp32, not {dtypes!r}")
    if not 2 <= generators <= 1000:
        raise InputError(f"there must be 2 to 1000 generators, not {generators}")
    values_for(np.ones((1, 1), bool), values, "fp32", 0)
    masks, left_out = real_masks(data, largest) if data is not None else ([], [])
    plan = Plan(
        random_weights=_RANDOM * sample,
        sample=sample,
        dtypes=formats,
        generators=generators,
        values=values,
        masks=masks,
    )
    return plan, left_out


def quick_plan(
    data: Path | None, *, sample: int | None, dtypes: str | None, **rest: Any
) -> tuple[Plan, list[str]]:
    """Plan the same in a few minutes: the smallest mask of each family, INT8, small samples."""
    plan, left_out = whole_plan(
        data,
        sample=2048 if sample is None else sample,
        dtypes=dtypes or "int8",
        **rest,
    )
    smallest: dict[str, MaskCase] = {}
    for case in sorted(plan.masks, key=lambda case: case.load(0).size):
        smallest.setdefault(case.family, case)
    masks = [case for case in plan.masks if smallest[case.family] is case]
    if len(masks) < len(plan.masks):
        left_out.append(f"{len(plan.masks) - len(masks)} masks that are not the smallest of their family")
    return replace(plan, loads=_QUICK_LOADS, masks=masks), left_out
