"""The decoder that `generate` writes, and a scan engine behind it, as one Verilog text."""

from __future__ import annotations

from amaranth.lib.wiring import In

from xorweave.golden.base.errors import InputError
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.engines.scan_engine import ScanEngine, ScanEngineConfig
from xorweave.hw.package.axis_design import TOP, decoder_verilog
from xorweave.hw.package.axis_words import axis_pins
from xorweave.hw.package.verilog import amaranth_verilog

_ENGINE = "scan_engine"


def _port(name: str, width: int, is_input: bool) -> str:
    span = "" if width == 1 else f"[{width - 1}:0] "
    return f"{'input' if is_input else 'output'} wire {span}{name}"


def _instance(module: str, name: str, pins: dict[str, str]) -> str:
    listed = ",\n".join(f"    .{pin}({net})" for pin, net in {"clk": "clk", "rst": "rst", **pins}.items())
    return f"  {module} {name} (\n{listed}\n  );\n"


def decoded_product(decoder: DecoderConfig, engine: ScanEngineConfig) -> tuple[str, dict[str, int]]:
    """Write module ``top``: the decoder's file as it is, the engine, and the wires between them.

    Its ports are the input streams of the decoder, and those of the engine but for its weights.

    Returns
    -------
    (str, dict of str to int)
        The Verilog, and the width of every pin of the engine.

    Raises
    ------
    InputError
        The decoder has other blocks or words than the engine, or pins that somebody would have to drive.
    """
    if (decoder.n_out, decoder.n_w) != (engine.n_out, engine.n_w):
        raise InputError(
            f"the decoder must have blocks of {engine.n_out} words of {engine.n_w} bits, "
            f"not of {decoder.n_out} of {decoder.n_w} bits"
        )
    if decoder.inversion_pin or decoder.length_bits or decoder.said_by_stream:
        raise InputError(
            "the decoder must be that of one tensor, without a stream guard or an inversion port"
        )
    flags = {} if decoder.kind_of_patches is None else decoder.kind_of_patches.flags()
    open_ends = [name for name, flag in flags.items() if flag.flow is not In] + [
        "m_axis_tuser",
        "m_axis_tlast",
    ]
    ports, wires = [], [f"  wire unused_{name};\n" for name in open_ends]
    decoding = {name: "1'b0" for name, flag in flags.items() if flag.flow is In}
    decoding |= {name: f"unused_{name}" for name in open_ends}
    for prefix, (_, pins) in axis_pins(decoder).items():
        if prefix == "m_axis":
            decoding |= {f"m_axis_{pin}": f"weights_{pin}" for pin in ("tdata", "tvalid", "tready")}
            continue
        ports += [_port(name, width, True) for name, width in (*pins, (f"{prefix}_tvalid", 1))]
        ports.append(_port(f"{prefix}_tready", 1, False))
        decoding |= {name: name for name, _ in pins}
        decoding |= {name: name for name in (f"{prefix}_tvalid", f"{prefix}_tready")}
    component = ScanEngine(engine)
    widths = {name: len(getattr(component, name)) for name in component.signature.members}
    multiplying = {}
    for name, member in component.signature.members.items():
        joint = name.removeprefix("s_axis_")
        if joint in ("tdata", "tvalid", "tready"):
            multiplying[name] = f"weights_{joint}"
            wires.append("  " + _port(multiplying[name], widths[name], True).removeprefix("input ") + ";\n")
        else:
            multiplying[name] = name
            ports.append(_port(name, widths[name], member.flow is In))
    listed = ",\n    ".join(["input wire clk", "input wire rst", *ports])
    top = "".join(
        [
            f"module top (\n    {listed}\n);\n",
            *wires,
            _instance(TOP, "decoder", decoding),
            _instance(_ENGINE, "engine", multiplying),
            "endmodule\n",
        ]
    )
    return "\n".join([decoder_verilog(decoder), amaranth_verilog(component, _ENGINE), top]), widths
