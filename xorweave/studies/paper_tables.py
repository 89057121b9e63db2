"""The paper's tables from measured cells: means over the generators and their 95 % confidence intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.choose.code_choice import paper_n_out
from xorweave.golden.code.limits import best_efficiency, care_bits_deviation
from xorweave.golden.tensor.figures import Figures
from xorweave.studies.paper_cells import HISTORIES, Cell, Plan, paper_code

# What the two papers' readers will look for and not find here, and why.
NOT_MADE = (
    "E and memory reduction on the weights of the paper's own checkpoints: they were not published. Masks of the same "
    "networks and methods stand in for them, with values made or taken from another tensor.",
    "Figures of the whole Transformer and the whole ResNet-50: only the layers found in the folder are counted.",
    "Accuracy after pruning: the code is lossless and does not change it.",
    "Time of sparse products against dense ones on the paper's processor and GPU: those machines are not here; "
    "the times are this machine's, and `xorweave spmv` measures a GPU where there is one.",
)


#: The row of all masks of the folder together.
FOLDER = "all masks of the folder"


@dataclass(frozen=True)
class Table:
    """A table for people.

    Attributes
    ----------
    title, note : str
    columns : tuple of str
    rows : list of list of str
        As many cells as columns.
    """

    title: str
    note: str
    columns: tuple[str, ...]
    rows: list[list[str]]


@dataclass(frozen=True)
class Estimate:
    """A figure over several generators: mean, half the 95 % confidence interval (Student's t), how many.

    ``mean`` is None where nothing was measured, ``half_width`` where there are fewer than two values.
    """

    mean: float | None
    half_width: float | None
    count: int

    @classmethod
    def of(cls, values: list[float]) -> Estimate:
        """Estimate from one value a generator."""
        if not values:
            return cls(None, None, 0)
        if len(values) < 2:
            return cls(values[0], None, 1)
        from scipy.stats import t

        spread = statistics.stdev(values) / math.sqrt(len(values))
        return cls(statistics.fmean(values), float(t.ppf(0.975, len(values) - 1)) * spread, len(values))

    def percent(self) -> str:
        """Write it as percent."""
        if self.mean is None:
            return "not measured"
        around = "" if self.half_width is None else f" ± {100 * self.half_width:.2f}"
        return f"{100 * self.mean:.2f}{around}"


def _scaled(figures: Figures, weights: int) -> Figures:
    """Return the counts of a sample as those of so many weights, so that large masks count for more than small ones."""
    factor = weights / figures.weights
    return Figures(**{name: round(count * factor) for name, count in asdict(figures).items()})


class Results:
    """Cells of a plan, added up over the masks of each family, and of the folder; a sample stands for its whole mask.

    Parameters
    ----------
    plan : Plan
    figures : mapping of Cell to Figures
        Cells of other plans may be among them.
    """

    def __init__(self, plan: Plan, figures: Mapping[Cell, Figures]) -> None:
        self.plan = plan
        sizes = {(case.family, case.name): case.load(0).size for case in plan.masks}
        parts: dict[tuple[str, str, str, int], list[Figures]] = {}
        for cell in plan.cells():
            if cell in figures:
                whole = sizes[cell.family, cell.mask] if cell.weights else figures[cell].weights
                found = _scaled(figures[cell], whole)
                for family in (cell.family, *([FOLDER] if (cell.family, cell.mask) in sizes else [])):
                    parts.setdefault((family, cell.dtype, cell.code, cell.generator), []).append(found)
        self._totals = {key: Figures.together(found) for key, found in parts.items()}
        self.keys = list(dict.fromkeys(key[:3] for key in self._totals))
        self.families = [*dict.fromkeys(case.family for case in plan.cases()), *([FOLDER] if sizes else [])]

    def count(self, dtype: str) -> str:
        """Say how many generators stand behind the figures of a format."""
        counts = {
            self.estimate(family, dtype, code, "overhead").count
            for family, form, code in self.keys
            if form == dtype
        }
        least, most = min(counts, default=0), max(counts, default=0)
        return f"{least} generators" if least == most else f"{least} to {most} generators"

    def estimate(self, family: str, dtype: str, code: str, name: str) -> Estimate:
        """Estimate a ratio of `Figures.ratios` for a family."""
        totals = (self._totals.get((family, dtype, code, g)) for g in range(self.plan.generators))
        ratios = [total.ratios()[name] for total in totals if total is not None]
        return Estimate.of([ratio for ratio in ratios if ratio is not None])


def sweep_table(results: Results) -> Table:
    """Return E against S and N_out on random data, the largest possible E beside it."""
    rows = []
    for case in results.plan.random_cases():
        mask = case.load(0)
        sparsity, limit = 1 - float(mask.mean()), paper_n_out(mask)
        for n_out in results.plan.sweep(limit):
            cells = [
                results.estimate(
                    case.family,
                    "int8",
                    paper_code(n_s, n_out=None if n_out == limit else n_out),
                    "efficiency",
                ).percent()
                for n_s in HISTORIES
            ]
            best = 100 * best_efficiency(8 / n_out, sparsity)
            rows.append(
                [f"{sparsity:.1f}", str(n_out), f"{8 / n_out / (1 - sparsity):.3f}", *cells, f"{best:.2f}"]
            )
    return Table(
        "E on random data, by S and N_out",
        f"N_in = 8, uniform generators, exact encoder; {results.plan.sample:,} weights of 8 random planes a "
        "generator, each with its own mask. E in percent; E_max is the largest that any code of that rate can have.",
        ("S", "N_out", "rate / (1 - S)", *(f"E, N_s = {n_s}" for n_s in HISTORIES), "E_max"),
        rows,
    )


def variation(mask: NDArray[np.bool_], n_out: int) -> float | None:
    """Return the coefficient of variation of the care bits of whole blocks, row-major; None without any."""
    blocks = mask.size // n_out
    counts = mask.reshape(-1)[: blocks * n_out].reshape(blocks, n_out).sum(axis=1)
    return float(counts.std() / counts.mean()) if counts.any() else None


def variation_table(plan: Plan) -> Table:
    """Return the coefficient of variation of the care bits of a block, in theory and measured."""
    rows = []
    random = plan.random_cases(plan.random_weights)
    for case in [*random, *plan.masks]:
        masks = [case.load(g) for g in range(plan.generators if case in random else 1)]
        n_out = paper_n_out(masks[0])
        sparsity = 1 - float(masks[0].mean())
        theory = care_bits_deviation(sparsity, n_out) if 0 < sparsity < 1 else 0.0
        found = Estimate.of([v for mask in masks if (v := variation(mask, n_out)) is not None])
        if found.mean is None or not theory:
            measured, ratio = "not measured", "-"
        else:
            around = "" if found.half_width is None else f" ± {found.half_width:.3f}"
            measured, ratio = f"{found.mean:.3f}{around}", f"{found.mean / theory:.2f}"
        rows.append(
            [f"{case.family}/{case.name}", f"{sparsity:.3f}", str(n_out), f"{theory:.3f}", measured, ratio]
        )
    return Table(
        "Coefficient of variation of the care bits of a block",
        "Theory, for a random mask: sqrt(S / ((1 - S) N_out)). Measured row-major over the whole mask, N_out = "
        "floor(8 / (1 - S)).",
        ("mask", "S", "N_out", "theory", "measured", "measured / theory"),
        rows,
    )


def efficiency_table(results: Results, dtype: str) -> Table:
    """Return E of the paper's code on every family, planes not inverted and inverted."""
    rows = []
    for family in results.families:
        cells = [
            results.estimate(family, dtype, paper_code(n_s, invert), "efficiency").percent()
            for invert in (0, 1)
            for n_s in HISTORIES
        ]
        if any(cell != "not measured" for cell in cells):
            rows.append([family, *cells])
    return Table(
        f"E on masks, {dtype.upper()}",
        "The paper's code (8 to floor(8 / (1 - S)), row-major, exact encoder), E in percent. "
        f"{_values(results, dtype)}",
        (
            "family",
            *(f"not inverted, N_s = {n_s}" for n_s in HISTORIES),
            *(f"inverted, N_s = {n_s}" for n_s in HISTORIES),
        ),
        rows,
    )


def reduction_table(results: Results, dtype: str) -> Table:
    """Return overhead and memory reduction of the paper's code (N_s = 2, inverted where that helps) and of ours."""
    codes = {"paper": paper_code(2), **{goal: goal for goal in results.plan.ours}}
    rows = []
    for family in results.families:
        cells = [
            results.estimate(family, dtype, code, name).percent()
            for name in ("overhead", "memory_reduction", "memory_reduction_with_mask")
            for code in codes.values()
        ]
        if any(cell != "not measured" for cell in cells):
            rows.append([family, *cells])
    return Table(
        f"Memory, {dtype.upper()}: the paper's code and ours",
        "In percent. Overhead: (payload + corrections) / care bits - 1; under a prefix book (`storage`) the care bits "
        "are those of the codewords. Reduction: first without the mask, as in the paper, then with the mask and "
        f"everything else that is stored (headers, books, checksums: ours only). {_values(results, dtype)}",
        (
            "family",
            *(f"{what}: {name}" for what in ("overhead", "reduction", "with mask") for name in codes),
        ),
        rows,
    )


def _values(results: Results, dtype: str) -> str:
    plan = results.plan
    named = plan.values if plan.values in ("uniform", "normal") else "given"
    return (
        f"Values: {named} on masks of the folder, uniform on random ones. The exact encoder on about {plan.sample:,} "
        "weights a mask, whole rows drawn anew for each generator, counted as the whole mask; ours on "
        f"whole masks, {plan.random_weights:,} weights of random ones. {results.count(dtype)}."
    )


def all_tables(results: Results) -> Iterator[Table]:
    """Yield every table of the fixed-to-fixed paper that can be made."""
    yield sweep_table(results)
    yield variation_table(results.plan)
    for dtype in results.plan.dtypes:
        yield efficiency_table(results, dtype)
        yield reduction_table(results, dtype)


CSV_RATIOS = ("efficiency", "overhead", "memory_reduction", "memory_reduction_with_mask")


def csv_rows(results: Results) -> list[list[object]]:
    """Return every estimate behind the tables, a header first: one row for a family, a format and a code."""
    head = ["family", "dtype", "code", "generators"]
    rows: list[list[object]] = [
        [*head, *(f"{name}{end}" for name in CSV_RATIOS for end in ("", "_half_width_95"))]
    ]
    for family, dtype, code in results.keys:
        found = [results.estimate(family, dtype, code, name) for name in CSV_RATIOS]
        pairs = [value for estimate in found for value in (estimate.mean, estimate.half_width)]
        rows.append([family, dtype, code, found[0].count, *pairs])
    return rows
