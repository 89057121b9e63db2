"""The stream contract as a monitor in Verilog: what goes in comes out once, in order, at full rate."""

from __future__ import annotations

from xorweave.synth.proof.shape import DecoderShape, vector

# Streams are numbered modulo 8; that no more blocks are ever under way is part of the property.
_COUNT_BITS = 3
_PATIENCE_BITS = 3  # cycles are counted as far as a decoder's latency needs
_COUNT = vector(_COUNT_BITS)


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
    lines = [*_head(shape), *_inversion(shape)]
    for prefix, bits in shape.streams():
        lines += _source(prefix, bits)
    lines += [*_window(shape), *_notes(shape), *_due_block(shape), *_decoder(shape, decoder)]
    lines += [*_each_once(shape), *_unchanged(shape), *_in_time(shape)]
    lines += [
        "  assign bad = started & !rst & (early | many | wrong | changed | slow | left | asleep);",
        "endmodule\n",
    ]
    return "\n".join(lines)


def _sizes(shape: DecoderShape) -> tuple[int, int]:
    """Return the bits of a symbol word and those of the window of such words."""
    return shape.symbol_width, shape.code.constraint_length * shape.n_w


def _head(shape: DecoderShape) -> list[str]:
    """Ports, reset, and the number of the block that is watched."""
    lines = ["module contract (", f"  input clk, input reset_in, input {_COUNT} pick, input sink_ready,"]
    lines += [
        f"  input {prefix}_offer, input {vector(bits)} {prefix}_free," for prefix, bits in shape.streams()
    ]
    if shape.inversion is None:
        lines.append(f"  input {vector(shape.n_w)} inversion_free,")
    return [
        *lines,
        "  input first_free, input last_free, output bad);",
        "  reg started = 0; always @(posedge clk) started <= 1;",
        "  wire rst = !started | reset_in;",
        f"  reg {_COUNT} watched; always @(posedge clk) if (rst) watched <= pick;",
    ]


def _inversion(shape: DecoderShape) -> list[str]:
    """The inversion word: free, and held still from reset to reset, as the port asks while a stream is running."""
    if shape.inversion is not None:
        return []
    return [
        f"  reg {vector(shape.n_w)} inversion; always @(posedge clk) if (rst) inversion <= inversion_free;"
    ]


def _source(prefix: str, bits: int) -> list[str]:
    """A source: valid and data are free, but once valid they stay until taken; what is taken is counted."""
    symbols = prefix == "s_axis"
    free = f"{{last_free, first_free, {prefix}_free}}" if symbols else f"{prefix}_free"
    wide = vector(bits + 2 * symbols)
    return [
        f"  wire {prefix}_tready; reg {prefix}_kept; reg {wide} {prefix}_word;",
        f"  wire {prefix}_tvalid = {prefix}_kept | {prefix}_offer;",
        f"  wire {wide} {prefix}_t = {prefix}_kept ? {prefix}_word : {free};",
        f"  wire {prefix}_take = {prefix}_tvalid & {prefix}_tready & !rst;",
        f"  reg {_COUNT} {prefix}_n;",
        "  always @(posedge clk) begin",
        f"    {prefix}_kept <= {prefix}_tvalid & !{prefix}_tready & !rst; {prefix}_word <= {prefix}_t;",
        f"    if (rst) {prefix}_n <= 0; else {prefix}_n <= {prefix}_n + {prefix}_take;",
        "  end",
    ]


def _window(shape: DecoderShape) -> list[str]:
    """The window of symbols: zeros at the start of a stream, then what has been taken."""
    width, length = _sizes(shape)
    older = length - width
    history = f"{{start ? {{{older}{{1'b0}}}} : past, s_axis_t[{width - 1}:0]}}" if older else "s_axis_t"
    return [
        f"  reg running; wire start = s_axis_t[{width}] | !running; wire last = s_axis_t[{width + 1}];",
        f"  reg {vector(max(older, 1))} past; wire {vector(length)} window = {history};",
        "  always @(posedge clk) begin",
        "    if (rst) running <= 0; else if (s_axis_take) running <= !last;",
        *([f"    if (s_axis_take) past <= window[{older - 1}:0];"] if older else []),
        "  end",
    ]


def _notes(shape: DecoderShape) -> list[str]:
    """What the watched block is made of; if it is taken in this very cycle, straight from the bus."""
    _, length = _sizes(shape)
    seen = {"s_axis": (length + 2, "{last, start, window}")}
    seen |= {prefix: (bits, f"{prefix}_t") for prefix, bits in shape.streams() if prefix != "s_axis"}
    lines = []
    for prefix, (bits, value) in seen.items():
        lines += [
            f"  reg {vector(bits)} {prefix}_note;",
            f"  wire {vector(bits)} {prefix}_due ="
            f" ({prefix}_take & {prefix}_n == watched) ? {value} : {prefix}_note;",
            f"  always @(posedge clk) {prefix}_note <= {prefix}_due;",
        ]
    return lines


def _due_block(shape: DecoderShape) -> list[str]:
    """The block that is due: ((window xor inversion) and mask) xor patches."""
    n_out, n_w = shape.code.n_out, shape.n_w
    _, length = _sizes(shape)
    lines = [f"  reg {vector(shape.block_width)} due; integer p, r;"]
    lines += ["  always @* begin", f"    due = s_axis_due[{length - 1}:0];"]
    if shape.inversion is None or shape.inversion:
        word = "inversion" if shape.inversion is None else f"{n_w}'d{shape.inversion}"
        lines.append(f"    due = due ^ {{{n_out}{{{word}}}}};")
    if shape.mask:
        lines += [
            f"    for (r = 0; r < {n_out}; r = r + 1)",
            f"      due[r * {n_w} +: {n_w}] = due[r * {n_w} +: {n_w}] & {{{n_w}{{s_axis_mask_due[r]}}}};",
        ]
    if shape.patches_per_block and shape.dense_corrections:
        lines.append("    due = due ^ s_axis_patch_due;")
    elif shape.patches_per_block:
        slot, position = shape.patch_bits, shape.position_bits
        lines += [
            f"    for (p = 0; p < {shape.patches_per_block}; p = p + 1)",
            f"      for (r = 0; r < {n_out}; r = r + 1)",
            f"        if (s_axis_patch_due[p * {slot} + {slot - 1}]",
            f"            && s_axis_patch_due[p * {slot} + {n_w} +: {position}] == r)",
            f"          due[r * {n_w} +: {n_w}] = due[r * {n_w} +: {n_w}]"
            f" ^ s_axis_patch_due[p * {slot} +: {n_w}];",
        ]
    return [*lines, "  end"]


def _decoder(shape: DecoderShape, decoder: str) -> list[str]:
    """The decoder under the monitor, and the count of blocks that have left it."""
    pins = [".clk(clk)", ".rst(rst)", ".m_axis_tready(sink_ready)"]
    if shape.inversion is None:
        pins.append(".inversion(inversion)")
    for prefix, bits in shape.streams():
        pins += [f".{prefix}_tvalid({prefix}_tvalid)", f".{prefix}_tready({prefix}_tready)"]
        pins.append(f".{prefix}_tdata({prefix}_t[{bits - 1}:0])")
        if prefix == "s_axis":
            pins += [f".s_axis_tuser(s_axis_t[{bits}])", f".s_axis_tlast(s_axis_t[{bits + 1}])"]
    return [
        f"  wire {vector(shape.block_width)} out; wire out_first, out_last, out_valid;",
        f"  {decoder} dut ({', '.join(pins)}, .m_axis_tdata(out), .m_axis_tuser(out_first),",
        "    .m_axis_tlast(out_last), .m_axis_tvalid(out_valid));",
        "  wire leave = out_valid & sink_ready & !rst;",
        f"  reg {_COUNT} gone; always @(posedge clk) if (rst) gone <= 0; else gone <= gone + leave;",
    ]


def _each_once(shape: DecoderShape) -> list[str]:
    """``early``, ``many``, ``wrong``: a block leaves only after its parts came, few are under way, each is right."""
    _, length = _sizes(shape)
    lines, early, many = [], [], []
    for prefix, _ in shape.streams():
        early.append(f"(leave & {prefix}_n == gone & !{prefix}_take)")
        lines.append(f"  wire {_COUNT} {prefix}_more = gone - {prefix}_n - 1;")
        many.append(f"({prefix}_take & !leave & {prefix}_more == 0)")
    return [
        *lines,
        f"  wire early = {' | '.join(early)};",
        f"  wire many = {' | '.join(many)};",
        "  wire wrong = leave & gone == watched & {out_last, out_first, out} !="
        f" {{s_axis_due[{length + 1}], s_axis_due[{length}], due}};",
    ]


def _unchanged(shape: DecoderShape) -> list[str]:
    """``changed``: what is offered stays until it is taken."""
    return [
        f"  reg stalled; reg {vector(shape.block_width + 2)} shown;",
        "  always @(posedge clk) begin",
        "    stalled <= out_valid & !sink_ready & !rst; shown <= {out_last, out_first, out};",
        "  end",
        "  wire changed = stalled & (!out_valid | {out_last, out_first, out} != shown) & !rst;",
    ]


def _in_time(shape: DecoderShape) -> list[str]:
    """``slow``, ``left``, ``asleep``: full rate, nothing stays behind, and valid does not wait for ready."""
    patience = shape.latency + int(shape.skid_buffers)
    most = (1 << _PATIENCE_BITS) - 1
    beside = [f"{prefix}_tvalid" for prefix, _ in shape.streams() if prefix != "s_axis"]
    return [
        f"  wire willing = sink_ready & {' & '.join(f'{prefix}_tvalid' for prefix, _ in shape.streams())};",
        f"  wire served = {' & '.join(['sink_ready', *beside])} & s_axis_n != gone;",
        # offered whatever ready says: what is taken or on offer must show
        f"  wire at_hand = {' & '.join(['1', *beside])} & (s_axis_tvalid | s_axis_n != gone);",
        f"  reg {vector(_PATIENCE_BITS)} eager, waited, idle;",
        "  always @(posedge clk) begin",
        f"    eager <= rst | !willing ? 0 : eager + (eager != {most});",
        f"    waited <= rst | !served | leave ? 0 : waited + (waited != {most});",
        f"    idle <= rst | !at_hand | out_valid ? 0 : idle + (idle != {most});",
        "  end",
        f"  wire asleep = at_hand & !rst & idle >= {patience} & !out_valid;",
        f"  wire slow = willing & !rst & eager >= {patience} & !(s_axis_take & leave);",
        f"  wire left = served & !rst & waited >= {patience} & !leave;",
    ]
