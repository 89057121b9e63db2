"""Throughput per gate: the paper's decoder as a plain generator writes it, and decoders of ours, in one flow."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xorweave.golden.code.catalogue import CATALOGUE
from xorweave.golden.code.code import Code
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_design import decoder_verilog
from xorweave.hw.xor.network import XorNetwork
from xorweave.hw.xor.paired import STRUCTURES, paired_network, shared_network
from xorweave.studies.overhead import OverheadMeasurement, measure_overhead
from xorweave.synth.decoder_package import prove_decoder
from xorweave.synth.flow.synthesis import SynthesisResult, map_to_cells, with_rate
from xorweave.synth.proof.induction import NOT_RUN
from xorweave.synth.proof.reference import reference_verilog
from xorweave.synth.proof.shape import DecoderShape

# Gates in a row that the paper's optimised network may have: 8 take the fewest, 5 meet the clocks. Ours have 5 or 6.
_DEEPEST, _DEEPEST_CLOCKED = 8, 5


@dataclass(frozen=True)
class Contender:
    """A decoder of the comparison.

    Attributes
    ----------
    name : str
    code : Code
    plain : bool
        Written by the plain generator, one flat exclusive-or a row, its sharing left to Yosys.
    encoder : str
        Encoder its overhead is measured with.
    corrections : str
        Correction format its overhead is counted with.
    without_stage : bool
        Leave the correction stage out although bits are unmatched: no decoder that works, but the XOR network, shift
        registers and mask alone, for those who want to compare these.
    any_patches : bool
        Whether a block may need any number of patches: the differences of all words come with it, which takes fewer
        gates than a list of more than one.
    """

    name: str
    code: Code
    plain: bool
    encoder: str
    corrections: str = "auto"
    without_stage: bool = False
    any_patches: bool = False

    def network(self, *, clocked: bool) -> XorNetwork | None:
        """Return the XOR network the decoder is written with, for a clock or not; None for the plain one."""
        if self.plain:
            return None
        if self.code.family in STRUCTURES:
            return paired_network(self.code)
        return shared_network(self.code, effort=2, depth_limit=_DEEPEST_CLOCKED if clocked else _DEEPEST)


BASELINE = Contender(
    "uniform 8 to 80, N_s = 2 (the paper)",
    Code.uniform(n_in=8, n_out=80, n_s=2),
    plain=True,
    encoder="viterbi",
    corrections="paper",
)
FAIR_BASELINE = replace(
    BASELINE, name="the same, optimised as ours, all its patches", plain=False, any_patches=True
)
BARE_BASELINE = replace(BASELINE, name="the same, correction stage left out", without_stage=True)


def _ours(name: str, spec: str) -> Contender:
    return Contender(name, Code.from_spec(spec), plain=False, encoder="elimination")


OURS = (
    _ours("graph 128 to 1225, N_s = 1", CATALOGUE["graph-128-1225-k256"].spec),
    _ours("graph 200 to 1972, N_s = 2", CATALOGUE["graph-200-1972-k600"].spec),
    _ours("graph 512 to 4876, 112 bits of x_(t-1)", CATALOGUE["graph-512-4876-k624"].spec),
)


@dataclass(frozen=True)
class Setting:
    """A library and the clock asked of it; without a library, generic gates."""

    name: str
    liberty: Path | None = None
    clock_mhz: float | None = None


@dataclass(frozen=True)
class Row:
    """One decoder under one setting."""

    contender: Contender
    setting: Setting
    shape: DecoderShape
    overhead: OverheadMeasurement
    result: SynthesisResult


def shape_of(contender: Contender, overhead: OverheadMeasurement, planes: int) -> DecoderShape:
    """Return the hardware that is counted.

    Symbols go straight to the network and words straight to the sink: registers at the ports are left out for all.
    Shift registers, handshake and mask stage are in. The correction stage is in, with one patch a block, the least
    there can be, or with any number (`Contender.any_patches`), unless encoding left no bit unmatched.
    """
    patches = 0 if overhead.error_free or contender.without_stage else 1
    every = contender.any_patches and patches > 0
    return DecoderShape(
        code=contender.code,
        n_w=planes,
        mask=True,
        patches_per_block=contender.code.n_out if every else patches,
        dense_corrections=every,
    )


def decoder_text(contender: Contender, shape: DecoderShape, *, clocked: bool = False) -> str:
    """Write a contender as Verilog with the top module ``top``."""
    if contender.plain:
        return reference_verilog(shape, "top")
    config = DecoderConfig.raw(
        code=shape.code,
        n_w=shape.n_w,
        patches_per_block=shape.patches_per_block,
        mask=True,
        input_register=False,
        network=contender.network(clocked=clocked),
    )
    return decoder_verilog(config, "top")


def synthesize_contender(
    contender: Contender, shape: DecoderShape, setting: Setting, *, prove: bool = True
) -> SynthesisResult:
    """Map one contender under one setting, and prove the netlist."""
    with tempfile.TemporaryDirectory(prefix="xorweave-compare-") as folder:
        work = Path(folder)
        source = work / "decoder.v"
        source.write_text(decoder_text(contender, shape, clocked=setting.clock_mhz is not None))
        result, _ = map_to_cells([source], "top", work, liberty=setting.liberty, clock_mhz=setting.clock_mhz)
        verdict = NOT_RUN
        if prove:
            verdict = prove_decoder(work / "netlist.v", "top", shape, liberty=work / "cells.lib")
    return replace(with_rate(result, shape.block_width), equivalence=verdict)


def compare(
    settings: Sequence[Setting],
    *,
    contenders: Sequence[Contender] = (BASELINE, BARE_BASELINE, FAIR_BASELINE, *OURS),
    planes: int = 1,
    weights: int = 1 << 22,
    prove: bool = True,
    seed: int = 0,
) -> Iterator[Row]:
    """Measure overheads once, then synthesise every contender under every setting; rows come as they are made.

    Parameters
    ----------
    settings : sequence of Setting
    contenders : sequence of Contender
        The first is the baseline.
    planes : int
        Bit-planes side by side.
    weights : int
        Size of the random sample of INT8 weights, sparsity 0.9; an eighth of it for the trellis encoder.
    prove : bool
    seed : int
    """
    measured: dict[tuple[Code, str, str], OverheadMeasurement] = {}
    for contender in contenders:
        key = (contender.code, contender.encoder, contender.corrections)
        if key not in measured:
            measured[key] = measure_overhead(
                contender.code,
                weights=weights // 8 if contender.encoder == "viterbi" else weights,
                encoder=contender.encoder,
                corrections=contender.corrections,
                seed=seed,
            )
    overheads = [measured[c.code, c.encoder, c.corrections] for c in contenders]
    for setting in settings:
        for contender, overhead in zip(contenders, overheads, strict=True):
            shape = shape_of(contender, overhead, planes)
            result = synthesize_contender(contender, shape, setting, prove=prove)
            yield Row(contender, setting, shape, overhead, result)
