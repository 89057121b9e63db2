"""The parallel XOR decoder with everything that can stand behind its ports, its golden words and its scenes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave import __version__
from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.axis_decoder import AxisDecoder
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.first_outputs import patches_in, takes_first_outputs
from xorweave.hw.package.axis_header import axis_header
from xorweave.hw.package.axis_scenes import axis_scenes
from xorweave.hw.package.axis_words import axis_pins, axis_words
from xorweave.hw.package.layout import layout_entry, layout_lines
from xorweave.hw.package.stream_design import StreamDesign, StreamWords
from xorweave.hw.package.vectors import raw_planes, required_patches, uncorrected
from xorweave.hw.package.verilog import structured_verilog
from xorweave.hw.stages.fields import dense_corrections
from xorweave.hw.stages.mask_kinds import BookWords, ShapedWords
from xorweave.hw.xor.group import XorGroup

TOP = "xorweave_decoder"
FILES = {
    "s_axis": "symbols",
    "s_axis_patch": "patches",
    "s_axis_count": "counts",
    "s_axis_mask": "masks",
    "m_axis": "weights",
}


def decoder_verilog(config: DecoderConfig, top: str = TOP) -> str:
    """Write the Verilog of a decoder: the same configuration gives the same bytes."""
    title, *lines = axis_header(config)
    header = "\n".join([f"{title}, written by xorweave {__version__}.", *lines])
    return structured_verilog(AxisDecoder(config), top, header=header)


def _code_entry(code: Code) -> dict[str, Any]:
    """Return a code with its matrix: row r in hexadecimal, column c being bit c."""
    return {
        "spec": code.spec,
        "check_value": code.check_value,
        "n_in": code.n_in,
        "n_out": code.n_out,
        "n_s": code.n_s,
        "generator": _rows(code.generator),
    }


def _rows(matrix: NDArray[np.uint8]) -> list[str]:
    packed = np.packbits(matrix, axis=1, bitorder="little")
    return [f"{int.from_bytes(row.tobytes(), 'little'):x}" for row in packed]


def _group_entries(groups: Sequence[XorGroup]) -> list[dict[str, Any]]:
    return [
        {
            "planes": group.planes,
            "code": _code_entry(group.code),
            "network": {"xor2": group.gates.xor2, "depth": group.gates.depth},
        }
        for group in groups
    ]


def decoder_entries(config: DecoderConfig) -> dict[str, Any]:
    """Return what the manifest says of a decoder: all that a proof needs, whatever made the codes."""
    found: dict[str, Any] = {"groups": _group_entries(config.groups)}
    if len(config.groups) == 1:
        found = {key: found["groups"][0][key] for key in ("code", "network")}
    found |= config.kind_of_words.entry()
    if isinstance(config.kind_of_mask, ShapedWords):
        shape = config.kind_of_mask.code
        found["mask_code"] = {
            "n_in": shape.n_in,
            "n_out": shape.n_out,
            "parities": shape.parities,
            "window": shape.window,
            "generator": _rows(shape.generator.reshape(shape.n_out * shape.parities, -1)),
        }
    if isinstance(config.kind_of_mask, BookWords):
        book = config.kind_of_mask.book
        found["mask_book"] = {
            "pattern_bits": book.m,
            "counts": list(book.counts),
            "inverted": book.inverted,
            "groups": _group_entries(config.kind_of_mask.groups),
        }
    listed = config.kind_of_patches is not None and config.kind_of_patches.name == "list"
    return {
        **found,
        "n_out": config.n_out,
        "n_w": config.n_w,
        "patches_per_block": config.patches_per_block,
        "gap_bits": config.gap_bits,
        "bounded": config.bounded,
        "length_bits": config.length_bits,
        "dense_corrections": listed and dense_corrections(config.n_out, config.n_w, config.patches_per_block),
        "patch_lanes": config.kind_of_patches is not None and config.kind_of_patches.lanes,
        "inversion": config.inversion,
        "inversion_port": config.inversion is None,
        "constant_planes": config.constant_planes,
        "transform": config.transform,
        "mask": config.mask,
        "mask_kind": "none" if config.kind_of_mask is None else config.kind_of_mask.name,
        "input_register": config.input_register,
        "output_register": config.output_register,
        "skid_buffers": config.skid_buffers,
        "max_depth": config.max_depth,
        "rates": list(config.rates),
        "block_lengths": config.block_lengths,
    }


def check_fits(config: DecoderConfig, tensor: EncodedTensor) -> None:
    """Raise InputError unless a decoder decodes a tensor: code, word, stages and the patches it needs."""
    n_w = tensor.number_format.n_w
    if n_w != config.n_w:
        raise InputError(f"the decoder must have words of the tensor's {n_w} bits, not {config.n_w}")
    if config.rates:
        n_in = tensor.code.n_in
        if n_in not in config.rates or tensor.code != config.code.punctured(n_in):
            raise InputError(
                f"every tensor must be encoded at one of the rates {config.rates} of the code"
                f" {config.code.check_value}, not with {tensor.code.check_value}"
            )
    elif config.block_lengths:
        if not takes_first_outputs(tensor, config.code):
            raise InputError(
                f"every tensor must be encoded with the first outputs of the code {config.code.check_value},"
                f" not with {' + '.join(group.code.check_value for group in tensor.groups)}"
            )
    elif [group.code for group in tensor.groups] != [group.code for group in config.groups]:
        theirs, own = (
            " + ".join(g.code.check_value for g in groups) for groups in (tensor.groups, config.groups)
        )
        raise InputError(f"the decoder must have the tensor's code {theirs}, not {own}")
    if tensor.blocks == 0:
        raise InputError("a decoder needs a tensor of at least one block for its golden vectors")
    raw = raw_planes(tensor)
    if config.inversion is not None and config.inversion != raw.inversion:
        raise InputError(f"the inversion word must be the tensor's, {raw.inversion}, not {config.inversion}")
    if config.constant_planes & ~raw.constant_planes:
        raise InputError(
            f"the constant planes must be among the tensor's, {raw.constant_planes:#x},"
            f" not {config.constant_planes:#x}"
        )
    if config.transform != raw.transform:
        raise InputError(f"the transform must be the tensor's, {raw.transform}, not {config.transform}")
    if config.length_bits and tensor.segment_blocks >= 1 << config.length_bits:
        raise InputError(f"length_bits must hold {tensor.segment_blocks}, the blocks of a stream")
    kind, patched = config.kind_of_patches, required_patches(tensor)
    in_blocks = patches_in(tensor, config.n_out)
    needed = patched if kind is None else kind.needed(in_blocks, config.n_out, tensor.blocks)
    if needed > config.patches_per_block and (needed > 1 or patched):
        raise InputError(
            f"patches_per_block must be at least {needed} for this tensor, not {config.patches_per_block}"
        )


def _kind(config: DecoderConfig) -> str:
    if config.rates:
        return "rates"
    return "bounded" if config.bounded else "xor"


def axis_design(
    config: DecoderConfig,
    tensors: Sequence[EncodedTensor],
    *,
    names: Sequence[str | None] = (),
    seed: int | None = None,
    max_blocks: int | None = None,
) -> StreamDesign:
    """Make the parallel decoder of one tensor, or of several that are decoded one after the other.

    Parameters
    ----------
    config : DecoderConfig
    tensors : sequence of EncodedTensor
        They give the golden words. With rates each is encoded with a punctured code (`Code.punctured`), with block
        lengths with the first outputs of the code (`Code.first_rows`).
    names : sequence of str, optional
        The tensors' names, for the manifest.
    seed : int, optional
        Recorded in the manifest, if the tensors are random ones.
    max_blocks : int, optional
        Golden words for so many blocks of each tensor at most.

    Raises
    ------
    InputError
        A tensor does not fit the decoder.
    """
    for tensor in tensors:
        check_fits(config, tensor)
    if config.bounded and config.inversion is None:
        raise InputError("bounded corrections must come with a fixed inversion word")
    one = tensors[0]
    if config.length_bits and one.blocks > one.segment_blocks:
        # the guard fills up a shorter last stream: the golden words have whole ones
        most = one.blocks if max_blocks is None else min(max_blocks, one.blocks)
        max_blocks = max(most // one.segment_blocks, 1) * one.segment_blocks
    stored = tensors if config.kind_of_patches is not None else [uncorrected(tensor) for tensor in tensors]
    words = axis_words(config, stored, max_blocks=max_blocks)
    images = axis_words(config, stored, stored=True)
    pins = axis_pins(config)
    streams = {
        prefix: StreamWords(prefix, what, fields, words[prefix], FILES[prefix])
        for prefix, (what, fields) in pins.items()
    }
    static: dict[str, tuple[int, int]] = {}
    flags: dict[str, int] = {}
    if config.inversion_pin:
        static["inversion"] = config.n_w, raw_planes(one).inversion
    if config.gap_bits or config.bounded:
        static["patch_restart"] = 1, 0
    if config.gap_bits:
        flags["patch_overflow"] = 1
    if config.length_bits:
        static |= {"stream_length": (config.length_bits, one.segment_blocks), "stream_clear": (1, 0)}
        flags |= {"stream_too_short": 1, "stream_too_long": 1}
    names = names or [None] * len(tensors)
    return StreamDesign(
        kind=_kind(config),
        component=AxisDecoder(config),
        header=(
            *axis_header(config),
            *(line for t, name in zip(tensors, names, strict=True) for line in layout_lines(t, name)),
        ),
        inputs=tuple(stream for prefix, stream in streams.items() if prefix != "m_axis"),
        output=streams["m_axis"],
        latency=config.latency,
        outputs_per_cycle=config.n_out * config.n_w,
        static=static,
        flags=flags,
        scenes=axis_scenes(config),
        images={prefix: words for prefix, words in images.items() if prefix != "m_axis"},
        about={
            **decoder_entries(config),
            "dtype": one.number_format.name,
            "layout": [layout_entry(t, name) for t, name in zip(tensors, names, strict=True)],
            "vectors": {
                "tensor": names[0] if len(names) == 1 else None,
                "seed": seed,
                "blocks": len(words["m_axis"]),
                "tensor_blocks": sum(tensor.blocks for tensor in tensors),
                "segment_blocks": one.segment_blocks,
                "inversion": raw_planes(one).inversion,
            },
        },
    )
