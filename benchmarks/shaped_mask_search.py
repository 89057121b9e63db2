"""The search that chose the shaped mask's parameters: parities, rate, window, taps, beam, and the price of a false one.

    python benchmarks/shaped_mask_search.py [--density 0.1 0.05] [--n 30000] [--price 1 2 3 8] [--beam 64 256 1024]
        [--taps 8] [--window 42 64] [--best 1]

Random masks of exactly this density. A false one costs its price, 1 % more for the linear code's overhead: n_w bits
where values are stored as they are, the bits of the zero's codeword where they are prefix-coded. That codeword takes
a share 2^-price of the code space from the kept weights, -log2(1 - 2^-price) bits each, which is counted too. A false
zero costs a patch, 14 bits. Every line is measured: encoded, decoded, counted; for each price and beam the best rate.
Times are of the processor.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.limits import binary_entropy
from xorweave.golden.mask.shaped_mask import ShapedMaskCode, ideal_bits
from xorweave.golden.mask.shaped_mask_encoder import encode_mask

_PATCH_BITS = 14.0
_LINEAR = 1.01


@dataclass(frozen=True)
class Trial:
    """One code on one mask; sorted by its cost."""

    cost: float
    code: ShapedMaskCode
    false_ones: float
    false_zeros: float
    seconds: float


def zero_share(density: float, price: float) -> float:
    """Bits a weight by which the zero's codeword lengthens those of the kept weights (none for raw values)."""
    return 0.0 if price >= 8 else -density * math.log2(1 - 2.0**-price)


def attempt(mask: NDArray[np.bool_], code: ShapedMaskCode, price: float, beam: int) -> Trial:
    """Encode a mask and count everything it costs, in bits a weight."""
    started = time.process_time()
    found = encode_mask(mask, code, cost_of_false_one=_LINEAR * price, beam=beam)
    seconds = time.process_time() - started
    n = mask.size
    ones, zeros = found.false_ones.size / n, found.false_zeros.size / n
    cost = found.bits / n + ones * price * _LINEAR + zeros * _PATCH_BITS
    return Trial(cost + zero_share(float(mask.mean()), price) * _LINEAR, code, ones, zeros, seconds)


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--density", nargs="+", type=float, default=[0.1, 0.05])
    parser.add_argument("--n", type=int, default=30_000)
    parser.add_argument("--price", nargs="+", type=float, default=[1, 2, 3, 8])
    parser.add_argument("--beam", nargs="+", type=int, default=[64, 256, 1024])
    parser.add_argument("--taps", nargs="+", type=int, default=[8])
    parser.add_argument("--window", nargs="+", type=int, default=[42, 64])
    parser.add_argument("--margin", nargs="+", type=float, default=[-0.06, -0.03, 0.0, 0.03, 0.06])
    parser.add_argument("--best", type=int, default=1, help="codes printed for each price and beam")
    arguments = parser.parse_args()
    encode_mask(
        np.arange(500) % 9 == 0, ShapedMaskCode.for_zero_codeword(0.1, 2), cost_of_false_one=2
    )  # compiles
    for density, price in itertools.product(arguments.density, arguments.price):
        mask = np.zeros(arguments.n, bool)
        mask[np.random.default_rng(1).permutation(arguments.n)[: round(density * arguments.n)]] = True
        fits = sorted(range(1, 9), key=lambda a, d=density, p=price: ideal_bits(d, a, p))[:2]
        for beam in arguments.beam:
            trials = []
            for parities, margin, window, taps in itertools.product(
                fits, arguments.margin, arguments.window, arguments.taps
            ):
                n_in = max(1, round(128 * min(1.0, ideal_bits(density, parities, price) * (1 + margin))))
                try:
                    code = ShapedMaskCode(n_in=n_in, n_out=128, parities=parities, window=window, taps=taps)
                except InputError:
                    continue
                trials.append(attempt(mask, code, price, beam))
            for best in sorted(trials, key=lambda trial: trial.cost)[: arguments.best]:
                code = best.code
                ideal = ideal_bits(density, code.parities, price) + zero_share(density, price)
                print(
                    f"density {density} price {price:g} beam {beam}: {best.cost:.4f} bits a weight"
                    f" (entropy {binary_entropy(density):.4f}, shape's ideal {ideal:.4f});"
                    f" {code.n_in}->128 A={code.parities} window {code.window} taps {code.taps},"
                    f" false ones {best.false_ones:.4f}, false zeros {best.false_zeros:.5f},"
                    f" {best.seconds / arguments.n * 1e6:.1f} CPU us a weight",
                    flush=True,
                )


if __name__ == "__main__":
    main()
