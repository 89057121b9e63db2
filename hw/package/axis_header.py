"""The comment at the top of a parallel decoder's Verilog: code, ports, stages, for who has nothing else."""

from __future__ import annotations

import textwrap

from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.stages.word_kinds import RawWords


def code_lines(config: DecoderConfig) -> list[str]:
    """Return what every XOR decoder's header says of its codes."""
    lines = []
    for group in config.groups:
        code = group.code
        lines += [
            *textwrap.wrap(f"Code         {code.spec}", 110, subsequent_indent=" " * 13),
            f"Check value  {code.check_value} (CRC-32 of the sizes and the generator matrix)",
            f"Rate         {code.n_in} encoded bits to {code.n_out} of a plane, {group.planes} planes side by side",
            f"History      {code.n_s} earlier symbols; an output depends on at most {code.constraint_length} bits",
            f"XOR network  {group.gates.xor2} two-input XORs a plane, depth {group.gates.depth}",
        ]
    return lines


def axis_header(config: DecoderConfig) -> tuple[str, ...]:
    """Return the lines, the title first."""
    n_out, n_w = config.n_out, config.n_w
    title = "Fixed-to-fixed XOR decoder"
    if config.rates:
        title = "Rate-programmable fixed-to-fixed XOR decoder"
    elif config.bounded:
        title = "Fixed-to-fixed XOR decoder with bounded corrections"
    lines = [
        title,
        "",
        *code_lines(config),
        f"Throughput   one block of {n_out} weights of {n_w} bits in every cycle in which all inputs are",
        "             valid and the output is ready, whatever the data",
        "",
        "Ports (AXI4-Stream; clk rising edge, rst synchronous and active high)",
        *_symbol_lines(config),
        "              tuser marks the first symbol of a stream, tlast the last; a symbol after reset or after",
        "              tlast starts a stream even without tuser. A start clears the history, without a bubble.",
    ]
    if config.constant_planes:
        left_out = ", ".join(str(q) for q in range(n_w) if q not in config.stored_planes)
        lines.append(
            f"              Planes {left_out} are not in the payload: they decode to 0 without hardware."
        )
    if config.rates:
        rates = ", ".join(f"{k}: {n_in}" for k, n_in in enumerate(config.rates))
        lines += [
            f"s_axis_rate   with a stream's first symbol: how many of its {config.code.n_in} bits a plane are",
            f"              encoded ones ({rates}); the others are ignored. Taken for the whole stream.",
        ]
    if config.block_lengths:
        lines += [
            "s_axis_block_length  with a stream's first symbol: how many words of each block are the stream's, from",
            "              word 0 on. The others leave as 0, whatever their mask bits. Taken for the whole stream.",
        ]
    if config.kind_of_patches is not None:
        lines += config.kind_of_patches.header(n_out, n_w)
    lines += _side_lines(config)
    lines += [
        f"m_axis        {n_out * n_w} bits: one block; weight r in bits {n_w}*r and up. tuser and tlast as above.",
        "",
        f"Stages        {_stages(config)}",
    ]
    return tuple(lines)


def _symbol_lines(config: DecoderConfig) -> list[str]:
    """Say where each encoded bit is, and which column of the generator matrix it meets."""
    n_w = config.n_w
    if isinstance(config.kind_of_words, RawWords):
        n_in = config.code.n_in
        return [
            f"s_axis        {config.symbol_bits} bits: one symbol; bit b*{n_w} + q is encoded bit b of plane q.",
            "              Encoded bit b is column b of the generator matrix, bits of the symbol before it columns",
            f"              {n_in} and up, and so on. Row r makes bit q of weight r, alike for every plane q.",
        ]
    lines, at, plane = [f"s_axis        {config.symbol_bits} bits: one symbol of each group of planes."], 0, 0
    for group in config.groups:
        lines.append(
            f"              From bit {at}: planes {plane} to {plane + group.planes - 1}, the last lowest;"
            f" encoded bit b at b*{group.planes}."
        )
        at, plane = at + group.symbol_bits, plane + group.planes
    return [
        *lines,
        "              Planes are counted from the highest bit of codeword, sign and tail. Encoded bit b is column",
        "              b of the group's generator matrix, bits of the symbol before it the columns after those.",
    ]


def _side_lines(config: DecoderConfig) -> list[str]:
    n_w, lines = config.n_w, []
    if config.length_bits:
        lines += [
            f"stream_length {config.length_bits} bits: symbols of a stream, held still while one is running. What a",
            "              stream has more is dropped; one that has less is filled up with blocks that mean nothing,",
            "              so that masks and patches stay in step. Either sets its flag, stream_too_long or",
            "              stream_too_short, until stream_clear.",
        ]
    if config.inversion is None and not config.inversion_pin:
        lines.append(f"s_axis_inversion  {n_w} bits, with a stream's first symbol: planes stored inverted.")
    elif config.inversion_pin:
        lines.append(
            f"inversion     {n_w} bits: planes stored inverted; may change while no block is on its way."
        )
    if config.kind_of_mask is not None:
        lines += config.kind_of_mask.header(config.n_out)
    return lines


def _stages(config: DecoderConfig) -> str:
    stages = ["symbols", "XOR network", *config.kind_of_words.stages()]
    stages += ["mask"] if config.mask else []
    stages += ["xor differences"] if config.patches_per_block else []
    return " -> ".join([*stages, "weights"])
