"""The decoder as a block to drop into a system: all stages behind AXI4-Stream ports with plain names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.values.transforms import TRANSFORMS
from xorweave.hw.decoders.rate_programmable import RateProgrammableDecoder
from xorweave.hw.stages.correction import CorrectionStage
from xorweave.hw.stages.gap_correction import BoundedUnpacker, GapUnpacker
from xorweave.hw.stages.inversion import InversionStage
from xorweave.hw.stages.layouts import block_layout, correction_bits, position_bits, symbol_layout
from xorweave.hw.stages.mask import MaskStage
from xorweave.hw.stages.register_slice import OutputRegister, SkidBuffer
from xorweave.hw.stages.stream_guard import StreamGuard
from xorweave.hw.stages.transform import TransformStage
from xorweave.hw.stages.xor_decoder import XorDecoder
from xorweave.hw.xor.network import XorNetwork, balanced_trees
from xorweave.hw.xor.pipeline import pipeline_cut


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Everything that decides what hardware is generated.

    Attributes
    ----------
    code : Code
    n_w : int
        Planes side by side, bits of a weight.
    patches_per_block : int
        Slots of the correction stage; 0 leaves the stage and its port out (error-free codes).
    gap_bits : int
        0: `s_axis_patch` brings a list of patches with every block. Otherwise it brings the gap-coded records of
        the joint format, with gaps of so many bits and up to patches_per_block records a beat and a block.
    bounded : bool
        `s_axis_patch` brings the entries of the bounded format, and `s_axis_count` how many belong to each block
        (see `BoundedUnpacker`); patches_per_block is the format's limit. Not together with gap_bits.
    length_bits : int
        0: no stream guard. Otherwise the width of its port `stream_length` (see `StreamGuard`).
    inversion : int or None
        Fixed inversion word (0 leaves the stage out), or None for an `inversion` port (with rates: for
        `s_axis_inversion`, taken with the first symbol of a stream).
    constant_planes : int
        Word whose bit q says that plane q is not in the payload: it has no registers and no XOR network, its symbol
        bits are ignored, and it decodes to 0 (which corrections and inversion may change). One plane is always kept.
    rates : tuple of int
        Empty: the code's one rate. Otherwise the N_in to choose from at run time (see `RateProgrammableDecoder`).
    transform : str
        Map of words to undo after the inversion (see `TransformStage`), or ``none``.
    mask : bool
        Whether there are a mask stage and its port.
    input_register : bool
        See `XorDecoder`.
    max_depth : int or None
        Most two-input XORs between registers, see `XorDecoder`.
    output_register : bool
        Register the weights (n_out * n_w flip-flops) after the last stage.
    skid_buffers : bool
        Put a skid buffer on every input stream, so that no `ready` output depends on an input in the same cycle.
    network : XorNetwork or None
        Gates of the generator matrix; None for balanced trees without sharing.

    Raises
    ------
    InputError
        A size is out of range.
    """

    code: Code
    n_w: int
    patches_per_block: int = 0
    gap_bits: int = 0
    bounded: bool = False
    length_bits: int = 0
    inversion: int | None = 0
    constant_planes: int = 0
    rates: tuple[int, ...] = ()
    transform: str = "none"
    mask: bool = True
    input_register: bool = True
    max_depth: int | None = None
    output_register: bool = False
    skid_buffers: bool = False
    network: XorNetwork | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.n_w <= 64:
            raise InputError(f"n_w must be between 1 and 64, not {self.n_w}")
        if not 0 <= self.patches_per_block <= self.code.n_out:
            raise InputError(
                f"patches_per_block must be between 0 and n_out = {self.code.n_out}, "
                f"not {self.patches_per_block}"
            )
        if not 0 <= self.gap_bits <= 32 or (self.gap_bits and not self.patches_per_block):
            raise InputError(
                f"gap_bits must be between 0 and 32, and 0 without a correction stage, not {self.gap_bits}"
            )
        if self.bounded and (self.gap_bits or not self.patches_per_block):
            raise InputError("bounded corrections must have patches_per_block, and no gap_bits")
        if self.max_depth is not None and (self.max_depth < 1 or not self.input_register):
            raise InputError(
                f"max_depth must be at least 1, and needs the input register, not {self.max_depth}"
            )
        if not 0 <= self.length_bits <= 32:
            raise InputError(f"length_bits must be between 0 and 32, not {self.length_bits}")
        if self.transform not in TRANSFORMS:
            raise InputError(f"the transform must be one of {', '.join(TRANSFORMS)}, not {self.transform!r}")
        if not 0 <= self.constant_planes < 1 << self.n_w:
            raise InputError(f"the constant planes must be {self.n_w} bits, not {self.constant_planes}")
        if self.rates and (self.max_depth is not None or self.length_bits or self.skid_buffers):
            raise InputError(
                "a decoder of several rates must have no max_depth, length_bits and skid_buffers"
            )
        if self.inversion is not None and not 0 <= self.inversion < 1 << self.n_w:
            raise InputError(f"the inversion word must have {self.n_w} bits, not be {self.inversion}")

    @property
    def mask_in_network(self) -> bool:
        """Whether the mask is folded into the XOR network: nothing stands between the two, no register either."""
        between = self.patches_per_block or self.inversion != 0 or self.transform != "none"
        return self.mask and not between and self.max_depth is None and not self.rates

    @property
    def stored_planes(self) -> list[int]:
        """The planes that have hardware of their own, lowest first; at least one."""
        return [q for q in range(self.n_w) if not self.constant_planes >> q & 1] or [0]

    @property
    def latency(self) -> int:
        """Cycles from a symbol taken to its block offered, when nothing is in the way."""
        stages = int(self.input_register)
        if self.max_depth is not None:
            network = self.network or balanced_trees(self.code.generator)
            stages = pipeline_cut(network, max_depth=self.max_depth).stages
        return stages + int(self.output_register)


class AxisDecoder(wiring.Component):
    """Fixed-to-fixed XOR decoder with AXI4-Stream ports: one block of weights a cycle.

    Parameters
    ----------
    config : DecoderConfig

    Members
    -------
    s_axis_tdata : In(n_in * n_w)
        Symbols; `s_axis_tuser` marks the first symbol of a stream (optional after a `s_axis_tlast`),
        `s_axis_tlast` the last. With `s_axis_tvalid`, `s_axis_tready`.
    s_axis_rate : In(range(len(rates)))
        Only with rates: index of the rate of the stream that starts with this symbol.
    s_axis_patch_tdata : In(correction_bits(n_out, n_w, P))
        One list of patches (or the differences of all words) with every block (only if patches_per_block > 0).
        With bounded, beats of `BoundedUnpacker`, and `s_axis_count_tdata` with every block. With gap_bits, beats
        of `GapUnpacker`: tdata has the records, tuser how many of them count, tlast marks the tensor's last beat;
        `patch_restart` begins the next tensor, `patch_overflow` reports a block with more records than fit.
    stream_length, stream_clear : In; stream_too_short, stream_too_long : Out(1)
        Only with length_bits, see `StreamGuard`.
    s_axis_mask_tdata : In(n_out)
        One mask word with every block (only with a mask stage).
    inversion : In(n_w)
        Only if the inversion word is not fixed.
    m_axis_tdata : Out(n_out * n_w)
        Weights; `m_axis_tuser` and `m_axis_tlast` mark the first and the last block of a stream.
    """

    def __init__(self, config: DecoderConfig) -> None:
        self.config = config
        code, n_w = config.code, config.n_w
        members = {
            "s_axis_tdata": In(code.n_in * n_w),
            "s_axis_tuser": In(1),
            "s_axis_tlast": In(1),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
        }
        if config.rates:
            members["s_axis_rate"] = In(range(max(2, len(config.rates))))
        if config.gap_bits:
            lanes = config.patches_per_block
            members |= {
                "s_axis_patch_tdata": In(lanes * (config.gap_bits + n_w)),
                "s_axis_patch_tuser": In(lanes.bit_length()),
                "s_axis_patch_tlast": In(1),
                "s_axis_patch_tvalid": In(1),
                "s_axis_patch_tready": Out(1),
                "patch_restart": In(1),
                "patch_overflow": Out(1),
            }
        elif config.bounded:
            limit = config.patches_per_block
            members |= {
                "s_axis_count_tdata": In(range(limit + 1)),
                "s_axis_count_tvalid": In(1),
                "s_axis_count_tready": Out(1),
                "s_axis_patch_tdata": In(limit * (position_bits(code.n_out) + n_w)),
                "s_axis_patch_tuser": In(limit.bit_length()),
                "s_axis_patch_tlast": In(1),
                "s_axis_patch_tvalid": In(1),
                "s_axis_patch_tready": Out(1),
                "patch_restart": In(1),
            }
        elif config.patches_per_block:
            members |= {
                "s_axis_patch_tdata": In(correction_bits(code.n_out, n_w, config.patches_per_block)),
                "s_axis_patch_tvalid": In(1),
                "s_axis_patch_tready": Out(1),
            }
        if config.length_bits:
            members |= {
                "stream_length": In(config.length_bits),
                "stream_clear": In(1),
                "stream_too_short": Out(1),
                "stream_too_long": Out(1),
            }
        if config.inversion is None:
            members["s_axis_inversion" if config.rates else "inversion"] = In(n_w)
        if config.mask:
            members |= {
                "s_axis_mask_tdata": In(code.n_out),
                "s_axis_mask_tvalid": In(1),
                "s_axis_mask_tready": Out(1),
            }
        members |= {
            "m_axis_tdata": Out(code.n_out * n_w),
            "m_axis_tuser": Out(1),
            "m_axis_tlast": Out(1),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
        }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        code, n_w = config.code, config.n_w
        blocks = block_layout(code.n_out, n_w)

        planes = config.stored_planes
        decoder: XorDecoder | RateProgrammableDecoder
        if config.rates:
            decoder = RateProgrammableDecoder(
                code,
                config.rates,
                len(planes),
                config.network,
                input_register=config.input_register,
                side_bits=n_w if config.inversion is None else 0,
            )
            m.d.comb += decoder.rate.eq(self.s_axis_rate)
        else:
            decoder = XorDecoder(
                code,
                len(planes),
                config.network,
                input_register=config.input_register,
                max_depth=config.max_depth,
                masked=config.mask_in_network,
            )
        m.submodules.decoder = decoder
        symbols = decoder.i
        if config.length_bits:
            m.submodules.guard = guard = StreamGuard(code.n_in, len(planes), config.length_bits)
            wiring.connect(m, guard.o, symbols)
            m.d.comb += [
                guard.length.eq(self.stream_length),
                guard.clear.eq(self.stream_clear),
                self.stream_too_short.eq(guard.too_short),
                self.stream_too_long.eq(guard.too_long),
            ]
            symbols = guard.i
        if config.skid_buffers:
            m.submodules.symbol_skid = skid = SkidBuffer(symbol_layout(code.n_in, len(planes)))
            wiring.connect(m, skid.o, symbols)
            symbols = skid.i
        m.d.comb += [
            symbols.p.symbol.eq(
                Cat(self.s_axis_tdata[b * n_w + q] for b in range(code.n_in) for q in planes)
            ),
            symbols.p.first.eq(self.s_axis_tuser),
            symbols.p.last.eq(self.s_axis_tlast),
            symbols.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(symbols.ready),
        ]
        block = decoder.o
        if len(planes) < n_w:
            m.d.comb += Signal(code.n_in * (n_w - len(planes)), name="unused_planes").eq(
                Cat(
                    self.s_axis_tdata[b * n_w + q]
                    for b in range(code.n_in)
                    for q in range(n_w)
                    if q not in planes
                )
            )
            block = self._all_planes(m, block, planes)

        if config.patches_per_block:
            m.submodules.correction = correction = CorrectionStage(
                code.n_out, n_w, config.patches_per_block, lists=bool(config.gap_bits) or config.bounded
            )
            wiring.connect(m, block, correction.i)
            patches = correction.patches
            if config.gap_bits or config.bounded:
                # its ready needs no skid buffer: it comes from registers
                limit = config.patches_per_block
                unpacker: GapUnpacker | BoundedUnpacker
                if config.bounded:
                    unpacker = BoundedUnpacker(code.n_out, n_w, limit)
                    counts = unpacker.count
                    if config.skid_buffers:
                        m.submodules.count_skid = skid = SkidBuffer(counts.payload.shape())
                        wiring.connect(m, skid.o, counts)
                        counts = skid.i
                    m.d.comb += [
                        counts.payload.eq(self.s_axis_count_tdata),
                        counts.valid.eq(self.s_axis_count_tvalid),
                        self.s_axis_count_tready.eq(counts.ready),
                    ]
                else:
                    unpacker = GapUnpacker(code.n_out, n_w, config.gap_bits, limit)
                    m.d.comb += self.patch_overflow.eq(unpacker.overflow)
                m.submodules.unpacker = unpacker
                wiring.connect(m, unpacker.o, patches)
                m.d.comb += [
                    unpacker.i.p.records.eq(self.s_axis_patch_tdata),
                    unpacker.i.p.count.eq(self.s_axis_patch_tuser),
                    unpacker.i.p.last.eq(self.s_axis_patch_tlast),
                    unpacker.i.valid.eq(self.s_axis_patch_tvalid),
                    self.s_axis_patch_tready.eq(unpacker.i.ready),
                    unpacker.restart.eq(self.patch_restart),
                ]
            elif config.skid_buffers:
                m.submodules.patch_skid = skid = SkidBuffer(patches.payload.shape())
                wiring.connect(m, skid.o, patches)
                patches = skid.i
            if not config.gap_bits and not config.bounded:
                m.d.comb += [
                    patches.payload.eq(self.s_axis_patch_tdata),
                    patches.valid.eq(self.s_axis_patch_tvalid),
                    self.s_axis_patch_tready.eq(patches.ready),
                ]
            block = correction.o

        if config.inversion != 0:
            m.submodules.invert = invert = InversionStage(code.n_out, n_w, config.inversion)
            wiring.connect(m, block, invert.i)
            if config.inversion is None:
                if isinstance(decoder, RateProgrammableDecoder):
                    m.d.comb += [
                        decoder.side.eq(self.s_axis_inversion),
                        invert.inversion.eq(decoder.side_o),
                    ]
                else:
                    m.d.comb += invert.inversion.eq(self.inversion)
            block = invert.o

        if config.transform != "none":
            m.submodules.transform = transform = TransformStage(code.n_out, n_w, config.transform)
            wiring.connect(m, block, transform.i)
            block = transform.o

        if config.mask:
            m.submodules.mask = mask = MaskStage(code.n_out, n_w, applied=config.mask_in_network)
            if config.mask_in_network:
                m.d.comb += decoder.keep.eq(mask.keep)
            wiring.connect(m, block, mask.i)
            masks = mask.mask
            if config.skid_buffers:
                m.submodules.mask_skid = skid = SkidBuffer(code.n_out)
                wiring.connect(m, skid.o, masks)
                masks = skid.i
            m.d.comb += [
                masks.payload.eq(self.s_axis_mask_tdata),
                masks.valid.eq(self.s_axis_mask_tvalid),
                self.s_axis_mask_tready.eq(masks.ready),
            ]
            block = mask.o

        if config.output_register:
            m.submodules.output_register = register = OutputRegister(blocks)
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

    def _all_planes(self, m: Module, stored: Any, planes: list[int]) -> Any:
        """Put planes that are constant, 0, among those that were decoded."""
        code, n_w = self.config.code, self.config.n_w
        whole = stream.Signature(block_layout(code.n_out, n_w)).create(path=("decoded",))
        place = {q: k for k, q in enumerate(planes)}
        bits = [
            stored.p.words[r * len(planes) + place[q]] if q in place else Const(0, 1)
            for r in range(code.n_out)
            for q in range(n_w)
        ]
        m.d.comb += [
            whole.p.words.eq(Cat(bits)),
            whole.p.first.eq(stored.p.first),
            whole.p.last.eq(stored.p.last),
            whole.valid.eq(stored.valid),
            stored.ready.eq(whole.ready),
        ]
        return whole
