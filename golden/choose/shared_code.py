"""One code of few gates for all tensors of a call: a denser tensor takes the first outputs of each block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.choose.plan import candidate_strides, correction_cost, judge_scan
from xorweave.golden.code.catalogue import CATALOGUE
from xorweave.golden.code.code import Code
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.stored import EncodedTensor

# Generators by the gates an output costs, fewest first (docs/figures.md): family, its parameters, window in symbols,
# and what the window must be shortened to for the forecast, which knows dense rows only.
_FAMILIES: tuple[tuple[str, dict[str, int], int, float], ...] = (
    ("chain", {"taps": 1, "run": 10}, 3, 2.5),
    ("chain", {"taps": 2, "run": 10}, 3, 1.6),
    ("chain", {"taps": 4, "run": 10}, 3, 1.2),
)
_WIDTHS = (8, 16, 32, 64)  # N_in: encoded bits of a plane read in a cycle
_STRIDES = 8
_SAMPLE = 1 << 20
_LEAST_BLOCKS = 24  # a tensor of fewer blocks pays for its last one


@dataclass(frozen=True, kw_only=True)
class SharedCode:
    """A code for several tensors.

    Attributes
    ----------
    code : Code
        Its n_out is that of the sparsest tensor.
    handicap : float
        How much shorter a window of dense rows would do as well.
    overhead : float
        (payload + corrections) / care bits - 1 that was asked for.
    """

    code: Code
    handicap: float
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
            return cls(
                code=Code.from_spec(CATALOGUE["chain2-32-320-k128"].spec), handicap=1.6, overhead=overhead
            )
        sparsest = min(float(np.count_nonzero(mask)) / mask.size for mask, _ in used)
        care = sum(int(np.count_nonzero(mask)) * n_w for mask, n_w in used)
        fallback: tuple[float, SharedCode] | None = None
        for family, parameters, n_s, handicap in _FAMILIES:
            for n_in in _WIDTHS:
                n_out = min(4096, max(n_in, round(n_in / sparsest / (1 + overhead / 4))))
                if n_in > _WIDTHS[0] and max(mask.size for mask, _ in used) < _LEAST_BLOCKS * n_out:
                    break
                code = Code.from_family(family, n_in=n_in, n_out=n_out, n_s=n_s, seed=seed, **parameters)
                found = cls(code=code, handicap=handicap, overhead=overhead)
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
        length, n_in = min(n, _SAMPLE), self.code.n_in
        window = max(2 * n_in, round(self.code.constraint_length / self.handicap))
        best: tuple[float, int, Interleaver] | None = None
        limit = kept * n_w * (1 + self.overhead)
        for stride in (1,) if row_major else candidate_strides(n, _STRIDES, 0):
            care = Interleaver(n, stride).cumulative(mask, length)
            for slack in (1.0, 1.01, 1.02, 1.03, 1.05, 1.08, 1.12, 1.2):
                n_out = min(self.code.n_out, max(1, round(n_in * n / max(kept, 1) / slack)))
                payload, dependent, start = judge_scan(care, n, (n_in, n_out), window, n_w)
                cost = payload + correction_cost(dependent, n, n_w)
                if best is None or cost < best[0]:
                    scan = Interleaver(n, stride, start * stride % n) if n > 1 else Interleaver(n)
                    best = (cost, n_out, scan)
            assert best is not None
            if best[0] <= limit:  # strides come simplest first
                return best
        assert best is not None
        return best

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
