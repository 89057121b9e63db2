"""Output bits per cycle per gate: the paper's decoder against ours, one flow, every netlist proved.

Usage: python benchmarks/throughput_per_gate.py [--liberty-dir DIR] [--planes N] [--only TEXT] [--no-proof] [--json]

Without Liberty files (``sg13g2_stdcell_typ_1p20V_25C.lib`` and ``sky130_fd_sc_hd__tt_025C_1v80.lib.gz`` in DIR) only
the generic gates are counted. docs/figures.md explains each column.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from xorweave.studies.compare import BARE_BASELINE, BASELINE, FAIR_BASELINE, OURS, Row, Setting, compare

DATA = Path(os.environ.get("XORWEAVE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
CLOCKED = (
    ("SG13G2", "sg13g2_stdcell_typ_1p20V_25C.lib", 450.0),
    ("SKY130", "sky130_fd_sc_hd__tt_025C_1v80.lib.gz", 280.0),
)


def settings(directory: Path) -> list[Setting]:
    """Generic gates, and each process library that is at hand under its clock."""
    found = [Setting("generic")]
    for name, file, clock in CLOCKED:
        if (directory / file).is_file():
            found.append(Setting(f"{name} {clock:g} MHz", directory / file, clock))
        else:
            print(f"{name}: not measured, {file} is not in {directory.name}", file=sys.stderr)
    return found


def line(row: Row, baseline: Row) -> dict[str, object]:
    """Return one row's figures; `ratio` is bits per cycle per GE over the baseline's under the same setting."""
    result, base = row.result, baseline.result
    assert result.gate_equivalents and result.outputs_per_cycle
    assert base.bits_per_cycle_per_kge and result.bits_per_cycle_per_kge
    met = None
    if row.setting.clock_mhz is not None and result.fmax_mhz is not None:
        met = result.fmax_mhz >= row.setting.clock_mhz
    return {
        "setting": row.setting.name,
        "decoder": row.contender.name,
        "overhead": row.overhead.overhead,
        "overhead_at_10_bits": row.overhead.overhead_at(10),
        "unmatched_bits": row.overhead.unmatched_bits,
        "care_bits": row.overhead.care_bits,
        "tries": row.overhead.tries,
        "patches_per_block": row.shape.patches_per_block,
        "gate_equivalents": result.gate_equivalents,
        "gate_equivalents_per_output": result.gate_equivalents / result.outputs_per_cycle,
        "bits_per_cycle_per_kge": result.bits_per_cycle_per_kge,
        "outputs_per_cycle": result.outputs_per_cycle,
        "ratio": result.bits_per_cycle_per_kge / base.bits_per_cycle_per_kge,
        "fmax_mhz": result.fmax_mhz,
        "clock_met": met,
        "recipe": result.recipe,
        "equivalence": result.equivalence,
        "tool_versions": result.tool_versions,
    }


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--liberty-dir", type=Path, default=DATA.parent / "liberty")
    parser.add_argument("--planes", type=int, default=1)
    parser.add_argument("--only", default="", help="of our decoders, those whose name contains this")
    parser.add_argument("--weights", type=int, default=1 << 22)
    parser.add_argument("--no-proof", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    header = (
        f"{'setting':<16} {'decoder':<38} {'overhead':>8} {'patches':>7} {'GE/output':>9} "
        f"{'bits/cyc/kGE':>12} {'ratio':>6} {'MHz':>6}  {'recipe':<12} proof"
    )
    if not arguments.json:
        print(header)
    lines = []
    baseline = None
    rows = compare(
        settings(arguments.liberty_dir),
        contenders=(
            BASELINE,
            BARE_BASELINE,
            FAIR_BASELINE,
            *(ours for ours in OURS if arguments.only in ours.name),
        ),
        planes=arguments.planes,
        weights=arguments.weights,
        prove=not arguments.no_proof,
    )
    for row in rows:
        if row.contender is BASELINE:
            baseline = row
        assert baseline is not None
        figures = line(row, baseline)
        lines.append(figures)
        if not arguments.json:
            clock = f"{row.result.fmax_mhz:.0f}" if row.result.fmax_mhz else "-"
            missed = "" if figures["clock_met"] is not False else "  clock missed"
            print(
                f"{row.setting.name:<16} {row.contender.name:<38} {row.overhead.overhead:>8.2%} "
                f"{row.shape.patches_per_block:>7} {figures['gate_equivalents_per_output']:>9.2f} "
                f"{figures['bits_per_cycle_per_kge']:>12.1f} {figures['ratio']:>6.2f} {clock:>6}  "
                f"{row.result.recipe or '':<12} {row.result.equivalence}{missed}",
                flush=True,
            )
    assert baseline is not None
    if not arguments.json:
        print(
            f"overhead of {BASELINE.name}: {baseline.overhead.overhead:.2%} with the paper's corrections, "
            f"{baseline.overhead.overhead_at(10):.2%} at 10 bits an unmatched bit"
        )
    if arguments.json:
        print(json.dumps({"planes": arguments.planes, "rows": lines}))


if __name__ == "__main__":
    main()
