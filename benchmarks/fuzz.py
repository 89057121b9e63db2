"""Mutated containers and random tensors: nothing but InputError escapes, and nothing decodes to other words.

    python benchmarks/fuzz.py containers --count 20000
    python benchmarks/fuzz.py blobs --count 20000
    python benchmarks/fuzz.py tensors --count 2000

Prints one line of counts; the exit status is 1 if anything was wrong. The same seed gives the same mutations.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import random
import resource
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS, NumberFormat, Words
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.pattern_choice import mask_codes
from xorweave.golden.code.code import Code
from xorweave.golden.code.usual_graph import usual_graph
from xorweave.golden.files.blob import read_blob, write_blob
from xorweave.golden.files.container import Container, read_container, write_container
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.mask.pattern_book import MAX_DEPTH, MAX_PATTERN, MOST_CODEWORDS, PatternBook
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.book_mask import encode_book_mask
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions, encode_stored, encode_tensor
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.prefix_code import MAGNITUDES, make_prefix_codes
from xorweave.golden.values.raw_planes import RawPlanes

CORRECTIONS = ("auto", "paper", "joint", "plane", "bounded:9")
TRANSFORMS = ("none", "difference", "sign-magnitude", "auto")
SPECS = (
    "family=uniform,n_in=8,n_out=80,n_s=1", "family=graph,n_in=8,n_out=60,n_s=3", "family=chain,n_in=8,n_out=40,n_s=2",
    "family=sparse,n_in=4,n_out=20,n_s=4,taps=3", "family=paired,n_in=16,n_out=100,n_s=1",
    "family=identity,n_in=16,n_out=16,n_s=0", "family=uniform,n_in=5,n_out=3,n_s=2",
)  # fmt: skip
SLOW = 15.0  # seconds of processor time that no small tensor may take


def random_book(rng: random.Random) -> PatternBook:
    """Draw a pattern book, likely or not."""
    m, counts, free, used = rng.randrange(2, MAX_PATTERN + 1), list[int](), 2, 0
    while free:
        here = rng.randrange(free)
        last = len(counts) == MAX_DEPTH - 1 or used + here + 2 * (free - here) > min(1 << m, MOST_CODEWORDS)
        counts.append(free if last or rng.random() < 0.2 else here)
        used, free = used + counts[-1], 2 * (free - counts[-1])
    return PatternBook(m, tuple(counts), rng.random() < 0.3)


def through_a_book(
    rng: random.Random, truth: Words, shape: tuple[int, ...], form: NumberFormat
) -> EncodedTensor:
    """Encode words whose mask goes through a random book, in blocks and by codes that are random, too."""
    book, n = random_book(rng), truth.size
    outputs = rng.randrange(1, 1 + 200 // book.m)
    n_out, period = outputs * book.m, rng.choice([None, 1, 2, 5])
    strides = [s for s in range(1, max(2, n)) if math.gcd(s, max(n, 1)) == 1] or [1]
    scan = Interleaver(n, rng.choice(strides), rng.randrange(n)) if n > 1 else Interleaver(n)

    def sizes(rows: int) -> tuple[int, int]:
        return rng.randrange(1, rows + 1), rng.choice([1, 2, 3, 9])

    seed = rng.choice([0, 0, 1])  # of seed 0 the header says the sizes alone
    of_mask = mask_codes(book, n_out, [sizes(outputs) for _ in book.spans[1:]], seed)
    values: ValueCoder = RawPlanes(form.n_w)
    stored, counts = np.unique(truth[truth != 0], return_counts=True)
    if rng.random() < 0.5 and stored.size:
        magnitude = "plain" if form.is_float else rng.choice(MAGNITUDES[1:])
        made = make_prefix_codes(stored, form.n_w, magnitude=magnitude, patch_bits=20, counts=counts)
        values = rng.choice(made) if made else values
    return encode_stored(
        truth,
        shape=shape,
        number_format=form,
        scan=scan,
        mask_coder=encode_book_mask(scan.to_scan(truth) != 0, book, of_mask, segment_blocks=period),
        values=values,
        codes=[usual_graph(n_in, n_out, n_s, seed) for n_in, n_s in (sizes(n_out) for _ in values.spans)],
        options=EncodeOptions(
            encoder="elimination", segment_blocks=period, corrections=rng.choice(CORRECTIONS)
        ),
    )


def random_tensor(rng: random.Random, largest: int = 400) -> tuple[EncodedTensor, bytes]:
    """Encode a random tensor in a random way; return it and the bytes of the words that it must decode to."""
    form = FORMATS[rng.choice(sorted(FORMATS))]
    shape = rng.choice(
        [(rng.randrange(largest),), (rng.randrange(1, 20), rng.randrange(1, 20)), (2, 3, 5), ()]
    )
    draw = np.random.default_rng(rng.randrange(1 << 30))
    words = np.asarray(draw.integers(0, 1 << form.n_w, shape, np.uint64)).astype(form.word)
    if rng.random() < 0.4:
        words &= form.word.type(7)
    mask = np.asarray(draw.random(shape) < rng.choice([0, 0.05, 0.2, 0.5, 1]))
    truth = np.where(mask, words, form.word.type(0)).astype(form.word)
    values, n = form.from_words(words).reshape(shape), words.size
    way = rng.random()
    if way < 0.25:
        tensor = through_a_book(rng, truth.reshape(-1), shape, form)
    elif way < 0.6:
        choice = Choice(
            goal=rng.choice(["storage", "hardware", "paper"]), scan=rng.choice(["auto", "row-major"]), beam=16
        )
        if choice.goal == "storage" and choice.scan == "auto":
            choice = replace(choice, mask_code=rng.choice(["auto", "book", "shaped"]))
        tensor = choice.encode(values, form, mask, EncodeOptions(jobs=rng.choice([1, 2])))
    else:
        strides = [s for s in range(1, max(2, n)) if math.gcd(s, max(n, 1)) == 1] or [1]
        options = EncodeOptions(
            encoder="elimination",
            corrections=rng.choice(CORRECTIONS),
            segment_blocks=rng.choice([None, 1, 2, 5]),
            effort=rng.choice([1, 1, 4]),
        )
        tensor = encode_tensor(
            values, form, Code.from_spec(rng.choice(SPECS)), mask=mask, transform=rng.choice(TRANSFORMS),
            scan=Interleaver(n, rng.choice(strides), rng.randrange(n)) if n > 1 else None,
            drop_planes=rng.random() < 0.4, options=options,
        )  # fmt: skip
    return tensor, truth.tobytes()


def words_of(tensor: EncodedTensor, values: np.ndarray) -> bytes:
    """The bytes of decoded words."""
    return tensor.number_format.to_words(values).tobytes()


def fuzz_tensors(count: int, seed: int) -> collections.Counter[str]:
    """Encode, store, read and decode random tensors; count what came of it."""
    rng, found = random.Random(seed), collections.Counter[str]()
    for number in range(count):
        begin = time.process_time()
        what = "refused"
        try:
            tensor, truth = random_tensor(rng)
            same = words_of(tensor, decode_tensor(read_blob(write_blob(tensor)))) == truth
            what = "equal" if same else "DIFFERENT"
        except InputError:
            pass
        seconds = time.process_time() - begin
        found[what] += 1
        if what == "DIFFERENT" or seconds > SLOW:
            print(f"tensor {number} of seed {seed}: {what}, {seconds:.1f} s", file=sys.stderr)
        found["SLOW"] += seconds > SLOW
    return found


def mutated(rng: random.Random, whole: bytes, other: bytes) -> bytes:
    """Change a container: bits, length, pieces of another, numbers of the header, bytes under a new checksum."""
    data = bytearray(whole)
    start = 8 + int.from_bytes(whole[:8], "little")
    kind = rng.randrange(6)
    if kind == 0:
        for _ in range(rng.choice([1, 1, 2, 8])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        return (
            whole[: rng.randrange(len(whole))] if rng.random() < 0.7 else whole + bytes(rng.randrange(1, 99))
        )
    elif kind == 2:
        at, source, length = rng.randrange(len(data)), rng.randrange(len(other)), rng.randrange(1, 200)
        data[at : at + length] = other[source : source + length]
    elif kind == 3:
        digits = [i for i in range(8, start) if chr(data[i]).isdigit()]
        if digits:
            data[rng.choice(digits)] = ord(rng.choice("0123456789-e."))
    else:
        header = json.loads(whole[8:start])
        blobs = [e["data_offsets"] for name, e in header.items() if name.startswith("xorweave/")]
        first, end = (start + offset for offset in rng.choice(blobs))
        for _ in range(rng.choice([1, 1, 3])):
            data[rng.randrange(first, end)] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
        data[end - 4 : end] = zlib.crc32(data[first : end - 4]).to_bytes(4, "little")
    return bytes(data)


def fuzz_containers(
    count: int, seed: int, bases: int = 40, more: Callable[[], list[tuple[bytes, bytes]]] = list
) -> collections.Counter[str]:
    """Mutate small containers, open and decode them; count what came of it.

    `more` gives further files, each with the words of its tensor ``w``.
    """
    rng, found = random.Random(seed), collections.Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        whole: list[tuple[bytes, bytes]] = []
        while len(whole) < bases:
            try:
                tensor, truth = random_tensor(rng, 100)
            except InputError:
                continue
            plain = {"b": Tensor.of(np.arange(5, dtype=np.float32))}
            write_container(path, Container({"w": tensor}, plain, {"seed": "1"}, {"format": "pt"}))
            whole.append((path.read_bytes(), truth))
        whole += more()
        for _ in range(count):
            data, truth = rng.choice(whole)
            path.write_bytes(mutated(rng, data, rng.choice(whole)[0]))
            begin = time.process_time()
            found[_outcome(path, truth)] += 1
            found["SLOW"] += time.process_time() - begin > SLOW
    return found


def fuzz_blobs(count: int, seed: int, bases: int = 40) -> collections.Counter[str]:
    """Change bytes of stored tensors under a checksum that is right: lies are read or refused, in bounded time."""
    rng, found = random.Random(seed), collections.Counter[str]()
    blobs: list[bytes] = []
    while len(blobs) < bases:
        try:
            blobs.append(write_blob(random_tensor(rng, 100)[0]))
        except InputError:
            continue
    for _ in range(count):
        lie = bytearray(rng.choice(blobs))
        for _ in range(rng.choice([1, 1, 3])):
            lie[rng.randrange(min(len(lie), rng.choice([40, len(lie)])))] = rng.choice(
                [0, 1, 127, 255, rng.randrange(256)]
            )
        begin = time.process_time()
        try:
            decode_tensor(read_blob(bytes(lie[:-4]) + zlib.crc32(lie[:-4]).to_bytes(4, "little")))
            found["read"] += 1
        except InputError:
            found["refused"] += 1
        except Exception as error:
            print(f"{type(error).__name__}: {error} in {bytes(lie).hex()}", file=sys.stderr)
            found[f"ESCAPE {type(error).__name__}"] += 1
        found["SLOW"] += time.process_time() - begin > SLOW
    return found


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _outcome(path: Path, truth: bytes) -> str:
    """Say what came of a file; MEMORY where more was taken than `read_container` promises."""
    before, highest = _resident(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    decoded, said = _opened(path, truth)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    allowed = 16 * path.stat().st_size + 3 * decoded + (128 << 20)
    return "MEMORY" if after > highest and 1024 * after > before + allowed else said


def _opened(path: Path, truth: bytes) -> tuple[int, str]:
    """Return the bytes decoded, and what came of the file."""
    decoded = 0
    try:
        container = read_container(path)
        for name in container.encoded:
            container.verify(name)
            decoded += container.encoded[name].n * container.encoded[name].number_format.word.itemsize
        for name in container.plain:
            container.plain[name]
        same = "w" in container.encoded and words_of(container.encoded["w"], container.decode("w")) == truth
    except InputError as error:
        return decoded, "refused" if "\n" not in str(error) and len(str(error)) < 1000 else "LONG LINE"
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return decoded, f"ESCAPE {type(error).__name__}"
    return decoded, "same" if same else "DIFFERENT"


FUZZERS = {"containers": fuzz_containers, "blobs": fuzz_blobs, "tensors": fuzz_tensors}


def main() -> None:
    """Run one of the three and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=list(FUZZERS))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = FUZZERS[arguments.what](arguments.count, arguments.seed)
    print(dict(found), "peak MiB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    sys.exit(any(key.isupper() or key.startswith("ESCAPE") for key, number in found.items() if number))


if __name__ == "__main__":
    main()
