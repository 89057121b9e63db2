"""What one flipped register bit does to a decoder: ours, and those of other formats.

    python benchmarks/register_faults.py [--shape 40x64] [--sparsity 0.9] [--moments 4] [--seed 0] [--forms NAME...]
        [--svg FILE]

INT8 weights under a random mask are stored, `generate` writes the decoder, and Yosys makes its Verilog a graph of gates
and registers. Every register is flipped at so many moments of the stream, one at a time, by simulating all these
decoders side by side, one in each bit of an integer; sources and sink never pause. The blocks that leave are compared
with those of the decoder that nobody touched: blocks wrong from the first to the last one, and blocks lost or doubled.

In our decoders a register that holds encoded bits may spoil N_s + 1 blocks at most, and lose none; which those are is
told by their names. A flip beyond it ends the run with status 1. Nothing is promised for the rest, control.

A Huffman decoder has a lane for every word of a block: eight, so that the graph stays small. CSR has no decoder apart
from its engine: the engine of one lane multiplies, and what leaves are results, one for each row. tANS is one lane.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv.csr_lanes import items_of
from xorweave.hw.engines.csr_engine import CsrEngine
from xorweave.hw.package.manifest import Manifest, read_manifest
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.hw.rivals.ans import AnsLane, AnsTable
from xorweave.sim.csr_run import csr_config
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
    "huffman": (["--code", "family=uniform,n_in=1,n_out=8,n_s=0"], ["--decoder", "huffman"]),
}
_STATE_BITS = 6  # of tANS

_DATA = re.compile(r"[._]x\d*(_b\d+)?(\[\d+\])?( |$)")  # shift registers, of planes and of a shaped mask
_SLOWEST = 20  # cycles a block, at most


@dataclass(frozen=True)
class Source:
    """A stream's words as bits: the pins of a word, and what they are."""

    prefix: str
    pins: list[str]
    bits: NDArray[np.uint8]  # (words, bits)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A circuit, what it is given, and what must leave it.

    Attributes
    ----------
    circuit : Circuit
    sources : list of Source
    static : dict of str to int
        Bits of pins that are held still.
    sink : str
        Prefix of the stream that leaves.
    pins : list of str
        The pins of its words.
    golden : ndarray of uint8, shape (words, bits)
    endless : bool
        It goes on after the last word.
    cycles : int
        Flips happen within so many.
    window : int or None
        Blocks that a flip of a register that holds encoded bits may spoil; None where nothing is promised.
    parts : callable
        A register's part by its name.
    """

    circuit: Circuit
    sources: list[Source]
    static: dict[str, int] = field(default_factory=dict)
    sink: str
    pins: list[str]
    golden: NDArray[np.uint8]
    endless: bool = False
    cycles: int
    window: int | None = None
    parts: Callable[[str], str]


@dataclass
class Faults:
    """What flips of some registers did.

    Attributes
    ----------
    registers : int
    blocks : int
        Of the stream.
    bound : int or None
        Blocks that the design promises no flip to exceed; none may be lost either.
    stretch, lost : list of int
        Of every flip: blocks from the first wrong one to the last, and blocks lost or doubled.
    """

    registers: int
    blocks: int
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
    """Many copies of a circuit, each fed at its own pace."""

    def __init__(self, bench: Bench, count: int) -> None:
        self.bench, self.circuit, self.count, self.ones = bench, bench.circuit, count, (1 << count) - 1
        self.at = [np.zeros(count, np.int64) for _ in bench.sources]
        self.gates = self.circuit.cone([*self.circuit.nexts, *self.circuit.outputs.values()])
        self.state = [0] * len(self.circuit.registers)
        self.left: list[list[bytes]] = [[] for _ in range(count)]

    def cycle(self, *, reset: bool = False) -> None:
        """One clock."""
        bench = self.bench
        given = {
            "rst": self.ones * reset,
            f"{bench.sink}_tready": self.ones,
            **{p: self.ones * v for p, v in bench.static.items()},
        }
        for source, at in zip(bench.sources, self.at, strict=True):
            there = at < len(source.bits)
            given[f"{source.prefix}_tvalid"] = _joined(there & (not reset))
            words = source.bits[np.minimum(at, len(source.bits) - 1)]
            given |= {pin: _joined(words[:, k]) for k, pin in enumerate(source.pins)}
        inputs = [given.get(name, 0) for name in self.circuit.inputs]
        values = simulate(self.circuit, self.gates, inputs, self.state, self.ones)

        def value(name: str) -> int:
            literal = self.circuit.outputs[name]
            return values[literal >> 1] ^ (self.ones if literal & 1 else 0)

        self.state = [values[n >> 1] ^ (self.ones if n & 1 else 0) for n in self.circuit.nexts]
        if reset:
            return
        for source, at in zip(bench.sources, self.at, strict=True):
            at += _split(given[f"{source.prefix}_tvalid"] & value(f"{source.prefix}_tready"), self.count)
        out = np.flatnonzero(_split(value(f"{bench.sink}_tvalid"), self.count))
        if out.size:
            block = np.stack([_split(value(pin), self.count) for pin in bench.pins], axis=1)
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


def bench_of(manifest: Manifest, folder: Path) -> Bench:
    """Return a generated decoder with its vectors."""
    window = _window(manifest)
    rest = "all" if window is None else "control"
    return Bench(
        circuit=circuit_of(folder / manifest.verilog[0], manifest.top),
        sources=[
            Source(
                stream.prefix,
                [pin for name, width in stream.pins for pin in _pins(name, width)],
                _read(folder / stream.file, stream.bits),
            )
            for stream in manifest.inputs
        ],
        static={
            pin: value >> k & 1
            for name, (width, value) in manifest.static.items()
            for k, pin in enumerate(_pins(name, width))
        },
        sink="m_axis",
        pins=[pin for name, width in manifest.output.pins for pin in _pins(name, width)],
        golden=_read(folder / manifest.output.file, manifest.output.bits),
        endless=manifest.endless,
        cycles=manifest.output.words,
        window=window,
        parts=lambda name: _ENCODED if window is not None and _DATA.search(name) else rest,
    )


def _circuit(component: object, folder: Path) -> Circuit:
    """A component as a circuit, the pins of its streams named as those of packages are."""
    text = amaranth_verilog(component, "top")
    for old, new in (("payload", "tdata"), ("valid", "tvalid"), ("ready", "tready")):
        text = re.sub(rf"\b([io])__{old}\b", rf"\1_{new}", text)
    (folder / "top.v").write_text(text)
    return circuit_of(folder / "top.v", "top")


def _bits(values: list[int], width: int) -> NDArray[np.uint8]:
    return np.array([[value >> k & 1 for k in range(width)] for value in values], np.uint8)


def csr(weights: NDArray[np.int8], folder: Path, seed: int) -> Bench:
    """Return the CSR engine of one lane, a vector, and the sums of the rows that are not empty."""
    config = csr_config(cols=weights.shape[1], lanes=1)
    engine = CsrEngine(config)
    (items,) = items_of(weights, weights != 0, 1)
    words = [
        int(value) & 255 | int(column) << 8 | int(end) << 8 + config.column_bits
        for value, column, end in zip(items.values, items.columns, items.ends, strict=True)
    ]
    vector = np.random.default_rng(seed).integers(-128, 128, weights.shape[1])
    padded = np.r_[vector, np.zeros(-vector.size % config.load_words, np.int64)].reshape(
        -1, config.load_words
    )
    beats = [sum((int(x) & 255) << 8 * k for k, x in enumerate(beat)) for beat in padded]
    sums = [int(weights[row].astype(np.int64) @ vector) & 0xFFFFFFFF for row in items.rows]
    result = engine.lane_bits + 32
    rows = {pin: len(sums) >> k & 1 for k, pin in enumerate(_pins("rows", 32))}
    return Bench(
        circuit=_circuit(engine, folder),
        sources=[
            Source(
                "s_axis_x",
                _pins("s_axis_x_tdata", 8 * config.load_words),
                _bits(beats, 8 * config.load_words),
            ),
            Source("item0", _pins("item0_tdata", config.item_bits), _bits(words, config.item_bits)),
        ],
        static=rows,
        sink="result0",
        pins=_pins("result0_tdata", result),
        golden=_bits([value << engine.lane_bits for value in sums], result),
        cycles=len(beats) + len(words),
        parts=lambda name: (
            "activations" if "bank" in name and "[" in name and "word" not in name else "all else"
        ),
    )


def ans(weights: NDArray[np.int8], folder: Path, seed: int) -> Bench:
    """Return the tANS decoder of one lane: a block is a word."""
    words = [int(word) for word in weights.view(np.uint8).reshape(-1)[:320]]
    table = AnsTable.make(Counter(words), _STATE_BITS)
    text = table.encode(words)
    text += "0" * (-len(text) % _STATE_BITS + _STATE_BITS)
    beats = [int(text[k : k + _STATE_BITS], 2) for k in range(0, len(text), _STATE_BITS)]
    return Bench(
        circuit=_circuit(AnsLane(table, 8), folder),
        sources=[Source("i", _pins("i_tdata", _STATE_BITS), _bits(beats, _STATE_BITS))],
        sink="o",
        pins=_pins("o_tdata", 8),
        golden=_bits(words, 8),
        endless=True,  # what fills the last beat decodes, too
        cycles=len(words),
        parts=lambda name: "all",
    )


#: Decoders that `generate` does not write.
MADE = {"csr engine, one lane": csr, "tANS, one lane": ans}
_ENCODED = "encoded bits"


def flip_all(bench: Bench, moments: int, seed: int) -> dict[str, Faults]:
    """Flip every register at so many moments; the last decoder is left alone. Returns what that did, by part."""
    names, blocks = bench.circuit.registers, len(bench.golden)
    decoders = Decoders(bench, len(names) * moments + 1)
    when = np.random.default_rng(seed).choice(np.arange(4, bench.cycles - 4), moments, replace=False)
    decoders.cycle(reset=True)
    cycle, end = 0, _SLOWEST * max(blocks, bench.cycles)
    while cycle < end:
        for k in np.flatnonzero(when == cycle).tolist():
            for register in range(len(names)):
                decoders.state[register] ^= 1 << k * len(names) + register
        decoders.cycle()
        cycle += 1
        if len(decoders.left[-1]) == blocks:
            end = min(end, cycle + 12 + cycle // 4)  # those that were held up
    if bench.endless:  # it goes on without input
        decoders.left = [left[:blocks] for left in decoders.left]
    *touched, right = decoders.left
    assert right == [row.tobytes() for row in np.packbits(bench.golden, axis=1)], (
        "the graph does not decode the vectors"
    )
    parts = [bench.parts(name) for name in names]
    found = {}
    for part in sorted(set(parts), key=lambda part: part != _ENCODED):
        which = [k for k, other in enumerate(parts) if other == part]
        lanes = [moment * len(names) + k for moment in range(moments) for k in which]
        seen = [compare(right, touched[lane]) for lane in lanes]
        bound = bench.window if part == _ENCODED else None
        found[part] = Faults(len(which), blocks, bound, *map(list, zip(*seen, strict=True)))
    return found


def row(name: str, part: str, faults: Faults) -> str:
    """One line of the table."""
    wrong = [stretch for stretch in faults.stretch if stretch]
    return (
        f"| {name} | {part} | {faults.registers} | {len(faults.stretch)} | {len(faults.stretch) - len(wrong)} "
        f"| {int(np.median(wrong)) if wrong else 0} | {max(wrong, default=0)} | {faults.blocks} "
        f"| {sum(map(bool, faults.lost))} "
        f"| {faults.bound or 'none'} |"
    )


def draw(found: dict[str, list[Faults]], path: Path) -> None:
    """Draw, for each decoder, the share of flips that spoil so much of the stream or more."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "xorweave"  # the same input gives the same bytes
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 4.2))
    for name, parts in found.items():
        reach = np.sort([stretch / part.blocks for part in parts for stretch in part.stretch])
        share = np.arange(reach.size, 0, -1) / reach.size
        spoilt = reach > 0
        axes.step(
            reach[spoilt],
            share[spoilt],
            where="post",
            label=name,
            lw=2.4 if parts[0].bound else 1.2,
        )
    axes.set(
        xscale="log", yscale="log", xlabel="blocks from the first to the last wrong one, of the stream's"
    )
    axes.set_ylabel("share of flips that reach so far")
    axes.legend(fontsize=8, ncols=2)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Run, print the table, and say what was promised and held."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", default="40x64")
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--moments", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--forms", nargs="*", choices=[*FORMS, *MADE], default=[*FORMS, *MADE])
    parser.add_argument("--svg", type=Path, help="draw how far flips reach")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    shape = [int(side) for side in args.shape.split("x")]
    weights = np.rint(rng.standard_normal(shape) * 30).clip(-127, 127).astype(np.int8)
    weights[rng.random(shape) < args.sparsity] = 0
    print(
        "| decoder | registers | bits | flips | none wrong | wrong, median | most | of | a block lost | promised |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    results: dict[str, list[Faults]] = {}
    for name in args.forms:
        with tempfile.TemporaryDirectory() as work:
            if name in MADE:
                bench = MADE[name](weights, Path(work), args.seed)
            else:
                np.save(Path(work) / "w.npy", weights)
                manifest = package(*FORMS[name], Path(work) / "w.npy", Path(work))
                bench = bench_of(manifest, Path(work) / "p")
            for part, faults in flip_all(bench, args.moments, args.seed).items():
                print(row(name, part, faults), flush=True)
                results.setdefault(name, []).append(faults)
    if args.svg:
        draw(results, args.svg)
    every = [faults for parts in results.values() for faults in parts]
    promised = sum(len(faults.stretch) for faults in every if faults.bound)
    beyond = sum(faults.beyond for faults in every)
    print(
        f"\n{promised:,} flips of encoded bits in our decoders: {beyond or 'none'} beyond what is promised."
    )
    return int(beyond > 0)


if __name__ == "__main__":
    sys.exit(main())
