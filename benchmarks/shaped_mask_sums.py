"""Shaped masks whose parities share sums: bits a weight against gates a mask bit.

    python benchmarks/shaped_mask_sums.py [--sums 3 3/8 4 ...] [--n-out 256] [--beam 256] [--seeds 60] [--gates]

A construction is "SUMS" or "SUMS/TAPS" ("0/8": taps of its own for every parity). Random mask, S = .9, at the rate of
`for_zero_codeword`; a false one is priced at 2.15 bits, a false zero at 28. Of so many seeds the one with the fewest
ones that contradict other ones, on another mask, is taken; that is how the seeds of `for_zero_codeword` were found.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.mask.shaped_mask import MAX_WINDOW, ShapedMaskCode
from xorweave.golden.mask.shaped_mask_encoder import encode_mask
from xorweave.hw.stages.shaped_mask import ShapedMaskDecoder
from xorweave.hw.xor.pairs import greedy_pairs
from xorweave.synth.codec_gates import gates_of

_DENSITY = 0.1
_FALSE_ONE, _FALSE_ZERO = 2.15, 28.0


def best_code(sums: int, taps: int, n_out: int, seeds: int) -> ShapedMaskCode:
    """Return the code of the seed under which the fewest ones are lost."""
    chosen = ShapedMaskCode.for_zero_codeword(_DENSITY, 2, n_out=n_out)
    mask = np.random.default_rng(5).random(60_000) < _DENSITY
    judged = []
    for seed in range(seeds if sums else 1):
        code = ShapedMaskCode(
            n_in=chosen.n_in,
            n_out=n_out,
            parities=chosen.parities,
            window=MAX_WINDOW if sums else chosen.window,
            taps=taps,
            seed=seed,
            sums=sums,
        )
        lost = encode_mask(mask, code, cost_of_false_one=2, beam=1).false_zeros.size
        judged.append((lost, seed, code))
    return min(judged, key=lambda trial: trial[:2])[2]


def main() -> None:
    """Search, synthesise, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sums", nargs="+", default=["0/8", "0/6", "4/8", "4/6", "3/8", "3/6", "2/8", "4/4"])
    parser.add_argument("--n-out", type=int, default=256)
    parser.add_argument("--n", type=int, default=1 << 17)
    parser.add_argument("--beam", type=int, default=256)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--gates", action="store_true")
    arguments = parser.parse_args()
    mask = np.random.default_rng(0).permutation(arguments.n) < arguments.n * _DENSITY
    print(
        "| sums | taps | seed | bits a weight | false ones | false zeros | CPU us a weight | GE a mask bit |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for text in arguments.sums:
        sums, _, taps = text.partition("/")
        try:
            code = best_code(int(sums), int(taps or 6), arguments.n_out, arguments.seeds)
        except InputError as error:
            print(f"| {text} | {error} |")
            continue
        encode_mask(mask[:1000], code, cost_of_false_one=2, beam=arguments.beam)  # compiles
        started = time.process_time()
        found = encode_mask(mask, code, cost_of_false_one=2, beam=arguments.beam)
        seconds = time.process_time() - started
        priced = found.bits + _FALSE_ONE * found.false_ones.size + _FALSE_ZERO * found.false_zeros.size
        gates = "not measured"
        if arguments.gates:
            matrix = code.generator.reshape(code.n_out * code.parities, -1)
            decoder = ShapedMaskDecoder(code, None if code.sums else greedy_pairs(matrix))
            gates = f"{gates_of(decoder) / code.n_out:.1f}"
        print(
            f"| {code.sums} | {code.taps} | {code.seed} | {priced / mask.size:.4f}"
            f" | {found.false_ones.size / mask.size:.4f} | {found.false_zeros.size}"
            f" | {seconds / mask.size * 1e6:.2f} | {gates} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
