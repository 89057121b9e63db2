"""The stream contract as a monitor in Verilog: what goes in comes out once, in order, at full rate."""

from __future__ import annotations

from xorweave.synth.proof.shape import DecoderShape, vector

_COUNT_BITS = (
    3  # streams are numbered modulo 8; that no more blocks are ever under way is part of the property
)


_PATIENCE_BITS = 3  # cycles are counted as far as a decoder's latency needs


def contract_verilog(shape: DecoderShape, decoder: str = "reference") -> str:
    """Write the monitor around a decoder whose block is the window of symbols itself
    (`DecoderShape.with_identity`).

    The sources are as free as AXI4-Stream lets them be (valid once raised stays, with its data, until taken);
    ready, reset and the data are free in every cycle. One block number, modulo 8, is picked freely at reset;
    what the symbol, patch and mask streams bring under that number is kept and compared when the block
    leaves, so every block is covered. The output ``bad`` is 1 when one of these is broken:

    - a block leaves only if its symbol, patches and mask have been taken, and never more than 8 are under
      way;
    - it equals ((window xor inversion) and mask) xor patches, with the right first and last marks;
    - ``m_axis_tvalid`` and its data stay until taken;
    - valid does not wait for ready: with a symbol at hand or already taken, and patches and masks at hand, a block is
      offered within `latency` cycles (one more with skid buffers), whatever the sink's ready does meanwhile; so every
      block that is due appears, and appears within that many cycles;
    - full rate: once every source has been valid and the sink ready for `latency` cycles (one more with skid
      buffers), a symbol enters and a block leaves in every cycle while that lasts;
    - nothing stays behind: with the sink ready and patches and masks at hand, a taken symbol's block leaves
      within `latency` cycles (one more with skid buffers).

    Parameters
    ----------
    shape : DecoderShape
        One plane, G = identity.
    decoder : str
        Name of the module under the monitor.

    Returns
    -------
    str
        Verilog of a module ``contract``.
    """
    code, n_w = shape.code, shape.n_w
    width, length, block = shape.symbol_width, code.constraint_length * n_w, shape.block_width
    older = length - width
    streams = shape.streams()
    patience = shape.latency + int(shape.skid_buffers)
    most = (1 << _PATIENCE_BITS) - 1
    count = vector(_COUNT_BITS)
    lines = ["module contract (", f"  input clk, input reset_in, input {count} pick, input sink_ready,"]
    lines += [f"  input {prefix}_offer, input {vector(bits)} {prefix}_free," for prefix, bits in streams]
    if shape.inversion is None:
        lines.append(f"  input {vector(n_w)} inversion_free,")
    lines += ["  input first_free, input last_free, output bad);"]
    lines += [
        "  reg started = 0; always @(posedge clk) started <= 1;",
        "  wire rst = !started | reset_in;",
        f"  reg {count} watched; always @(posedge clk) if (rst) watched <= pick;",
    ]
    pins = [".clk(clk)", ".rst(rst)", ".m_axis_tready(sink_ready)"]
    if shape.inversion is None:
        # the port is to be held still while a stream is running: here, from reset to reset
        lines.append(
            f"  reg {vector(n_w)} inversion; always @(posedge clk) if (rst) inversion <= inversion_free;"
        )
        pins.append(".inversion(inversion)")

    for prefix, bits in streams:
        symbols = prefix == "s_axis"
        free = f"{{last_free, first_free, {prefix}_free}}" if symbols else f"{prefix}_free"
        wide = vector(bits + 2 * symbols)
        lines += [
            f"  wire {prefix}_tready; reg {prefix}_kept; reg {wide} {prefix}_word;",
            f"  wire {prefix}_tvalid = {prefix}_kept | {prefix}_offer;",
            f"  wire {wide} {prefix}_t = {prefix}_kept ? {prefix}_word : {free};",
            f"  wire {prefix}_take = {prefix}_tvalid & {prefix}_tready & !rst;",
            f"  reg {count} {prefix}_n;",
            "  always @(posedge clk) begin",
            f"    {prefix}_kept <= {prefix}_tvalid & !{prefix}_tready & !rst; {prefix}_word <= {prefix}_t;",
            f"    if (rst) {prefix}_n <= 0; else {prefix}_n <= {prefix}_n + {prefix}_take;",
            "  end",
        ]
        pins += [f".{prefix}_tvalid({prefix}_tvalid)", f".{prefix}_tready({prefix}_tready)"]
        pins.append(f".{prefix}_tdata({prefix}_t[{bits - 1}:0])")
        if symbols:
            pins += [f".s_axis_tuser(s_axis_t[{bits}])", f".s_axis_tlast(s_axis_t[{bits + 1}])"]

    # what the watched block is made of; if it is taken in this very cycle, straight from the bus
    history = f"{{start ? {{{older}{{1'b0}}}} : past, s_axis_t[{width - 1}:0]}}" if older else "s_axis_t"
    lines += [
        f"  reg running; wire start = s_axis_t[{width}] | !running; wire last = s_axis_t[{width + 1}];",
        f"  reg {vector(max(older, 1))} past; wire {vector(length)} window = {history};",
        "  always @(posedge clk) begin",
        "    if (rst) running <= 0; else if (s_axis_take) running <= !last;",
        *([f"    if (s_axis_take) past <= window[{older - 1}:0];"] if older else []),
        "  end",
    ]
    seen = {"s_axis": (length + 2, "{last, start, window}")}
    seen |= {prefix: (bits, f"{prefix}_t") for prefix, bits in streams if prefix != "s_axis"}
    for prefix, (bits, value) in seen.items():
        lines += [
            f"  reg {vector(bits)} {prefix}_note;",
            f"  wire {vector(bits)} {prefix}_due ="
            f" ({prefix}_take & {prefix}_n == watched) ? {value} : {prefix}_note;",
            f"  always @(posedge clk) {prefix}_note <= {prefix}_due;",
        ]
    lines.append(f"  reg {vector(block)} due; integer p, r;")
    lines += ["  always @* begin", f"    due = s_axis_due[{length - 1}:0];"]
    if shape.inversion is None or shape.inversion:
        word = "inversion" if shape.inversion is None else f"{n_w}'d{shape.inversion}"
        lines.append(f"    due = due ^ {{{code.n_out}{{{word}}}}};")
    if shape.mask:
        lines += [
            f"    for (r = 0; r < {code.n_out}; r = r + 1)",
            f"      due[r * {n_w} +: {n_w}] = due[r * {n_w} +: {n_w}] & {{{n_w}{{s_axis_mask_due[r]}}}};",
        ]
    if shape.patches_per_block and shape.dense_corrections:
        lines.append("    due = due ^ s_axis_patch_due;")
    elif shape.patches_per_block:
        slot, position = shape.patch_bits, shape.position_bits
        lines += [
            f"    for (p = 0; p < {shape.patches_per_block}; p = p + 1)",
            f"      for (r = 0; r < {code.n_out}; r = r + 1)",
            f"        if (s_axis_patch_due[p * {slot} + {slot - 1}]",
            f"            && s_axis_patch_due[p * {slot} + {n_w} +: {position}] == r)",
            f"          due[r * {n_w} +: {n_w}] = due[r * {n_w} +: {n_w}]"
            f" ^ s_axis_patch_due[p * {slot} +: {n_w}];",
        ]
    lines.append("  end")

    lines += [
        f"  wire {vector(block)} out; wire out_first, out_last, out_valid;",
        f"  {decoder} dut ({', '.join(pins)}, .m_axis_tdata(out), .m_axis_tuser(out_first),",
        "    .m_axis_tlast(out_last), .m_axis_tvalid(out_valid));",
        "  wire leave = out_valid & sink_ready & !rst;",
        f"  reg {count} gone; always @(posedge clk) if (rst) gone <= 0; else gone <= gone + leave;",
    ]
    early, many = [], []
    for prefix, _ in streams:
        early.append(f"(leave & {prefix}_n == gone & !{prefix}_take)")
        lines.append(f"  wire {count} {prefix}_more = gone - {prefix}_n - 1;")
        many.append(f"({prefix}_take & !leave & {prefix}_more == 0)")
    lines += [
        f"  wire early = {' | '.join(early)};",
        f"  wire many = {' | '.join(many)};",
        "  wire wrong = leave & gone == watched & {out_last, out_first, out} !="
        f" {{s_axis_due[{length + 1}], s_axis_due[{length}], due}};",
        f"  reg stalled; reg {vector(block + 2)} shown;",
        "  always @(posedge clk) begin",
        "    stalled <= out_valid & !sink_ready & !rst; shown <= {out_last, out_first, out};",
        "  end",
        "  wire changed = stalled & (!out_valid | {out_last, out_first, out} != shown) & !rst;",
        f"  wire willing = sink_ready & {' & '.join(f'{prefix}_tvalid' for prefix, _ in streams)};",
        f"  wire served = {' & '.join(['sink_ready', *(f'{p}_tvalid' for p, _ in streams if p != 's_axis')])}"
        " & s_axis_n != gone;",
        # offered whatever ready says: what is taken or on offer must show
        f"  wire at_hand = {' & '.join(['1', *(f'{p}_tvalid' for p, _ in streams if p != 's_axis')])}"
        " & (s_axis_tvalid | s_axis_n != gone);",
        f"  reg {vector(_PATIENCE_BITS)} eager, waited, idle;",
        "  always @(posedge clk) begin",
        f"    eager <= rst | !willing ? 0 : eager + (eager != {most});",
        f"    waited <= rst | !served | leave ? 0 : waited + (waited != {most});",
        f"    idle <= rst | !at_hand | out_valid ? 0 : idle + (idle != {most});",
        "  end",
        f"  wire asleep = at_hand & !rst & idle >= {patience} & !out_valid;",
        f"  wire slow = willing & !rst & eager >= {patience} & !(s_axis_take & leave);",
        f"  wire left = served & !rst & waited >= {patience} & !leave;",
        "  assign bad = started & !rst & (early | many | wrong | changed | slow | left | asleep);",
        "endmodule\n",
    ]
    return "\n".join(lines)
