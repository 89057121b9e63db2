"""What a bench plays with a parallel decoder after the golden tensor: restarts, resets, errors and their flags.

One tensor from reset to end leaves most of the control logic untried. A scene has short streams of random symbols,
decoded by the software model, and one thing that happens to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import NumberFormat, plane_words
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.mask.coders import BitmapMask, BookMask, MaskCoder, ShapedMask
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.stored import EncodedTensor, Patches
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.raw_planes import RawPlanes
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_words import axis_words
from xorweave.hw.package.stream_design import Scene
from xorweave.hw.package.vectors import remarked
from xorweave.hw.stages.fields import beats
from xorweave.hw.stages.mask_kinds import BookWords, ShapedWords
from xorweave.hw.stages.word_kinds import RawWords

Words = dict[str, list[int]]
_TRIES = 40  # to find random patches whose records fit


class _Stage:
    """Makes the random streams of the scenes of one configuration."""

    def __init__(self, config: DecoderConfig, seed: int) -> None:
        self.config = config
        self.rng = np.random.default_rng(seed)
        self.made = 0

    def tensor(self, blocks: int, *, inversion: int | None = None) -> EncodedTensor:
        """Make one stream of so many blocks, at the next rate in turn, whose patches the decoder can take."""
        config, rng = self.config, self.rng
        form = plane_words(config.n_w)
        groups, first = [], 0
        for group in config.groups:
            code = group.code
            if config.rates:
                code = code.punctured(config.rates[self.made % len(config.rates)])
            if config.block_lengths:
                code = code.first_rows(self._block_length())
            planes = config.n_w if isinstance(config.kind_of_words, RawWords) else group.planes
            symbols = rng.integers(0, 1 << planes, (blocks, code.n_in), np.uint64)
            symbols &= np.uint64(((1 << planes) - 1) & ~config.constant_planes)
            groups.append(PlaneGroup(first, first + planes, code, symbols))
            first += planes
        n_out = groups[0].code.n_out
        self.made += 1
        values: ValueCoder = config.kind_of_words.coder
        if isinstance(values, RawPlanes):
            word = config.inversion if inversion is None else inversion
            word = int(rng.integers(0, 1 << config.n_w, dtype=np.uint64)) if word is None else word
            values = RawPlanes(config.n_w, word, transform=config.transform)
        return EncodedTensor(
            shape=(blocks, n_out),
            number_format=form,
            scan=Interleaver(blocks * n_out),
            mask_coder=self._mask(blocks, n_out),
            values=values,
            groups=tuple(groups),
            patches=self._patches(blocks, n_out, form),
            correction_format="none",
            segment_blocks=blocks,
            checksum=None,
        )

    def _block_length(self) -> int:
        """All words of a block, one, half of them, and any number, in turn."""
        n_out = self.config.n_out
        return (n_out, 1, max(1, n_out // 2), int(self.rng.integers(1, n_out + 1)))[self.made % 4]

    def _mask(self, blocks: int, n_out: int) -> MaskCoder:
        kind = self.config.kind_of_mask
        if isinstance(kind, ShapedWords):
            symbols = self.rng.integers(0, 2, (blocks, kind.code.n_in)).astype(np.uint8)
            return ShapedMask(kind.code, symbols, blocks * n_out, blocks)
        if isinstance(kind, BookWords):
            spans = zip(kind.groups, kind.book.spans, strict=True)
            groups = (
                PlaneGroup(first, end, group.code, self._symbols(blocks, group.code.n_in, end - first))
                for group, (first, end) in spans
            )
            return BookMask(kind.book, tuple(groups), blocks * n_out, blocks)
        return BitmapMask(self.rng.random(blocks * n_out) < 0.6)

    def _symbols(self, blocks: int, n_in: int, planes: int) -> NDArray[np.unsignedinteger]:
        return self.rng.integers(0, 1 << planes, (blocks, n_in)).astype(np.uint16)

    def _patches(self, blocks: int, n_out: int, form: NumberFormat) -> Patches:
        kind, rng = self.config.kind_of_patches, self.rng
        most = 0 if kind is None else kind.limit
        for attempt in range(_TRIES):
            # fewer and fewer patches: with gap-coded records, bridges take slots too
            share = round(min(most, n_out) * max(0, _TRIES // 2 - attempt) / (_TRIES // 2))
            where = [
                block * n_out + np.sort(rng.permutation(n_out)[: rng.integers(0, share + 1)])
                for block in range(blocks)
            ]
            positions = np.concatenate(where).astype(np.int64)
            changes = rng.integers(1, 1 << form.n_w, positions.size, dtype=np.uint64).astype(form.word)
            patches = Patches(positions, changes)
            if kind is None or kind.needed(patches, n_out, blocks) <= kind.limit:
                break
        return patches

    def words(self, tensors: Sequence[EncodedTensor]) -> Words:
        """Return the words of streams that follow each other."""
        return axis_words(self.config, tensors, noise=True)

    def remark(self, words: Words, prefix: str, first: Sequence[bool], last: Sequence[bool]) -> None:
        """Put other marks on the words of a marked stream."""
        config = self.config
        width = config.symbol_bits if prefix == "s_axis" else config.n_out * config.n_w
        beside = [word >> (width + 2) for word in words[prefix]]
        words[prefix] = [
            word | side << (width + 2)
            for word, side in zip(remarked(words[prefix], width, first, last), beside, strict=True)
        ]


def axis_scenes(config: DecoderConfig, *, seed: int = 1) -> tuple[Scene, ...]:
    """Return the scenes of a configuration; the same ones each time."""
    stage = _Stage(config, seed)
    scenes = _guarded(stage) if config.length_bits else _free(stage)
    if config.gap_bits or config.bounded:
        scenes += _patches_again(stage) + _beats(stage)
    if config.gap_bits:
        scenes += _overflow(stage)
    return tuple(scenes)


def _said(
    lengths: Sequence[int], ends: Sequence[str]
) -> tuple[list[bool], list[bool], list[bool], list[bool]]:
    """Return marks of streams of given lengths: first and last as sent, and as they come out.

    ``ends[k]`` says how stream k and the one after it are told apart: by ``tlast``, by ``tuser``, or by both.
    """
    sent_first: list[bool] = []
    sent_last: list[bool] = []
    out_first: list[bool] = []
    told = False  # a scene begins after reset: nobody has to say that a stream starts
    for length, end in zip(lengths, ends, strict=True):
        sent_first += [told, *[False] * (length - 1)]
        out_first += [True, *[False] * (length - 1)]
        sent_last += [*[False] * (length - 1), end != "tuser"]
        told = end != "tlast"
    return sent_first, sent_last, out_first, sent_last


def _free(stage: _Stage) -> list[Scene]:
    """Streams of all lengths, told apart in every way; given up; reset while they run."""
    config = stage.config
    n_s = max(group.code.n_s for group in config.groups)
    inverted = config.inversion_pin

    def held(word: int) -> dict[str, int]:
        return {"inversion": word} if inverted else {}

    def streams(lengths: Sequence[int], ends: Sequence[str], **more: Any) -> Scene:
        word = int(stage.rng.integers(0, 1 << config.n_w, dtype=np.uint64)) if inverted else None
        words = stage.words([stage.tensor(length, inversion=word) for length in lengths])
        sent_first, sent_last, out_first, out_last = _said(lengths, ends)
        stage.remark(words, "s_axis", sent_first, sent_last)
        stage.remark(words, "m_axis", out_first, out_last)
        return Scene(words=words, static=held(word or 0), **more)

    def cut(scene: Scene, kept: int) -> Scene:
        words = {p: w[:kept] if p == "m_axis" else w for p, w in scene.words.items()}
        return replace(scene, words=words, cut=True)

    long = n_s + 3
    ways = ["tlast", "tuser", "both", "tuser", "tlast", "tlast", "tuser", "both"]
    scenes = [
        streams([long, 1, 2, long, 1, 1, long, 3], ways, name="streams told apart by tlast, tuser or both"),
        cut(streams([long + 4], ["both"], name="a stream cut off by reset"), 2),
        streams([long, 2], ["tlast", "tlast"], name="a stream after a reset, without tuser"),
        cut(streams([2, long + 4], ["tuser", "both"], name="a stream that is given up, then reset"), long),
        streams([long, long], ["tuser", "both"], name="a start in mid-stream"),
    ]
    if config.said_by_stream:
        count = 2 * (len(config.rates) or 4) + 2
        ends = [*["tlast", "tuser"] * (count // 2 - 1), "tlast", "both"]
        name = "rates in turn" if config.rates else "block lengths in turn"
        scenes.append(streams([long] * count, ends, name=name))
    # without a reset in between: what a stream leaves behind must not matter to the next one
    scenes.append(replace(streams([3, 2], ["both", "tlast"], name="after a pause"), reset=False))
    return scenes


def _guarded(stage: _Stage) -> list[Scene]:
    """Streams of the right and of the wrong length, the flags, and clearing them."""
    config = stage.config
    length = min(5, (1 << config.length_bits) - 1)
    word = config.inversion
    if word is None:
        word = int(stage.rng.integers(0, 1 << config.n_w, dtype=np.uint64))
    static = {"stream_length": length}
    if config.inversion_pin:
        static["inversion"] = word

    def streams(sent: Sequence[int], ends: Sequence[str], **more: Any) -> Scene:
        """Send so many symbols of each stream, of which `length` come out, zeros filled in for those not sent."""
        tensors = [stage.tensor(length, inversion=word) for _ in sent]
        for k, count in enumerate(sent):
            for group in tensors[k].groups:
                group.symbols[count:] = 0
        words = stage.words(tensors)
        whole = words["s_axis"]
        words["s_axis"] = []
        for k, count in enumerate(sent):
            some = whole[k * length : (k + 1) * length][:count]
            # more than a stream has: any symbol, to be dropped
            words["s_axis"] += some + [some[-1]] * (count - len(some))
        first, last, _, _ = _said(sent, ends)
        stage.remark(words, "s_axis", first, last)
        return Scene(words=words, static=static, **more)

    both, only_last, only_first = "both", "tlast", "tuser"
    short, long = {"stream_too_short": 1}, {"stream_too_long": 1}
    scenes = [
        streams([length] * 4, [both, only_first, only_last, both], name="streams of the right length"),
        streams(
            [length, length + 2, length],
            [both] * 3,
            name="a stream that is too long",
            flags=long,
            full_rate=False,
        ),
        replace(
            streams([length, length], [both] * 2, name="a right stream, the flag cleared"),
            reset=False,
            pulses=("stream_clear",),
        ),
        streams(
            [length + 3, length],
            [only_first, both],
            name="a stream without an end",
            flags=long,
            full_rate=False,
        ),
    ]
    if length > 2:
        scenes += [
            streams([2, length, length], [both] * 3, name="a stream that is too short", flags=short),
            replace(
                streams([length, length], [both] * 2, name="a right stream, the other flag cleared"),
                reset=False,
                pulses=("stream_clear",),
            ),
            streams(
                [length - 1, 1, length], [only_first, only_last, both], name="streams given up", flags=short
            ),
        ]
    running = streams([length], [both], name="a stream cut off by reset")
    kept = {p: w[:1] if p == "m_axis" else w for p, w in running.words.items()}
    scenes.append(replace(running, words=kept, cut=True))
    scenes.append(streams([length, length], [only_last, both], name="a stream after a reset, without tuser"))
    return scenes


def _patches_again(stage: _Stage) -> list[Scene]:
    """Records of patches left over from a tensor that was given up, and forgotten by patch_restart."""
    config = stage.config
    inversion = {"inversion": 0} if config.inversion is None else {}
    word = 0 if config.inversion is None else config.inversion
    length = min(5, (1 << config.length_bits) - 1) if config.length_bits else 6
    guard = {"stream_length": length} if config.length_bits else {}

    static = {**inversion, **guard}
    words = stage.words([stage.tensor(length, inversion=word) for _ in range(4)])
    # the records of four streams, but only one of them comes
    first = {p: w if p == "s_axis_patch" else w[:length] for p, w in words.items()}
    return [
        Scene(name="a tensor given up", words=first, static=static, cut=True),
        Scene(
            name="patches from the start",
            words=stage.words([stage.tensor(length, inversion=word)]),
            static=static,
            reset=False,
            pulses=("patch_restart",),
        ),
    ]


def _beats(stage: _Stage) -> list[Scene]:
    """As many patches in every block as fit, at the full rate; and beats of few records, with noise beside them."""
    config, kind = stage.config, stage.config.kind_of_patches
    assert kind is not None
    length = min(5, (1 << config.length_bits) - 1) if config.length_bits else 8
    static = {"stream_length": length} if config.length_bits else {}
    static |= {"inversion": 0} if config.inversion is None else {}
    word = 0 if config.inversion is None else config.inversion
    n_out, lanes = config.n_out, kind.limit
    stream = stage.tensor(length, inversion=word)
    for _ in range(_TRIES):
        where = [t * n_out + np.sort(stage.rng.permutation(n_out - 1)[:lanes]) for t in range(length)]
        where[-1] = np.unique(np.append(where[-1][1:], length * n_out - 1))
        positions = np.concatenate(where).astype(np.int64)
        full = Patches(positions, np.ones(positions.size, stream.number_format.word))
        if kind.needed(full, n_out, length) <= lanes:
            stream = replace(stream, patches=full)
            break
    words = stage.words([stream])
    pins = kind.streams(n_out, config.n_w)["s_axis_patch"]
    width, count = pins[0][1] // lanes, pins[1][1]
    records = [
        beat >> (k * width) & ((1 << width) - 1)
        for beat in words["s_axis_patch"]
        for k in range(beat >> (lanes * width) & ((1 << count) - 1))
    ]
    short: list[int] = []
    at = 0
    while at < len(records):
        size = min(1 + len(short) % lanes, len(records) - at)
        beat = beats(records[at : at + size], width, lanes, ended=False)[0]
        # what does not count may be anything: here a difference of ones at the next position
        beat |= sum(((1 << config.n_w) - 1) << ((k + 1) * width - config.n_w) for k in range(size, lanes))
        short.append(beat)
        at += size
    return [
        Scene(name="as many patches as fit", words=words, static=static),
        Scene(name="short beats", words={**words, "s_axis_patch": short}, static=static, full_rate=False),
    ]


def _overflow(stage: _Stage) -> list[Scene]:
    """More records for a block than the decoder takes: told by patch_overflow, forgotten by patch_restart."""
    config = stage.config
    n_out, lanes = config.n_out, config.patches_per_block
    if lanes + 1 > n_out:
        return []
    length = min(5, (1 << config.length_bits) - 1) if config.length_bits else 5
    if length < 3:
        return []
    word = 0 if config.inversion is None else config.inversion
    static = {"inversion": 0} if config.inversion is None else {}
    static |= {"stream_length": length} if config.length_bits else {}
    calm = stage.tensor(length, inversion=word)
    # the first block's words, and some of the second's
    crowd = np.arange(n_out + lanes + 1, dtype=np.int64)
    full = Patches(crowd, np.ones(crowd.size, calm.number_format.word))
    words = stage.words([replace(calm, patches=full)])
    later = stage.words([stage.tensor(length, inversion=word)])
    return [
        Scene(
            name="too many patches for a block",
            words=words,
            compared=False,
            full_rate=False,
            cut=True,
            static=static,
            flags={"patch_overflow": 1},
        ),
        Scene(
            name="patches after an overflow",
            words=later,
            static=static,
            reset=False,
            pulses=("patch_restart",),
        ),
    ]
