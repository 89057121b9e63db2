"""What a shaped mask costs, end to end, on random and on real masks; and what its decoder costs in gates.

    python benchmarks/shaped_mask.py [MASK.smtx ...] [--random 0.9 0.95] [--n 262144] [--beam 16384] [--gates]

For each mask a tensor of uniform INT8 values is encoded with the shaped mask, decoded, and compared bit for bit. The
cost of the mask is everything stored, less what the values alone take when the mask is free (the same kind of code,
rate and scan chosen for the true mask): so false ones, patches and the values' own overhead are in it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.codecs.entropy_bounds import binary_entropy
from xorweave.golden.files.weight_files import read_smtx
from xorweave.golden.mask.shaped_mask import ShapedMaskCode, ideal_bits
from xorweave.golden.tensor.figures import figures_of
from xorweave.golden.tensor.shaped_tensor import decode_with_shaped_mask, encode_with_shaped_mask


def one_mask(name: str, mask: NDArray[np.bool_], beam: int, taps: int) -> None:
    """Encode, check, print a line."""
    random = np.random.default_rng(0)
    form = number_format("int8")
    values = (random.integers(1, 256, mask.shape) * mask).astype(np.uint8).view(np.int8)
    density, n = float(mask.mean()), mask.size
    chosen = ShapedMaskCode.for_density(density, 8)
    code = ShapedMaskCode(
        n_in=chosen.n_in, n_out=chosen.n_out, parities=chosen.parities, window=chosen.window, taps=taps
    )
    started = time.perf_counter()
    stored = encode_with_shaped_mask(values, form, mask=mask, mask_code=code, beam=beam)
    seconds = time.perf_counter() - started
    same = np.array_equal(decode_with_shaped_mask(stored), values)
    plain = figures_of(CodeChoice.parse("auto").encode(values, form, mask)).stored_bits
    print(
        f"{name}: S {1 - density:.4f}  {code.n_in}->{code.n_out} A={code.parities} taps {taps} beam {beam}"
        f"  mask {stored.mask.bits / n:.4f} + values {stored.value_bits / n:.4f} + patches"
        f" {stored.missed_bits / n:.4f} = {stored.bits / n:.4f} bits a weight;"
        f" mask costs {(stored.bits - plain) / n:.4f} (entropy {binary_entropy(density):.4f},"
        f" shape's ideal {ideal_bits(density, code.parities, 8):.4f}, bitmap 1)"
        f"  false ones {stored.mask.false_ones.size / n:.5f} false zeros {stored.mask.false_zeros.size}"
        f"  {'lossless, checked' if same else 'WRONG'}  {seconds:.0f} s",
        flush=True,
    )


def gates(code: ShapedMaskCode, clock_mhz: float | None) -> None:
    """Synthesise the decoder of a code and print its size beside the value decoder's."""
    import tempfile

    from xorweave.hw.package.verilog import amaranth_verilog
    from xorweave.hw.stages.shaped_mask import ShapedMaskDecoder
    from xorweave.hw.xor.network import XorNetwork, balanced_trees
    from xorweave.hw.xor.pairs import greedy_pairs
    from xorweave.synth.flow.synthesis import synthesize

    matrix = code.generator.reshape(code.n_out * code.parities, -1)
    networks: dict[str, XorNetwork] = {"trees": balanced_trees(matrix), "greedy pairs": greedy_pairs(matrix)}
    for kind, network in networks.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "mask.v"
            path.write_text(amaranth_verilog(ShapedMaskDecoder(code, network), "mask"))
            result = synthesize([path], "mask", clock_mhz=clock_mhz, outputs_per_cycle=code.n_out)
        assert result.gate_equivalents is not None
        print(
            f"decoder {code.n_in}->{code.n_out} A={code.parities} taps {code.taps}, {kind}:"
            f" {network.xor2} XOR2 written, {result.gate_equivalents:.0f} gate equivalents,"
            f" {result.gate_equivalents / code.n_out:.1f} a mask bit,"
            f" {result.flip_flops} flip-flops, depth {result.depth} cells",
            flush=True,
        )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("masks", nargs="*", type=Path)
    parser.add_argument("--random", nargs="*", type=float, default=[])
    parser.add_argument("--n", type=int, default=262_144)
    parser.add_argument("--beam", type=int, default=16384)
    parser.add_argument("--taps", type=int, default=8)
    parser.add_argument("--gates", action="store_true")
    arguments = parser.parse_args()
    if arguments.gates:
        for density, taps in ((0.1, 8), (0.1, 6), (0.05, 8)):
            made = ShapedMaskCode.for_density(density, 8)
            gates(
                ShapedMaskCode(
                    n_in=made.n_in, n_out=made.n_out, parities=made.parities, window=made.window, taps=taps
                ),
                None,
            )
    for sparsity in arguments.random:
        kept = np.zeros(arguments.n, bool)
        kept[np.random.default_rng(1).permutation(arguments.n)[: round((1 - sparsity) * arguments.n)]] = True
        one_mask(f"random {sparsity}", kept.reshape(64, -1), arguments.beam, arguments.taps)
    for path in arguments.masks:
        one_mask("/".join(path.parts[-4:]), read_smtx(path), arguments.beam, arguments.taps)


if __name__ == "__main__":
    main()
