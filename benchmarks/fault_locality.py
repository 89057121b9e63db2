"""What one flipped bit does: to every part of our stored tensor, and to the streams of other formats.

    python benchmarks/fault_locality.py [--shape 64x512] [--sparsity 0.9] [--flips 4000] [--seed 0] [--json FILE]
        [--svg FILE]

Normal INT8 weights under a magnitude mask are stored in every format. Bits are flipped one at a time (all of them, or
so many taken at even distances), the stream is decoded without looking at checksums, and the weights that read back as
another word are counted, with the stretch of the scan between the first and the last of them. A decoder that refuses
the stream is counted apart: it saw the fault.

A flip in our symbols or mask may touch N_s + 1 blocks at most (a bitmap's bit one weight). That is checked, and a flip
beyond it ends the run with status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words, number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.codecs.codec import Codec, Encoding, PrunedTensor
from xorweave.golden.codecs.comparison import all_codecs
from xorweave.golden.files.blob import read_blob, write_blob
from xorweave.golden.mask.coders import ShapedMask
from xorweave.golden.tensor.corrections import correction_format_of
from xorweave.golden.tensor.decode import decode_scan
from xorweave.golden.tensor.stored import EncodedTensor

RIVALS = ("bitmap", "csr", "eie", "macko", "deep-compression", "zstd", "arm-mlw")
END_THE_PROCESS = ("arm-mlw",)
OURS = {"xor": Choice(), "xor, for hardware": Choice(goal="hardware")}


@dataclass
class Spread:
    """What flips in one part of one format did.

    Attributes
    ----------
    format, part : str
    flipped, refused, silent : int
        Bits flipped; streams that the decoder refused; flips that changed no weight.
    weights, stretch : list of int
        Of every other flip: weights that read back wrong, and the positions from the first of them to the last.
    bound : int or None
        Positions that the design promises no stretch to exceed.
    """

    format: str
    part: str
    flipped: int
    refused: int
    silent: int
    weights: list[int]
    stretch: list[int]
    bound: int | None = None

    @property
    def beyond(self) -> int:
        """Flips whose stretch exceeds the bound."""
        return 0 if self.bound is None else sum(stretch > self.bound for stretch in self.stretch)


def spread(
    name: str, part: str, data: bytes, bits: range, decode: Callable[[bytes], Words], bound: int | None = None
) -> Spread:
    """Flip each of `bits` in `data` (bit b of byte b // 8, lowest first) and compare what is decoded."""
    whole = decode(data)
    found = Spread(name, part, len(bits), 0, 0, [], [], bound)
    for bit in bits:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            words = decode(bytes(damaged))
        except Exception:  # whatever a decoder raises, it did not give wrong weights
            found.refused += 1
            continue
        if words.shape != whole.shape:
            found.refused += 1
            continue
        wrong = np.nonzero(words != whole)[0]
        if not wrong.size:
            found.silent += 1
            continue
        found.weights.append(int(wrong.size))
        found.stretch.append(int(wrong[-1] - wrong[0]) + 1)
    return found


def in_child(decode: Callable[[bytes], Words], word: np.dtype) -> Callable[[bytes], Words]:
    """Decode in a process of its own, for libraries that end theirs where a stream is damaged.

    Raises
    ------
    InputError
        The decoder raised, or the process ended.
    """

    def decoded(data: bytes) -> Words:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            try:
                words = decode(data)
                with os.fdopen(writing, "wb") as out:
                    out.write(words.tobytes())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            sent = pipe.read()
        os.waitpid(child, 0)
        if not sent:
            raise InputError("the decoder ended")
        return np.frombuffer(sent, word)

    return decoded


def some(first: int, end: int, most: int) -> range:
    """Return first .. end - 1, or about `most` of them at even distances."""
    return range(first, end, max(1, -(-(end - first) // most)))


def our_parts(tensor: EncodedTensor, blob: bytes) -> Iterator[tuple[str, int, int, int | None]]:
    """Yield (part, first bit, end, bound) of the stored bytes: sections follow the header one after another."""
    patches = 8 * -(-_patch_bits(tensor) // 8)
    symbols = [
        8 * -(-group.symbols.shape[0] * group.code.n_in * group.planes // 8) for group in tensor.groups
    ]
    mask = 8 * -(-tensor.mask_coder.bits // 8)
    end = 8 * (len(blob) - 4)
    at = end - patches - sum(symbols) - mask
    yield "header, book", 0, at, None
    window = tensor.mask_coder.code.n_s if isinstance(tensor.mask_coder, ShapedMask) else None
    yield "mask", at, at + mask, 1 if window is None else (window + 1) * tensor.n_out
    at += mask
    longest = max(group.code.n_s for group in tensor.groups)
    yield "symbols", at, at + sum(symbols), (longest + 1) * tensor.n_out
    yield "patches", end - patches, end, None


def _patch_bits(tensor: EncodedTensor) -> int:
    form = correction_format_of(tensor)
    return int(form.pack(tensor.patches, tensor.scan.length, tensor.number_format.n_w).size)


def measure(tensor: PrunedTensor, flips: int) -> Iterator[Spread]:
    """Yield what flips do to every format, ours first."""
    values = tensor.number_format.from_words(tensor.words).reshape(tensor.shape)
    for name, choice in OURS.items():
        stored = choice.encode(values, tensor.number_format, tensor.mask.reshape(tensor.shape))
        blob = write_blob(stored)
        for part, first, end, bound in our_parts(stored, blob):
            if end > first:
                decode = lambda data: decode_scan(read_blob(data))  # noqa: E731
                yield spread(name, part, blob, some(first, end, flips), decode, bound)
    codecs: dict[str, Codec] = {codec.name: codec for codec in all_codecs()}
    for name in RIVALS:
        codec = codecs[name]
        try:
            encoding = codec.encode(tensor)
        except ImportError as error:
            print(f"{name}: not measured, {error.name} is not installed", file=sys.stderr)
            continue

        def decode_rival(data: bytes, codec: Codec = codec, parts: object = encoding.parts) -> Words:
            return codec.decode(Encoding(data, parts), tensor.shape, tensor.number_format)  # type: ignore[arg-type]

        decode_whole = in_child(decode_rival, tensor.words.dtype) if name in END_THE_PROCESS else decode_rival
        yield spread(name, "all", encoding.stream, some(0, encoding.bits, flips), decode_whole)


def pruned_layer(rows: int, cols: int, sparsity: float, seed: int) -> PrunedTensor:
    """Return normal INT8 weights under a magnitude mask."""
    floats = np.random.default_rng(seed).standard_normal((rows, cols))
    kept: NDArray[np.bool_] = np.abs(floats) >= np.quantile(np.abs(floats), sparsity)
    values = np.clip(np.round(floats * (127 / np.abs(floats).max())), -127, 127).astype(np.int8)
    return PrunedTensor.from_values(np.where(kept, values, 0).astype(np.int8), number_format("int8"))


def row(found: Spread, n: int) -> str:
    """Return the line of the table."""
    weights = np.array(found.weights or [0])
    stretch = np.array(found.stretch or [0])
    bound = "none" if found.bound is None else f"{found.bound}"
    return (
        f"| {found.format} | {found.part} | {found.flipped} | {found.refused} | {found.silent} "
        f"| {np.median(weights):.0f} | {weights.max()} | {np.median(stretch):.0f} "
        f"| {stretch.max()} ({stretch.max() / n:.1%}) | {bound} |"
    )


def draw(results: list[Spread], n: int, path: Path) -> None:
    """Draw, for each format, the share of flips that reach so far or farther."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "xorweave"  # the same input gives the same bytes
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 4.2))
    for name in dict.fromkeys(found.format for found in results):
        mine = [found for found in results if found.format == name and found.part != "header, book"]
        reach = np.sort(np.concatenate([np.array(found.stretch, float) for found in mine]))
        flipped = sum(found.flipped - found.refused for found in mine)
        axes.step(
            reach,
            np.arange(reach.size, 0, -1) / flipped,
            where="post",
            label=name,
            lw=2.4 if name in OURS else 1.2,
        )
    axes.set(xscale="log", yscale="log", xlabel=f"positions from the first to the last wrong weight, of {n}")
    axes.set_ylabel("share of flips that reach so far")
    axes.legend(fontsize=8, ncols=2)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", default="64x512", help="ROWSxCOLUMNS")
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--flips", type=int, default=4000, help="of a part, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--svg", type=Path, help="draw how far flips reach")
    options = parser.parse_args()
    try:
        rows, cols = (int(side) for side in options.shape.split("x"))
    except ValueError:
        print(f"the shape must be ROWSxCOLUMNS, not {options.shape}", file=sys.stderr)
        return 2
    tensor = pruned_layer(rows, cols, options.sparsity, options.seed)
    print(
        "| format | part | bits flipped | refused | no weight wrong | weights wrong, median | most "
        "| stretch, median | longest | promised |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    results = []
    try:
        for found in measure(tensor, options.flips):
            print(row(found, tensor.n), flush=True)
            results.append(found)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps([vars(found) for found in results]) + "\n")
    if options.svg:
        draw(results, tensor.n, options.svg)
    beyond = sum(found.beyond for found in results)
    flipped = sum(found.flipped for found in results if found.bound is not None)
    print(f"\n{flipped} flips of symbols and masks of ours: {beyond} beyond what is promised.")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
