"""Sequential equivalence of two Verilog texts with modules named ``top``, from the zero state."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path


def proved_equal(gold: str, gate: str, folder: Path) -> bool:
    """Prove or refute sequential equivalence from the zero state: signal correspondence, then what it left to pdr.

    The registers of the two sides hold the same bits in another order; pdr alone does not find that.
    """
    (folder / "gold.v").write_text(gold)
    (folder / "gate.v").write_text(gate)
    script = "".join(
        f"read_verilog {side}.v\nhierarchy -top top; proc; flatten; opt_clean\nrename top {side}\n"
        f"design -stash {side}\n"
        for side in ("gold", "gate")
    )
    script += "".join(f"design -copy-from {side} -as {side} {side}\n" for side in ("gold", "gate"))
    script += "miter -equiv -flatten gold gate miter\nhierarchy -top miter\ntechmap; dffunmap; aigmap\n"
    script += "setundef -undriven -zero\nwrite_aiger -zinit miter.aig\n"
    (folder / "script.ys").write_text(script)
    yosys = "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())"
    spec = find_spec("pyosys")
    assert spec is not None and spec.origin is not None
    abc = str(Path(spec.origin).with_name("yosys-abc"))
    said = ""
    for command in (
        [sys.executable, "-c", yosys, "script.ys"],
        [abc, "-c", "read_aiger miter.aig; strash; scorr; write_aiger reduced.aig; pdr"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=True)
        said = done.stdout
    head, output = (folder / "reduced.aig").read_bytes().split(b"\n")[:2]
    _, _, _, latches, _, gates = head.split()
    if (latches, gates) == (b"0", b"0"):
        return output == b"0"  # the miter's output has become the constant 0
    assert ("Property proved" in said) != ("was asserted" in said), said
    return "Property proved" in said
