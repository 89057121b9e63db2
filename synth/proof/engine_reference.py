"""A plain engine in Verilog, written from its sizes alone: what a mapped engine is proved equal to.

It shares no code with the hardware description. Registers and memories have the names that they have there, which is
how a proof knows what to compare; nothing is taken on trust for that. The tests run networks through this text, too.
"""

from __future__ import annotations

from xorweave.synth.proof.engine_shape import ACTIVATION, RECORD, SUM, EngineShape
from xorweave.synth.proof.reference import reference_verilog
from xorweave.synth.proof.shape import vector

NAME = "engine_reference"


def engine_reference(shape: EngineShape, name: str = NAME) -> str:
    """Write the plain engine, its decoder, ring, queue and requantiser as modules of their own."""
    ring = _layer_ring(shape) if shape.described else _ring(shape)
    parts = [reference_verilog(shape.decoder, "decoder_reference"), ring, _queue(shape)]
    control = _described(shape) if shape.described else _fixed(shape)
    lines = [f"module {name} (input clk, input rst,"]
    lines.append(",\n".join(f"  {d} {vector(w)} {n}" for d, n, w in shape.ports()) + "\n);")
    lines += [*_weights(shape), *control, *_lanes(shape)]
    if shape.described:
        parts.append(_requantiser(shape))
        lines += _requantised(shape)
    else:
        lines.append("  assign m_axis_tdata = sent, m_axis_tlast = ends, m_axis_tvalid = sent_v;")
        lines.append("  assign sent_r = m_axis_tready;")
    return "\n".join([*parts, *lines, "endmodule\n"])


def _bits(states: int) -> int:
    """Return the bits of a number below `states`."""
    return (states - 1).bit_length()


def _weights(shape: EngineShape) -> list[str]:
    """The decoder and the mask: a block and its mask word go together."""
    lanes, n_w = shape.layout.lanes, shape.decoder.n_w
    pins = [f".{name}({name})" for _, name, _ in shape.decoder.ports() if not name.startswith("m_axis_")]
    pins += [".m_axis_tdata(decoded)", ".m_axis_tvalid(decoded_v)", ".m_axis_tuser()", ".m_axis_tlast()"]
    pins.append(".m_axis_tready(block_r & s_axis_mask_tvalid)")
    return [
        f"  wire {vector(lanes * n_w)} decoded, weights; wire decoded_v, block_r, go;",
        f"  decoder_reference decoder(.clk(clk), .rst(rst), {', '.join(pins)});",
        "  wire taken = decoded_v & s_axis_mask_tvalid & block_r;",
        "  assign s_axis_mask_tready = decoded_v & block_r;",
        *(
            f"  assign weights[{k * n_w} +: {n_w}] = s_axis_mask_tdata[{k}] ? decoded[{k * n_w} +: {n_w}] : 0;"
            for k in range(lanes)
        ),
        f"  wire {vector(lanes * shape.activation)} taps; wire works, first, last;",
    ]


def _described(shape: EngineShape) -> list[str]:
    """Control of an engine of any shape: a ring is loaded as its descriptor says while the other's blocks are taken."""
    beats, kept = shape.fields[0][1], shape.fields[1:]
    widths = dict(kept)
    lines, low = [], 0
    for name, width in kept:
        for k in range(2):
            lines.append(f"  wire {vector(width)} layer{k}_{name} = layer{k}[{low} +: {width}];")
        lines.append(f"  wire {vector(width)} now_{name} = half ? layer1_{name} : layer0_{name};")
        low += width
    counters = (("lead", "lead"), ("turn", "turns"), ("step", "cols"), ("passed", "passes"))
    rings = []
    for k, (used, filled) in enumerate((("!half", "half"), ("half", "!half"))):
        rings += [
            f"  wire {vector(shape.layout.lanes * shape.activation)} taps_of{k};",
            f"  ring_reference ring{k}(.clk(clk), .rst(rst), .restart(asked & {filled}), .load({filled}),",
            f"    .turn({used} & turned | {filled} & loaded), .given(s_axis_x_tdata), .shorter(layer{k}_shorter),",
            f"    .longer(layer{k}_longer), .taps(taps_of{k}));",
            f"  always @(posedge clk) if (asked & {filled}) layer{k} <= s_axis_layer_tdata[{beats} +: {low}];",
        ]
    return [
        f"  reg {vector(low)} layer0, layer1; reg {vector(beats)} beats; reg half, busy, asking, loading;",
        *lines,
        *(f"  reg {vector(widths[of])} {name};" for name, of in counters),
        "  wire asked = asking & s_axis_layer_tvalid, loaded = loading & s_axis_x_tvalid;",
        "  wire there = loading ? loaded & beats == 0 : !asking;",
        "  assign s_axis_layer_tready = asking, s_axis_x_tready = loading;",
        "  assign block_r = go & busy, stalled = busy & !taken;",
        "  wire turns_out = turn == now_turns, steps_out = step == now_cols, passes_out = passed == now_passes;",
        "  assign works = taken & lead == now_lead, first = step == 0, last = steps_out;",
        "  wire turned = works & turns_out, over = turned & steps_out & passes_out, swap = there & (!busy | over);",
        "  always @(posedge clk)",
        "    if (loaded) beats <= beats - 1; else if (asked) beats <= s_axis_layer_tdata;",
        "  always @(posedge clk)",
        "    if (rst) begin",
        "      half <= 0; busy <= 0; asking <= 1; loading <= 0; lead <= 0; turn <= 0; step <= 0; passed <= 0;",
        "    end else begin",
        "      if (asked) begin asking <= 0; loading <= 1; end",
        "      if (loaded) loading <= beats != 0;",
        "      if (taken & !works) lead <= lead + 1;",
        "      if (works) turn <= turns_out ? 0 : turn + 1;",
        "      if (turned) step <= steps_out ? 0 : step + 1;",
        "      if (turned & steps_out) passed <= passed + 1;",
        "      if (over) busy <= 0;",
        "      if (swap) begin half <= !half; busy <= 1; asking <= 1; lead <= 0; passed <= 0; end",
        "    end",
        "  // the last group of a layer says so behind the sums",
        "  reg final1, final2;",
        "  always @(posedge clk) begin",
        "    if (works) final1 <= turns_out & passes_out;",
        "    if (go) final2 <= final1;",
        "  end",
        *rings,
        "  assign taps = half ? taps_of1 : taps_of0;",
    ]


def _fixed(shape: EngineShape) -> list[str]:
    """Control of an engine of one shape; what has one state only is no counter."""
    layout = shape.layout
    beats = max(length for _, length in layout.load_chunks(shape.load_words))
    counters = {
        "beat": (beats, "loaded"),
        "turn": (layout.interleave, "works"),
        "step": (layout.cols, "turned"),
        "passed": (layout.passes, "turned & step_out"),
    }
    lines = []
    for name, (states, _) in counters.items():
        if states > 1:
            lines.append(f"  reg {vector(_bits(states))} {name}; wire {name}_out = {name} == {states - 1};")
        else:
            lines.append(f"  wire {name}_out = 1;")
    if layout.lead:
        lines.append(f"  reg {vector(_bits(layout.lead + 1))} lead; wire led = lead == {layout.lead};")
    else:
        lines.append("  wire led = 1;")
    moves = [
        f"      if ({moved}) {name} <= {name}_out ? 0 : {name} + 1;"
        for name, (states, moved) in counters.items()
        if states > 1
    ]
    if layout.lead:
        moves.append("      if (taken & !led) lead <= lead + 1; else if (ended) lead <= 0;")
    resets = " ".join(f"{name} <= 0;" for name, (states, _) in counters.items() if states > 1)
    return [
        "  reg loading;",
        *lines,
        "  wire loaded = loading & s_axis_x_tvalid; assign s_axis_x_tready = loading;",
        "  assign block_r = go & !loading, works = taken & led, last = step_out;",
        f"  assign first = {'step == 0' if layout.cols > 1 else 1};",
        "  wire turned = works & turn_out, ended = turned & step_out & passed_out;",
        "  always @(posedge clk)",
        f"    if (rst) begin loading <= 1; {resets}{' lead <= 0;' if layout.lead else ''} end else begin",
        *moves,
        "      if (loaded & beat_out) loading <= 0; else if (ended) loading <= 1;",
        "    end",
        "  ring_reference ring(.clk(clk), .rst(rst), .turn(loaded | turned), .load(loading), .given(s_axis_x_tdata),",
        "    .taps(taps));",
    ]


def _lanes(shape: EngineShape) -> list[str]:
    """Three stages: weight and activation, their product, the sum of a row, kept in a memory of the rows in turn."""
    layout, n_w, wide = shape.layout, shape.decoder.n_w, shape.sums
    lanes, turns = layout.lanes, layout.interleave
    turn = vector(_bits(turns)) if turns > 1 else ""
    lines = [
        f"  reg {vector(lanes * n_w)} weights1; reg {vector(lanes * shape.activation)} taps1;",
        "  reg full1, full2, first1, first2, last1, last2;",
        *([f"  reg {turn} turn1, turn2;"] if turns > 1 else []),
        "  always @(posedge clk) begin",
        "    if (rst) begin full1 <= 0; full2 <= 0; end else if (go) begin full1 <= works; full2 <= full1; end",
        "    if (works) begin weights1 <= weights; taps1 <= taps; first1 <= first; last1 <= last; end",
        "    if (go) begin first2 <= first1; last2 <= last1; end",
        *(["    if (works) turn1 <= turn; if (go) turn2 <= turn1;"] if turns > 1 else []),
        "  end",
        f"  wire {vector(lanes * wide)} sums;",
    ]
    for lane in range(lanes):
        lines.append(f"  wire {vector(wide)} old{lane}, new{lane} = sums[{lane * wide} +: {wide}];")
        lines.append(f"  wire signed {vector(n_w)} weight{lane} = weights1[{lane * n_w} +: {n_w}];")
        for b in range(shape.batch):
            at, of = (lane * shape.batch + b) * ACTIVATION, f"{lane}_{b}"
            lines += [
                f"  wire signed {vector(ACTIVATION)} factor{of} = taps1[{at} +: {ACTIVATION}];",
                f"  reg signed {vector(n_w + ACTIVATION)} product{of};",
                f"  always @(posedge clk) if (go) product{of} <= weight{lane} * factor{of};",
                f"  wire signed {vector(SUM)} before{of} = first2 ? 0 : old{lane}[{b * SUM} +: {SUM}];",
                f"  assign sums[{lane * wide + b * SUM} +: {SUM}] = before{of} + product{of};",
            ]
        if turns == 1:
            lines.append(f"  reg {vector(wide)} sum{lane}; assign old{lane} = sum{lane};")
            lines.append(f"  always @(posedge clk) if (go & full2) sum{lane} <= new{lane};")
            continue
        lines += _memory(
            f"sums{lane}",
            wide,
            turns,
            write=("go & full2", "turn2", f"new{lane}"),
            read=("go & full1", "turn1", f"old{lane}"),
            transparent=shape.described,
        )
    ends = "{final2, sums}" if shape.described else "sums"
    return [
        *lines,
        "  wire finished = full2 & last2, queue_r; assign go = !finished | queue_r;",
        f"  wire {vector(shape.result_words * wide)} sent; wire sent_v, sent_r, ends;",
        f"  queue_reference results(.clk(clk), .rst(rst), .given({ends}), .given_v(finished), .given_r(queue_r),",
        "    .sent(sent), .sent_v(sent_v), .sent_r(sent_r), .last(ends));",
    ]


def _memory(
    name: str,
    width: int,
    words: int,
    *,
    write: tuple[str, str, str],
    read: tuple[str, str, str],
    transparent: bool,
) -> list[str]:
    """A memory with a port to write and one to read, each (enable, place, word); words come a cycle later."""
    enable, at, word = write
    wanted, place, out = read
    seen = f"{name}_seen"
    return [
        f"  reg {vector(width)} {name} [0:{words - 1}]; reg {vector(width)} {seen}; assign {out} = {seen};",
        f"  always @(posedge clk) if ({enable}) {name}[{at}] <= {word};",
        f"  always @(posedge clk) if ({wanted}) begin",
        f"    {seen} <= {name}[{place}];",
        *([f"    if (({enable}) && {place} == {at}) {seen} <= {word};"] if transparent else []),
        "  end",
    ]


def _queue(shape: EngineShape) -> str:
    """Groups of sums on their way out: a memory of as many as rows in turn, one being sent a few words a cycle."""
    layout, wide = shape.layout, shape.sums
    depth, beats = layout.interleave, -(-layout.lanes // shape.result_words)
    group, out = layout.lanes * wide, shape.result_words * wide
    sending = beats * out
    inside = group + shape.described
    pointers = ("first", "free") if depth > 1 else ()
    groups = layout.passes * layout.interleave
    if shape.described:
        ends = ["  reg ends; always @(posedge clk) if (take) ends <= read[" + str(group) + "];"]
        ends.append("  assign last = left == 1 & ends;")
    elif groups > 1:
        ends = [
            f"  reg {vector(_bits(groups))} count; wire count_out = count == {groups - 1};",
            "  assign last = left == 1 & count_out;",
            "  always @(posedge clk) if (rst) count <= 0;",
            "    else if (moved & left == 1) count <= count_out ? 0 : count + 1;",
        ]
    else:
        ends = ["  assign last = left == 1;"]
    lines = [
        f"module queue_reference (input clk, input rst, input {vector(inside)} given, input given_v, output given_r,",
        f"  output {vector(out)} sent, output sent_v, input sent_r, output last);",
        f"  reg {vector(_bits(depth + 1))} stored; reg {vector(_bits(beats + 1))} left; reg fetched;",
        f"  reg {vector(sending)} sending; wire {vector(inside)} read;",
        *(f"  reg {vector(_bits(depth))} {pointer};" for pointer in pointers),
        f"  assign given_r = stored != {depth}, sent_v = left != 0, sent = sending[{out - 1}:0];",
        "  wire store = given_v & given_r, moved = sent_v & sent_r;",
        "  wire take = fetched & (left == 0 | (left == 1 & moved));",
        "  wire fetch = (!fetched | take) & stored != 0;",
        *_memory(
            "memory",
            inside,
            depth,
            write=("store", "free" if pointers else "1'b0", "given"),
            read=("fetch", "first" if pointers else "1'b0", "read"),
            transparent=False,
        ),
        "  always @(posedge clk) begin",
        f"    if (take) sending <= read[{group - 1}:0]; else if (moved) sending <= sending >> {out};",
        "    if (rst) begin stored <= 0; left <= 0; fetched <= 0; end else begin",
        "      stored <= stored + store - fetch;",
        "      if (fetch) fetched <= 1; else if (take) fetched <= 0;",
        f"      if (take) left <= {beats}; else if (moved) left <= left - 1;",
        "    end",
        *(
            f"    if (rst) {pointer} <= 0; else if ({move}) {pointer} <= {pointer} == {depth - 1} ? 0 : {pointer} + 1;"
            for pointer, move in zip(pointers, ("fetch", "store"), strict=False)
        ),
        "  end",
        *ends,
        "endmodule\n",
    ]
    return "\n".join(lines)


def _loads(shape: EngineShape) -> dict[int, int]:
    """Return which loaded word each line of a ring takes in, whatever the length of the ring."""
    lanes = shape.layout.lanes
    return {((k + 1) * lanes // shape.load_words - 1) % lanes: k for k in range(shape.load_words)}


def _layer_ring(shape: EngineShape) -> str:
    """A ring of `lanes` delay lines, whose lengths are one number and, where a line is one longer, a bit."""
    lanes, word = shape.layout.lanes, shape.activation
    depth = shape.line
    bits = vector(_bits(depth))
    loads = _loads(shape)
    lines = [
        "module ring_reference (input clk, input rst, input restart, input turn, input load,",
        f"  input {vector(shape.load_words * word)} given, input {bits} shorter, input {vector(lanes)} longer,",
        f"  output {vector(lanes * word)} taps);",
        f"  reg {bits} place0, place1; wire {bits} next0 = place0 == shorter ? 0 : place0 + 1;",
        f"  wire {bits} next1 = place1 == shorter + 1 ? 0 : place1 + 1;",
        "  always @(posedge clk) if (rst | restart) begin place0 <= 0; place1 <= 0; end",
        "    else if (turn) begin place0 <= next0; place1 <= next1; end",
    ]
    for line in range(lanes):
        before = f"head{(line + 1) % lanes}"
        if line in loads:
            before = f"load ? given[{loads[line] * word} +: {word}] : {before}"
        lines += [
            f"  wire {vector(word)} head{line}, incoming{line} = {before};",
            f"  wire {bits} at{line} = longer[{line}] ? place1 : place0;",
            f"  wire {bits} next_at{line} = longer[{line}] ? next1 : next0;",
            *_memory(
                f"line{line}",
                word,
                depth,
                write=("turn", f"at{line}", f"incoming{line}"),
                read=("turn", f"next_at{line}", f"head{line}"),
                transparent=True,
            ),
            f"  assign taps[{line * word} +: {word}] = head{line * shape.layout.spread % lanes};",
        ]
    return "\n".join([*lines, "endmodule\n"])


def _ring(shape: EngineShape) -> str:
    """A ring of one length, cut into delay lines where lanes read it; lines of one word are registers."""
    layout, word = shape.layout, shape.activation
    places = sorted({int(place) for place in layout.ring_places})
    opened = {
        (first + length) % layout.cols: k
        for k, (first, length) in enumerate(layout.load_chunks(shape.load_words))
        if length
    }
    lengths = dict(
        zip(places, [b - a for a, b in zip(places, [*places[1:], layout.cols], strict=True)], strict=True)
    )
    lines = [
        "module ring_reference (input clk, input rst, input turn, input load,",
        f"  input {vector(shape.load_words * word)} given, output {vector(layout.lanes * word)} taps);",
    ]
    for length in sorted({*lengths.values()} - {1}):
        bits = vector(_bits(length))
        lines += [
            f"  reg {bits} pointer{length};",
            f"  wire {bits} next{length} = pointer{length} == {length - 1} ? 0 : pointer{length} + 1;",
            f"  always @(posedge clk) if (rst) pointer{length} <= 0; else if (turn) pointer{length} <= next{length};",
        ]
    for place, length in lengths.items():
        after = (place + length) % layout.cols
        incoming = f"head{after}"
        if after in opened:
            incoming = f"load ? given[{opened[after] * word} +: {word}] : {incoming}"
        lines.append(f"  wire {vector(word)} head{place}, incoming{place} = {incoming};")
        if length == 1:
            lines.append(f"  reg {vector(word)} word{place}; assign head{place} = word{place};")
            lines.append(f"  always @(posedge clk) if (turn) word{place} <= incoming{place};")
            continue
        lines += _memory(
            f"line{place}",
            word,
            length,
            write=("turn", f"pointer{length}", f"incoming{place}"),
            read=("turn", f"next{length}", f"head{place}"),
            transparent=False,
        )
    for lane, tap in enumerate(layout.taps):
        lines.append(f"  assign taps[{lane * word} +: {word}] = head{int(tap)};")
    return "\n".join([*lines, "endmodule\n"])


def _requantised(shape: EngineShape) -> list[str]:
    """The requantiser between the queue and the way out: a beat of sums and one of records go together."""
    return [
        "  wire moves; requantiser_reference requantiser(.clk(clk), .rst(rst), .sums(sent), .last(ends),",
        "    .given(sent_v & s_axis_scale_tvalid), .records(s_axis_scale_tdata), .moves(moves),",
        "    .out(m_axis_tdata), .out_last(m_axis_tlast), .out_v(m_axis_tvalid), .out_r(m_axis_tready));",
        "  assign sent_r = moves & s_axis_scale_tvalid, s_axis_scale_tready = moves & sent_v;",
    ]


def _requantiser(shape: EngineShape) -> str:
    """Bias; ReLU and the multiplier; shift, round half up, at most 127. A multiplier of 0 leaves the sum as it is."""
    words, wide = shape.result_words, shape.sums
    lines = [
        f"module requantiser_reference (input clk, input rst, input {vector(words * wide)} sums, input last,",
        f"  input given, input {vector(words * RECORD)} records, output moves,",
        f"  output {vector(words * wide)} out, output out_last, output out_v, input out_r);",
        "  reg full0, full1, full2, last0, last1, last2;",
        "  assign moves = !full2 | out_r, out_v = full2, out_last = last2;",
        "  always @(posedge clk) begin",
        "    if (rst) begin full0 <= 0; full1 <= 0; full2 <= 0; end",
        "    else if (moves) begin full0 <= given; full1 <= full0; full2 <= full1; end",
        "    if (moves) begin last0 <= last; last1 <= last0; last2 <= last1; end",
        "  end",
    ]
    for k in range(words):
        low = k * RECORD
        lines += [
            f"  reg [15:0] factor{k}; reg [5:0] shift{k}_0, shift{k}_1; reg plain{k};",
            "  always @(posedge clk) if (moves) begin",
            f"    factor{k} <= records[{low + 32} +: 16]; shift{k}_0 <= records[{low + 48} +: 6];",
            f"    shift{k}_1 <= shift{k}_0; plain{k} <= factor{k} == 0;",
            "  end",
        ]
        for b in range(shape.batch):
            of, at = f"{k}_{b}", (k * shape.batch + b) * SUM
            lines += [
                f"  reg [31:0] total{of}, kept{of}, word{of}; reg [46:0] product{of};",
                f"  wire [46:0] scaled{of} = product{of} >> shift{k}_1;",
                f"  wire [46:0] rounded{of} = (scaled{of} >> 1) + scaled{of}[0];",
                "  always @(posedge clk) if (moves) begin",
                f"    total{of} <= sums[{at} +: 32] + records[{low} +: 32]; kept{of} <= total{of};",
                f"    product{of} <= (total{of}[31] ? 31'd0 : total{of}[30:0]) * factor{k};",
                f"    word{of} <= plain{k} ? kept{of} : rounded{of} > 127 ? 127 : rounded{of};",
                "  end",
                f"  assign out[{at} +: 32] = word{of};",
            ]
    return "\n".join([*lines, "endmodule\n"])
