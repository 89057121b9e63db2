"""Several segments of a tensor decoded at once, by decoders side by side that move on together."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.hw.decoders.axis_decoder import AxisDecoder
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.stages.fields import correction_bits


def check_segments(config: DecoderConfig, segments: int) -> None:
    """Raise InputError unless decoders of this configuration can stand side by side, in step."""
    if segments < 1:
        raise InputError(f"the number of parallel segments must be at least 1, not {segments}")
    if (
        config.gap_bits
        or config.length_bits
        or config.inversion is None
        or config.said_by_stream
        or config.bounded
    ):
        raise InputError(
            "parallel segments must have no gap-coded or bounded corrections, stream guard, inversion port, rates"
            " or block lengths"
        )


class ParallelSegments(wiring.Component):
    """Parallel segments: L decoders side by side, each on a segment of its own, in step with each other.

    Part k of every bus belongs to segment k, part 0 lowest. One handshake moves all of them, so a shorter last
    segment is filled up with blocks whose masks are 0.

    Parameters
    ----------
    config : DecoderConfig
        Of one decoder. No gap-coded corrections, stream guard, inversion port, or choice of rates.
    segments : int
        L, at least 1.

    Members
    -------
    s_axis_*, s_axis_patch_*, s_axis_mask_*, m_axis_*
        As in `AxisDecoder`, tdata L times as wide.

    Raises
    ------
    InputError
        L is below 1, or the decoder has an option that belongs to one stream only.
    """

    def __init__(self, config: DecoderConfig, segments: int) -> None:
        check_segments(config, segments)
        self.config, self.segments = config, segments
        code, n_w, patches = config.code, config.n_w, config.patches_per_block
        members: dict[str, wiring.Member] = {}
        self._streams = {"s_axis": code.n_in * n_w}
        if patches:
            self._streams["s_axis_patch"] = correction_bits(code.n_out, n_w, patches)
        if config.mask:
            self._streams["s_axis_mask"] = code.n_out
        self._streams["m_axis"] = code.n_out * n_w
        for prefix, width in self._streams.items():
            way, back = (Out, In) if prefix == "m_axis" else (In, Out)
            members |= {
                f"{prefix}_tdata": way(width * segments),
                f"{prefix}_tvalid": way(1),
                f"{prefix}_tready": back(1),
            }
            if prefix in ("s_axis", "m_axis"):
                members |= {f"{prefix}_tuser": way(1), f"{prefix}_tlast": way(1)}
        super().__init__(members)

    def pins(self, prefix: str) -> tuple[tuple[str, int], ...]:
        """Return the pins that make a word of a stream, lowest first, and their widths."""
        pins = [(f"{prefix}_tdata", self._streams[prefix] * self.segments)]
        if prefix in ("s_axis", "m_axis"):
            pins += [(f"{prefix}_tuser", 1), (f"{prefix}_tlast", 1)]
        return tuple(pins)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        decoders = [AxisDecoder(self.config) for _ in range(self.segments)]
        for k, decoder in enumerate(decoders):
            m.submodules[f"segment{k}"] = decoder
        for prefix, width in self._streams.items():
            data = getattr(self, f"{prefix}_tdata")
            marks = ["tuser", "tlast"] if prefix in ("s_axis", "m_axis") else []
            if prefix == "m_axis":
                # in step: what the first says of marks and handshake, all say
                m.d.comb += data.eq(Cat(decoder.m_axis_tdata for decoder in decoders))
                m.d.comb += [decoder.m_axis_tready.eq(self.m_axis_tready) for decoder in decoders]
                for name in ["tvalid", *marks]:
                    m.d.comb += getattr(self, f"m_axis_{name}").eq(getattr(decoders[0], f"m_axis_{name}"))
                continue
            m.d.comb += getattr(self, f"{prefix}_tready").eq(getattr(decoders[0], f"{prefix}_tready"))
            for k, decoder in enumerate(decoders):
                m.d.comb += getattr(decoder, f"{prefix}_tdata").eq(data[k * width : (k + 1) * width])
                for name in ["tvalid", *marks]:
                    m.d.comb += getattr(decoder, f"{prefix}_{name}").eq(getattr(self, f"{prefix}_{name}"))
        return m
