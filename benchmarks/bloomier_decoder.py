"""Decoders of filters, peeled and banded: gates, memories and reads, beside the XOR decoder at as many weights a cycle.

    python benchmarks/bloomier_decoder.py [--weights 262144] [--sparsity 0.9] [--lanes 64] [--queries 100000]

A lane answers one query a cycle from its memories; lanes in parallel need as many read ports (or copies of the
table). The filter is built over a random mask, simulated in Verilator against the golden query, and its lane
synthesised without the memories, in one flow for all. The XOR decoder gives `lanes` INT8 weights a cycle, losslessly;
its mask comes from elsewhere.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.lib import wiring

from xorweave.golden.code.code import Code
from xorweave.golden.weightless.banded import MOST_WINDOW, Banded
from xorweave.golden.weightless.bloomier import Bloomier
from xorweave.golden.weightless.filters import Filter
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.hw.rivals.band import BandDecoder, BandLane, directory_widths, row_cells, row_tables
from xorweave.hw.rivals.bloomier import BloomierDecoder, BloomierLane, bank_depth
from xorweave.hw.stages.xor_decoder import XorDecoder
from xorweave.hw.xor.network import balanced_trees
from xorweave.hw.xor.pairs import greedy_pairs
from xorweave.sim.stream_model import StreamModel, StreamPort, pack_integers
from xorweave.synth.flow.liberty import GATES_LIB
from xorweave.synth.flow.synthesis import SynthesisResult, map_to_cells
from xorweave.synth.proof.band_lane import judge_band_lane


def mapped(
    component: wiring.Component, name: str, table: Filter | None = None, clusters: int = 0
) -> tuple[SynthesisResult, str]:
    """Map a component to generic cells; say of a banded filter's lane whether the netlist is proved to be it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.v"
        path.write_text(amaranth_verilog(component, name))
        result, _ = map_to_cells([path], name, Path(folder))
        if not isinstance(table, Banded):
            return result, "not run"
        netlist = Path(folder) / "netlist.v"
        return result, judge_band_lane(netlist, name, table, clusters, liberty=GATES_LIB).outcome


@dataclass(frozen=True)
class Measured:
    """A filter, the bits of its memories as the decoder holds them, and what a query reads."""

    title: str
    table: Filter
    memory_bits: int
    reads: int
    bits_read: int


def report(
    made: Measured, lane: wiring.Component, decoder: wiring.Component, arguments: argparse.Namespace
) -> None:
    """Synthesise a lane without its memories, simulate a lane with them against the golden query, print."""
    gates, equivalence = mapped(lane, "lane", made.table, arguments.clusters)
    assert gates.gate_equivalents is not None
    table, lanes = made.table, arguments.lanes
    print(
        f"{made.title}, t = {table.t}, {table.keys} keys: lane {gates.gate_equivalents:.0f} gate equivalents,"
        f" {gates.flip_flops} flip-flops, 1 weight a cycle; stored {table.bits} bits"
        f" ({table.bits / (table.t * table.keys):.4f} of t a key), memories {made.memory_bits} bits;"
        f" a query reads {made.bits_read} bits in {made.reads} reads; {lanes} lanes:"
        f" {lanes * gates.gate_equivalents:.0f} gate equivalents, {lanes * made.reads} reads a cycle;"
        f" equivalence {equivalence}",
        flush=True,
    )
    if not arguments.queries:
        return
    asked = np.random.default_rng(1).integers(0, arguments.weights, arguments.queries)
    wanted = [int(a) | int(a < arguments.clusters) << table.t for a in table.query(asked)]
    model = StreamModel(
        amaranth_verilog(decoder, "top"),
        [StreamPort("i", (("i__payload", table.key_bits),), "i__valid", "i__ready")],
        [StreamPort("o", (("o__payload", table.t + 1),), "o__valid", "o__ready")],
        fast=True,
    )
    run = model.run(
        {"i": [pack_integers(asked.tolist(), table.key_bits)]},
        {"o": [pack_integers(wanted, table.t + 1)]},
        stalls=20,
        most_cycles=20 * arguments.queries + 1000,
    )
    print(
        f"  simulated: {run.passed['o']} queries, {run.mismatches} mismatches, {run.cycles} cycles",
        flush=True,
    )


def main() -> None:
    """Build, simulate, synthesise, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=int, default=262_144)
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--clusters", type=int, default=16)
    parser.add_argument("--t", type=int, default=8)
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--queries", type=int, default=100_000)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    keys = np.flatnonzero(random.random(arguments.weights) >= arguments.sparsity)
    key_bits = (arguments.weights - 1).bit_length()
    labels = random.integers(0, arguments.clusters, keys.size)
    for peeled in (("fuse", 4), ("uniform", 3)):
        kind, k = peeled
        table = Bloomier.build(keys, labels, t=arguments.t, k=k, layout=kind, key_bits=key_bits)
        pairs = greedy_pairs(table.hash.first[:, :-1]), greedy_pairs(table.hash.second)
        memory = k * bank_depth(table.layout) * arguments.t
        report(
            Measured(f"peeled, {kind}, k = {k}", table, memory, k, k * arguments.t),
            BloomierLane(table, arguments.clusters, pairs),
            BloomierDecoder(table, arguments.clusters, pairs),
            arguments,
        )
    for window in (MOST_WINDOW, 32):
        band = Banded.build(keys, labels, t=arguments.t, window=window, key_bits=key_bits)
        pairs = greedy_pairs(band.hash.first[:, :-1]), greedy_pairs(band.hash.second)
        entry = sum(directory_widths(band))
        memory = row_tables(band).size * arguments.t + band.buckets * entry
        report(
            Measured(f"band, window {window}", band, memory, 3, 2 * row_cells(band) * arguments.t + entry),
            BandLane(band, arguments.clusters, pairs),
            BandDecoder(band, arguments.clusters, pairs),
            arguments,
        )
    n_in = max(1, round(arguments.lanes * (1 - arguments.sparsity) * 1.01))
    code = Code.uniform(n_in=n_in, n_out=arguments.lanes, n_s=max(1, 64 // n_in - 1))
    for title, network in (
        ("trees", balanced_trees(code.generator)),
        ("greedy pairs", greedy_pairs(code.generator)),
    ):
        ours, _ = mapped(XorDecoder(code, 8, network), "decoder")
        assert ours.gate_equivalents is not None
        print(
            f"XOR decoder {code.n_in}->{code.n_out} N_s={code.n_s} INT8, {title}: {ours.gate_equivalents:.0f} gate"
            f" equivalents, {ours.flip_flops} flip-flops, {code.n_out} weights a cycle, no table;"
            f" {code.rate * 8:.3f} bits a weight read, mask and corrections apart",
            flush=True,
        )


if __name__ == "__main__":
    main()
