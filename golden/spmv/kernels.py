"""CUDA C++ source of the kernels for one code: the files of `cuda` around a decoder written out tap by tap.

The decoder of a code is straight-line, and every tap is a register that the compiler knows: a decoded register
costs one three-input logic operation for two taps. That is why a kernel belongs to a code.
"""

from __future__ import annotations

from pathlib import Path

from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import tap_lists
from xorweave.golden.scan.tiles import TileOrder

WARPS = 4  # of a block
SOURCES = Path(__file__).with_name("cuda")


def product_source(code: Code, order: TileOrder, vectors: int, warps: int = WARPS) -> str:
    """Return the source of the kernels that multiply with `vectors` vectors at once, `warps` warps a block."""
    layout = order.layout
    sizes = {
        "N_W": layout.n_w,
        "N_IN": code.n_in,
        "N_OUT": code.n_out,
        "RUN": order.run,
        "REGISTERS": layout.registers,
        "FRAGMENTS": layout.fragments,
        "VECTORS": vectors,
        "WARPS": warps,
    }
    lines = [f"#define XW_{name} {size}" for name, size in sizes.items()]
    lines += ['#include "lanes.cuh"', '#include "decoder.cuh"', '#include "walk.cuh"', ""]
    return "\n".join([*lines, *decoder_lines(code, order.run), "", '#include "product.cuh"', ""])


def bitmap_source(vectors: int, warps: int) -> str:
    """Return the source of the bitmap kernel."""
    return f'#define XW_VECTORS {vectors}\n#define XW_WARPS {warps}\n#include "lanes.cuh"\n#include "bitmap.cuh"\n'


def delta_source(vectors: int, warps: int, halves: bool) -> str:
    """Return the source of the kernel of four-bit steps."""
    sizes = {"VECTORS": vectors, "WARPS": warps, "HALVES": int(halves)}
    lines = [f"#define XW_{name} {size}" for name, size in sizes.items()]
    return "\n".join([*lines, '#include "lanes.cuh"', '#include "delta.cuh"', ""])


def decoder_lines(code: Code, run: int) -> list[str]:
    """Return the lines of ``decode_outputs(window, inverted, sink)``, which gives each output in turn to the sink.

    A state that starts as the inversion instead of zero stays inverted, so that undoing it costs nothing.
    """
    starts, ages, bits, goes_on = tap_lists(code)
    lines = [f"// {code.spec}", "template <class Sink>"]
    lines += [
        "XW_INLINE void decode_outputs(const Window& window, u32 inverted, Sink& sink) {",
        "    State state;",
    ]
    for r in range(code.n_out):
        if not goes_on[r]:
            lines.append("    state.set(inverted);")
        taps = range(starts[r], starts[r + 1])
        lines += [f"    window.add<{bits[tap]}, {ages[tap]}>(state);" for tap in taps]
        lines.append("    sink.output(state);")
        if (r + 1) % run == 0:
            lines.append("    sink.end_run();")
    return [*lines, "}"]
