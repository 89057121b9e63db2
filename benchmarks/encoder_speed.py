"""How fast the encoders are: megabytes a second, and ratios to plain Algorithm 3, in one run.

python benchmarks/encoder_speed.py [--repeats N] [--only-raw]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from plain_algorithm3 import encode_plane as plain

from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.code.code import Code
from xorweave.golden.encoders.viterbi import encode_plane as exact
from xorweave.golden.files.safetensors_file import Tensor, write_safetensors
from xorweave.golden.tensor.corrections import correction_format_of
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.studies.timing import measure, ratio


def overhead_of(encoded: object) -> float:
    from xorweave.golden.tensor.figures import figures_of

    value = figures_of(encoded).ratios()["overhead"]  # type: ignore[arg-type]
    assert value is not None
    return value


def whole_checkpoint(repeats: int) -> None:
    """Time `xorweave encode` as a user does: a float32 checkpoint of BERT's shapes read, pruned, quantised, written."""
    rng = np.random.default_rng(0)
    shapes = {"word": (30522, 384), "position": (512, 384), "type": (2, 384), "pooler": (384, 384)}
    for layer in range(6):
        shapes |= {f"{layer}.{name}": (384, 384) for name in "qkvo"}
        shapes |= {f"{layer}.up": (1536, 384), f"{layer}.down": (384, 1536)}
    weights = sum(rows * columns for rows, columns in shapes.values())
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "made.safetensors", Path(folder) / "out.safetensors"
        tensors = {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}
        write_safetensors(source, {name: Tensor.of(values) for name, values in tensors.items()}, {})
        command = [Path(sys.executable).with_name("xorweave"), "encode", source, "-o", out, "--dtype", "int8",
                   "--sparsity", "0.9", "--jobs", "1", "--json"]  # fmt: skip
        seconds = []
        for _ in range(repeats + 1):
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - started)
    rates = sorted(weights / 1e6 / s for s in seconds[1:])  # the first one may compile
    print(
        f"  {rates[len(rates) // 2]:.1f} MB of INT8 weights a second ({rates[0]:.1f} .. {rates[-1]:.1f}), "
        f"{weights / 1e6:.1f} MB in {len(shapes)} tensors, start of the interpreter included"
    )


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def raw_planes(repeats: int, sizes: tuple[int, ...] = (1, 22_700_000, 64_000_000)) -> None:
    """Count the processor's seconds, user and system, of `xorweave encode` of one INT8 tensor, S = .9, start to end."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for weights in sizes:
            source, out = Path(folder) / "made.npy", Path(folder) / "out.safetensors"
            values = rng.integers(-128, 128, (-(-weights // 4000), min(weights, 4000)), dtype=np.int8)
            values *= rng.random(values.shape, np.float32) < 0.1
            np.save(source, values)
            command = [Path(sys.executable).with_name("xorweave"), "encode", source, "-o", out, "--mask-code", "bitmap",
                       "--values-code", "raw", "--jobs", "1", "--json"]  # fmt: skip
            seconds = []
            for _ in range(repeats + 1):
                before = _children_seconds()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                seconds.append(_children_seconds() - before)
            spent = sorted(seconds[1:])  # the first one may compile
            low, middle, high = spent[0], spent[len(spent) // 2], spent[-1]
            megabytes = values.size / 1e6
            rate = (
                f": {megabytes / middle:.1f} MB of INT8 weights a second"
                if weights > 1
                else ", the start alone"
            )
            print(f"  {values.size} weights: {middle:.2f} s ({low:.2f} .. {high:.2f}){rate}", flush=True)


def against_algorithm_3(rng: np.random.Generator, repeats: int) -> None:
    """Print what the exact encoder and elimination take beside the paper's Algorithm 3, written plainly."""
    fmt = FORMATS["int8"]
    print("Against plain Algorithm 3 (N_s = 2, 8 -> 80), one plane, random mask S = .9")
    paper = Code.uniform(n_in=8, n_out=80, n_s=2)
    n = 80 * 200
    mask = rng.random(n) >= 0.9
    plane = rng.integers(0, 2, n).astype(np.uint8)
    unmatched = plain(paper, plane, mask)[1]
    assert exact(paper, plane, mask)[1] == unmatched, "the exact encoders must agree in cost"
    many = 80 * 20000
    long_mask = rng.random(many) >= 0.9
    long_words = rng.integers(-128, 128, many).astype(np.int8)
    better = Code.uniform(n_in=8, n_out=80, n_s=31)
    paper_care = int(mask.sum())
    paper_overhead = (200 * 8 + 10 * unmatched + -(-n // 512)) / paper_care - 1
    encoded = encode_tensor(
        long_words, fmt, better, mask=long_mask, options=EncodeOptions(encoder="elimination")
    )
    timings = measure(
        {
            "plain": lambda: plain(paper, plane, mask),
            "exact": lambda: exact(paper, plane, mask),
            "elimination": lambda: encode_tensor(
                long_words, fmt, better, mask=long_mask, options=EncodeOptions(encoder="elimination")
            ),
        },
        repeats,
    )
    per_block = timings["plain"].median / 200
    print(f"  plain Algorithm 3: {1e6 * per_block:.0f} microseconds a block and plane, overhead "
          f"{100 * paper_overhead:.2f} % (paper's corrections)")  # fmt: skip
    print(f"  exact, this project: {1e6 * timings['exact'].median / 200:.0f} microseconds, equal cost "
          f"({unmatched} unmatched bits): {ratio(timings['plain'], timings['exact'])}")  # fmt: skip
    # elimination encodes 20,000 blocks of 8 planes in the time measured, Algorithm 3 200 blocks of one
    scale = (20000 * 8) / 200
    print(f"  elimination K = 256, 8 planes at once: {1e6 * timings['elimination'].median / 160000:.2f} microseconds, "
          f"overhead {100 * overhead_of(encoded):.2f} % ({correction_format_of(encoded).name}): "
          f"{ratio(timings['plain'], timings['elimination'], scale)}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--only-raw", action="store_true", help="raw planes under a bitmap, start to end, and no more"
    )
    arguments = parser.parse_args()
    repeats = arguments.repeats
    print("Raw planes under a bitmap, INT8, from start to end, seconds of the processor")
    raw_planes(repeats)
    if arguments.only_raw:
        return
    print("A whole checkpoint, float32, from start to end")
    whole_checkpoint(repeats)
    rng = np.random.default_rng(0)

    print("Elimination, K = 256 (32 -> 320, N_s = 7), random mask S = .9, uniform values, one core")
    code = Code.uniform(n_in=32, n_out=320, n_s=7)
    for name, side in (("int8", 2048), ("fp32", 2048)):
        fmt = FORMATS[name]
        mask = rng.random((side, side)) >= 0.9
        words = rng.integers(0, 1 << fmt.n_w, mask.shape, np.uint64).astype(fmt.word)
        values = fmt.from_words(words)
        result = encode_tensor(values, fmt, code, mask=mask, options=EncodeOptions(encoder="elimination"))
        timing = measure(
            {
                name: lambda v=values, f=fmt, m=mask: encode_tensor(
                    v, f, code, mask=m, options=EncodeOptions(encoder="elimination")
                )
            },
            repeats,
        )[name]
        megabytes = values.nbytes / 1e6
        rates = sorted(megabytes / s for s in timing.seconds)
        print(
            f"  {name}: {megabytes / timing.median:.1f} MB of dense weights a second "
            f"({rates[0]:.1f} .. {rates[-1]:.1f}), overhead {100 * overhead_of(result):.2f} %"
        )

    print("A 16 MB INT8 tensor in sixteen segments, one thread and two")
    fmt = FORMATS["int8"]
    mask = rng.random((4096, 4096)) >= 0.9
    values = rng.integers(-128, 128, mask.shape).astype(np.int8)
    blocks = -(-mask.size // code.n_out)
    work = {
        f"{jobs}": lambda jobs=jobs: encode_tensor(
            values,
            fmt,
            code,
            mask=mask,
            options=EncodeOptions(encoder="elimination", segment_blocks=-(-blocks // 16), jobs=jobs),
        )
        for jobs in (1, 2)
    }
    timings = measure(work, repeats)
    print(f"  two threads are {ratio(timings['1'], timings['2'])} as fast as one")
    against_algorithm_3(rng, repeats)


if __name__ == "__main__":
    main()
