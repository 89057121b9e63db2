"""The patches of the plain decoder: lists as they come, or made from records, and what they change."""

from __future__ import annotations

from xorweave.synth.proof.shape import DecoderShape, vector


def list_of_patches(shape: DecoderShape) -> list[str]:
    """Declare the list of each block: ``patch_d`` with ``patch_v`` and ``patch_r``."""
    lines = [f"  wire {vector(shape.listed_bits)} patch_d; wire patch_v, patch_r;"]
    if not shape.unpacked:
        return [
            *lines,
            "  assign patch_d = s_axis_patch_d, patch_v = s_axis_patch_v, s_axis_patch_r = patch_r;",
        ]
    lines += _record_buffer(shape)
    return lines + (_entries(shape) if shape.bounded else _gaps(shape))


def _record_buffer(shape: DecoderShape) -> list[str]:
    """Records wait in a row, oldest lowest: what is used leaves at the low end, a beat is put behind what stays."""
    lanes, record = shape.patches_per_block, shape.record_bits
    depth = 3 * lanes
    bits, level = depth * record, vector(depth.bit_length())
    return [
        f"  reg {vector(bits)} records; reg {level} level; reg ended;",
        f"  reg {vector(lanes.bit_length())} used; wire {level} left = level - (patch_v & patch_r ? used : 0);",
        f"  assign s_axis_patch_r = level <= {depth - lanes} & !ended & !patch_restart;",
        f"  wire {vector(bits)} stay = (records >> (patch_v & patch_r ? used * {record} : 0))"
        f" & ~({{{bits}{{1'b1}}}} << (left * {record}));",
        f"  wire {vector(bits)} added = s_axis_patch_d;",
        "  always @(posedge clk) begin",
        f"    records <= stay | (added << (left * {record}));",
        "    if (rst | patch_restart) begin level <= 0; ended <= 0; end",
        "    else begin",
        "      level <= left + (s_axis_patch_v & s_axis_patch_r ? s_axis_patch_tuser : 0);",
        "      if (s_axis_patch_v & s_axis_patch_r) ended <= s_axis_patch_tlast;",
        "    end",
        "  end",
    ]


def _gaps(shape: DecoderShape) -> list[str]:
    """A record moves on by its gap and one; a list is whole when one of a later block shows, or nothing is missing."""
    lanes, record, gap, n_out = shape.patches_per_block, shape.record_bits, shape.gap_bits, shape.code.n_out
    width = max(gap, n_out.bit_length()) + lanes.bit_length() + 2
    slot = shape.patch_bits
    return [
        f"  reg {vector(width)} origin, at, place, moved; reg late, whole; integer k;",
        f"  reg {vector(shape.listed_bits)} list;",
        "  always @* begin",
        f"    at = origin; moved = origin; used = 0; list = 0; whole = ended | level >= {lanes}; late = 0;",
        f"    for (k = 0; k < {lanes}; k = k + 1) begin",
        f"      place = at + records[k * {record} +: {gap}];",
        f"      if (k == 0) late = level != 0 & place[{width - 1}];",
        f"      if (level > k && place >= {n_out}) whole = 1;",
        f"      if (level > k && place < {n_out}) begin",
        f"        if (place == {n_out - 1}) whole = 1;",
        "        used = used + 1; moved = place + 1;",
        f"        list[k * {slot} +: {slot}] ="
        f" {{1'b1, place[{shape.position_bits - 1}:0], records[k * {record} + {gap} +: {shape.n_w}]}};",
        "      end",
        "      at = place + 1;",
        "    end",
        "  end",
        "  assign patch_d = list, patch_v = whole & !patch_restart;",
        "  reg overflow; assign patch_overflow = overflow;",
        "  always @(posedge clk)",
        "    if (rst | patch_restart) begin origin <= 0; overflow <= 0; end",
        f"    else if (patch_v & patch_r) begin origin <= moved - {n_out}; if (late) overflow <= 1; end",
    ]


def _entries(shape: DecoderShape) -> list[str]:
    """As many entries as the block's number says: position, difference."""
    lanes, record, place = shape.patches_per_block, shape.record_bits, shape.position_bits
    slot, n_w = shape.patch_bits, shape.n_w
    return [
        f"  integer k; reg {vector(shape.listed_bits)} list;",
        "  always @* begin",
        "    used = s_axis_count_d; list = 0;",
        f"    for (k = 0; k < {lanes}; k = k + 1) if (s_axis_count_d > k)",
        f"      list[k * {slot} +: {slot}] ="
        f" {{1'b1, records[k * {record} +: {place}], records[k * {record} + {place} +: {n_w}]}};",
        "  end",
        "  wire whole = level >= s_axis_count_d & !patch_restart;",
        "  assign patch_d = list, patch_v = s_axis_count_v & whole, s_axis_count_r = patch_r & whole;",
    ]


def repaired(shape: DecoderShape, current: str) -> list[str]:
    """Declare ``repaired``: the block with the differences of its patches."""
    n_w, n_out = shape.n_w, shape.code.n_out
    if shape.dense_corrections:
        return [f"  wire {vector(shape.block_width)} repaired = {current} ^ patch_d;"]
    slot, position = shape.patch_bits, shape.position_bits
    if shape.patch_lanes:
        lanes = shape.patches_per_block
        lines = [f"  wire {vector(shape.block_width)} repaired;"]
        for r in range(n_out):
            at, low, high = r % lanes * slot, r * n_w, r * n_w + n_w - 1
            hit = f"patch_d[{at + slot - 1}] & patch_d[{at + n_w} +: {position}] == {r // lanes}"
            lines.append(
                f"  assign repaired[{high}:{low}] = {current}[{high}:{low}]"
                f" ^ ({hit} ? patch_d[{at} +: {n_w}] : {n_w}'d0);"
            )
        return lines
    return [
        f"  reg {vector(shape.block_width)} repaired; integer p, r;",
        "  always @* begin",
        f"    repaired = {current};",
        f"    for (p = 0; p < {shape.patches_per_block}; p = p + 1)",
        f"      for (r = 0; r < {n_out}; r = r + 1)",
        f"        if (patch_d[p * {slot} + {slot - 1}]",
        f"            && patch_d[p * {slot} + {n_w} +: {position}] == r)",
        f"          repaired[r * {n_w} +: {n_w}] = repaired[r * {n_w} +: {n_w}]"
        f" ^ patch_d[p * {slot} +: {n_w}];",
        "  end",
    ]
