"""Plane-serial decoding with its stages: corrections, inversion and mask, one plane a cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.plane_serial import PlaneSerialDecoder
from xorweave.hw.stages.fields import correction_bits, dense_corrections, patch_bits, position_bits


def check_plane_serial(config: DecoderConfig) -> None:
    """Raise InputError unless a plane-serial decoder can be made of this configuration."""
    plain = DecoderConfig.raw(code=config.code, n_w=config.n_w)
    refused = [
        name
        for name in (
            *("gap_bits", "bounded", "length_bits", "constant_planes", "rates", "block_lengths", "transform"),
            *("input_register", "max_depth", "output_register", "skid_buffers"),
        )
        if getattr(config, name) != getattr(plain, name)
    ]
    if config.inversion is None:
        refused.append("inversion port")
    if refused:
        raise InputError(f"a plane-serial decoder must be without {', '.join(refused)}")


class PlaneSerialStages(wiring.Component):
    """Plane-serial decoder with AXI4-Stream ports: one plane of a block of weights a cycle, n_w cycles a block.

    Patches and mask come once for every block and are taken with its last plane.

    Parameters
    ----------
    config : DecoderConfig
        Code, n_w, patches, fixed inversion, mask and network count; a transform, which needs whole words, and options
        of the parallel decoder are refused.

    Members
    -------
    s_axis_tdata : In(n_in)
        Symbols of plane 0, 1 .. n_w - 1 of a block, then of the next; tuser marks plane 0 of a stream's first
        block, tlast the last plane of its last.
    s_axis_patch_tdata, s_axis_mask_tdata : In
        As in `AxisDecoder`, one word a block.
    m_axis_tdata : Out(n_out)
        One plane of a block.

    Raises
    ------
    InputError
        The configuration asks for what it cannot do.
    """

    def __init__(self, config: DecoderConfig) -> None:
        check_plane_serial(config)
        self.config = config
        code, n_w, patches = config.code, config.n_w, config.patches_per_block
        self._streams = {"s_axis": code.n_in}
        if patches:
            self._streams["s_axis_patch"] = correction_bits(code.n_out, n_w, patches)
        if config.mask:
            self._streams["s_axis_mask"] = code.n_out
        self._streams["m_axis"] = code.n_out
        members: dict[str, wiring.Member] = {}
        for prefix, width in self._streams.items():
            way, back = (Out, In) if prefix == "m_axis" else (In, Out)
            members |= {
                f"{prefix}_tdata": way(width),
                f"{prefix}_tvalid": way(1),
                f"{prefix}_tready": back(1),
            }
            if prefix in ("s_axis", "m_axis"):
                members |= {f"{prefix}_tuser": way(1), f"{prefix}_tlast": way(1)}
        super().__init__(members)

    def pins(self, prefix: str) -> tuple[tuple[str, int], ...]:
        """Return the pins that make a word of a stream, lowest first, and their widths."""
        pins = [(f"{prefix}_tdata", self._streams[prefix])]
        if prefix in ("s_axis", "m_axis"):
            pins += [(f"{prefix}_tuser", 1), (f"{prefix}_tlast", 1)]
        return tuple(pins)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        code, n_w, patches = config.code, config.n_w, config.patches_per_block
        m.submodules.decoder = decoder = PlaneSerialDecoder(code, n_w, config.network)
        m.d.comb += [
            decoder.i.p.symbol.eq(self.s_axis_tdata),
            decoder.i.p.first.eq(self.s_axis_tuser),
            decoder.i.p.last.eq(self.s_axis_tlast),
            decoder.i.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(decoder.i.ready),
        ]
        # which plane is at the decoder's output; a stream always starts with plane 0
        count, plane = Signal(range(max(2, n_w))), Signal(range(max(2, n_w)))
        final, leave = Signal(), Signal()
        m.d.comb += [
            plane.eq(Mux(decoder.o.p.first, 0, count)),
            final.eq(plane == n_w - 1),
            leave.eq(self.m_axis_tvalid & self.m_axis_tready),
        ]
        with m.If(leave):
            m.d.sync += count.eq(Mux(final, 0, (plane + 1)[: len(count)]))
        words: Value = decoder.o.p.words
        if config.inversion:
            upside_down = Signal()
            m.d.comb += upside_down.eq(Cat(plane == q for q in range(n_w) if config.inversion >> q & 1).any())
            words = words ^ upside_down.replicate(code.n_out)
        if config.mask:
            words = words & self.s_axis_mask_tdata
        if patches:
            changed = Signal(code.n_out)
            m.d.comb += changed.eq(self._changed(m, plane))
            words = words ^ changed
        m.d.comb += [
            self.m_axis_tdata.eq(words),
            self.m_axis_tuser.eq(decoder.o.p.first),
            self.m_axis_tlast.eq(decoder.o.p.last),
        ]
        beside = [prefix for prefix in ("s_axis_patch", "s_axis_mask") if prefix in self._streams]
        ready: Value = self.m_axis_tready
        for prefix in beside:
            ready = ready & getattr(self, f"{prefix}_tvalid")
            m.d.comb += getattr(self, f"{prefix}_tready").eq(leave & final)
        valid: Value = decoder.o.valid
        for prefix in beside:
            valid = valid & getattr(self, f"{prefix}_tvalid")
        m.d.comb += [decoder.o.ready.eq(ready), self.m_axis_tvalid.eq(valid)]
        return m

    def _changed(self, m: Module, plane: Signal) -> Value:
        """Return which words the block's patches change in this plane."""
        config = self.config
        n_out, n_w, patches = config.code.n_out, config.n_w, config.patches_per_block
        bus = self.s_axis_patch_tdata
        now = [plane == q for q in range(n_w)]

        def bit(word: Value) -> Value:
            return Cat(word[q] & now[q] for q in range(n_w)).any()

        if dense_corrections(n_out, n_w, patches):
            return Cat(bit(bus[r * n_w : (r + 1) * n_w]) for r in range(n_out))
        width, address = patch_bits(n_out, n_w), position_bits(n_out)
        hits = []
        for p in range(patches):
            slot = bus[p * width : (p + 1) * width]
            active = Signal(name=f"active{p}")
            m.d.comb += active.eq(slot[-1] & bit(slot[:n_w]))
            hits.append((active, slot[n_w : n_w + address]))
        rows = []
        for r in range(n_out):
            row: Value = Const(0, 1)
            for active, position in hits:
                row = row ^ (active & (position == r))
            rows.append(row)
        return Cat(rows)
