"""Skewed values at a fixed rate: all that is stored against the entropies of mask and values.

    python benchmarks/prefix_planes.py [DATA] [--sparsity 0.9] [--beam 1024] [--least 30000]

Random tensors of 131,072 INT8 weights (normal values under a random mask and magnitude-pruned, uniform values), then
every tensor of DATA's ``.safetensors`` and ``.npz`` files of at least `least` weights that is not pruned yet, quantised
to INT8 and magnitude-pruned. Each is written to a stream, read back and compared bit for bit; the stream's bits count.
The bound is n h(S) and the order-0 entropy of the kept words, without any table.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.comparison import bounds
from xorweave.golden.codecs.xor_code import XorCode
from xorweave.golden.files.prepare import Preparation, is_encodable, prepare
from xorweave.golden.files.weight_files import read_weights


def random_tensors(sparsity: float, n: int = 1 << 17) -> Iterator[tuple[str, PrunedTensor]]:
    """Yield the random tensors."""
    random = np.random.default_rng(0)
    drawn = random.standard_normal(n)
    levels = np.round(drawn / np.abs(drawn).max() * 127).astype(np.int8)
    any_words = random.integers(1, 256, n).astype(np.uint8).view(np.int8)
    kept = np.zeros(n, bool)
    kept[random.permutation(n)[: round(n * (1 - sparsity))]] = True
    large = np.abs(drawn) > np.quantile(np.abs(drawn), sparsity)
    form = number_format("int8")
    for name, values, mask in (
        ("normal, magnitude-pruned", levels, large),
        ("normal, random mask", levels, kept),
        ("uniform, random mask", any_words, kept),
    ):
        yield name, PrunedTensor.from_values(np.where(mask, values, 0).astype(np.int8), form)


def real_tensors(data: Path, sparsity: float, least: int) -> Iterator[tuple[str, PrunedTensor]]:
    """Yield dense tensors of the folder, quantised and pruned."""
    for path in sorted([*data.rglob("*.safetensors"), *data.rglob("*.npz"), *data.rglob("*.npy")]):
        try:
            found = read_weights(path)
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        for name, tensor in found.items():
            dense = np.count_nonzero(tensor.values) > 0.7 * tensor.values.size
            if not is_encodable(tensor) or tensor.values.size < least or not dense:
                continue
            try:
                ready = prepare(name, tensor, Preparation(dtype="int8", sparsity=sparsity))
            except InputError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            yield (
                f"{path.stem}: {name}",
                PrunedTensor.from_values(ready.values, ready.number_format, ready.mask),
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--beam", type=int, default=1024)
    parser.add_argument("--least", type=int, default=30_000)
    arguments = parser.parse_args()
    codec = XorCode(choice=Choice(beam=arguments.beam))
    codec.encode(next(random_tensors(0.9, 2048))[1])  # compiles
    print("| tensor | weights | S | mask | values | all | bound | all / bound | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|")
    ratios = []
    tensors = list(random_tensors(arguments.sparsity))
    real = () if arguments.data is None else real_tensors(arguments.data, arguments.sparsity, arguments.least)
    for source in (tensors, real):
        for name, tensor in source:
            started = time.process_time()
            encoding = codec.encode(tensor)
            seconds = time.process_time() - started
            words = codec.decode(encoding, tensor.shape, tensor.number_format)
            if not np.array_equal(words, tensor.words):
                raise RuntimeError(f"{name} came back different")
            bound = bounds(tensor)[-1].bits
            assert bound is not None
            n, mask = tensor.n, encoding.parts["mask"]
            ratios.append((encoding.bits / bound, encoding.bits, bound))
            print(
                f"| {name} | {n:,} | {1 - np.count_nonzero(tensor.words) / n:.3f} | {mask / n:.3f}"
                f" | {(encoding.bits - mask) / n:.3f} | {encoding.bits / n:.3f} | {bound / n:.3f}"
                f" | {encoding.bits / bound:.3f} | {seconds:.1f} |",
                flush=True,
            )
    only_real = ratios[len(tensors) :]
    if only_real:
        worst, best = max(r for r, _, _ in only_real), min(r for r, _, _ in only_real)
        together = sum(bits for _, bits, _ in only_real) / sum(bound for _, _, bound in only_real)
        within = sum(r <= 1.1 for r, _, _ in only_real)
        print(
            f"\n{len(only_real)} real tensors: all / bound {best:.3f} to {worst:.3f}, all together {together:.3f};"
            f" {within} within 10 %"
        )


if __name__ == "__main__":
    main()
