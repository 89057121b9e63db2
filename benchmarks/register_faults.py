"""What one flipped register bit does to a decoder: ours, and those of other formats.

    python benchmarks/register_faults.py [--shape 40x64] [--sparsity 0.9] [--moments 4] [--seed 0]

INT8 weights under a random mask are stored, `generate` writes the decoder, and Yosys makes its Verilog a graph of gates
and registers. Every register is flipped at so many moments of the stream, one at a time, by simulating all these
decoders side by side, one in each bit of an integer; sources and sink never pause. The blocks that leave are compared
with those of the decoder that nobody touched: blocks wrong from the first to the last one, and blocks lost or doubled.

In our decoders a register that holds encoded bits may spoil N_s + 1 blocks at most, and lose none; which those are is
told by their names. A flip beyond it ends the run with status 1. Nothing is promised for the rest, control.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.hw.package.manifest import Manifest, read_manifest
from xorweave.synth.proof.aiger import Circuit, simulate
from xorweave.synth.proof.induction import circuit_of

SEGMENTS = 4
#: What `encode` and `generate` are told, and the format's name.
FORMS = {
    "xor, the paper's": (["--code", "paper", "--segments", str(SEGMENTS)], []),
    "xor, for hardware": (["--for", "hardware"], []),
    "xor, the default": ([], []),
    "bitmap": (["--code", "paper"], ["--decoder", "bitmap"]),
    "relative-index": (["--code", "paper"], ["--decoder", "relative-index"]),
    "huffman": (["--code", "paper"], ["--decoder", "huffman"]),
}

_DATA = re.compile(r"[._]x\d*(_b\d+)?(\[\d+\])?( |$)")  # shift registers, of planes and of a shaped mask
_SLOWEST = 20  # cycles a block, at most


@dataclass
class Source:
    """A stream's words as bits, and where each decoder stands in it."""

    prefix: str
    pins: list[str]
    bits: NDArray[np.uint8]  # (words, bits)
    at: NDArray[np.int64]  # (decoders,)


@dataclass
class Faults:
    """What flips of some registers did.

    Attributes
    ----------
    registers : int
    bound : int or None
        Blocks that the design promises no flip to exceed; none may be lost either.
    stretch, lost : list of int
        Of every flip: blocks from the first wrong one to the last, and blocks lost or doubled.
    """

    registers: int
    bound: int | None
    stretch: list[int]
    lost: list[int]

    @property
    def beyond(self) -> int:
        """Flips that break the promise."""
        if self.bound is None:
            return 0
        return sum(s > self.bound or bool(n) for s, n in zip(self.stretch, self.lost, strict=True))


def package(words: list[str], decoder: list[str], weights: Path, folder: Path) -> Manifest:
    """Encode and generate as a user does."""
    stored = folder / "w.safetensors"
    for command in (
        ["encode", str(weights), "-o", str(stored), *words],
        ["generate", str(stored), "-o", str(folder / "p"), *decoder],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "xorweave.cli", *command], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise InputError(done.stderr.strip())
    return read_manifest(folder / "p")


def _pins(name: str, width: int) -> list[str]:
    return [name] if width == 1 else [f"{name}[{k}]" for k in range(width)]


def _read(path: Path, width: int) -> NDArray[np.uint8]:
    rows = [int(line, 16) for line in path.read_text().split()]
    data = b"".join(row.to_bytes(-(-width // 8), "little") for row in rows)
    return np.unpackbits(
        np.frombuffer(data, np.uint8).reshape(len(rows), -1), axis=1, count=width, bitorder="little"
    )


def _joined(bits: NDArray[np.uint8]) -> int:
    """One integer from a bit of each decoder."""
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def _split(value: int, count: int) -> NDArray[np.uint8]:
    data = np.frombuffer(value.to_bytes(-(-count // 8), "little"), np.uint8)
    return np.unpackbits(data, count=count, bitorder="little")


class Decoders:
    """Many copies of a circuit, fed from the package's vectors, each at its own pace."""

    def __init__(self, manifest: Manifest, folder: Path, circuit: Circuit, count: int) -> None:
        self.circuit, self.count, self.ones = circuit, count, (1 << count) - 1
        self.sources = [
            Source(
                stream.prefix,
                [pin for name, width in stream.pins for pin in _pins(name, width)],
                _read(folder / stream.file, stream.bits),
                np.zeros(count, np.int64),
            )
            for stream in manifest.inputs
        ]
        self.static = {
            pin: value >> k & 1
            for name, (width, value) in manifest.static.items()
            for k, pin in enumerate(_pins(name, width))
        }
        self.sink = [pin for name, width in manifest.output.pins for pin in _pins(name, width)]
        self.gates = circuit.cone([*circuit.nexts, *circuit.outputs.values()])
        self.state = [0] * len(circuit.registers)
        self.left: list[list[bytes]] = [[] for _ in range(count)]

    def cycle(self, *, reset: bool = False) -> None:
        """One clock."""
        given = {
            "rst": self.ones * reset,
            "m_axis_tready": self.ones,
            **{p: self.ones * v for p, v in self.static.items()},
        }
        for source in self.sources:
            there = source.at < len(source.bits)
            given[f"{source.prefix}_tvalid"] = _joined(there & (not reset))
            words = source.bits[np.minimum(source.at, len(source.bits) - 1)]
            given |= {pin: _joined(words[:, k]) for k, pin in enumerate(source.pins)}
        inputs = [given.get(name, 0) for name in self.circuit.inputs]
        values = simulate(self.circuit, self.gates, inputs, self.state, self.ones)

        def value(literal: int) -> int:
            return values[literal >> 1] ^ (self.ones if literal & 1 else 0)

        self.state = [value(literal) for literal in self.circuit.nexts]
        if reset:
            return
        for source in self.sources:
            taken = given[f"{source.prefix}_tvalid"] & value(self.circuit.outputs[f"{source.prefix}_tready"])
            source.at += _split(taken, self.count)
        out = np.flatnonzero(_split(value(self.circuit.outputs["m_axis_tvalid"]), self.count))
        if out.size:
            block = np.stack(
                [_split(value(self.circuit.outputs[pin]), self.count) for pin in self.sink], axis=1
            )
            rows = np.packbits(block[out], axis=1)
            for lane, row in zip(out, rows, strict=True):
                self.left[lane].append(row.tobytes())


def compare(right: list[bytes], found: list[bytes]) -> tuple[int, int]:
    """Return the blocks from the first wrong one to the last, and how many were lost."""
    first = next(
        (k for k, (a, b) in enumerate(zip(right, found, strict=False)) if a != b), min(len(right), len(found))
    )
    last = 0
    while last < min(len(right), len(found)) - first and right[-1 - last] == found[-1 - last]:
        last += 1
    return max(len(right), len(found)) - first - last, len(right) - len(found)


def _window(manifest: Manifest) -> int | None:
    """Return N_s + 1 of a decoder of ours, its mask's window in blocks if that is longer; None for another format's."""
    said = manifest.decoder
    codes = [group["code"] for group in said.get("groups", [])] or [
        said[key] for key in ("code",) if key in said
    ]
    if not codes:
        return None
    windows = [code["n_s"] + 1 for code in codes]
    if "mask_code" in said:
        windows.append(1 + -(-(said["mask_code"]["window"] - 1) // said["mask_code"]["n_in"]))
    return max(windows)


def flip_all(manifest: Manifest, folder: Path, moments: int, seed: int) -> dict[str, Faults]:
    """Flip every register at so many moments; the last decoder is left alone. Returns what that did, by part."""
    circuit = circuit_of(folder / manifest.verilog[0], manifest.top)
    names, blocks = circuit.registers, manifest.output.words
    decoders = Decoders(manifest, folder, circuit, len(names) * moments + 1)
    when = np.random.default_rng(seed).choice(np.arange(4, blocks - 4), moments, replace=False)
    decoders.cycle(reset=True)
    cycle, end = 0, _SLOWEST * blocks
    while cycle < end:
        for k in np.flatnonzero(when == cycle).tolist():
            for register in range(len(names)):
                decoders.state[register] ^= 1 << k * len(names) + register
        decoders.cycle()
        cycle += 1
        if len(decoders.left[-1]) == blocks:
            end = min(end, cycle + 12 + cycle // 4)  # those that were held up
    *touched, right = decoders.left
    golden = _read(folder / manifest.output.file, manifest.output.bits)
    assert right == [row.tobytes() for row in np.packbits(golden, axis=1)], (
        "the graph does not decode the vectors"
    )
    window = _window(manifest)
    data = [window is not None and bool(_DATA.search(name)) for name in names]
    found = {}
    for part, inside in (("encoded bits", True), ("control" if any(data) else "all", False)):
        which = [k for k, held in enumerate(data) if held == inside]
        lanes = [moment * len(names) + k for moment in range(moments) for k in which]
        seen = [compare(right, touched[lane]) for lane in lanes]
        if which:
            found[part] = Faults(len(which), window if inside else None, *map(list, zip(*seen, strict=True)))
    return found


def row(name: str, part: str, faults: Faults) -> str:
    """One line of the table."""
    wrong = [stretch for stretch in faults.stretch if stretch]
    return (
        f"| {name} | {part} | {faults.registers} | {len(faults.stretch)} | {len(faults.stretch) - len(wrong)} "
        f"| {int(np.median(wrong)) if wrong else 0} | {max(wrong, default=0)} | {sum(map(bool, faults.lost))} "
        f"| {faults.bound or 'none'} |"
    )


def main() -> int:
    """Run, print the table, and say what was promised and held."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", default="40x64")
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--moments", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    shape = [int(side) for side in args.shape.split("x")]
    weights = np.rint(rng.standard_normal(shape) * 30).clip(-127, 127).astype(np.int8)
    weights[rng.random(shape) < args.sparsity] = 0
    print(
        "| decoder | registers | bits | flips | no block wrong | wrong, median | most | a block lost | promised |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    promised = beyond = 0
    for name, (words, decoder) in FORMS.items():
        with tempfile.TemporaryDirectory() as work:
            np.save(Path(work) / "w.npy", weights)
            manifest = package(words, decoder, Path(work) / "w.npy", Path(work))
            for part, faults in flip_all(manifest, Path(work) / "p", args.moments, args.seed).items():
                print(row(name, part, faults), flush=True)
                promised += len(faults.stretch) if faults.bound else 0
                beyond += faults.beyond
    print(
        f"\n{promised:,} flips of encoded bits in our decoders: {beyond or 'none'} beyond what is promised."
    )
    return int(beyond > 0)


if __name__ == "__main__":
    sys.exit(main())
