"""XOR decoders that are not the plain parallel one, with golden vectors, ready to be written as a package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.tensor.stream import EncodedTensor
from xorweave.hw.decoders.axis_decoder import AxisDecoder
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.parallel_segments import ParallelSegments, check_segments
from xorweave.hw.decoders.plane_serial_stages import PlaneSerialStages, check_plane_serial
from xorweave.hw.package.stream_package import StreamDesign, StreamWords
from xorweave.hw.package.vectors import Vectors, golden_vectors, required_patches
from xorweave.hw.stages.layouts import correction_bits, dense_corrections, position_bits
from xorweave.hw.stages.record_buffer import beats


def _about(config: DecoderConfig, **more: Any) -> dict[str, Any]:
    """Return what every manifest says of the code."""
    code = config.code
    return {
        "code": {
            "spec": code.spec,
            "check_value": code.check_value,
            "n_in": code.n_in,
            "n_out": code.n_out,
            "n_s": code.n_s,
        },
        "n_w": config.n_w,
        "patches_per_block": config.patches_per_block,
        "mask": config.mask,
        **more,
    }


def _header(config: DecoderConfig, title: str, *lines: str) -> tuple[str, ...]:
    code = config.code
    return (
        title,
        "",
        f"Code         {code.spec}",
        f"Check value  {code.check_value} (CRC-32 of the sizes and the generator matrix)",
        f"Rate         {code.n_in} encoded bits to {code.n_out} bits of a plane, {config.n_w} planes",
        "",
        *lines,
    )


def _check(config: DecoderConfig, tensor: EncodedTensor) -> None:
    """Raise InputError unless the decoder's stages are those that the tensor needs."""
    if tensor.number_format.n_w != config.n_w:
        raise InputError(f"the tensor must have words of {config.n_w} bits, not {tensor.number_format.n_w}")
    for name in ("inversion", "transform"):
        if name == "inversion" and config.inversion is None:
            continue
        if getattr(config, name) != getattr(tensor, name):
            raise InputError(
                f"the {name} must be the tensor's, {getattr(tensor, name)}, not {getattr(config, name)}"
            )
    if config.constant_planes & ~tensor.constant_planes:
        raise InputError("the constant planes must be among the tensor's")
    needed = required_patches(tensor)
    if needed > config.patches_per_block:
        raise InputError(f"patches_per_block must be at least {needed}, not {config.patches_per_block}")
    if tensor.blocks == 0:
        raise InputError("a decoder needs a tensor of at least one block for its golden vectors")


def _vectors(config: DecoderConfig, tensor: EncodedTensor, max_blocks: int | None) -> Vectors:
    return golden_vectors(
        tensor, patches_per_block=config.patches_per_block, mask=config.mask, max_blocks=max_blocks
    )


def _marked(prefix: str, what: str, width: int, words: Sequence[int]) -> StreamWords:
    pins = ((f"{prefix}_tdata", width), (f"{prefix}_tuser", 1), (f"{prefix}_tlast", 1))
    return StreamWords(prefix, what, pins, words)


def _plain(prefix: str, what: str, width: int, words: Sequence[int]) -> StreamWords:
    return StreamWords(prefix, what, ((f"{prefix}_tdata", width),), words)


def _beside(config: DecoderConfig, vectors: Vectors) -> list[StreamWords]:
    """Return the streams of masks and of lists of patches."""
    code, n_w, patches = config.code, config.n_w, config.patches_per_block
    streams = []
    if patches:
        width = correction_bits(code.n_out, n_w, patches)
        streams.append(_plain("s_axis_patch", "lists of patches", width, vectors.patches))
    if config.mask:
        streams.append(_plain("s_axis_mask", "mask words", code.n_out, vectors.masks))
    return streams


def rates_design(
    config: DecoderConfig, tensors: Sequence[EncodedTensor], *, max_blocks: int | None = None
) -> StreamDesign:
    """One decoder for tensors of several rates, decoded one after the other.

    Parameters
    ----------
    config : DecoderConfig
        Its code is that of the highest rate; `rates` are the N_in to choose from.
    tensors : sequence of EncodedTensor
        Each encoded with a punctured code (`Code.punctured`).
    max_blocks : int, optional
        Vectors for so many blocks of each tensor at most.

    Raises
    ------
    InputError
        A tensor does not fit the decoder.
    """
    code, n_w = config.code, config.n_w
    width = code.n_in * n_w
    bits = max(1, (len(config.rates) - 1).bit_length())
    symbols: list[int] = []
    joined = Vectors([], [], [], [])
    for tensor in tensors:
        n_in = tensor.code.n_in
        if n_in not in config.rates or tensor.code != code.punctured(n_in):
            raise InputError(
                f"every tensor must be encoded at one of the rates {config.rates} of the code {code.check_value},"
                f" not with {tensor.code.check_value}"
            )
        _check(config, tensor)
        vectors = _vectors(config, tensor, max_blocks)
        used = n_in * n_w
        above = ((1 << width) - 1) >> used << used  # what the rate does not use may be anything: here, ones
        side = config.rates.index(n_in) | tensor.inversion * (config.inversion is None) << bits
        side <<= width + 2
        for word in vectors.symbols:
            symbols.append((word & ((1 << used) - 1)) | above | word >> used << width | side)
        joined.weights.extend(vectors.weights)
        joined.masks.extend(vectors.masks)
        joined.patches.extend(vectors.patches)
    pins = [("s_axis_tdata", width), ("s_axis_tuser", 1), ("s_axis_tlast", 1), ("s_axis_rate", bits)]
    if config.inversion is None:
        pins.append(("s_axis_inversion", n_w))
    listed = ", ".join(f"{k}: {n_in}" for k, n_in in enumerate(config.rates))
    return StreamDesign(
        kind="rates",
        component=AxisDecoder(config),
        header=_header(
            config,
            "Rate-programmable fixed-to-fixed XOR decoder",
            "s_axis_rate, with the first symbol of a stream, says how many bits a plane of its symbols are encoded",
            f"ones ({listed}). The others are ignored. It may change from stream to stream without a lost cycle.",
            *(
                ["s_axis_inversion, taken likewise: planes stored inverted."]
                if config.inversion is None
                else []
            ),
            f"s_axis_tdata: bit b*{n_w} + q is encoded bit b of plane q; tuser first, tlast last symbol of a stream.",
        ),
        inputs=(StreamWords("s_axis", "symbols", tuple(pins), symbols), *_beside(config, joined)),
        output=_marked("m_axis", "weights", code.n_out * n_w, joined.weights),
        latency=config.latency,
        outputs_per_cycle=code.n_out * n_w,
        about=_about(config, rates=list(config.rates)),
    )


def bounded_design(
    config: DecoderConfig, tensor: EncodedTensor, *, max_blocks: int | None = None
) -> StreamDesign:
    """The parallel decoder with corrections as the bounded format stores them: a count a block, and entries.

    Raises
    ------
    InputError
        The tensor does not fit the decoder.
    """
    code, n_w, limit = config.code, config.n_w, config.patches_per_block
    if tensor.code != code:
        raise InputError(f"the tensor must be encoded with {code.check_value}, not {tensor.code.check_value}")
    _check(config, tensor)
    vectors = _vectors(config, tensor, max_blocks)
    address = position_bits(code.n_out)
    assert vectors.differences is not None
    positions, differences = vectors.differences.positions, vectors.differences.differences
    counts = np.bincount(positions // code.n_out, minlength=vectors.blocks)
    entries = [int(at % code.n_out) | int(d) << address for at, d in zip(positions, differences, strict=True)]
    pins = (
        ("s_axis_patch_tdata", limit * (address + n_w)),
        ("s_axis_patch_tuser", limit.bit_length()),
        ("s_axis_patch_tlast", 1),
    )
    inputs = [
        _marked("s_axis", "symbols", code.n_in * n_w, vectors.symbols),
        StreamWords("s_axis_patch", "entries of patches", pins, beats(entries, address + n_w, limit)),
        _plain("s_axis_count", "patches of a block", limit.bit_length(), [int(c) for c in counts]),
    ]
    if config.mask:
        inputs.append(_plain("s_axis_mask", "mask words", code.n_out, vectors.masks))
    static = {"patch_restart": (1, 0)}
    if config.inversion is None:
        raise InputError("bounded corrections must come with a fixed inversion word")
    return StreamDesign(
        kind="bounded",
        component=AxisDecoder(config),
        header=_header(
            config,
            "Fixed-to-fixed XOR decoder with bounded corrections",
            f"s_axis_patch  beats of up to {limit} entries (tuser says how many); entry p from bit {address + n_w}*p:",
            f"              position in the block ({address} bits, lowest), difference ({n_w} bits).",
            "s_axis_count  with every block: how many entries belong to it. patch_restart begins the next tensor.",
            f"s_axis_tdata: bit b*{n_w} + q is encoded bit b of plane q; tuser first, tlast last symbol of a stream.",
        ),
        inputs=tuple(inputs),
        output=_marked("m_axis", "weights", code.n_out * n_w, vectors.weights),
        static=static,
        latency=config.latency,
        outputs_per_cycle=code.n_out * n_w,
        about=_about(config),
    )


def plane_serial_design(
    config: DecoderConfig, tensor: EncodedTensor, *, max_blocks: int | None = None
) -> StreamDesign:
    """A decoder of one plane a cycle on a network of one plane.

    Raises
    ------
    InputError
        The tensor does not fit the decoder, or needs whole words (a transform).
    """
    code, n_w = config.code, config.n_w
    if tensor.code != code:
        raise InputError(f"the tensor must be encoded with {code.check_value}, not {tensor.code.check_value}")
    check_plane_serial(config)
    _check(config, tensor)
    vectors = _vectors(config, tensor, max_blocks)

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

    return StreamDesign(
        kind="plane-serial",
        component=PlaneSerialStages(config),
        header=_header(
            config,
            "Plane-serial fixed-to-fixed XOR decoder",
            f"One plane a cycle, {n_w} cycles a block: plane 0 first. s_axis_tdata has the {code.n_in} encoded bits",
            f"of a plane, m_axis_tdata its {code.n_out} decoded bits. tuser marks plane 0 of a stream's first block,",
            "tlast the last plane of its last. Masks and patches come once for every block.",
        ),
        inputs=(
            _marked("s_axis", "symbols, plane after plane", code.n_in, planes(vectors.symbols, code.n_in)),
            *_beside(config, vectors),
        ),
        output=_marked("m_axis", "planes of weights", code.n_out, planes(vectors.weights, code.n_out)),
        latency=config.latency,
        outputs_per_cycle=code.n_out,
        about=_about(config, dense_corrections=dense_corrections(code.n_out, n_w, config.patches_per_block)),
    )


def segments_design(
    config: DecoderConfig, tensor: EncodedTensor, segments: int, *, max_blocks: int | None = None
) -> StreamDesign:
    """As many decoders side by side as there are segments to decode at once.

    Segments are taken `segments` at a time; what is missing at the end is filled up with blocks of mask 0.

    Raises
    ------
    InputError
        The tensor does not fit the decoder, or must be filled up though there is no mask stage.
    """
    code, n_w = config.code, config.n_w
    if tensor.code != code:
        raise InputError(f"the tensor must be encoded with {code.check_value}, not {tensor.code.check_value}")
    check_segments(config, segments)
    _check(config, tensor)
    vectors = _vectors(config, tensor, None)
    period = tensor.segment_blocks
    if not config.mask and tensor.blocks % (period * segments):
        raise InputError(
            f"without a mask stage the tensor must have a multiple of {segments} whole segments,"
            f" not {tensor.blocks} blocks in segments of {period}"
        )

    component = ParallelSegments(config, segments)

    def row(words: Sequence[int], width: int, t: int, group: int, *, marks: bool = False) -> int:
        """Join what all segments of a group have at time t."""
        joined = 0
        for k in range(segments):
            at = (group * segments + k) * period + t
            if at < min(len(words), (group * segments + k + 1) * period):
                joined |= (words[at] & ((1 << width) - 1)) << (k * width)
        if marks:
            # the group's streams end together, when the first one does
            begin = group * segments * period
            length = min(period, len(words) - begin)
            joined |= int(t == 0) << (width * segments) | int(t == length - 1) << (width * segments + 1)
        return joined

    groups = -(-tensor.blocks // (period * segments))
    times = [
        (t, group)
        for group in range(groups)
        for t in range(min(period, tensor.blocks - group * segments * period))
    ][:max_blocks]

    def rows(words: Sequence[int], width: int, *, marks: bool = False) -> list[int]:
        return [row(words, width, t, group, marks=marks) for t, group in times]

    def parts(prefix: str, what: str, words: Sequence[int], width: int) -> StreamWords:
        return StreamWords(
            prefix, what, component.pins(prefix), rows(words, width, marks=prefix in ("s_axis", "m_axis"))
        )

    inputs = [parts("s_axis", "symbols of all segments", vectors.symbols, code.n_in * n_w)]
    for stream in _beside(config, vectors):
        inputs.append(parts(stream.prefix, f"{stream.what} of all segments", stream.words, stream.bits))
    return StreamDesign(
        kind="segments",
        component=component,
        header=_header(
            config,
            f"Fixed-to-fixed XOR decoder of {segments} segments at once",
            f"Part k of every tdata belongs to segment k: {code.n_in * n_w} bits of s_axis, {code.n_out * n_w} of",
            "m_axis.",
            "All segments move on together. A shorter last one is filled up with blocks whose masks are 0.",
        ),
        inputs=tuple(inputs),
        output=parts("m_axis", "weights of all segments", vectors.weights, code.n_out * n_w),
        latency=config.latency,
        outputs_per_cycle=code.n_out * n_w * segments,
        about=_about(config, segments=segments),
    )
