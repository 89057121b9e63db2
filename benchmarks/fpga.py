"""Decoders on FPGAs: look-up tables, flip-flops, block memories and clock, ours beside what people use instead.

    python benchmarks/fpga.py [--only NAME ...] [--families ice40 ecp5 gowin] [--seeds 2] [--csv FILE] [--table]

One layer, 256 x 256 normal values pruned to S = .9 and quantised to INT8, in every format (in one row a smaller one);
each decoder mapped by one flow for each family, ours and the paper's as `generate` writes them and proved. They are
placed and routed if they have no more than so many tables (`--place`), with the seeds that end in time (`--minutes`).
A rival that decodes one word a cycle is one lane; decoders of equal rate have as many lanes side by side, so tables a
weight are what compares. Rows of the table that are measured again are replaced, the others stay; --table only prints
it.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.lib import wiring

import xorweave as xw
from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.base.whole_file import whole_file
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.hw.rivals.ans import AnsLane, AnsTable
from xorweave.hw.rivals.bitmap_expander import BitmapExpander
from xorweave.hw.rivals.huffman import HuffmanLane, code_lengths
from xorweave.synth.decoder_package import synthesize_decoder
from xorweave.synth.flow.fpga import count_memories, map_to_fpga
from xorweave.synth.flow.place_route import DEVICES, place_and_route

SEED, SIDE, SPARSITY = 0, 256, 0.9
WIDTH, LANES = (
    79,
    9,
)  # of the wide bitmap expander: our raw decoder's block, and the values it takes in a cycle
STATE_BITS = 11
RESULTS = Path(__file__).with_name("results") / "fpga.csv"
COLUMNS = (
    *("decoder", "family", "bits_per_weight", "weights_per_cycle", "luts", "luts_per_weight", "flip_flops"),
    *("flip_flops_per_weight", "memories", "mhz", "seeds", "device", "rate", "equivalence", "note", "tools"),
)


@dataclass(frozen=True)
class Contender:
    """A decoder: how its format stores the layer, and how it is written.

    Attributes
    ----------
    name : str
    rate : str
        ``fixed``, or what makes it wait.
    bits : callable
        Returns the bits a weight in its format, the mask included.
    weights : callable
        Returns the weights it gives out in a cycle.
    write : callable
        Writes its Verilog into a folder and returns (file, name of the top module).
    ours : bool
        A package, which can be proved.
    """

    name: str
    rate: str
    bits: Callable[[], float]
    weights: Callable[[], int]
    write: Callable[[Path], tuple[Path, str]]
    ours: bool = False


@cache
def stored(goal: str, side: int = SIDE, values: str = "auto") -> xw.Encoded:
    """Return the layer, or a square one of another side, encoded for a goal."""
    weights = np.random.default_rng(SEED).standard_normal((side, side), np.float32)
    return xw.encode({"fc": weights}, dtype="int8", sparsity=SPARSITY, goal=goal, values_code=values)


@cache
def words() -> tuple[int, ...]:
    """Return the layer's words, zeros too, in its order."""
    return tuple(stored("paper")["fc"].decode().reshape(-1).view(np.uint8).tolist())


def package(name: str, goal: str, side: int = SIDE, values: str = "auto") -> Contender:
    """Return the decoder that `generate` writes for a goal."""

    def write(folder: Path) -> tuple[Path, str]:
        manifest = xw.decoder(stored(goal, side, values)).write(folder, blocks=20)
        return folder / manifest.verilog[0], manifest.top

    return Contender(
        name=name,
        rate="fixed",
        bits=lambda: float(stored(goal, side, values)["fc"].figures.bits_per_weight_with_mask),
        weights=lambda: stored(goal, side, values)["fc"].tensor.n_out,
        write=write,
        ours=True,
    )


def rival(
    name: str, rate: str, bits: Callable[[], float], weights: int, make: Callable[[], wiring.Component]
) -> Contender:
    """Return a component as a contender."""

    def write(folder: Path) -> tuple[Path, str]:
        folder.mkdir(exist_ok=True)
        path = folder / "rival.v"
        path.write_text(amaranth_verilog(make(), "rival"))
        return path, "rival"

    return Contender(name, rate, bits, lambda: weights, write)


def bitmap_bits() -> float:
    """One bit a weight, and eight a kept one."""
    return 1 + 8 * float(np.mean(np.array(words()) != 0))


@cache
def huffman_lengths() -> dict[int, int]:
    return code_lengths(Counter(words()))


@cache
def ans_table() -> AnsTable:
    return AnsTable.make(Counter(words()), STATE_BITS)


def huffman_bits() -> float:
    return float(np.mean([huffman_lengths()[word] for word in words()]))


CONTENDERS = (
    package("the paper's code (encode --for paper)", "paper"),
    package("ours, raw planes (--for hardware)", "hardware"),
    package("ours, compressed (the default)", "storage"),
    package("ours, compressed, few gates (--for hardware --values-code prefix)", "hardware", SIDE, "prefix"),
    package("the same, a layer of 96 x 96", "hardware", 96, "prefix"),
    rival(
        f"bitmap expander, {WIDTH} wide, {LANES} values a cycle",
        "waits where blocks are dense",
        bitmap_bits,
        WIDTH,
        lambda: BitmapExpander(WIDTH, 8, LANES),
    ),
    rival(
        "bitmap expander, one lane",
        "fixed; reads vary, lanes drift apart",
        bitmap_bits,
        1,
        lambda: BitmapExpander(1, 8, 1),
    ),
    rival(
        "canonical Huffman, one lane",
        "fixed; reads vary, lanes drift apart",
        huffman_bits,
        1,
        lambda: HuffmanLane(huffman_lengths(), 8),
    ),
    rival(
        f"tANS, {1 << STATE_BITS} states, one lane",
        "fixed; reads vary, lanes drift apart",
        lambda: len(ans_table().encode(words())) / len(words()),
        1,
        lambda: AnsLane(ans_table(), 8),
    ),
)


def measure(contender: Contender, family: str, said: argparse.Namespace) -> dict[str, Any]:
    """Map, place and, where there is a reference, prove one decoder on one family."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        source, top = contender.write(work / "decoder")
        (work / "map").mkdir()
        found = map_to_fpga([source], top, family, work / "map", timeout_s=60 * said.minutes)
        assert found.luts is not None and found.flip_flops is not None
        memories = count_memories(found)
        notes, clocks, device = [], "", ""
        equivalence = "not run"
        seeds = 0
        if contender.ours and not said.no_proof:
            tell(f"{contender.name}, {family}: proving")
            proved = synthesize_decoder(work / "decoder", target=family, seeds=0, timeout_s=60 * said.minutes)
            equivalence = proved.equivalence
        if found.luts > said.place:
            notes.append(f"not placed: over {said.place} LUTs")
        elif said.seeds:
            tell(f"{contender.name}, {family}: placing and routing")
            try:
                placed = place_and_route(
                    work / "map",
                    top,
                    family,
                    seeds=range(1, said.seeds + 1),
                    timeout_s=60 * said.minutes,
                    progress=lambda done, total: tell(f"  seed {done} of {total}"),
                )
                clocks, device, seeds = f"{placed.median_mhz:.0f}", placed.device, len(placed.fmax_mhz)
            except (InputError, ToolError) as reason:
                notes.append(f"no clock: {reason}")
    weights = contender.weights()
    return {
        "decoder": contender.name,
        "family": family,
        "bits_per_weight": f"{contender.bits():.3f}",
        "weights_per_cycle": weights,
        "luts": found.luts,
        "luts_per_weight": f"{found.luts / weights:.1f}",
        "flip_flops": found.flip_flops,
        "flip_flops_per_weight": f"{found.flip_flops / weights:.1f}",
        "memories": memories,
        "mhz": clocks,
        "seeds": seeds,
        "device": device,
        "rate": contender.rate,
        "equivalence": equivalence,
        "note": "; ".join(notes),
        "tools": "; ".join(f"{tool} {version}" for tool, version in found.tool_versions.items()),
    }


def tell(what: str) -> None:
    """Say on standard error what is being done."""
    print(what, file=sys.stderr, flush=True)


def kept_rows(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Read the rows of an earlier run."""
    if not path.exists():
        return {}
    with path.open() as file:
        return {(row["decoder"], row["family"]): row for row in csv.DictReader(file)}


def write_rows(path: Path, rows: dict[tuple[str, str], dict[str, Any]]) -> None:
    """Write all rows, in the order of the contenders."""
    order = [(contender.name, family) for contender in CONTENDERS for family in DEVICES]
    with whole_file(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[key] for key in order if key in rows)


def print_table(rows: Sequence[dict[str, Any]], families: Sequence[str]) -> None:
    """Print the table of docs/figures.md: a row a decoder, what families differ in with a stroke between them."""
    names = " / ".join(families)
    print(f"{names}:\n")
    print(
        "| decoder | bits a weight | weights a cycle | LUTs a weight | FFs a weight | block memories | MHz | proved |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(row["decoder"] for row in rows):
        own = {row["family"]: row for row in rows if row["decoder"] == name}

        def each(column: str, own: dict[str, dict[str, Any]] = own) -> str:
            found = [own[family][column] if family in own else "" for family in families]
            shown = [value or "-" for value in found]
            return shown[0] if len(set(shown)) == 1 else " / ".join(shown)

        first = next(iter(own.values()))
        print(
            f"| {name} | {first['bits_per_weight']} | {first['weights_per_cycle']} | {each('luts_per_weight')}"
            f" | {each('flip_flops_per_weight')} | {each('memories')} | {each('mhz')} | {each('equivalence')} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="*", default=[""], help="decoders whose names begin like one of these"
    )
    parser.add_argument("--families", nargs="*", default=list(DEVICES), choices=list(DEVICES))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--place", type=int, default=8000, help="most LUTs of a decoder that is placed")
    parser.add_argument(
        "--minutes", type=float, default=10, help="for each mapping, proof, and placing with all seeds"
    )
    parser.add_argument("--no-proof", action="store_true")
    parser.add_argument("--csv", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="measure nothing, print what was measured")
    said = parser.parse_args()
    rows = kept_rows(said.csv)
    for contender in CONTENDERS:
        for family in said.families:
            if said.table or not contender.name.startswith(tuple(said.only)):
                continue
            tell(f"{contender.name}, {family}: mapping")
            try:
                rows[contender.name, family] = measure(contender, family, said)
            except ToolError as reason:
                tell(f"  not measured: {reason}")
                continue
            write_rows(said.csv, rows)
    print_table(list(kept_rows(said.csv).values()), list(DEVICES))


if __name__ == "__main__":
    main()
