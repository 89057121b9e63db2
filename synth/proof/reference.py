"""A plain decoder in Verilog, written straight from the generator matrix and the stream protocol.

It serves twice. It is the reference that netlists are proved equal to: it shares no code with the hardware
description, has one flat exclusive-or per row of G, and can be read in one go. And it is the baseline "as a
plain generator writes it": the sharing of sub-expressions is left to the synthesiser.

It is written part by part, in the order in which data passes: skid buffers, guard, rate, shift registers, matrix,
words, mask, patches, output register.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.values.transforms import TRANSFORMS
from xorweave.synth.proof.matrix import open_ports, window_names
from xorweave.synth.proof.reference_patches import list_of_patches, repaired
from xorweave.synth.proof.reference_serial import serial_lines
from xorweave.synth.proof.reference_words import (
    mask_words,
    masked,
    pattern_module,
    word_module,
    words_of_planes,
)
from xorweave.synth.proof.shape import DecoderShape, vector


def reference_verilog(shape: DecoderShape, name: str = "reference", *, matrices: bool = True) -> str:
    """Write the plain decoder.

    Parameters
    ----------
    shape : DecoderShape
    name : str
        Module name.
    matrices : bool
        False: write everything but the matrices, with the ports of `open_ports` in their place; not for several
        segments and plane-serial decoders.

    Returns
    -------
    str
        Verilog-2001. Bit b of plane q of a symbol is ``tdata[b * n_w + q]``, word r of a block ``tdata[r *
        n_w + q]``.

    Raises
    ------
    InputError
        n_w is not positive, or there is no such transform.
    """
    if shape.n_w < 1:
        raise InputError(f"n_w must be at least 1, not {shape.n_w}")
    if shape.transform not in TRANSFORMS:
        raise InputError(f"the transform must be one of {', '.join(TRANSFORMS)}, not {shape.transform!r}")
    if shape.segments > 1:
        return reference_verilog(shape.one_segment(), f"{name}_segment") + _side_by_side(shape, name)
    lines = [f"module {name} (", "  input clk, input rst,"]
    ports = shape.ports() if matrices else [*shape.ports(), *open_ports(shape)]
    lines.append(",\n".join(f"  {d} {vector(w)} {n}" for d, n, w in ports) + "\n);")
    lines += serial_lines(shape) if shape.plane_serial else _parallel_lines(shape, name, matrices)
    return "\n".join([*lines, "endmodule\n"]) + word_module(shape, name) + pattern_module(shape, name)


def _parallel_lines(shape: DecoderShape, name: str, matrices: bool) -> list[str]:
    lines = _skid_buffers(shape)
    lines += _guard(shape)
    lines += _rate(shape)
    lines += _shift_registers(shape)
    if matrices:
        lines += _matrix(shape)
    else:
        lines += [f"  assign {window}_seen = {window};" for window in window_names(shape)]
    valids = ["block_v"]
    current = "decoded"
    words, current = words_of_planes(shape, current, name)
    lines += words
    if shape.mask:
        lines += mask_words(shape, name)
        lines += masked(shape, current)
        current = "masked"
        valids.append("s_axis_mask_v")
    if shape.patches_per_block:
        lines += list_of_patches(shape)
        lines += repaired(shape, current)
        current = "repaired"
        valids.append("patch_v")
    return lines + _leave(shape, current, valids)


def _skid_buffers(shape: DecoderShape) -> list[str]:
    """One skid buffer a stream, or wires; streams of records have none."""
    lines = []
    for prefix, width in shape.streams():
        symbols = prefix == "s_axis"
        records = prefix == "s_axis_patch" and shape.unpacked
        bits = width + 2 * symbols
        data = "{s_axis_tlast, s_axis_tuser, s_axis_tdata}" if symbols else f"{prefix}_tdata"
        if symbols and shape.beside:
            bits += sum(wide for _, wide in shape.beside)
            pins = ", ".join(pin for pin, _ in reversed(shape.beside))
            data = f"{{{pins}, s_axis_tlast, s_axis_tuser, s_axis_tdata}}"
        lines.append(f"  wire {vector(bits)} {prefix}_d; wire {prefix}_v; wire {prefix}_r;")
        if shape.skid_buffers and not records:
            lines += [
                f"  reg {prefix}_aside; reg {vector(bits)} {prefix}_held;",
                f"  assign {prefix}_tready = !{prefix}_aside;",
                f"  assign {prefix}_v = {prefix}_tvalid | {prefix}_aside;",
                f"  assign {prefix}_d = {prefix}_aside ? {prefix}_held : {data};",
                "  always @(posedge clk) begin",
                f"    if (rst) {prefix}_aside <= 0; else if ({prefix}_r) {prefix}_aside <= 0;",
                f"    else if ({prefix}_tvalid) {prefix}_aside <= 1;",
                f"    if (!{prefix}_aside) {prefix}_held <= {data};",
                "  end",
            ]
        else:
            lines.append(
                f"  assign {prefix}_tready = {prefix}_r, {prefix}_v = {prefix}_tvalid, {prefix}_d = {data};"
            )
    return lines


def _guard(shape: DecoderShape) -> list[str]:
    """The stream of symbols as the decoder sees it: every stream as long as `stream_length` says.

    A symbol too many is dropped; a stream that ends early, by its own mark or by the start of the next, is filled up
    with symbols of zeros.
    """
    width = shape.symbol_width
    lines = [
        f"  wire {vector(width)} given; wire given_first, given_last, given_v, given_r;",
    ]
    if not shape.length_bits:
        return [
            *lines,
            f"  assign given = s_axis_d[{width - 1}:0], given_first = s_axis_d[{width}];",
            f"  assign given_last = s_axis_d[{width + 1}], given_v = s_axis_v, s_axis_r = given_r;",
        ]
    count = vector(shape.length_bits)
    return [
        *lines,
        "  reg under_way, too_many, too_few, short_seen, long_seen;",
        f"  reg {count} passed;",
        f"  wire new = s_axis_d[{width}], end_mark = s_axis_d[{width + 1}];",
        "  wire filling = too_few | (under_way & s_axis_v & new);",
        "  wire begins = !filling & (new | !(under_way | too_many));",
        "  wire dropped = too_many & !new;",
        f"  wire {count} number = begins ? 0 : passed;",
        f"  wire {count} behind = number + 1;",
        "  wire whole = behind == stream_length;",
        f"  assign given = filling ? 0 : s_axis_d[{width - 1}:0], given_first = begins, given_last = whole;",
        "  assign given_v = filling | (s_axis_v & !dropped), s_axis_r = !filling & (given_r | dropped);",
        "  assign stream_too_short = short_seen, stream_too_long = long_seen;",
        "  always @(posedge clk)",
        "    if (rst) begin",
        "      under_way <= 0; too_many <= 0; too_few <= 0; passed <= 0; short_seen <= 0; long_seen <= 0;",
        "    end else begin",
        "      if (stream_clear) begin short_seen <= 0; long_seen <= 0; end",
        "      if (given_v & given_r) begin",
        "        passed <= behind; under_way <= !whole; too_many <= whole & !filling & !end_mark;",
        "        too_few <= !whole & (too_few | (!filling & end_mark));",
        "        if ((!filling & end_mark & !whole) | (filling & !too_few)) short_seen <= 1;",
        "      end",
        "      if (s_axis_v & dropped) begin too_many <= !end_mark; long_seen <= 1; end",
        "    end",
    ]


def _rate(shape: DecoderShape) -> list[str]:
    """The bits of a symbol that count, by the rate that came with the stream's first symbol."""
    width = shape.symbol_width
    lines = [
        "  reg running; wire start = given_first | !running; wire last = given_last;",
        "  wire take = given_v & given_r;",
        "  always @(posedge clk) if (rst) running <= 0; else if (take) running <= !last;",
    ]
    if not shape.rates:
        return [*lines, f"  wire {vector(width)} symbol = given;", *_held_beside(shape)]
    rate = vector(max(1, (len(shape.rates) - 1).bit_length()))
    lines += [
        f"  reg {rate} rate_kept; wire {rate} rate = start ? s_axis_rate : rate_kept;",
        "  always @(posedge clk) if (rst) rate_kept <= 0; else if (take) rate_kept <= rate;",
        f"  reg {vector(width)} symbol;",
        "  always @* begin",
        "    symbol = given;",
        *(
            f"    if (rate == {index}) symbol = given & {width}'d{(1 << (n_in * shape.n_w)) - 1};"
            for index, n_in in enumerate(shape.rates[:-1])
        ),
        "  end",
    ]
    if shape.inversion is None:
        kept = "inversion_kept" if shape.input_register else "start ? s_axis_inversion : inversion_kept"
        lines += [
            f"  reg {vector(shape.n_w)} inversion_kept; wire {vector(shape.n_w)} inversion = {kept};",
            "  always @(posedge clk) if (take & start) inversion_kept <= s_axis_inversion;",
        ]
    return lines


def _held_beside(shape: DecoderShape) -> list[str]:
    """Block length and inversion word: taken with a stream's first symbol, moved on with its blocks."""
    lines, low = [], shape.symbol_width + 2
    stages = shape.stages if shape.input_register else 0
    for pin, width in shape.beside:
        name, given = pin.removeprefix("s_axis_"), f"s_axis_d[{low + width - 1}:{low}]"
        low += width
        kept = [f"{name}_kept{k}" for k in range(max(1, stages))]
        lines.append(f"  reg {vector(width)} {', '.join(kept)};")
        lines.append(f"  always @(posedge clk) if (take & start) {kept[0]} <= {given};")
        for before, after in pairwise(kept):
            lines.append(f"  always @(posedge clk) if (given_r) {after} <= {before};")
        now = kept[-1] if stages else f"start ? {given} : {kept[0]}"
        lines.append(f"  wire {vector(width)} {name} = {now};")
    return lines


def _shift_registers(shape: DecoderShape) -> list[str]:
    """The window of symbols of every group: a symbol that starts a stream finds the older ones cleared."""
    lines = ["  wire block_r; wire block_v, block_first, block_last;"]
    stages = shape.stages if shape.input_register else 0
    if stages:
        fulls = ["full", *(f"full{k}" for k in range(1, stages))]
        firsts = ["x_first", *(f"first{k}" for k in range(1, stages))]
        lasts = ["x_last", *(f"last{k}" for k in range(1, stages))]
        later = [
            f"    if (given_r) begin {marks[k]} <= {marks[k - 1]}; end"
            for marks in (firsts, lasts)
            for k in range(1, stages)
        ]
        lines += [
            f"  (* keep *) reg {', '.join(fulls)}; reg {', '.join([*firsts, *lasts])};",
            f"  assign given_r = !{fulls[-1]} | block_r, block_v = {fulls[-1]};",
            f"  assign block_first = {firsts[-1]}, block_last = {lasts[-1]};",
            "  always @(posedge clk) begin",
            "    if (rst) full <= 0; else if (given_r) full <= given_v;",
            *(
                f"    if (rst) {fulls[k]} <= 0; else if (given_r) {fulls[k]} <= {fulls[k - 1]};"
                for k in range(1, stages)
            ),
            "    if (take) begin x_first <= start; x_last <= last; end",
            *later,
            "  end",
        ]
    else:
        lines += [
            "  assign given_r = block_r, block_v = given_v;",
            "  assign block_first = start, block_last = last;",
        ]
    low = 0
    for index, (planes, code) in enumerate(shape.all_groups):
        of = "" if len(shape.all_groups) == 1 else str(index)
        width = planes * code.n_in
        length, older = width * (code.n_s + 1), width * code.n_s
        here = f"symbol[{low + width - 1}:{low}]"
        low += width
        lines.append(f"  wire {vector(length)} window{of};")
        if stages:
            lines += [
                f"  reg {vector(length)} x{of};",
                "  always @(posedge clk) if (take) begin",
                f"    x{of}[{width - 1}:0] <= {here};",
                *([f"    x{of}[{length - 1}:{width}] <= start ? 0 : x{of}[{older - 1}:0];"] if older else []),
                "  end",
            ]
            source = f"x{of}"
            for k in range(1, stages):
                # the network's middle may be held anywhere in it: whatever it holds follows from the window then
                lines.append(f"  (* keep *) reg {vector(length)} delayed{of}_{k};")
                lines.append(f"  always @(posedge clk) if (given_r) delayed{of}_{k} <= {source};")
                source = f"delayed{of}_{k}"
            lines.append(f"  assign window{of} = {source};")
            continue
        seen = f"{{start ? {{{older}{{1'b0}}}} : x{of}, {here}}}" if older else here
        lines += [
            f"  reg {vector(max(older, 1))} x{of};",
            f"  assign window{of} = {seen};",
            *([f"  always @(posedge clk) if (take) x{of} <= window{of}[{older - 1}:0];"] if older else []),
        ]
    return lines


def _matrix(shape: DecoderShape) -> list[str]:
    """One flat exclusive-or a row and plane; the planes of the last group are the lowest of a weight."""
    total = shape.planes
    lines = [f"  wire {vector(shape.code.n_out * total)} decoded;"]
    above = total
    for index, (planes, code) in enumerate(shape.all_groups):
        of = "" if len(shape.all_groups) == 1 else str(index)
        above -= planes
        for row, taps in enumerate(code.generator):
            columns = np.flatnonzero(taps)
            for q in range(planes):
                if shape.constant_planes >> (above + q) & 1:
                    lines.append(f"  assign decoded[{row * total + above + q}] = 1'b0;")
                    continue
                terms = " ^ ".join(f"window{of}[{column * planes + q}]" for column in columns) or "1'b0"
                lines.append(f"  assign decoded[{row * total + above + q}] = {terms};")
    return lines


def _leave(shape: DecoderShape, current: str, valids: list[str]) -> list[str]:
    """A block leaves when every stream has its part of it."""
    lines = [f"  wire out_r; wire out_v = {' & '.join(valids)};"]
    for valid in valids:
        others = " & ".join(["out_r", *(other for other in valids if other != valid)])
        lines.append(f"  assign {valid[:-1]}r = {others};")
    if shape.output_register:
        return [
            *lines,
            f"  reg held; reg {vector(shape.block_width)} held_data; reg held_first, held_last;",
            "  assign out_r = !held | m_axis_tready, m_axis_tvalid = held, m_axis_tdata = held_data;",
            "  assign m_axis_tuser = held_first, m_axis_tlast = held_last;",
            "  always @(posedge clk) begin",
            "    if (rst) held <= 0; else if (out_r) held <= out_v;",
            f"    if (out_v & out_r) begin held_data <= {current};",
            "      held_first <= block_first; held_last <= block_last; end",
            "  end",
        ]
    return [
        *lines,
        f"  assign out_r = m_axis_tready, m_axis_tvalid = out_v, m_axis_tdata = {current};",
        "  assign m_axis_tuser = block_first, m_axis_tlast = block_last;",
    ]


def _side_by_side(shape: DecoderShape, name: str) -> str:
    """Write the module of several decoders on their own parts of every bus; the first one speaks for all."""
    one = shape.one_segment()
    lines = [f"module {name} (", "  input clk, input rst,"]
    lines.append(",\n".join(f"  {d} {vector(w)} {n}" for d, n, w in shape.ports()) + "\n);")
    for k in range(shape.segments):
        pins = [".clk(clk)", ".rst(rst)"]
        for direction, port, width in one.ports():
            if port.endswith("_tdata"):
                pins.append(f".{port}({port}[{k * width} +: {width}])")
            elif direction == "input" or k == 0:
                pins.append(f".{port}({port})")
        lines.append(f"  {name}_segment part{k} ({', '.join(pins)});")
    return "\n".join([*lines, "endmodule\n"])
