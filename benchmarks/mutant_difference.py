"""Whether a changed Verilog text can ever be told from the text that it was made from."""

from __future__ import annotations

import re
from pathlib import Path

from xorweave.golden.base.errors import ToolError
from xorweave.synth.flow.yosys import run_abc, run_yosys
from xorweave.synth.proof.aiger import read_aiger
from xorweave.synth.proof.induction import FAILED, NOT_RUN, PROVED, model_check

NEVER = "never differs"
SAID = {
    PROVED: NEVER,
    FAILED: "differs",
    NOT_RUN: "no difference found in time",
}


def _watched(text: str, top: str) -> str:
    """Return a module that gives out what ``top`` does, data and marks of a stream only where they are valid."""
    body = re.search(rf"^module {top} ?\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    if body is None:
        raise ToolError(f"the text must hold a module {top}")
    found = re.findall(r"^\s+(input|output) (?:wire |reg )?(\[\S+\] )?(\w+)[;,]?$", body[0], re.MULTILINE)
    lines = [f"module watched ({', '.join(name for *_, name in found)});"]
    links, names = [], {name for *_, name in found}
    for way, width, name in found:
        lines.append(f"  {way} {width}{name};")
        links.append(f".{name}({name if way == 'input' else f'it_{name}'})")
        if way == "output":
            valid = re.sub(
                r"_t(data|user|last|keep)$", "_tvalid", re.sub(r"_sum(s|\d+)$", r"_summed\1", name)
            )
            valid = valid.replace("_summeds", "_summed")
            gate = f"{{$bits({name}){{it_{valid}}}}} & " if valid != name and valid in names else ""
            lines += [f"  wire {width}it_{name};", f"  assign {name} = {gate}it_{name};"]
    return "\n".join([*lines, f"  {top} it ({', '.join(links)});", "endmodule\n"])


def difference(before: str, after: str, top: str, folder: Path, timeout_s: float = 120) -> str:
    """Compare two texts of a module from their power-up values (0 without one), under all inputs, for ever.

    Registers and wires that hold the same in both are merged by induction, which leaves nothing where only what is
    never reached has changed; what is left goes to bounded search and pdr.

    Parameters
    ----------
    before, after : str
        Verilog as `generate` writes it.
    top : str
        AXI4-Stream names say which outputs are looked at only where they are valid.
    folder : Path
        For what the tools write.
    timeout_s : float

    Returns
    -------
    str
        One of `SAID`.

    Raises
    ------
    ToolError
        Yosys cannot read a text.
    """
    steps = []
    for name, text in (("before", before), ("after", after)):
        (folder / f"{name}.v").write_text(text + _watched(text, top))
        steps += [
            f"read_verilog -sv {name}.v", "hierarchy -top watched", "proc", "flatten", f"rename watched {name}",
            f"design -stash {name}",
        ]  # fmt: skip
    steps += [
        *(f"design -copy-from {name} -as {name} {name}" for name in ("before", "after")),
        "miter -equiv -flatten before after miter", "hierarchy -top miter", "opt -full", "memory_map", "techmap",
        "opt", "dffunmap", "aigmap", "write_aiger -zinit miter.aig",
    ]  # fmt: skip
    run_yosys("\n".join(steps), folder, timeout_s=timeout_s)
    try:
        run_abc("read_aiger miter.aig; strash; scorr; write_aiger merged.aig", folder, timeout_s=timeout_s)
    except ToolError:
        return SAID[NOT_RUN]
    if not any(read_aiger(folder / "merged.aig").outputs.values()):
        return SAID[PROVED]
    return SAID[model_check("merged.aig", folder, timeout_s)]
