"""XOR decoders that are not the plain parallel one, with golden vectors, ready to be written as a package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from xorweave.golden.base.errors import InputError
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.parallel_segments import ParallelSegments, check_segments
from xorweave.hw.decoders.plane_serial_stages import PlaneSerialStages, check_plane_serial
from xorweave.hw.package.axis_design import FILES, check_fits, decoder_entries
from xorweave.hw.package.axis_header import code_lines
from xorweave.hw.package.axis_scenes import axis_scenes
from xorweave.hw.package.axis_words import axis_pins, axis_words
from xorweave.hw.package.layout import layout_entry, layout_lines
from xorweave.hw.package.stream_design import Scene, StreamDesign, StreamWords
from xorweave.hw.package.vectors import raw_planes, uncorrected

Words = Mapping[str, Sequence[int]]


def _vectors_entry(
    tensor: EncodedTensor, name: str | None, seed: int | None, blocks: int
) -> dict[str, object]:
    return {
        "tensor": name,
        "seed": seed,
        "blocks": blocks,
        "tensor_blocks": tensor.blocks,
        "segment_blocks": tensor.segment_blocks,
        "inversion": raw_planes(tensor).inversion,
    }


def plane_serial_design(
    config: DecoderConfig,
    tensor: EncodedTensor,
    *,
    name: str | None = None,
    seed: int | None = None,
    max_blocks: int | None = None,
) -> StreamDesign:
    """A decoder of one plane a cycle on a network of one plane.

    Raises
    ------
    InputError
        The tensor does not fit the decoder, or needs whole words (a transform).
    """
    code, n_w = config.code, config.n_w
    check_plane_serial(config)
    check_fits(config, tensor)
    stored = tensor if config.kind_of_patches is not None else uncorrected(tensor)

    def planes(words: Sequence[int], width: int) -> list[int]:
        """Split words of `width` times n_w bits, marks above, into n_w words of one plane each."""
        found = []
        for word in words:
            first, last = word >> (width * n_w) & 1, word >> (width * n_w + 1)
            digits = f"{word & ((1 << width * n_w) - 1):0{width * n_w}b}"[::-1]
            for q in range(n_w):
                bits = int(digits[q::n_w][::-1], 2)
                found.append(
                    bits | (first if q == 0 else 0) << width | (last if q == n_w - 1 else 0) << (width + 1)
                )
        return found

    def serial(words: Words) -> dict[str, list[int]]:
        found = {prefix: list(some) for prefix, some in words.items()}
        found["s_axis"] = planes(words["s_axis"], code.n_in)
        found["m_axis"] = planes(words["m_axis"], code.n_out)
        return found

    golden = serial(axis_words(config, [stored], max_blocks=max_blocks))
    images = serial(axis_words(config, [stored]))
    component = PlaneSerialStages(config)
    what = {"s_axis": "symbols, plane after plane", "m_axis": "planes of weights"}
    streams = {
        prefix: StreamWords(
            prefix, what.get(prefix, said), component.pins(prefix), golden[prefix], FILES[prefix]
        )
        for prefix, (said, _) in axis_pins(config).items()
    }
    return StreamDesign(
        kind="plane-serial",
        component=component,
        header=(
            "Plane-serial fixed-to-fixed XOR decoder",
            "",
            *code_lines(config),
            "",
            f"One plane a cycle, {n_w} cycles a block: plane 0 first. s_axis_tdata has the {code.n_in} encoded bits",
            f"of a plane, m_axis_tdata its {code.n_out} decoded bits. tuser marks plane 0 of a stream's first block,",
            "tlast the last plane of its last. Masks and patches come once for every block.",
            *layout_lines(tensor, name),
        ),
        inputs=tuple(stream for prefix, stream in streams.items() if prefix != "m_axis"),
        output=streams["m_axis"],
        latency=config.latency,
        outputs_per_cycle=code.n_out,
        scenes=tuple(replace(scene, words=serial(scene.words)) for scene in axis_scenes(config)),
        images={prefix: words for prefix, words in images.items() if prefix != "m_axis"},
        about={
            **decoder_entries(config),
            "dtype": tensor.number_format.name,
            "layout": [layout_entry(tensor, name)],
            "vectors": _vectors_entry(tensor, name, seed, len(golden["m_axis"])),
        },
    )


def segments_design(
    config: DecoderConfig,
    tensor: EncodedTensor,
    segments: int,
    *,
    name: str | None = None,
    seed: int | None = None,
    max_blocks: int | None = None,
) -> StreamDesign:
    """As many decoders side by side as there are segments to decode at once.

    Segments are taken `segments` at a time; what is missing at the end is filled up with blocks of mask 0.

    Raises
    ------
    InputError
        The tensor does not fit the decoder, or must be filled up though there is no mask stage.
    """
    code, n_w = config.code, config.n_w
    check_segments(config, segments)
    check_fits(config, tensor)
    stored = tensor if config.kind_of_patches is not None else uncorrected(tensor)
    period = tensor.segment_blocks
    if not config.mask and tensor.blocks % (period * segments):
        raise InputError(
            f"without a mask stage the tensor must have a multiple of {segments} whole segments,"
            f" not {tensor.blocks} blocks in segments of {period}"
        )
    component = ParallelSegments(config, segments)
    widths = {prefix: sum(width for _, width in pins[:1]) for prefix, (_, pins) in axis_pins(config).items()}
    # where each group of segments begins, and how many rows it has: as many as its first segment
    groups = [
        (begin, min(period, tensor.blocks - begin)) for begin in range(0, tensor.blocks, period * segments)
    ]

    def row(words: Sequence[int], width: int, begin: int, length: int, t: int, *, marked: bool) -> int:
        """Join what all segments of a group have at time t."""
        joined = 0
        for k in range(segments):
            at = begin + k * period + t
            if at < len(words):
                joined |= (words[at] & ((1 << width) - 1)) << (k * width)
        if marked:
            joined |= int(t == 0) << (width * segments) | int(t == length - 1) << (width * segments + 1)
        return joined

    def rows(words: Words, most: int | None) -> dict[str, list[int]]:
        return {
            prefix: [
                row(some, widths[prefix], begin, length, t, marked=prefix in ("s_axis", "m_axis"))
                for begin, length in groups
                for t in range(length)
            ][:most]
            for prefix, some in words.items()
        }

    def alike(scene: Scene) -> Scene:
        """Give every segment the same stream."""
        found = {}
        for prefix, words in scene.words.items():
            width = widths[prefix]
            found[prefix] = [
                sum((word & ((1 << width) - 1)) << (k * width) for k in range(segments))
                | word >> width << (width * segments)
                for word in words
            ]
        return replace(scene, words=found)

    whole = rows(axis_words(config, [stored]), None)
    streams = {
        prefix: StreamWords(
            prefix,
            f"{said} of all segments",
            component.pins(prefix),
            whole[prefix][:max_blocks],
            FILES[prefix],
        )
        for prefix, (said, _) in axis_pins(config).items()
    }
    return StreamDesign(
        kind="segments",
        component=component,
        header=(
            f"Fixed-to-fixed XOR decoder of {segments} segments at once",
            "",
            *code_lines(config),
            "",
            f"Part k of every tdata belongs to segment k: {code.n_in * n_w} bits of s_axis, {code.n_out * n_w} of",
            "m_axis.",
            "All segments move on together. A shorter last one is filled up with blocks whose masks are 0.",
            *layout_lines(tensor, name),
        ),
        inputs=tuple(stream for prefix, stream in streams.items() if prefix != "m_axis"),
        output=streams["m_axis"],
        latency=config.latency,
        outputs_per_cycle=code.n_out * n_w * segments,
        scenes=tuple(map(alike, axis_scenes(config))),
        images={prefix: words for prefix, words in whole.items() if prefix != "m_axis"},
        about={
            **decoder_entries(config),
            "segments": segments,
            "dtype": tensor.number_format.name,
            "layout": [layout_entry(tensor, name)],
            "vectors": _vectors_entry(tensor, name, seed, len(streams["m_axis"].words)),
        },
    )
