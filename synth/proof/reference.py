"""A plain decoder in Verilog, written straight from the generator matrix and the stream protocol.

It serves twice. It is the reference that netlists are proved equal to: it shares no code with the hardware
description, has one flat exclusive-or per row of G, and can be read in one go. And it is the baseline "as a
plain generator writes it": the sharing of sub-expressions is left to the synthesiser.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.values.transforms import TRANSFORMS


@dataclass(frozen=True, kw_only=True)
class DecoderShape:
    """What a decoder with AXI4-Stream ports consists of, as seen from outside, cycle by cycle.

    Attributes
    ----------
    code : Code
    n_w : int
        Planes side by side.
    patches_per_block : int
        Slots of the correction stage; 0 means no such stage.
    dense_corrections : bool
        The correction stage takes the differences of all words instead of slots.
    inversion : int or None
        Fixed inversion word, or None for a port.
    transform : str
        Map of words undone after the inversion: ``none``, ``difference`` or ``sign-magnitude``.
    constant_planes : int
        Bit q: plane q decodes to 0, and its symbol bits are ignored.
    mask : bool
    input_register : bool
        The newest symbol is held in a register; otherwise it goes straight to the network.
    output_register : bool
    skid_buffers : bool
        A skid buffer on every input stream.
    """

    code: Code
    n_w: int = 1
    patches_per_block: int = 0
    dense_corrections: bool = False
    inversion: int | None = 0
    transform: str = "none"
    constant_planes: int = 0
    mask: bool = False
    input_register: bool = False
    output_register: bool = False
    skid_buffers: bool = False

    @property
    def position_bits(self) -> int:
        """Bits of a patch's position."""
        return max(1, (self.code.n_out - 1).bit_length())

    @property
    def patch_bits(self) -> int:
        """Bits of one patch slot: difference (lowest), position, valid (highest)."""
        return self.n_w + self.position_bits + 1

    @property
    def symbol_width(self) -> int:
        """Bits of the symbol bus."""
        return self.code.n_in * self.n_w

    @property
    def block_width(self) -> int:
        """Bits of the block bus: plane bits given out for every symbol."""
        return self.code.n_out * self.n_w

    @property
    def latency(self) -> int:
        """Cycles from taking a symbol to showing its block when nothing stalls."""
        return int(self.input_register) + int(self.output_register)

    @property
    def delayed(self) -> tuple[tuple[str, str], ...]:
        """Registers of the reference that a netlist may hold sums of: (bus, the register that says when)."""
        return ()

    def with_identity(self, *, n_in: int | None = None) -> DecoderShape:
        """Return the one-plane shape whose block is the window of symbols itself: G = identity.

        Its symbols have `n_in` bits, by default as many as the code's, and it has at most one patch slot:
        what the stages do with words does not depend on how many there are. Words of one bit are what every
        transform maps to themselves.
        """
        code = self.code
        n_in = code.n_in if n_in is None else n_in
        length = n_in * (code.n_s + 1)
        window = Code(n_in=n_in, n_out=length, n_s=code.n_s, generator=np.eye(length, dtype=np.uint8))
        inversion = self.inversion if self.inversion is None else int(self.inversion != 0)
        patches = min(self.patches_per_block, 1)
        return replace(
            self,
            code=window,
            n_w=1,
            inversion=inversion,
            patches_per_block=patches,
            transform="none",
            constant_planes=0,
        )

    def streams(self) -> list[tuple[str, int]]:
        """Return the input streams, (AXI prefix, width of tdata), symbols first."""
        streams = [("s_axis", self.symbol_width)]
        if self.patches_per_block:
            slots = self.patches_per_block * self.patch_bits
            streams.append(("s_axis_patch", self.block_width if self.dense_corrections else slots))
        if self.mask:
            streams.append(("s_axis_mask", self.code.n_out))
        return streams

    def ports(self) -> list[tuple[str, str, int]]:
        """Return every port but clk and rst as (direction, name, width)."""
        ports = []
        for prefix, width in self.streams():
            ports += [("input", f"{prefix}_tdata", width), ("input", f"{prefix}_tvalid", 1)]
            ports += [("output", f"{prefix}_tready", 1)]
            if prefix == "s_axis":
                ports += [("input", "s_axis_tuser", 1), ("input", "s_axis_tlast", 1)]
        if self.inversion is None:
            ports.append(("input", "inversion", self.n_w))
        ports += [("output", "m_axis_tdata", self.block_width), ("output", "m_axis_tuser", 1)]
        ports += [
            ("output", "m_axis_tlast", 1),
            ("output", "m_axis_tvalid", 1),
            ("input", "m_axis_tready", 1),
        ]
        return ports


def vector(width: int) -> str:
    """Return the Verilog range of a bus."""
    return f"[{width - 1}:0]"


def reference_verilog(shape: DecoderShape, name: str = "reference") -> str:
    """Write the plain decoder.

    Parameters
    ----------
    shape : DecoderShape
    name : str
        Module name.

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
    code, n_w = shape.code, shape.n_w
    width, length = shape.symbol_width, code.constraint_length
    lines = [f"module {name} (", "  input clk, input rst,"]
    lines.append(",\n".join(f"  {d} {vector(w)} {n}" for d, n, w in shape.ports()) + "\n);")

    # one skid buffer a stream, or wires
    payloads = {prefix: bits + 2 * (prefix == "s_axis") for prefix, bits in shape.streams()}
    for prefix, bits in payloads.items():
        data = f"{prefix}_tdata" if prefix != "s_axis" else "{s_axis_tlast, s_axis_tuser, s_axis_tdata}"
        lines.append(f"  wire {vector(bits)} {prefix}_d; wire {prefix}_v; wire {prefix}_r;")
        if shape.skid_buffers:
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

    # shift registers: a symbol that starts a stream finds them cleared
    older = code.n_s * width
    lines += [
        f"  wire {vector(width)} symbol = s_axis_d; wire last = s_axis_d[{width + 1}];",
        f"  reg running; wire start = s_axis_d[{width}] | !running; wire take = s_axis_v & s_axis_r;",
        "  always @(posedge clk) if (rst) running <= 0; else if (take) running <= !last;",
        f"  wire block_r; wire block_v, block_first, block_last; wire {vector(length * n_w)} window;",
    ]
    if shape.input_register:
        lines += [
            f"  reg {vector(length * n_w)} x; reg full, x_first, x_last;",
            "  assign s_axis_r = !full | block_r, block_v = full, window = x;",
            "  assign block_first = x_first, block_last = x_last;",
            "  always @(posedge clk) begin",
            "    if (rst) full <= 0; else if (s_axis_r) full <= s_axis_v;",
            "    if (take) begin",
            "      x_first <= start; x_last <= last;",
            f"      x[{width - 1}:0] <= symbol;",
            *([f"      x[{length * n_w - 1}:{width}] <= start ? 0 : x[{older - 1}:0];"] if older else []),
            "    end",
            "  end",
        ]
    else:
        seen = f"{{start ? {{{older}{{1'b0}}}} : x, symbol}}" if older else "symbol"
        lines += [
            f"  reg {vector(max(older, 1))} x;",
            f"  assign s_axis_r = block_r, block_v = s_axis_v, window = {seen};",
            "  assign block_first = start, block_last = last;",
            *([f"  always @(posedge clk) if (take) x <= window[{older - 1}:0];"] if older else []),
        ]

    # the matrix: one flat exclusive-or a row and plane
    lines.append(f"  wire {vector(shape.block_width)} decoded;")
    for row, taps in enumerate(code.generator):
        columns = np.flatnonzero(taps)
        for q in range(n_w):
            if shape.constant_planes >> q & 1:
                lines.append(f"  assign decoded[{row * n_w + q}] = 1'b0;")
                continue
            terms = " ^ ".join(f"window[{column * n_w + q}]" for column in columns) or "1'b0"
            lines.append(f"  assign decoded[{row * n_w + q}] = {terms};")

    valids = ["block_v"]
    current = "decoded"
    if shape.patches_per_block and shape.dense_corrections:
        valids.append("s_axis_patch_v")
        lines.append(f"  wire {vector(shape.block_width)} repaired = decoded ^ s_axis_patch_d;")
        current = "repaired"
    elif shape.patches_per_block:
        valids.append("s_axis_patch_v")
        lines.append(f"  reg {vector(shape.block_width)} repaired; integer p, r;")
        slot, position = shape.patch_bits, shape.position_bits
        lines += [
            "  always @* begin",
            "    repaired = decoded;",
            f"    for (p = 0; p < {shape.patches_per_block}; p = p + 1)",
            f"      for (r = 0; r < {code.n_out}; r = r + 1)",
            f"        if (s_axis_patch_d[p * {slot} + {slot - 1}]",
            f"            && s_axis_patch_d[p * {slot} + {n_w} +: {position}] == r)",
            f"          repaired[r * {n_w} +: {n_w}] = repaired[r * {n_w} +: {n_w}]"
            f" ^ s_axis_patch_d[p * {slot} +: {n_w}];",
            "  end",
        ]
        current = "repaired"
    if shape.inversion is None or shape.inversion:
        word = "inversion" if shape.inversion is None else f"{n_w}'d{shape.inversion}"
        lines.append(f"  wire {vector(shape.block_width)} upright = {current} ^ {{{code.n_out}{{{word}}}}};")
        current = "upright"
    if shape.transform != "none" and n_w > 1:
        lines.append(f"  wire {vector(shape.block_width)} weights;")
        for low in range(0, shape.block_width, n_w):
            top = low + n_w - 1
            if shape.transform == "difference":
                for q in range(low, top + 1):
                    lines.append(f"  assign weights[{q}] = ^{current}[{top}:{q}];")
            else:
                magnitude = f"{current}[{top - 1}:{low}]"
                lines += [
                    f"  assign weights[{top}] = {current}[{top}];",
                    f"  assign weights[{top - 1}:{low}] = {current}[{top}] ? -{magnitude} : {magnitude};",
                ]
        current = "weights"
    if shape.mask:
        valids.append("s_axis_mask_v")
        kept = ", ".join(f"{{{n_w}{{s_axis_mask_d[{row}]}}}}" for row in reversed(range(code.n_out)))
        lines.append(f"  wire {vector(shape.block_width)} masked = {current} & {{{kept}}};")
        current = "masked"

    # a block leaves when every stream has its part of it
    lines.append(f"  wire out_r; wire out_v = {' & '.join(valids)};")
    for valid in valids:
        others = " & ".join(["out_r", *(other for other in valids if other != valid)])
        lines.append(f"  assign {valid[:-1]}r = {others};")
    if shape.output_register:
        lines += [
            f"  reg held; reg {vector(shape.block_width)} held_data; reg held_first, held_last;",
            "  assign out_r = !held | m_axis_tready, m_axis_tvalid = held, m_axis_tdata = held_data;",
            "  assign m_axis_tuser = held_first, m_axis_tlast = held_last;",
            "  always @(posedge clk) begin",
            "    if (rst) held <= 0; else if (out_r) held <= out_v;",
            f"    if (out_v & out_r) begin held_data <= {current};",
            "      held_first <= block_first; held_last <= block_last; end",
            "  end",
        ]
    else:
        lines += [
            f"  assign out_r = m_axis_tready, m_axis_tvalid = out_v, m_axis_tdata = {current};",
            "  assign m_axis_tuser = block_first, m_axis_tlast = block_last;",
        ]
    lines.append("endmodule\n")
    return "\n".join(lines)
