"""The comment at the top of a parallel decoder's Verilog: code, ports, stages, for who has nothing else."""

from __future__ import annotations

import textwrap

from xorweave.hw.decoders.axis_decoder import DecoderConfig
from xorweave.hw.stages.layouts import dense_corrections, patch_bits, position_bits
from xorweave.hw.xor.network import balanced_trees


def code_lines(config: DecoderConfig) -> list[str]:
    """Return what every XOR decoder's header says of its code."""
    code, n_w = config.code, config.n_w
    spec = textwrap.wrap(f"Code         {code.spec}", 110, subsequent_indent=" " * 13)
    return [
        *spec,
        f"Check value  {code.check_value} (CRC-32 of the sizes and the generator matrix)",
        f"Rate         {code.n_in} encoded bits to {code.n_out} bits of a plane, {n_w} planes side by side",
        f"History      {code.n_s} earlier symbols; an output depends on at most {code.constraint_length} bits",
    ]


def axis_header(config: DecoderConfig) -> tuple[str, ...]:
    """Return the lines, the title first."""
    code, n_w = config.code, config.n_w
    network = config.network or balanced_trees(code.generator)
    title = "Fixed-to-fixed XOR decoder"
    if config.rates:
        title = "Rate-programmable fixed-to-fixed XOR decoder"
    elif config.bounded:
        title = "Fixed-to-fixed XOR decoder with bounded corrections"
    lines = [
        title,
        "",
        *code_lines(config),
        f"XOR network  {network.xor2} two-input XORs a plane, depth {network.depth}",
        f"Throughput   one block of {code.n_out} weights of {n_w} bits in every cycle in which all inputs are",
        "             valid and the output is ready, whatever the data",
        "",
        "Ports (AXI4-Stream; clk rising edge, rst synchronous and active high)",
        f"s_axis        {code.n_in * n_w} bits: one symbol; bit b*{n_w} + q is encoded bit b of plane q.",
        "              Encoded bit b is column b of the generator matrix, bits of the symbol before it columns",
        f"              {code.n_in} and up, and so on. Row r makes bit q of weight r, alike for every plane q.",
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
            f"s_axis_rate   with a stream's first symbol: how many of its {code.n_in} bits a plane are encoded ones",
            f"              ({rates}); the others are ignored. Taken for the whole stream.",
        ]
    lines += [*_patch_lines(config), *_side_lines(config)]
    lines += [
        f"m_axis        {code.n_out * n_w} bits: one block; weight r in bits {n_w}*r and up. tuser and tlast as above.",
        "",
        f"Stages        {_stages(config)}",
    ]
    return tuple(lines)


def _patch_lines(config: DecoderConfig) -> list[str]:
    code, n_w, lanes = config.code, config.n_w, config.patches_per_block
    again = [
        "              In one cycle, patch_restart empties the buffer: only after a tensor that was given up.",
    ]
    if config.gap_bits:
        gap = config.gap_bits
        return [
            f"s_axis_patch  beats of up to {lanes} records (tuser says how many); record p",
            f"              from bit {gap + n_w}*p: gap ({gap} bits, lowest), difference ({n_w} bits).",
            "              A record moves on by gap + 1 weights, counted through all blocks since reset. A tensor's",
            "              last position always has a record, so the next tensor's records follow at once.",
            "              tlast says that nothing follows until patch_restart; it may always stay 0.",
            *again,
            f"patch_overflow  a block had more than {lanes} records; stays until patch_restart.",
        ]
    if config.bounded:
        address = position_bits(code.n_out)
        return [
            f"s_axis_patch  beats of up to {lanes} entries (tuser says how many); entry p from bit {address + n_w}*p:",
            f"              position in the block ({address} bits, lowest), difference ({n_w} bits). tlast may stay 0.",
            "s_axis_count  with every block: how many entries belong to it.",
            *again,
        ]
    if not lanes:
        return []
    if dense_corrections(code.n_out, n_w, lanes):
        return [
            f"s_axis_patch  {code.n_out * n_w} bits with every block: difference of word r from bit {n_w}*r."
        ]
    return [
        f"s_axis_patch  one list of {lanes} patches with every block; patch p from bit"
        f" {patch_bits(code.n_out, n_w)}*p:",
        f"              difference ({n_w} bits, lowest), position in the block"
        f" ({position_bits(code.n_out)} bits), valid (1 bit).",
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
    if config.inversion is None and config.rates:
        lines.append(f"s_axis_inversion  {n_w} bits, with a stream's first symbol: planes stored inverted.")
    elif config.inversion is None:
        lines.append(
            f"inversion     {n_w} bits: planes stored inverted; may change while no block is on its way."
        )
    if config.mask:
        lines.append(
            f"s_axis_mask   {config.code.n_out} bits with every block: bit r is 1 if weight r is kept."
        )
    return lines


def _stages(config: DecoderConfig) -> str:
    stages = "symbols -> XOR network"
    if config.patches_per_block:
        stages += " -> xor differences"
    if config.inversion is None:
        stages += " -> xor inversion word"
    elif config.inversion:
        stages += f" -> xor inversion word 0x{config.inversion:x}"
    if config.transform != "none":
        stages += f" -> undo {config.transform}"
    if config.mask:
        stages += " -> mask"
    return f"{stages} -> weights"
