"""Mutants of generated Verilog: is every fault seen by the Python-free test bench or by the proof of ``synth``?

    python benchmarks/mutants.py [--sample N] [--seed S] [--kinds KIND...] [-o results.jsonl]

Writes packages of every kind, changes one operator, constant, condition or assignment of the Verilog at a time, and
plays the package's bench in Icarus (no stalls, random ones, those of the sink only). A mutant that lives is compared
with what it was made from, by induction, and where that finds a difference or no end it is given to the proof. What is
left is printed line by line, to be judged by a person. `--hand` plays faults that people make (history never cleared, a
restart ignored, a flag never set) instead of sampled ones. An engine has no bench of its own: it is played as the tests
play it, by Verilator, every record compared with the golden trace.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from engine_mutants import ENGINES
from mutant_difference import NEVER, difference

from xorweave.golden.base.errors import ToolError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.mask.coders import ShapedMask
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_design import axis_design
from xorweave.hw.package.decoder_kinds import design_for
from xorweave.hw.package.manifest import read_manifest
from xorweave.hw.package.package import write_design
from xorweave.hw.package.stream_design import StreamDesign
from xorweave.hw.package.vectors import random_tensor
from xorweave.synth.decoder_package import synthesize_decoder

STALLS = (0, 2, 3)  # of the bench's +stalls
CODE = Code.uniform(n_in=4, n_out=9, n_s=2, seed=5)


def _tensor(
    code: Code = CODE, *, patches: int = 0, inversion: int = 0, transform: str = "none"
) -> EncodedTensor:
    return random_tensor(
        code,
        number_format("int4"),
        blocks=42,
        segment_blocks=7,
        sparsity=0.6,
        patches_per_block=patches,
        inversion=inversion,
        transform=transform,
        seed=1,
    )


def _rates() -> StreamDesign:
    config = DecoderConfig.raw(code=CODE, n_w=4, rates=(1, 3, 4), patches_per_block=1, inversion=None)
    tensors = [_tensor(CODE.punctured(n_in), patches=1, inversion=n_in) for n_in in (3, 1, 4)]
    return axis_design(config, tensors)


def _prefix() -> StreamDesign:
    """Prefix-coded words in four groups of planes behind a shaped mask, with gap-coded patches."""
    book = PrefixCode(4, "inverted", np.array([1, 2, 4, 4]), np.array([2, -1, 1, 0]), np.array([1, 0, 1, 1]))
    shape = ShapedMaskCode(n_in=4, n_out=9, parities=2, window=9, taps=4)
    rng, blocks = np.random.default_rng(1), 42
    groups = []
    for (first, end), (n_in, n_s) in zip(
        [(0, 1), (1, 2), (2, 4), (4, 7)], [(5, 2), (3, 1), (2, 3), (1, 4)], strict=True
    ):
        code = Code.uniform(n_in=n_in, n_out=9, n_s=n_s, seed=first)
        symbols = rng.integers(0, 1 << (end - first), (blocks, n_in)).astype(np.uint8)
        groups.append(PlaneGroup(first, end, code, symbols))
    symbols = rng.integers(0, 2, (blocks, 4)).astype(np.uint8)
    tensor = replace(
        _tensor(patches=2),
        values=book,
        groups=tuple(groups),
        mask_coder=ShapedMask(shape, symbols, blocks * 9, 7),
    )
    return design_for("xor", tensor, {"patches": "gap", "gap_bits": 3})


def _xor(options: dict[str, Any], **tensor: Any) -> StreamDesign:
    return design_for("xor", _tensor(**tensor), options)


KINDS: dict[str, Callable[[], StreamDesign]] = {
    "plain": lambda: _xor({}),
    "lists": lambda: _xor({"output_register": True}, patches=2, inversion=6),
    "no-register": lambda: _xor({"input_register": False, "inversion_port": True}, patches=1),
    "skid": lambda: _xor({"skid_buffers": True}, transform="sign-magnitude"),
    "gap": lambda: _xor({"patches": "gap", "gap_bits": 3}, patches=2),
    "guard": lambda: _xor({"length_bits": 5}, patches=1),
    "depth": lambda: _xor({"max_depth": 2}),
    "prefix": _prefix,
    "rates": _rates,
    "bounded": lambda: design_for("bounded", _tensor(patches=2), {}),
    "plane-serial": lambda: design_for("plane-serial", _tensor(patches=2, inversion=6), {}),
    "segments": lambda: design_for("segments", _tensor(patches=1), {}, segments=2),
    "bitmap": lambda: design_for("bitmap", _tensor(), {}),
    "relative-index": lambda: design_for("relative-index", _tensor(), {}),
    "huffman": lambda: design_for("huffman", _tensor(), {}),
}

HAND: tuple[tuple[str, str, str], ...] = (
    ("history never cleared", r"x(\d) <= start \? \d+'h0 : x(\d);", r"x\1 <= x\2;"),
    ("history never cleared, one group", r"start \? (\d+'h0) : ", r"1'b0 ? \1 : "),
    ("a stream starts only on tuser", r"start = i_first \| ~running;", r"start = i_first;"),
    ("a stream starts only after tlast", r"start = i_first \| ~running;", r"start = ~running;"),
    ("running survives a reset", r"(if \(rst\) begin\n\s*)running <= 1'b0;", r"\1running <= running;"),
    ("valid survives a reset", r"(if \(rst\) begin\n\s*)full(\w*) <= 1'b0;", r"\1full\2 <= full\2;"),
    ("patch_restart ignored", r"\.restart\(patch_restart\)", ".restart(1'b0)"),
    ("overflow never set", r"overflow <= 1'b1;", "overflow <= 1'b0;"),
    ("origin not cleared", r"(if \(restart\) begin\n\s*)origin <= \d+'h0;", r"\1origin <= origin;"),
    ("too long never told", r"too_long <= 1'b1;", "too_long <= 1'b0;"),
    ("too short never told", r"too_short <= 1'b1;", "too_short <= 1'b0;"),
    ("guard never drops", r"assign drop = surplus & ~i_first;", "assign drop = 1'b0;"),
    ("guard never fills up", r"assign fill = [^;]*;", "assign fill = 1'b0;"),
    ("stream_clear ignored", r"\.clear\(stream_clear\)", ".clear(1'b0)"),
    ("guard counter stuck", r"seen <= [^;]*;", "seen <= seen;"),
    ("rate not held", r"= start \? rate : held;", "= rate;"),
    ("rate index 0 as 1", r"(== 2'h)0", r"\g<1>1"),
    (
        "inversion taken with every symbol",
        r"if \(\(i_valid & i_ready\) & start\) begin",
        "if (i_valid & i_ready) begin",
    ),
    ("restart of a baseline ignored", r"\.restart\(restart\)", ".restart(1'b0)"),
    ("rings swapped a word early", r"loaded & \(beats == (\d+'h)0\)", r"loaded & (beats == \g<1>1)"),
    ("rings swapped a pass early", r"\(~busy \| ends\)", "(~busy | ended)"),
    ("rings swapped though none is loaded", r"swap = .* & (\(~busy \| ends\))", r"swap = \1"),
    (
        "words loaded into the ring in use",
        r"(== 1'b\d\) \?) turned : loaded",
        r"\1 (turned | loaded) : loaded",
    ),
    ("a layer that never ends", r"(else if \(ends\) begin\n\s*)busy <= 1'b0;", r"\1busy <= busy;"),
)


@dataclass(frozen=True)
class Mutant:
    """One change of a text.

    Attributes
    ----------
    what : str
        The kind of change.
    line : int
    old, new : str
        The line before and after, or a description.
    text : str
        The whole text after it.
    """

    what: str
    line: int
    old: str
    new: str
    text: str


def _changes(line: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, line) of every change of a line of structured Verilog."""
    if re.match(r"\s*(wire|reg|input|output|module|//|always|end|initial|\)|\.)", line):
        return
    for kind, pattern, other in (
        ("and to or", r" & ", " | "),
        ("or to and", r" \| ", " & "),
        ("xor to or", r" \^ ", " | "),
        ("not dropped", r"~", ""),
        ("== to !=", r" == ", " != "),
        ("< to <=", r"(?<=\w) < ", " <= "),
        (">= to >", r" >= ", " > "),
        ("+ to -", r" \+ ", " - "),
        ("- to +", r" - ", " + "),
    ):
        for found in re.finditer(pattern, line):
            yield kind, line[: found.start()] + other + line[found.end() :]
    for found in re.finditer(r"(\d+)'h([0-9a-f]+)", line):
        width, value = int(found[1]), int(found[2], 16)
        for step in (1, -1):
            changed = f"{width}'h{(value + step) % (1 << width):x}"
            yield "constant moved", line[: found.start()] + changed + line[found.end() :]
    for found in re.finditer(r"1'b([01])", line):
        yield "bit turned", line[: found.start()] + f"1'b{1 - int(found[1])}" + line[found.end() :]
    found = re.match(r"(\s*)(end else )?if \((.*)\) begin$", line)
    if found:
        head = f"{found[1]}{found[2] or ''}"
        yield "condition turned", f"{head}if (!({found[3]})) begin"
        yield "always", f"{head}if (1'b1) begin"
        yield "never", f"{head}if (1'b0) begin"
    if re.match(r"\s*\\?[\w$.]+ ?(\[.*\])? <= .*;$", line):
        yield "assignment dropped", re.match(r"\s*", line)[0] + ";"  # type: ignore[index]
    found = re.search(r"= (\S.*) \? (.+) : (.+);", line)
    if found:
        yield "branches swapped", line.replace(found[0], f"= {found[1]} ? {found[3]} : {found[2]};")
    for here, there in (("first", "last"), ("valid", "ready")):
        found = re.search(rf"= (\w*){here}(\w*);", line)
        if found:
            yield f"{here} to {there}", line.replace(found[0], f"= {found[1]}{there}{found[2]};")


def sampled(text: str, number: int, rng: random.Random) -> list[Mutant]:
    """Sample mutants, spread over the kinds of change."""
    lines = text.split("\n")
    by_kind: dict[str, list[Mutant]] = {}
    power_up = False
    for number_of, line in enumerate(lines):
        # power-up values are for FPGAs without a reset: every bench resets, and the proof looks at them
        power_up = line == "  initial begin" or (power_up and line != "  end")
        for kind, new in () if power_up else _changes(line):
            if new != line:
                whole = "\n".join([*lines[:number_of], new, *lines[number_of + 1 :]])
                by_kind.setdefault(kind, []).append(
                    Mutant(kind, number_of + 1, line.strip(), new.strip(), whole)
                )
    kinds = sorted(by_kind)
    rng.shuffle(kinds)
    found: list[Mutant] = []
    while len(found) < number and any(by_kind.values()):
        for kind in kinds:
            some = by_kind[kind]
            if some and len(found) < number:
                found.append(some.pop(rng.randrange(len(some))))
    return found


def by_hand(text: str) -> list[Mutant]:
    """Return the faults of `HAND` that this text has a place for."""
    found = []
    for what, pattern, wrong in HAND:
        changed, hits = re.subn(pattern, wrong, text)
        if hits and changed != text:
            found.append(Mutant(what, 0, f"{hits} places", wrong, changed))
    return found


def bench_verdict(package: Path, timeout_s: float = 60) -> str:
    """Play a package's own bench in Icarus: ``killed``, ``alive`` or ``no Verilog``."""
    manifest = read_manifest(package)
    build = ["iverilog", "-g2001", "-o", "tb.vvp", manifest.testbench, *manifest.verilog]
    if subprocess.run(build, cwd=package, capture_output=True, check=False).returncode:
        return "no Verilog"
    for stalls in STALLS:
        try:
            run = ["vvp", "-n", "tb.vvp", f"+stalls={stalls}"]
            done = subprocess.run(run, cwd=package, capture_output=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired:
            return "killed"
        if done.returncode or b"PASS" not in done.stdout:
            return "killed"
    return "alive"


def proof_verdict(package: Path) -> str:
    """Ask the proof, where there is one: ``proved``, ``failed`` or ``not run``."""
    try:
        return synthesize_decoder(package, timeout_s=120).equivalence
    except Exception as error:  # a mutant may be no design that Yosys takes: that is seen, too
        return f"refused: {str(error)[:60]}"


def package_player(folder: Path, kind: str, prove: bool) -> tuple[str, Callable[[str], str]]:
    """Write a package; return its text, and what says of a changed one whether it is seen."""
    manifest = write_design(folder, KINDS[kind]())
    before = (folder / manifest.verilog[0]).read_text()
    assert bench_verdict(folder) == "alive", f"the bench of {kind} must pass what it was made for"

    def play(text: str) -> str:
        place = folder.with_name("mutant")
        shutil.copytree(folder, place)
        (place / manifest.verilog[0]).write_text(text)
        verdict = bench_verdict(place)
        if verdict == "alive" and prove:
            (place / "difference").mkdir()
            told = difference(before, text, manifest.top, place / "difference")
            proof = "" if told == NEVER else proof_verdict(place)
            seen = proof not in ("", "proved", "not run")
            verdict = "killed by proof" if seen else f"alive, {told}{proof and f', {proof}'}"
        shutil.rmtree(place)
        return verdict

    return before, play


def engine_player(folder: Path, kind: str) -> tuple[str, Callable[[str], str]]:
    """Compile an engine; return its text without a decoder that is another kind, and what plays a changed one."""
    bench = ENGINES[kind](folder)
    assert bench.right(bench.model), f"the {kind} must do what it was made for"
    before = bench.verilog[: bench.fixed]

    def play(text: str) -> str:
        place = folder.with_name("mutant")
        try:
            model = bench.model.rebuilt(before + text, place)
        except ToolError:
            return "no Verilog"
        else:
            try:
                return "alive" if bench.right(model) else "killed"
            except ToolError:  # it does not settle
                return "killed"
        finally:
            shutil.rmtree(place)

    return bench.verilog[bench.fixed :], play


def main() -> None:
    """Play the mutants and print the verdicts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sample", type=int, default=16, help="mutants of each kind of package")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hand", action="store_true", help="play the faults that people make")
    parser.add_argument("--kinds", nargs="*", choices=[*KINDS, *ENGINES], default=list(KINDS))
    parser.add_argument("--no-proof", action="store_true", help="leave the proof out")
    parser.add_argument("-o", "--out", type=Path)
    given = parser.parse_args()
    verdicts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="xorweave-mutants-") as scratch:
        for kind in given.kinds:
            folder = Path(scratch) / kind.replace(", ", "-")
            if kind in KINDS:
                text, play = package_player(folder, kind, not given.no_proof)
            else:
                text, play = engine_player(folder, kind)
            rng = random.Random(f"{given.seed} {kind}")
            mutants = by_hand(text) if given.hand else sampled(text, given.sample, rng)
            for number, mutant in enumerate(mutants):
                verdict = play(mutant.text)
                verdicts[verdict.split(",")[0]] += 1
                row = {
                    "kind": kind, "number": number, "what": mutant.what, "line": mutant.line,
                    "old": mutant.old[:150], "new": mutant.new[:150], "verdict": verdict,
                }  # fmt: skip
                if given.out:
                    with given.out.open("a") as file:
                        file.write(json.dumps(row) + "\n")
                if verdict.startswith("alive"):
                    print(
                        f"{kind} {mutant.line} {mutant.what} ({verdict}): {mutant.old} -> {mutant.new}",
                        flush=True,
                    )
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())))


if __name__ == "__main__":
    main()
