"""The plain decoder that gives one plane of a block a cycle."""

from __future__ import annotations

import numpy as np

from xorweave.synth.proof.shape import DecoderShape, vector


def serial_lines(shape: DecoderShape) -> list[str]:
    """Write its body: a window of every plane in turn, one matrix, and the stages plane by plane."""
    code, n_w = shape.code, shape.n_w
    n_in, n_out = code.n_in, code.n_out
    held = n_in * (code.n_s * n_w + 1)
    count = vector(max(1, (n_w - 1).bit_length()))
    lines = [
        f"  reg running, full, x_first, x_last; reg {vector(n_w.bit_length())} fresh_planes;",
        f"  reg {vector(held)} x;",
        "  wire take = s_axis_tvalid & s_axis_tready; wire start = s_axis_tuser | !running;",
        "  wire fresh = start | fresh_planes != 0;",
        "  wire out_r; assign s_axis_tready = !full | out_r;",
        "  integer k;",
        "  always @(posedge clk) begin",
        "    if (rst) begin running <= 0; full <= 0; fresh_planes <= 0; end",
        "    else begin",
        "      if (s_axis_tready) full <= s_axis_tvalid;",
        "      if (take) begin",
        "        running <= !s_axis_tlast;",
        f"        fresh_planes <= start ? {n_w - 1} : fresh_planes - (fresh_planes != 0);",
        "      end",
        "    end",
        "    if (take) begin",
        "      x_first <= start; x_last <= s_axis_tlast;",
        # a plane's symbol before this one came n_w symbols ago; at the start of a stream there was none
        f"      for (k = {held // n_in - 1}; k > 0; k = k - 1)",
        f"        x[k * {n_in} +: {n_in}] <= k % {n_w} == 0 && fresh ? 0 : x[(k - 1) * {n_in} +: {n_in}];",
        f"      x[{n_in - 1}:0] <= s_axis_tdata;",
        "    end",
        "  end",
        f"  wire {vector(n_out)} decoded;",
    ]
    for row, taps in enumerate(code.generator):
        places = [(c // n_in) * n_w * n_in + c % n_in for c in np.flatnonzero(taps)]
        terms = " ^ ".join(f"x[{at}]" for at in places) or "1'b0"
        lines.append(f"  assign decoded[{row}] = {terms};")
    lines += [
        f"  reg {count} turn; wire {count} plane = x_first ? 0 : turn; wire final = plane == {n_w - 1};",
        "  always @(posedge clk) if (rst) turn <= 0;"
        " else if (m_axis_tvalid & m_axis_tready) turn <= final ? 0 : plane + 1;",
        f"  reg {vector(n_out)} planes; reg {vector(n_w)} one; integer p, r;",
        f"  reg {vector(shape.listed_bits or 1)} patch;",
        "  always @* begin",
        f"    planes = decoded; one = {n_w}'d1 << plane;",
        f"    patch = {'s_axis_patch_tdata' if shape.patches_per_block else '0'};",
        *_upright(shape),
        *(["    planes = planes & s_axis_mask_tdata;"] if shape.mask else []),
        *_changes(shape),
        "  end",
    ]
    beside = [prefix for prefix, _ in shape.streams() if prefix != "s_axis"]
    valids = " & ".join(["full", *(f"{prefix}_tvalid" for prefix in beside)])
    lines += ["  assign m_axis_tdata = planes, m_axis_tuser = x_first, m_axis_tlast = x_last;"]
    lines += [f"  assign m_axis_tvalid = {valids};"]
    readies = " & ".join(["m_axis_tready", *(f"{prefix}_tvalid" for prefix in beside)])
    lines += [f"  assign out_r = {readies};"]
    lines += [f"  assign {prefix}_tready = m_axis_tvalid & m_axis_tready & final;" for prefix in beside]
    return lines


def _upright(shape: DecoderShape) -> list[str]:
    """Planes that are stored inverted are turned."""
    return [
        f"    if (plane == {q}) planes = ~planes;"
        for q in range(shape.n_w)
        if (shape.inversion or 0) >> q & 1
    ]


def _changes(shape: DecoderShape) -> list[str]:
    """This plane's bit of every difference."""
    if not shape.patches_per_block:
        return []
    n_w, n_out = shape.n_w, shape.code.n_out
    if shape.dense_corrections:
        return [
            f"    for (r = 0; r < {n_out}; r = r + 1) planes[r] = planes[r] ^ |(patch[r * {n_w} +: {n_w}] & one);"
        ]
    slot, position = shape.patch_bits, shape.position_bits
    return [
        f"    for (p = 0; p < {shape.patches_per_block}; p = p + 1)",
        f"      for (r = 0; r < {n_out}; r = r + 1)",
        f"        if (patch[p * {slot} + {slot - 1}] && patch[p * {slot} + {n_w} +: {position}] == r)",
        f"          planes[r] = planes[r] ^ |(patch[p * {slot} +: {n_w}] & one);",
    ]
