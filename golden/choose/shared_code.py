"""One code of few gates for all tensors of a call: a denser tensor takes the first outputs of each block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.choose.price import CareBits, Terms
from xorweave.golden.code.catalogue import CATALOGUE
from xorweave.golden.code.code import Code
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.strides import candidate_strides
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.stored import EncodedTensor

# Chains by the gates an output costs, fewest first (docs/figures.md): taps, and earlier symbols.
_CHAINS = ((2, 3), (4, 3))
_WIDTHS = (8, 16, 32, 64)  # N_in: encoded bits of a plane read in a cycle
_STRIDES = 8
_SAMPLE = 1 << 20
_SLACKS = (0.99, 1.0, 1.005, 1.01, 1.015, 1.02, 1.03, 1.04, 1.06, 1.09, 1.15, 1.25)
_LEAST_BLOCKS = 24  # a tensor of fewer blocks pays for its last one


@dataclass(frozen=True, kw_only=True)
class SharedCode:
    """A code for several tensors.

    Attributes
    ----------
    code : Code
        Its n_out is that of the sparsest tensor.
    overhead : float
        (payload + corrections) / care bits - 1 that was asked for.
    """

    code: Code
    overhead: float

    @classmethod
    def choose(
        cls, masks: Sequence[tuple[NDArray[np.bool_], int]], *, overhead: float = 0.05, seed: int = 0
    ) -> SharedCode:
        """Choose the code of fewest gates an output that keeps all tensors together under the overhead.

        Parameters
        ----------
        masks : sequence of (ndarray of bool, int)
            Mask (True = kept) and bits of a weight of each tensor.
        overhead : float
            If no code keeps it, the one that comes nearest is taken.
        """
        used = [(mask.reshape(-1), n_w) for mask, n_w in masks if mask.any()]
        if not used:
            return cls(code=Code.from_spec(CATALOGUE["chain2-32-320-k128"].spec), overhead=overhead)
        sparsest = min(float(np.count_nonzero(mask)) / mask.size for mask, _ in used)
        care = sum(int(np.count_nonzero(mask)) * n_w for mask, n_w in used)
        fallback: tuple[float, SharedCode] | None = None
        for taps, n_s in _CHAINS:
            for n_in in _WIDTHS:
                n_out = min(4096, max(n_in, round(n_in / sparsest / (1 + overhead / 4))))
                if n_in > _WIDTHS[0] and max(mask.size for mask, _ in used) < _LEAST_BLOCKS * n_out:
                    break
                code = Code.from_family("chain", n_in=n_in, n_out=n_out, n_s=n_s, seed=seed, taps=taps)
                found = cls(code=code, overhead=overhead)
                bits = sum(found._best(mask, n_w)[0] for mask, n_w in used)
                cost = bits / care - 1
                if cost <= overhead:
                    return found
                if fallback is None or cost < fallback[0]:
                    fallback = (cost, found)
        assert fallback is not None
        return fallback[1]

    def _best(
        self, mask: NDArray[np.bool_], n_w: int, row_major: bool = False
    ) -> tuple[float, int, Interleaver]:
        """Return (expected bits, n_out, scan) for one flat mask: row-major where that keeps the overhead."""
        n, kept = mask.size, int(np.count_nonzero(mask))
        n_in, n_s = self.code.n_in, self.code.n_s
        limit = kept * n_w * (1 + self.overhead)
        outputs = sorted({min(self.code.n_out, max(1, round(n_in * n / max(kept, 1) / s))) for s in _SLACKS})
        sizes = [(n_in, n_out, n_s) for n_out in outputs]
        terms = Terms(planes=n_w, n_w=n_w, family="chain", free_start=True)
        best: tuple[float, int, Interleaver] | None = None
        for stride in (1,) if row_major else candidate_strides(n, _STRIDES, 0):
            found = CareBits.along(mask, Interleaver(n, stride), _SAMPLE).cheapest(sizes, terms)
            if found and (best is None or found[0].bits < best[0]):
                scan = Interleaver(n, stride, found[0].start * stride % n) if n > 1 else Interleaver(n)
                best = (found[0].bits, found[0].n_out, scan)
            if best is not None and best[0] <= limit:  # strides come simplest first
                break
        return best or (0.0, self.code.n_out, Interleaver(n))

    def encode(
        self,
        values: NDArray,
        number_format: NumberFormat,
        mask: NDArray[np.bool_],
        options: EncodeOptions,
        *,
        row_major: bool = False,
    ) -> EncodedTensor:
        """Encode one tensor, raw planes under a bitmap, with the first outputs of this code's blocks."""
        if mask.shape != values.shape:
            raise InputError(f"the mask must have the weights' shape {values.shape}, not {mask.shape}")
        _, n_out, scan = self._best(mask.reshape(-1), number_format.n_w, row_major)
        return encode_tensor(
            values,
            number_format,
            self.code.first_rows(n_out),
            mask=mask,
            scan=scan,
            options=replace(options, encoder="elimination"),
        )
