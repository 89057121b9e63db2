"""Measure a code's overhead with the encoder itself, on random masks and random values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.encoders.stream_start import best_start, error_free_start
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.figures import figures_of


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
    patches_per_block : int
        Weights to be corrected in the fullest block of the sample: what a decoder of its tensors must be able to do
        in one cycle. A larger tensor, or one that is less even, may need more.
    encoder : str
    tries : int
        Starts of the scan that were looked at.
    """

    overhead: float
    unmatched_bits: int
    care_bits: int
    correction_bits: int
    patches_per_block: int
    encoder: str
    tries: int

    @property
    def error_free(self) -> bool:
        """Whether no care bit was unmatched, so that the decoder needs no correction stage for this tensor."""
        return self.unmatched_bits == 0

    def overhead_at(self, bits_per_unmatched: float) -> float:
        """Return the overhead if every unmatched bit cost so many bits instead of what the format takes."""
        corrections = self.correction_bits - bits_per_unmatched * self.unmatched_bits
        return self.overhead - corrections / self.care_bits


def measure_overhead(
    code: Code,
    *,
    sparsity: float = 0.9,
    weights: int = 1 << 20,
    encoder: str = "elimination",
    effort: int | None = 1,
    corrections: str = "auto",
    tries: int = 16,
    seed: int = 0,
) -> OverheadMeasurement:
    """Encode `weights` random INT8 values under a random mask and count every bit.

    The scan starts where the mask serves best, which is the offset of the interleaver: with elimination, where every
    value could be encoded (`error_free_start`), if there is such a start.

    Parameters
    ----------
    code : Code
    sparsity : float
        Share of pruned weights, at random positions.
    weights : int
        Size of the sample.
    encoder, effort, corrections
        See `xorweave.golden.tensor.encode.encode_tensor`.
    tries : int
        Starts to look at in search of an error-free one; with 0, or another encoder, the scan starts at `best_start`.
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
    start, looked_at = None, 0
    if encoder == "elimination":
        start, looked_at = error_free_start(mask, code, tries)
    encoded = encode_tensor(
        values,
        number_format("int8"),
        code,
        mask=mask,
        scan=Interleaver(n=weights, offset=best_start(mask, code) if start is None else start),
        options=EncodeOptions(encoder=encoder, effort=effort, corrections=corrections),
    )
    figures = figures_of(encoded)
    return OverheadMeasurement(
        overhead=(figures.payload_bits + figures.correction_bits) / figures.care_bits - 1,
        unmatched_bits=figures.unmatched_bits,
        care_bits=figures.care_bits,
        correction_bits=figures.correction_bits,
        patches_per_block=int(np.bincount(encoded.patches.positions // code.n_out, minlength=1).max()),
        encoder=encoded.encoder,
        tries=looked_at,
    )
