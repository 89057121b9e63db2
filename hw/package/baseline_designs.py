"""The baseline decoders, with golden vectors, behind the same ports and at the same width as ours."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.hw.package.stream_design import Scene, StreamDesign, StreamWords
from xorweave.hw.rivals.baseline_vectors import packed_blocks, relative_entries
from xorweave.hw.rivals.bitmap_expander import BitmapExpander
from xorweave.hw.rivals.huffman import canonical_codes, code_lengths
from xorweave.hw.rivals.huffman_block import HuffmanBlock
from xorweave.hw.rivals.relative_index import RelativeIndexDecoder
from xorweave.hw.stages.axis_ports import AxisPorts
from xorweave.hw.stages.fields import beats

BASELINES = ("bitmap", "relative-index", "huffman")
_MOST_LANES = 1024
_SHORT = 500  # blocks that a lane's scenes look at
_REPLAYED = 2000  # blocks, in all, of a tensor that is given up again and again


def _lanes(records: int, blocks: int, wanted: int | None) -> int:
    """Return how many records a cycle to take: what is wanted, or the mean of a block and one more."""
    lanes = -(-records // max(1, blocks)) + 1 if wanted is None else wanted
    if not 1 <= lanes <= _MOST_LANES:
        raise InputError(f"the lanes of a baseline decoder must be between 1 and {_MOST_LANES}, not {lanes}")
    return lanes


def baseline_design(
    kind: str,
    words: Words,
    mask: NDArray[np.bool_],
    *,
    n_out: int,
    n_w: int,
    lanes: int | None = None,
) -> StreamDesign:
    """Make a baseline decoder and its words for a tensor.

    Parameters
    ----------
    kind : str
        One of `BASELINES`.
    words : ndarray of unsigned words, shape (n,)
        Weights in the order in which they are stored; those the mask prunes are ignored.
    mask : ndarray of bool, shape (n,)
        True = kept.
    n_out, n_w : int
        Words of a block, bits of a word.
    lanes : int, optional
        Values (bitmap) or entries (relative-index) taken in a cycle; by default the mean of a block and one more.
        Huffman decoding has a lane for every word of a block.

    Raises
    ------
    InputError
        There is no such decoder, or a number does not fit.
    """
    if mask.shape != words.shape or words.ndim != 1 or not words.size:
        raise InputError(
            f"mask and words must be flat, of one shape and hold something, not {mask.shape} and {words.shape}"
        )
    wanted = np.where(mask, words, words.dtype.type(0))
    blocks = packed_blocks(wanted, n_out, n_w)
    about = {"n_w": n_w, "n_out": n_out}
    static = {"restart": (1, 0)}
    output = StreamWords("m_axis", "weights", (("m_axis_tdata", n_out * n_w),), blocks)
    rate = n_out * n_w
    note = "Its rate depends on the data: it stalls where blocks need more than arrives in a cycle."
    endless = kind == "relative-index"
    ports: AxisPorts
    inputs: tuple[StreamWords, ...]
    if kind == "bitmap":
        values = [int(word) for word in wanted[mask]]
        number = _lanes(len(values), len(blocks), lanes)
        ports = AxisPorts(
            BitmapExpander(n_out, n_w, number), {"mask": "s_axis_mask", "values": "s_axis", "o": "m_axis"}
        )
        masks = packed_blocks(mask.astype(np.uint8), n_out, 1)
        inputs = (
            StreamWords("s_axis", "kept values", ports.pins("s_axis"), beats(values, n_w, number)),
            StreamWords("s_axis_mask", "mask words", ports.pins("s_axis_mask"), masks),
        )
        lines = (
            "Bitmap expander (baseline decoder)",
            "",
            f"s_axis       beats of up to {number} kept values of {n_w} bits, tuser: how many, tlast: the tensor's end",
            f"s_axis_mask  {n_out} bits with every block",
        )
    elif kind == "relative-index":
        entries = relative_entries(wanted, mask)
        number = _lanes(len(entries), len(blocks), lanes)
        ports = AxisPorts(RelativeIndexDecoder(n_out, n_w, number), {"i": "s_axis", "o": "m_axis"})
        inputs = (StreamWords("s_axis", "entries", ports.pins("s_axis"), beats(entries, 4 + n_w, number)),)
        lines = (
            "Relative-index decoder, EIE style (baseline decoder)",
            "",
            f"s_axis  beats of up to {number} entries, tuser: how many, tlast: the tensor's end; entry: zeros before",
            f"        it (4 bits, lowest), value ({n_w} bits)",
        )
    elif kind == "huffman":
        if lanes is not None and lanes != n_out:
            raise InputError(
                f"a Huffman decoder must have a lane for every word of a block, {n_out}, not {lanes}"
            )
        return _huffman(wanted, blocks, n_out, n_w)
    else:
        raise InputError(f"the baseline decoder must be one of {', '.join(BASELINES)}, not {kind!r}")
    return StreamDesign(
        kind=kind,
        component=ports,
        header=(*lines, f"m_axis  weight r of a block in bits {n_w}*r and up", note),
        inputs=inputs,
        output=output,
        static=static,
        scenes=_scenes(inputs, output, endless=endless),
        latency=1,
        outputs_per_cycle=rate,
        full_rate=False,
        endless=endless,
        about={**about, "lanes": number},
    )


def _scenes(
    inputs: tuple[StreamWords, ...], output: StreamWords, *, endless: bool = False
) -> tuple[Scene, ...]:
    """The tensor given up and begun again, by `restart` and by reset; its words are those that there are."""
    words = {stream.prefix: stream.words for stream in (*inputs, output)}
    if len(output.words) < 2:
        return ()
    total = len(output.words)
    # given up at several places, so that every register once holds something that must be forgotten
    count = max(1, min(total - 1, _REPLAYED // total))
    places = {round((i + 1) * total / (count + 1)) for i in range(count)} | {total - 1}
    scenes = []
    for place in sorted(places - {0}):
        part = {**words, "m_axis": output.words[:place]}
        scenes += [
            Scene(name="a tensor given up", words=part, cut=True),
            Scene(
                name="the tensor again, by restart",
                words=words,
                cut=endless,
                reset=False,
                pulses=("restart",),
            ),
            Scene(name="a tensor cut off by reset", words=part, cut=True),
            Scene(name="the tensor again, after reset", words=words, cut=endless),
        ]
    return tuple(scenes)


def _huffman(wanted: Words, blocks: list[int], n_out: int, n_w: int) -> StreamDesign:
    """Lane r decodes word r of every block; zeros are symbols like others."""
    padded = np.zeros(len(blocks) * n_out, wanted.dtype)
    padded[: wanted.size] = wanted
    table = padded.reshape(len(blocks), n_out)
    lengths = code_lengths(Counter(int(word) for word in padded))
    codes = canonical_codes(lengths)
    component = HuffmanBlock(lengths, n_out, n_w)
    width = component.beat_bits

    def bits(r: int, blocks: int) -> str:
        return "".join(f"{codes[int(w)][0]:0{codes[int(w)][1]}b}" for w in table[:blocks, r])

    def lane(r: int, blocks: int) -> list[int]:
        text = bits(r, blocks)
        text += "0" * (-len(text) % width)
        return [int(text[k : k + width], 2) for k in range(0, len(text), width)]

    inputs = [
        StreamWords(f"s_axis{r}", f"bits of lane {r}", component.pins(f"s_axis{r}"), lane(r, len(blocks)))
        for r in range(n_out)
    ]
    # where the last bit of a lane is the last one of its beat, nothing but the level says that it is there
    exact: set[int] = set()
    for r in range(min(n_out, _SHORT // 16)):
        fits = (k for k in range(1, min(len(blocks), _SHORT) + 1) if len(bits(r, k)) % width == 0)
        exact |= {next(fits, 1)}
    output = StreamWords("m_axis", "weights", component.pins("m_axis"), blocks)
    return StreamDesign(
        kind="huffman",
        component=component,
        header=(
            "Canonical Huffman decoder (baseline decoder)",
            "",
            f"s_axis0 .. s_axis{n_out - 1}  {width} bits a beat, the first one to decode highest; lane r decodes",
            "word r of every block, one word a cycle. The code is fixed when the decoder is generated.",
            f"m_axis  weight r of a block in bits {n_w}*r and up",
        ),
        inputs=tuple(inputs),
        output=output,
        static={"restart": (1, 0)},
        scenes=(
            *_scenes(tuple(inputs), output),
            *(
                Scene(
                    name="a lane that ends with its beat",
                    words={f"s_axis{r}": lane(r, k) for r in range(n_out)} | {"m_axis": blocks[:k]},
                )
                for k in sorted(exact)
            ),
        ),
        latency=1,
        outputs_per_cycle=n_out * n_w,
        about={"n_w": n_w, "n_out": n_out, "lanes": n_out, "longest_code": width},
    )
