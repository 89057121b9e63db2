"""Encode a pruned layer, decode it, and write its decoder as Verilog: ``python examples/encode_layer.py DIR``."""

import sys
from pathlib import Path

import numpy as np

from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.plan import choose_plan
from xorweave.golden.mask.masks import magnitude_mask
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.golden.tensor.figures import tensor_record
from xorweave.golden.values.quantize import quantize
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.package.package import write_package

weights = np.random.default_rng(0).standard_normal((256, 256), np.float32)  # put your layer here

mask = magnitude_mask(weights, sparsity=0.9)  # True = kept
int8 = number_format("int8")
integers, scale = quantize(weights, "int8")

plan = choose_plan(mask, int8.n_w, max_k=64)  # rate, window and scan order for this mask
encoded = encode_tensor(integers, int8, plan.code, mask=mask, scan=plan.interleaver)
assert np.array_equal(decode_tensor(encoded), np.where(mask, integers, 0))

record = tensor_record("layer", encoded)
print(f"{record['n_in']} -> {record['n_out']} bits, K = {record['constraint_length']}")
print(f"E = {record['efficiency']:.5f}, overhead = {record['overhead']:.4f}")
print(f"{record['bits_per_weight_with_mask']:.3f} bits a weight, mask included")

out = Path(sys.argv[1])
manifest = write_package(out, config_for(encoded), encoded, max_blocks=100)
print("wrote", *manifest.verilog, "with", manifest.output.words, "golden blocks")
