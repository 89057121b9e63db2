"""Pictures for the documentation, as SVG: the schematic of a decoder and the timing of its handshake.

``python -m xorweave.hw.package.pictures DIR`` writes both for a small code.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

from amaranth.hdl import Value
from amaranth.sim import Simulator

from xorweave.golden.code.code import Code
from xorweave.hw.stages.xor_decoder import XorDecoder
from xorweave.hw.xor.network import XorNetwork, balanced_trees

_STYLE = (
    "<style>text{font:12px sans-serif;fill:#222}.box{fill:#eef3fa;stroke:#345}.gate{fill:#fff7e0;stroke:#864}"
    ".wire{stroke:#789;fill:none}.wave{stroke:#245;fill:none;stroke-width:1.5}.bus{fill:#eef3fa;stroke:#245}"
    ".grid{stroke:#ddd}.stall{fill:#fbe3e0}</style>"
)


def _svg(width: int, height: int, parts: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    return (
        "\n".join([head, _STYLE, '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>"]) + "\n"
    )


def schematic(code: Code, network: XorNetwork | None = None) -> str:
    """Draw one plane of a decoder: shift registers left, XOR gates by level, outputs right.

    Parameters
    ----------
    code : Code
    network : XorNetwork, optional
        Balanced trees by default.

    Returns
    -------
    str
        An SVG image. Made for small codes; it grows with the gates.
    """
    network = network or balanced_trees(code.generator)
    levels = network.levels
    row, column = 26, 110
    place: dict[int, tuple[int, int]] = {}
    for c in range(code.constraint_length):
        place[c] = (120, 50 + row * (c + c // code.n_in))
    for level in range(1, max(levels, default=0) + 1):
        gates = [s for s in range(network.inputs, network.signals) if levels[s] == level]
        for k, s in enumerate(gates):
            place[s] = (120 + column * level, 50 + row * k + 9 * (level % 3))
    right = 120 + column * (max(levels, default=0) + 1)
    height = max(50 + row * code.n_out, *(y for _, y in place.values())) + 40

    def wire(a: tuple[int, int], b: tuple[int, int]) -> str:
        middle = (a[0] + b[0]) // 2
        return f'<path class="wire" d="M{a[0]} {a[1]} C{middle} {a[1]} {middle} {b[1]} {b[0]} {b[1]}"/>'

    parts = [f'<text x="10" y="20">{escape(code.spec)}, check value {code.check_value}; one plane</text>']
    for s in range(network.inputs, network.signals):
        x, y = place[s]
        for operand in network.gates[s - network.inputs]:
            ox, oy = place[operand]
            parts.append(wire((ox + (32 if operand < network.inputs else 11), oy), (x - 11, y)))
    for r, output in enumerate(network.outputs):
        y = 50 + row * r
        if output is not None:
            x, oy = place[output]
            parts.append(wire((x + (32 if output < network.inputs else 11), oy), (right, y)))
        parts.append(f'<text x="{right + 6}" y="{y + 4}">y{r}{" = 0" if output is None else ""}</text>')
    for age in range(code.n_s + 1):
        for b in range(code.n_in):
            x, y = place[age * code.n_in + b]
            parts.append(f'<rect class="box" x="{x - 32}" y="{y - 10}" width="64" height="20"/>')
            parts.append(f'<text x="{x - 26}" y="{y + 4}">x{age} bit {b}</text>')
        x, y = place[age * code.n_in]
        below = place[age * code.n_in + code.n_in - 1][1]
        source = "symbol" if age == 0 else f"x{age - 1}"
        parts.append(f'<text x="8" y="{(y + below) // 2 + 4}">{source} →</text>')
    for s in range(network.inputs, network.signals):
        x, y = place[s]
        parts.append(f'<circle class="gate" cx="{x}" cy="{y}" r="11"/><text x="{x - 5}" y="{y + 4}">⊕</text>')
    return _svg(right + 60, height, parts)


def handshake(code: Code) -> str:
    """Draw what a decoder's ports do over some cycles, taken from a simulation: a stall on either side, two streams.

    Parameters
    ----------
    code : Code

    Returns
    -------
    str
        An SVG image.
    """
    dut = XorDecoder(code, 1)
    rows: dict[str, list[int | str]] = {
        name: []
        for name in ("i.valid", "i.ready", "i.symbol", "i.first", "o.valid", "o.ready", "o.block", "o.first")
    }
    available = [1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1]
    willing = [1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1]

    async def bench(ctx):  # type: ignore[no-untyped-def]
        sent = out = 0
        held = False
        for offer, ready in zip(available, willing, strict=True):
            held = held or bool(offer)
            ctx.set(dut.i.valid, held)
            first = sent in (0, 5)
            ctx.set(dut.i.p.symbol, (sent * 5 + 3) % (1 << code.n_in))
            ctx.set(dut.i.p.first, first)
            ctx.set(dut.o.ready, ready)
            taken = bool(ctx.get(dut.i.valid) and ctx.get(dut.i.ready))
            valid = ctx.get(dut.o.valid)
            rows["i.valid"].append(int(held))
            rows["i.ready"].append(ctx.get(dut.i.ready))
            rows["i.symbol"].append(f"s{sent}" if held else "")
            rows["i.first"].append(int(first and held))
            rows["o.valid"].append(valid)
            rows["o.ready"].append(ready)
            rows["o.block"].append(f"b{out}" if valid else "")
            rows["o.first"].append(int(valid and ctx.get(Value.cast(dut.o.p.first))))
            out += bool(valid and ready)
            sent += taken
            held = held and not taken
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()

    step, high, left = 56, 34, 80
    cycles = len(available)
    parts = []
    for c in range(cycles):
        if rows["o.valid"][c] and not rows["o.ready"][c]:
            parts.append(
                f'<rect class="stall" x="{left + c * step}" y="20" width="{step}" height="{high * len(rows) + 8}"/>'
            )
    for c in range(cycles + 1):
        x = left + c * step
        parts.append(f'<path class="grid" d="M{x} 20V{28 + high * len(rows)}"/>')
        if c < cycles:
            parts.append(f'<text x="{x + step // 2 - 4}" y="15">{c}</text>')
    for index, (name, values) in enumerate(rows.items()):
        top = 28 + high * index
        parts.append(f'<text x="8" y="{top + 17}">{name}</text>')
        if name in ("i.symbol", "o.block"):
            for c, value in enumerate(values):
                if value:
                    x = left + c * step
                    parts.append(
                        f'<rect class="bus" x="{x + 2}" y="{top + 2}" width="{step - 4}" height="20"/>'
                    )
                    parts.append(f'<text x="{x + step // 2 - 8}" y="{top + 17}">{value}</text>')
            continue
        path = f"M{left} {top + (4 if values[0] else 22)}"
        for c, value in enumerate(values):
            path += f"V{top + (4 if value else 22)}H{left + (c + 1) * step}"
        parts.append(f'<path class="wave" d="{path}"/>')
    return _svg(left + cycles * step + 12, 44 + high * len(rows), parts)


def main(folder: str) -> None:
    """Write ``decoder_schematic.svg`` and ``handshake.svg`` into a folder."""
    code = Code.uniform(n_in=3, n_out=8, n_s=2, seed=1)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    (target / "decoder_schematic.svg").write_text(schematic(code))
    (target / "handshake.svg").write_text(handshake(code))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
