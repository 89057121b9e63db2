"""A generated decoder as a LiteX module: DMAs read the stored tensor from memory, another writes the weights back.

A memory holds of every stream the bits of its words one after the other, the lowest first, without gaps (`packed`);
the marks that tell streams apart are made here, from a count of blocks. Weights leave in the order of the scan, each
in whole bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from litex.gen import LiteXModule
from litex.soc.cores.dma import WishboneDMAReader, WishboneDMAWriter
from litex.soc.interconnect import stream, wishbone
from litex.soc.interconnect.csr import CSRStorage
from migen import ClockSignal, If, Instance, ResetInserter, ResetSignal, Signal

_AS_ON_THE_BUS = "big"  # what LiteX calls it when a DMA leaves the bytes of a word in their places


def packed(words: list[int], width: int) -> list[int]:
    """Return words of a stream as the 32-bit words of a memory: so many bits of each, one after the other."""
    bits = sum((word & (1 << width) - 1) << width * place for place, word in enumerate(words))
    size = -(-width * len(words) // 32)
    return [bits >> 32 * place & 0xFFFFFFFF for place in range(size)]


class XorweaveDecoder(LiteXModule):
    """The decoder behind LiteX streams.

    Parameters
    ----------
    platform
        Is given the decoder's Verilog.
    folder : path
        What ``xorweave generate`` wrote, of kind xor.

    Attributes
    ----------
    sinks : dict of str to Endpoint
        The inputs by their prefix (``s_axis``: symbols), each with `data`. The first word after reset, and the first
        after a `last`, begins a stream.
    source : Endpoint
        `data`: a block of weights.
    reset : Signal
        Forgets what is on its way.
    said : dict of str to Signal
        What goes with the symbols of a tensor, by pin: block length or inversion, where layers differ in it.
    """

    def __init__(self, platform: Any, folder: Path) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text())
        platform.add_source(str(folder / self.manifest["verilog"][0]))
        self.reset = Signal()
        self.sinks: dict[str, stream.Endpoint] = {}
        self.said: dict[str, Signal] = {}
        ports: dict[str, Any] = {"i_clk": ClockSignal(), "i_rst": ResetSignal() | self.reset}
        for entry in self.manifest["streams"]["inputs"]:
            prefix, (data, *others) = entry["prefix"], entry["pins"]
            sink = self.sinks[prefix] = stream.Endpoint([("data", data[1])])
            ports[f"i_{data[0]}"] = sink.data
            ports[f"i_{prefix}_tvalid"] = sink.valid
            ports[f"o_{prefix}_tready"] = sink.ready
            for pin, width in others:
                if pin.endswith("_tlast"):
                    ports[f"i_{pin}"] = sink.last
                elif pin.endswith("_tuser"):
                    ports[f"i_{pin}"] = 0  # a stream begins after reset and after tlast
                else:
                    self.said[pin] = ports[f"i_{pin}"] = Signal(width, name=pin)
        output = self.manifest["streams"]["output"]["pins"]
        self.source = stream.Endpoint([("data", output[0][1])])
        ports |= {
            "o_m_axis_tdata": self.source.data,
            "o_m_axis_tvalid": self.source.valid,
            "o_m_axis_tlast": self.source.last,
            "i_m_axis_tready": self.source.ready,
        }
        self.specials += Instance(self.manifest["top"], **ports)


class XorweaveDMA(LiteXModule):
    """Decoder, readers and writer: software says where a tensor lies, how long it is and where its weights shall go.

    Parameters
    ----------
    soc : SoC
        Its bus must be Wishbone, 32 bits wide.
    folder : path
        See `XorweaveDecoder`.

    Notes
    -----
    Registers: `blocks` of the tensor; those of a reader for every input (``s_axis``, ``s_axis_mask`` ...) and of the
    `writer`, as LiteX' DMAs have them; one for each pin of `XorweaveDecoder.said`. For each tensor: lengths and bases,
    then every `enable`; when the writer's `done` is 1, all `enable` back to 0, which readies everything for the next.
    """

    def __init__(self, soc: Any, folder: Path) -> None:
        self.decoder = XorweaveDecoder(soc.platform, folder)
        self.blocks = CSRStorage(32)
        n_w = -(-self.decoder.manifest["n_w"] // 8) * 8
        if n_w != self.decoder.manifest["n_w"]:
            raise ValueError("the weights must be of whole bytes to be written back by this DMA")
        self.narrow = ResetInserter()(stream.Converter(len(self.decoder.source.data), n_w))
        self.wide = ResetInserter()(stream.Converter(n_w, 32))
        self.writer = WishboneDMAWriter(self._bus(soc, "writer"), endianness=_AS_ON_THE_BUS, with_csr=True)
        for pin, signal in self.decoder.said.items():
            register = CSRStorage(len(signal), name=pin)
            setattr(self, pin, register)
            self.comb += signal.eq(register.storage)
        idle = Signal()
        self.comb += [
            idle.eq(~self.writer.enable),
            *(part.reset.eq(idle) for part in (self.decoder, self.narrow, self.wide)),
        ]
        for prefix, sink in self.decoder.sinks.items():
            self._reader(soc, prefix, sink)
        self.comb += [
            self.decoder.source.connect(self.narrow.sink),
            self.narrow.source.connect(self.wide.sink),
            self.wide.source.connect(self.writer.sink, omit={"last"}),
        ]

    def _bus(self, soc: Any, name: str) -> wishbone.Interface:
        bus = wishbone.Interface(data_width=32, adr_width=30, addressing="word")
        soc.bus.add_master(name=f"xorweave_{name}", master=bus)
        return bus

    def _reader(self, soc: Any, prefix: str, sink: stream.Endpoint) -> None:
        """Read words of 32 bits, give out words of the stream, the last block's with `last`."""
        reader = WishboneDMAReader(self._bus(soc, prefix), endianness=_AS_ON_THE_BUS, with_csr=True)
        gearbox = ResetInserter()(stream.Gearbox(32, len(sink.data), msb_first=False))
        given = Signal(32)
        setattr(self, prefix, reader)
        setattr(self, f"{prefix}_gearbox", gearbox)
        self.comb += [
            gearbox.reset.eq(~reader.enable),
            reader.source.connect(gearbox.sink, omit={"first", "last"}),
            gearbox.source.connect(sink, omit={"first", "last"}),
            sink.valid.eq(gearbox.source.valid & (given != self.blocks.storage)),
            gearbox.source.ready.eq(sink.ready & (given != self.blocks.storage)),
            sink.last.eq(given == self.blocks.storage - 1),
        ]
        self.sync += If(~reader.enable, given.eq(0)).Elif(sink.valid & sink.ready, given.eq(given + 1))
