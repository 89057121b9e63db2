"""What one code for all layers costs over codes of their own, layer by layer, all encoded and counted.

    python benchmarks/one_decoder.py model.safetensors [--sparsity 0.9] [--spread 0.5 0.95]

With --spread the layers are pruned to sparsities from the first to the second, in equal steps, in the file's order.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import xorweave as xw
from xorweave.golden.files.weight_files import read_weight_file


def pruned(path: Path, sparsity: float, spread: tuple[float, float] | None) -> dict[str, np.ndarray]:
    """Read the matrices of a file, the smallest magnitudes of each set to zero."""
    tensors = read_weight_file(path).tensors
    found = {n: t.values.astype(np.float32) for n, t in tensors.items() if t.values.ndim == 2}
    shares = np.linspace(*spread, len(found)) if spread else np.full(len(found), sparsity)
    for values, share in zip(found.values(), shares, strict=True):
        values[np.abs(values) <= np.quantile(np.abs(values), share)] = 0
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--spread", type=float, nargs=2)
    parser.add_argument("--overhead", type=float, default=0.05)
    said = parser.parse_args()
    layers = pruned(said.model, said.sparsity, said.spread)
    hardware = {"dtype": "int8", "goal": "hardware", "overhead": said.overhead}
    shared = xw.encode(layers, **hardware)
    totals = np.zeros(3)
    care = 0
    print("| layer | sparsity | one code | block length | own code, same rule | own code, fewest bits |")
    print("|---|---|---|---|---|---|")
    for name, values in layers.items():
        own = xw.encode({name: values}, **hardware)[name].figures
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


if __name__ == "__main__":
    main()
