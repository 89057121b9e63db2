"""The decoder as a block to drop into a system: all stages behind AXI4-Stream ports with plain names."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.rate_programmable import RateProgrammableDecoder
from xorweave.hw.stages.block_length import BlockLength
from xorweave.hw.stages.correction import CorrectionStage
from xorweave.hw.stages.fields import length_bits
from xorweave.hw.stages.layouts import block_layout, symbol_layout
from xorweave.hw.stages.mask import MaskStage
from xorweave.hw.stages.register_slice import OutputRegister, SkidBuffer
from xorweave.hw.stages.stream_guard import StreamGuard
from xorweave.hw.stages.word_kinds import RawWords
from xorweave.hw.stages.xor_decoder import GroupsDecoder


class AxisDecoder(wiring.Component):
    """Fixed-to-fixed XOR decoder with AXI4-Stream ports: one block of weights a cycle, for every stored form.

    Symbols, XOR networks of the groups, words, mask, patches, weights: each stage that the configuration has.

    Parameters
    ----------
    config : DecoderConfig

    Members
    -------
    s_axis_tdata : In(config.symbol_bits)
        Symbols; `s_axis_tuser` marks the first symbol of a stream (optional after a `s_axis_tlast`),
        `s_axis_tlast` the last. With `s_axis_tvalid`, `s_axis_tready`. Raw words: bit ``b * n_w + q`` is encoded bit b
        of plane q. Prefix-coded: the groups one after another, the first lowest, each in that way.
    s_axis_rate : In(range(len(rates)))
        Only with rates: index of the rate of the stream that starts with this symbol.
    s_axis_block_length : In
        Only with block lengths: words of a block that belong to the stream that starts with this symbol.
    s_axis_mask_tdata : In
        Only with a mask: a bitmap's word, or the symbols of a pattern book's planes or of a shaped mask, with every
        block (see `mask_kinds`).
    s_axis_patch_tdata ... : In
        Only with patches, see `patch_kinds`: lists, beats of gap-coded records, or beats of entries and counts.
    stream_length, stream_clear : In; stream_too_short, stream_too_long : Out(1)
        Only with length_bits, see `StreamGuard`.
    inversion : In(n_w)
        Only if the inversion word is not fixed (with rates or block lengths: `s_axis_inversion`, taken with a stream's
        first symbol).
    m_axis_tdata : Out(n_out * n_w)
        Weights; `m_axis_tuser` and `m_axis_tlast` mark the first and the last block of a stream.
    """

    def __init__(self, config: DecoderConfig) -> None:
        self.config = config
        n_out, n_w = config.n_out, config.n_w
        members: dict[str, wiring.Member] = {
            "s_axis_tdata": In(config.symbol_bits),
            "s_axis_tuser": In(1),
            "s_axis_tlast": In(1),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
        }
        members |= {pin: In(width) for pin, width in config.said_by_stream.items()}
        if config.kind_of_patches is not None:
            for prefix, pins in config.kind_of_patches.streams(n_out, n_w).items():
                members |= {pin: In(width) for pin, width in pins}
                members |= {f"{prefix}_tvalid": In(1), f"{prefix}_tready": Out(1)}
            members |= config.kind_of_patches.flags()
        if config.length_bits:
            members |= {
                "stream_length": In(config.length_bits),
                "stream_clear": In(1),
                "stream_too_short": Out(1),
                "stream_too_long": Out(1),
            }
        if config.inversion_pin:
            members["inversion"] = In(n_w)
        if config.kind_of_mask is not None:
            members |= {
                "s_axis_mask_tdata": In(config.kind_of_mask.width(n_out)),
                "s_axis_mask_tvalid": In(1),
                "s_axis_mask_tready": Out(1),
            }
        members |= {
            "m_axis_tdata": Out(n_out * n_w),
            "m_axis_tuser": Out(1),
            "m_axis_tlast": Out(1),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
        }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        n_out, n_w = config.n_out, config.n_w
        m.submodules.decoder = decoder = self._decoder()
        self._symbols(m, decoder)
        inversion: Value | None = self.inversion if config.inversion_pin else None
        if isinstance(decoder, RateProgrammableDecoder):
            m.d.comb += decoder.rate.eq(self.s_axis_rate)
            if config.inversion is None:
                m.d.comb += decoder.side.eq(self.s_axis_inversion)
                inversion = decoder.side_o
        elif config.block_lengths and config.inversion is None:
            inversion = decoder.side[length_bits(n_out) :]
        mask: MaskStage | None = None
        keep: Value | None = None
        if config.kind_of_mask is not None:
            applied = config.mask_in_network or config.mask_in_words
            m.submodules.mask = mask = MaskStage(n_out, n_w, applied=applied)
            if config.mask_in_words:
                keep = mask.keep
            elif config.mask_in_network:
                assert isinstance(decoder, GroupsDecoder)
                m.d.comb += decoder.keep.eq(mask.keep)
        care = getattr(decoder, "care", None)
        block = config.kind_of_words.connect(m, decoder.o, n_out, inversion, keep, care)
        if mask is not None:
            wiring.connect(m, block, mask.i)
            masks: Any = mask.mask
            if isinstance(decoder, GroupsDecoder) and config.block_lengths:
                m.submodules.block_length = within = BlockLength(n_out)
                wiring.connect(m, within.o, masks)
                m.d.comb += within.length.eq(decoder.side[: length_bits(n_out)])
                masks = within.i
            self._mask_bits(m, masks, block.p.first)
            block = mask.o
        if config.kind_of_patches is not None:
            kind = config.kind_of_patches
            m.submodules.correction = correction = CorrectionStage(
                n_out, n_w, kind.limit, lists=kind.lists, lanes=kind.lanes
            )
            wiring.connect(m, block, correction.i)
            kind.connect(m, self, correction.patches, n_out=n_out, n_w=n_w, skid=config.skid_buffers)
            block = correction.o
        if config.output_register:
            m.submodules.output_register = register = OutputRegister(block_layout(n_out, n_w))
            wiring.connect(m, block, register.i)
            block = register.o
        m.d.comb += [
            self.m_axis_tdata.eq(block.p.words),
            self.m_axis_tuser.eq(block.p.first),
            self.m_axis_tlast.eq(block.p.last),
            self.m_axis_tvalid.eq(block.valid),
            block.ready.eq(self.m_axis_tready),
        ]
        return m

    def _decoder(self) -> GroupsDecoder | RateProgrammableDecoder:
        """Make the shift registers and networks."""
        config = self.config
        if config.rates:
            return RateProgrammableDecoder(
                config.code,
                config.rates,
                config.groups[0].planes,
                config.network,
                input_register=config.input_register,
                side_bits=config.n_w if config.inversion is None else 0,
            )
        return GroupsDecoder(
            config.groups,
            input_register=config.input_register,
            max_depth=config.max_depth,
            masked=config.masked_groups,
            side_bits=sum(config.said_by_stream.values()),
            gated=config.gated_groups,
        )

    def _symbols(self, m: Module, decoder: GroupsDecoder | RateProgrammableDecoder) -> None:
        """Connect the pins of the symbols: skid buffer, guard, decoder."""
        config = self.config
        beside = [] if config.rates else [getattr(self, pin) for pin in config.said_by_stream]
        width = sum(group.symbol_bits for group in config.groups) + len(Cat(beside))
        symbols: Any = decoder.i
        if config.length_bits:
            m.submodules.guard = guard = StreamGuard(width, 1, config.length_bits)
            wiring.connect(m, guard.o, symbols)
            m.d.comb += [
                guard.length.eq(self.stream_length),
                guard.clear.eq(self.stream_clear),
                self.stream_too_short.eq(guard.too_short),
                self.stream_too_long.eq(guard.too_long),
            ]
            symbols = guard.i
        if config.skid_buffers:
            m.submodules.symbol_skid = skid = SkidBuffer(symbol_layout(width, 1))
            wiring.connect(m, skid.o, symbols)
            symbols = skid.i
        data: Value = self.s_axis_tdata
        words = config.kind_of_words
        if isinstance(words, RawWords):
            planes = words.stored_planes
            places = [
                (b * words.n_w + q, q in planes) for b in range(config.code.n_in) for q in range(words.n_w)
            ]
            data = Cat(self.s_axis_tdata[at] for at, stored in places if stored)
            if len(planes) < words.n_w:
                m.d.comb += Signal(len(places) - len(data), name="unused_planes").eq(
                    Cat(self.s_axis_tdata[at] for at, stored in places if not stored)
                )
        if beside:
            data = Cat(data, *beside)
        m.d.comb += [
            symbols.p.symbol.eq(data),
            symbols.p.first.eq(self.s_axis_tuser),
            symbols.p.last.eq(self.s_axis_tlast),
            symbols.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(symbols.ready),
        ]

    def _mask_bits(self, m: Module, masks: Any, first: Value) -> None:
        """Connect the pins of the mask: skid buffer, what turns its words into the stream of mask bits."""
        config = self.config
        assert config.kind_of_mask is not None
        width = config.kind_of_mask.width(config.n_out)
        words = stream.Signature(width).create(path=("mask_words",))
        if config.skid_buffers:
            m.submodules.mask_skid = skid = SkidBuffer(width)
            wiring.connect(m, skid.o, wiring.flipped(words))
            pins = skid.i
        else:
            pins = words
        m.d.comb += [
            pins.payload.eq(self.s_axis_mask_tdata),
            pins.valid.eq(self.s_axis_mask_tvalid),
            self.s_axis_mask_tready.eq(pins.ready),
        ]
        # a mask's stream starts where the values' does, and ends with it
        config.kind_of_mask.connect(m, words, masks, first)
