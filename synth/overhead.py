"""Measure a code's overhead with the encoder itself, on random masks and random values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.code import Code
from xorweave.golden.errors import InputError
from xorweave.golden.figures import figures_of
from xorweave.golden.interleaver import Interleaver
from xorweave.golden.masks import random_mask
from xorweave.golden.number_format import number_format
from xorweave.golden.tensor_codec import encode_tensor


@dataclass(frozen=True)
class OverheadMeasurement:
    """What encoding a random tensor cost.

    Attributes
    ----------
    overhead : float
        (payload + corrections) / care bits - 1.
    unmatched_bits, care_bits : int
        Over all planes.
    correction_bits : int
    encoder : str
    tries : int
        Offsets of the interleaver that were tried until nothing was unmatched, or until the allowed number.
    """

    overhead: float
    unmatched_bits: int
    care_bits: int
    correction_bits: int
    encoder: str
    tries: int

    @property
    def error_free(self) -> bool:
        """Whether no care bit was unmatched, so that the decoder needs no correction stage for this tensor."""
        return self.unmatched_bits == 0


def best_start(mask: NDArray[np.bool_], code: Code) -> int:
    """Return the position to start the scan at, so that the window never runs short of columns near its start.

    Block after block, N_in columns come and the block's care bits take some. A stream starts with no columns in
    reserve. If there are more columns than care bits in all, some rotation of the tensor has more of them in every
    prefix (the cycle lemma); it starts behind the lowest point of the running balance.
    """
    blocks = mask.size // code.n_out
    if blocks < 2:
        return 0
    care = mask[: blocks * code.n_out].reshape(blocks, code.n_out).sum(axis=1)
    balance = np.cumsum(code.n_in - care)
    return int((np.argmin(balance) + 1) % blocks) * code.n_out


def measure_overhead(
    code: Code,
    *,
    sparsity: float = 0.9,
    weights: int = 1 << 20,
    encoder: str = "elimination",
    effort: int | None = 1,
    corrections: str = "auto",
    tries: int = 1,
    seed: int = 0,
) -> OverheadMeasurement:
    """Encode `weights` random INT8 values under a random mask and count every bit.

    The scan starts where the mask serves best (`best_start`), which is the offset of the interleaver.

    Parameters
    ----------
    code : Code
    sparsity : float
        Share of pruned weights, at random positions.
    weights : int
        Size of the sample.
    encoder, effort, corrections
        See `xorweave.golden.tensor_codec.encode_tensor`.
    tries : int
        Offsets of the interleaver to try at most, one position apart, until no bit is unmatched. Another offset
        leaves the balance of columns and care bits as good as it is and deals other equations to every block.
    seed : int

    Raises
    ------
    InputError
        The sparsity lies outside 0 .. 1, the sample holds no kept weight, or the encoder refuses.
    """
    if not 0 <= sparsity < 1:
        raise InputError(f"the sparsity must be at least 0 and below 1, not {sparsity}")
    rng = np.random.default_rng([seed, 1])
    mask = random_mask((weights,), sparsity, seed)
    if not mask.any():
        raise InputError(f"the sample must hold kept weights, but {weights} at sparsity {sparsity} hold none")
    values = rng.integers(-128, 128, weights).astype(np.int8)
    if tries < 1:
        raise InputError(f"tries must be at least 1, not {tries}")
    start = best_start(mask, code)
    for attempt in range(tries):
        encoded = encode_tensor(
            values,
            number_format("int8"),
            code,
            mask=mask,
            interleaver=Interleaver(n=weights, offset=(start + attempt) % weights),
            encoder=encoder,
            effort=effort,
            corrections=corrections,
        )
        figures = figures_of(encoded)
        if figures.unmatched_bits == 0:
            break
    return OverheadMeasurement(
        overhead=(figures.payload_bits + figures.correction_bits) / figures.care_bits - 1,
        unmatched_bits=figures.unmatched_bits,
        care_bits=figures.care_bits,
        correction_bits=figures.correction_bits,
        encoder=encoded.encoder,
        tries=attempt + 1,
    )
