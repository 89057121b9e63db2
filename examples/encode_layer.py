"""Encode a pruned layer, decode it, and write its decoder as Verilog: ``python examples/encode_layer.py DIR``."""

import sys
from pathlib import Path

import numpy as np

import xorweave as xw

weights = np.random.default_rng(0).standard_normal((256, 256), np.float32)  # put your layer here

# or a dict of layers, or the path of a checkpoint; goal="storage", the default, takes the fewest bits
encoded = xw.encode({"fc1": weights}, dtype="int8", sparsity=0.9, goal="hardware")
fc1 = encoded["fc1"]
print(f"{fc1.figures.bits_per_weight_with_mask:.3f} bits a weight, mask included")
print(
    f"{fc1.figures.over_bound:.3f} times the bound, about {fc1.figures.gates_per_weight:.0f} gates a weight"
)

integers = fc1.decode()  # bit for bit what was quantised and pruned
assert np.array_equal(fc1.rows(10, 20), integers[10:20])  # decodes what it needs
assert np.array_equal(fc1 @ np.ones(256, int), integers.sum(axis=1))  # never decoded as a whole

out = Path(sys.argv[1])
encoded.save(out.parent / "layer.safetensors")
opened = xw.open(out.parent / "layer.safetensors")  # mapped; decodes nothing yet
manifest = xw.decoder(opened).write(out, vectors=opened["fc1"], blocks=100)
print(
    "wrote", *manifest.verilog, "with", manifest.output.words, "golden blocks"
)  # xw.simulate(out), xw.synth(out)
