"""Prove the decoder of every code of the catalogue: its matrix, and one block a cycle under any stalls and resets.

Usage: python benchmarks/prove_catalogue.py [NAME ...]

Each decoder (one plane, mask stage, input register) is written as `generate` writes it, sums shared, and read back from
its Verilog. Lemma 1 of docs/figures.md compares it with the matrix, lemma 2 its shape with the stream contract. Then
one tap of the matrix is flipped, and the proof must fail.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from xorweave.golden.code.catalogue import CATALOGUE
from xorweave.golden.code.code import Code
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_design import decoder_verilog
from xorweave.hw.xor.network import XorNetwork
from xorweave.hw.xor.paired import STRUCTURES, paired_network
from xorweave.hw.xor.synthesis import optimize
from xorweave.synth.proof.proof import prove_contract, prove_equivalent
from xorweave.synth.proof.shape import DecoderShape


def network_of(code: Code) -> XorNetwork:
    """Return the code's network with its sums shared."""
    return paired_network(code) if code.family in STRUCTURES else optimize(code.generator, effort=0)


def with_flipped_tap(code: Code) -> Code:
    """Return the code with one tap of its matrix flipped, in the last row."""
    matrix = np.array(code.generator)
    matrix[-1, code.n_in // 2] ^= 1
    return Code(n_in=code.n_in, n_out=code.n_out, n_s=code.n_s, generator=matrix)


def main() -> None:
    """Print one line a code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(CATALOGUE))
    print("| code | matrix | contract, full rate | a flipped tap | s |")
    print("|---|---|---|---|---|")
    contracts: dict[int, str] = {}
    for name in parser.parse_args().names:
        code = Code.from_name(name)
        started = time.perf_counter()
        shape = DecoderShape(code=code, mask=True, input_register=True)
        if code.n_s not in contracts:  # the contract's window has N_s, and nothing else of a code
            contracts[code.n_s] = prove_contract(shape)
        with tempfile.TemporaryDirectory(prefix="xorweave-catalogue-") as folder:
            source = Path(folder) / "decoder.v"
            source.write_text(
                decoder_verilog(DecoderConfig.raw(code=code, n_w=1, network=network_of(code)), "top")
            )
            matrix = prove_equivalent(source, "top", shape)
            flipped = DecoderShape(code=with_flipped_tap(code), mask=True, input_register=True)
            caught = {"failed": "caught"}.get(prove_equivalent(source, "top", flipped), "NOT CAUGHT")
        seconds = time.perf_counter() - started
        print(f"| {name} | {matrix} | {contracts[code.n_s]} | {caught} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
