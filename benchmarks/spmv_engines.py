"""The SpMV engines on real masks: overhead of the lane layout, cycles against CSR, gates and clock, projections.

python benchmarks/spmv_engines.py [--tables layout cycles width synth scan projection] [--lanes 64] [--liberty FILE]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from real_inputs import data_folder

from xorweave.golden.base.errors import ToolError
from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.choose.lane_code import encode_on_lanes
from xorweave.golden.choose.plan import choose_plan
from xorweave.golden.code.code import Code
from xorweave.golden.files.weight_files import read_smtx
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.spmv.cycle_model import projected_model
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.figures import figures_of
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.engines.csr_engine import CsrConfig
from xorweave.hw.engines.scan_engine import ScanEngineConfig
from xorweave.sim.csr_run import CsrRun, CsrSimulator
from xorweave.sim.spmv_run import SpmvRun, SpmvSimulator, engine_config
from xorweave.synth.engine import synthesize_engine

_CONV = "body_encoder_layer_3_ffn_conv1"
# Masks of one shape, 2048 x 512, and below them two of other shapes for the layout.
_MASKS = {
    f"transformer {short} {s}": f"transformer/{kind}/{s}/{_CONV}{end}.smtx"
    for s in ("0.7", "0.9")
    for short, kind, end in (
        ("random", "random_pruning", "_fully_connected"),
        ("magnitude", "magnitude_pruning", "_fully_connected"),
        ("l0", "l0_regularization", ""),
        ("variational dropout", "variational_dropout", ""),
    )
}
_OTHERS = {
    "transformer variational dropout 0.9, v": "transformer/variational_dropout/0.9/"
    "body_encoder_layer_0_self_attention_multihead_attention_v.smtx",
    "rn50 magnitude 0.7": "rn50/magnitude_pruning/0.7/bottleneck_2_block_group3_2_1.smtx",
    "rn50 variational dropout 0.9": "rn50/variational_dropout/0.9/bottleneck_2_block_group3_2_1.smtx",
}
_MAX_K = 128
_RESULT_WORDS = 4


def _inputs(
    names: dict[str, str],
) -> dict[str, tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.int8]]]:
    found = {}
    for name, path in names.items():
        mask = read_smtx(data_folder() / "dlmc" / path)
        rng = np.random.default_rng(0)
        weights = rng.integers(-128, 128, mask.shape).astype(np.int8)
        found[name] = weights, mask, rng.integers(-128, 128, mask.shape[1]).astype(np.int8)
    return found


def _overhead(encoded: EncodedTensor) -> float:
    value = figures_of(encoded).ratios()["overhead"]
    assert value is not None
    return value


def layout_table(lanes: int) -> None:
    """Overhead of lanes with 1, 4, 16 and all rows in turn, against row-major order and the affine interleaver."""
    print(f"\n{lanes} lanes, INT8, K <= {_MAX_K}. Each cell: overhead in % (N_in if lanes).\n")
    print(
        "| mask | shape | S | least | row-major | affine, N_out free | P = 1 | 4 | 16 | all | 16, error-free |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    int8 = FORMATS["int8"]
    for name, (weights, mask, _) in _inputs({**_MASKS, **_OTHERS}).items():
        cells = []
        per_block = mask.mean() * lanes
        for interleave in (1, 4, 16, None):
            layout = LaneLayout.fitting(mask.shape[0], mask.shape[1], lanes, interleave=interleave)
            encoded = encode_on_lanes(weights, int8, mask, layout, max_k=_MAX_K, error_free=False)
            cells.append(f"{100 * _overhead(encoded):.1f} ({encoded.code.n_in})")
            code = encoded.code
        layout = LaneLayout.fitting(mask.shape[0], mask.shape[1], lanes, interleave=16)
        encoded = encode_on_lanes(weights, int8, mask, layout, max_k=_MAX_K)
        back = decode_tensor(encoded)
        assert np.array_equal(back, np.where(mask, weights, 0)), name
        cells.append(f"{100 * _overhead(encoded):.1f} ({encoded.code.n_in})")
        plain = Code.from_family("paired", n_in=code.n_in, n_out=lanes, n_s=code.n_s, seed=0)
        rows = encode_tensor(weights, int8, plain, mask=mask, options=EncodeOptions(encoder="elimination"))
        plan = choose_plan(mask, 8, max_k=_MAX_K)
        affine = encode_tensor(weights, int8, plan.code, mask=mask, scan=plan.interleaver)
        outside = [figures_of(tensor).ratios()["overhead"] for tensor in (rows, affine)]
        least = np.ceil(per_block) / per_block - 1
        print(
            f"| {name} | {mask.shape[0]}x{mask.shape[1]} | {1 - mask.mean():.3f} | {100 * least:.1f} "
            f"| {' | '.join(f'{100 * (value or 0):.1f}' for value in outside)} | {' | '.join(cells)} |",
            flush=True,
        )


class _Engines:
    """Compiled models, kept for every mask that fits them."""

    def __init__(self, lanes: int, banks_per_lane: int = 2) -> None:
        self.lanes = lanes
        self.banks_per_lane = banks_per_lane
        self._ours: dict[object, SpmvSimulator] = {}
        self._csr: dict[tuple[int, int, int], CsrSimulator] = {}

    def encoded(self, weights: NDArray, mask: NDArray) -> EncodedTensor:
        layout = LaneLayout.fitting(mask.shape[0], mask.shape[1], self.lanes, interleave=16)
        return encode_on_lanes(weights, FORMATS["int8"], mask, layout, max_k=_MAX_K)

    def ours(self, matrix: EncodedTensor, vector: NDArray, **options: float) -> SpmvRun:
        key = matrix.scan, matrix.code
        if key not in self._ours:
            config = engine_config(matrix, result_words=_RESULT_WORDS, inversion=None)
            self._ours[key] = SpmvSimulator(config, fast=True)
        return self._ours[key].run(matrix, vector, **options)  # type: ignore[arg-type]

    def csr(self, weights: NDArray, mask: NDArray, vector: NDArray, lanes: int) -> CsrRun:
        banks = 1 << (self.banks_per_lane * lanes - 1).bit_length()
        key = mask.shape[1], lanes, banks
        if key not in self._csr:
            config = CsrConfig(
                cols=mask.shape[1], lanes=lanes, banks=banks, load_words=min(16, banks),
                result_words=min(_RESULT_WORDS, lanes),
            )  # fmt: skip
            self._csr[key] = CsrSimulator(config, fast=True)
        return self._csr[key].run(weights, mask, vector)


def cycles_table(lanes: int, banks_per_lane: int) -> None:
    """Cycles of both engines, at equal lanes and at equal bytes a cycle."""
    engines = _Engines(lanes, banks_per_lane)
    print(f"\n{lanes} lanes, INT8 x INT8, batch 1. Dense on as many lanes: 2048 * 512 / {lanes} =", end=" ")
    print(f"{2048 * 512 // lanes} cycles.\n")
    print("| mask | S | N_in | blocks + constant | mismatches | slots used | kB read | B a cycle |")
    print("|---|---|---|---|---|---|---|---|")
    rivals: list[tuple[str, SpmvRun, CsrRun, CsrRun]] = []
    for name, (weights, mask, vector) in _inputs(_MASKS).items():
        matrix = engines.encoded(weights, mask)
        run = engines.ours(matrix, vector)
        product = scipy.sparse.csr_array(np.where(mask, weights, 0).astype(np.int32)) @ vector.astype(
            np.int32
        )
        assert np.array_equal(run.results[0], product), name
        assert run.cycles == run.model_cycles, name
        rival = engines.csr(weights, mask, vector, lanes)
        item = rival.bytes_per_cycle / rival.lanes
        small = engines.csr(weights, mask, vector, max(1, int(run.bytes_per_block / item)))
        for other in (rival, small):
            assert other.mismatches == 0 and np.array_equal(other.results[0], product), name
        rivals.append((name, run, rival, small))
        print(
            f"| {name} | {1 - mask.mean():.3f} | {run.n_in} | {run.blocks} + {run.constant} | {run.mismatches} "
            f"| {100 * run.slots_used:.1f} % | {run.bytes_read / 1000:.0f} | {run.bytes_per_block:.1f} |",
            flush=True,
        )
    print(
        f"\n| mask | CSR, {lanes} lanes: cycles | lane cycles spent waiting | imbalance | slots used | kB read "
        "| B a cycle | CSR, no more B a cycle than ours: lanes | cycles | waiting | ours: cycles |"
    )
    print("|" + "---|" * 11)
    for name, run, rival, small in rivals:
        print(
            f"| {name} | {rival.cycles} | {100 * rival.wait_share:.0f} % | {100 * rival.imbalance:.1f} % "
            f"| {100 * rival.slots_used:.0f} % | {rival.bytes_read / 1000:.0f} | {rival.bytes_per_cycle:.0f} "
            f"| {small.lanes} | {small.cycles} | {100 * small.wait_share:.0f} % | {run.cycles} |"
        )
    spread = [rival.cycles for _, _, rival, _ in rivals]
    print(f"\nCycles of the CSR engine on these masks: {min(spread)} to {max(spread)}.")


def width_table(lanes: int) -> None:
    """Cycles under a narrow memory port, simulated beside the model."""
    engines = _Engines(lanes)
    name = "transformer magnitude 0.9"
    weights, mask, vector = _inputs({name: _MASKS[name]})[name]
    matrix = engines.encoded(weights, mask)
    print(f"\n{name}, {lanes} lanes, random stalls and narrow memory ports.\n")
    print("| memory, B a cycle | stalls | simulated | model | mismatches |\n|---|---|---|---|---|")
    for width in (None, 32.0, 16.0, 8.0, 4.0, 1.5):
        run = engines.ours(matrix, vector, **({} if width is None else {"bytes_per_cycle": width}))
        print(f"| {width or 'as a block'} | none | {run.cycles} | {run.model_cycles} | {run.mismatches} |")
    for stalls in (10, 30):
        run = engines.ours(matrix, vector, stalls=stalls, seed=1)
        print(f"| as a block | {stalls} % of each stream | {run.cycles} | - | {run.mismatches} |", flush=True)


def synth_table(
    lanes: int, liberty: Path | None, clock: float | None, timeout: float, rival: list[int]
) -> None:
    """Gates and clock of both engines."""
    name = "transformer magnitude 0.9"
    weights, mask, _ = _inputs({name: _MASKS[name]})[name]
    print(f"\nEngines for {mask.shape[0]} x {mask.shape[1]}; memories taken out and counted in bits.\n")
    print("| engine | library | kGE | GE a lane | flip-flops | clock, MHz | memory bits | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    matrix = _Engines(lanes).encoded(weights, mask)
    configs = {
        f"SpmvEngine, {lanes} lanes, {matrix.code.n_in} -> {lanes}": (
            lanes,
            engine_config(matrix, result_words=_RESULT_WORDS),
        )
    }
    for count in rival:
        banks = 1 << (2 * count - 1).bit_length()
        configs[f"CsrEngine, {count} lanes, {banks} banks"] = (
            count,
            CsrConfig(cols=512, lanes=count, banks=banks, load_words=min(16, banks), result_words=min(4, count)),
        )  # fmt: skip
    for engine, (count, config) in configs.items():
        for library in (None, liberty) if liberty else (None,):
            start = time.perf_counter()
            try:
                made = synthesize_engine(
                    config, liberty=library, clock_mhz=clock if library else None, timeout_s=timeout
                )
            except ToolError as error:
                print(f"| {engine} | {library.stem if library else 'generic'} | not measured: {error} |")
                continue
            gates = made.logic.gate_equivalents or 0.0
            fmax = f"{made.logic.fmax_mhz:.0f}" if made.logic.fmax_mhz else "-"
            print(
                f"| {engine} | {made.logic.library} | {gates / 1000:.1f} | {gates / count:.0f} "
                f"| {made.logic.flip_flops} | {fmax} | {made.memory_bits} | {time.perf_counter() - start:.0f} |",
                flush=True,
            )


def scan_table(timeout: float) -> None:
    """Gates of the scan engine without its decoder: the part that grows with the lanes, and the rest."""
    print("\n256 x 256, blocks of 341 INT8 weights, affine; the decoder apart, memories counted in bits.\n")
    print("| lanes | kGE | flip-flops | memory bits | cycles of a block |\n|---|---|---|---|---|")
    for lanes in (1, 8):
        config = ScanEngineConfig(
            scan=Interleaver(1 << 16, 53193, 20280), shape=(256, 256), n_out=341, lanes=lanes
        )
        made = synthesize_engine(config, timeout_s=timeout)
        gates = made.logic.gate_equivalents or 0.0
        print(
            f"| {lanes} | {gates / 1000:.1f} | {made.logic.flip_flops} | {made.memory_bits} "
            f"| {config.block_cycles} |",
            flush=True,
        )


def projection_table() -> None:
    """Cycles foretold for layers of language models."""
    print("\nProjection by the cycle model, not simulated: 64 lanes and 1024 lanes, S = .9, INT8.\n")
    print("| layer | lanes | memory, B a cycle | blocks | cycles | B a block |\n|---|---|---|---|---|---|")
    for rows, cols in ((4096, 4096), (11008, 4096), (14336, 4096), (8192, 8192), (28672, 8192)):
        for lanes, width in ((64, None), (1024, None), (1024, 128.0)):
            model = projected_model(
                rows, cols, lanes=lanes, sparsity=0.9, load_words=lanes // 4, result_words=lanes // 16,
                bytes_per_cycle=width,
            )  # fmt: skip
            print(
                f"| {rows} x {cols} | {lanes} | {width or 'as a block'} | {model.layout.blocks} | {model.cycles} "
                f"| {float(model.block_bits) / 8:g} |"
            )


def main() -> None:
    tables = ("layout", "cycles", "width", "synth", "scan", "projection")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tables", nargs="+", choices=tables, default=["layout", "cycles", "width", "projection"]
    )
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--banks-per-lane", type=int, default=2, help="of the CSR engines, at least")
    parser.add_argument(
        "--rival-lanes", type=int, nargs="*", default=[8], help="of the CSR engines in `synth`"
    )
    parser.add_argument("--liberty", type=Path, help="a real library for `synth`")
    parser.add_argument("--clock", type=float, help="MHz asked for with --liberty")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for each Yosys run")
    options = parser.parse_args()
    if "layout" in options.tables:
        layout_table(options.lanes)
    if "cycles" in options.tables:
        cycles_table(options.lanes, options.banks_per_lane)
    if "width" in options.tables:
        width_table(options.lanes)
    if "synth" in options.tables:
        synth_table(options.lanes, options.liberty, options.clock, options.timeout, options.rival_lanes)
    if "scan" in options.tables:
        scan_table(options.timeout)
    if "projection" in options.tables:
        projection_table()


if __name__ == "__main__":
    main()
