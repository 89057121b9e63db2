"""C++ source of the kernels for one code and scan: the files of `cpp` around a decoder written out tap by tap.

A tap is a fixed offset in the symbols themselves, so that a decoded register costs two loads and one three-input
exclusive-or for two taps. That is why a kernel belongs to a code.
"""

from __future__ import annotations

import numpy as np

from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import tap_lists
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.scan.cells import CellScan

_FLOATS = {"fp16": 1, "bf16": 2, "fp32": 3}
_LINE = 64
ROOM = 8  # words of 64 lanes in a register: as many must be readable behind an encoded mask


def lane_source(
    code: Code,
    scan: CellScan,
    fmt: NumberFormat,
    inversion: int = 0,
    *,
    mask_code: ShapedMaskCode | None = None,
    decoding: bool = False,
) -> str:
    """Return the source of the kernel that multiplies, or of the one that only decodes.

    `inversion` is the word that the decoded words are xored with; with a `mask_code` (of shared sums, words of a byte)
    the mask is decoded in the same loop, else it is a bitmap.
    """
    sizes = {
        "N_IN": code.n_in,
        "N_OUT": code.n_out,
        "N_S": code.n_s,
        "TOGETHER": scan.together,
        "WORD": max(1, fmt.n_w // 8),
        "NIBBLES": 2 if fmt.n_w == 4 else 1,
        "FLOAT": _FLOATS.get(fmt.name, 0),
        "SHAPED": int(mask_code is not None),
        "DECODING": int(decoding),
    }
    lines = [f"#define XW_{name} {size}" for name, size in sizes.items()]
    shaped = _shaped_lines(mask_code, sizes["NIBBLES"]) if mask_code else ["constexpr int SHAPED_BYTES = 0;"]
    lines += [
        '#include "lines.hpp"',
        *shaped,
        '#include "mask.hpp"',
        "",
        *_decoder_lines(code, fmt, inversion),
    ]
    return "\n".join([*lines, "", '#include "product.hpp"', ""])


def _decoder_lines(code: Code, fmt: NumberFormat, inversion: int) -> list[str]:
    """Return the lines of ``decode_block(symbols, mask, sink, ahead)``, which gives each output in turn to the sink.

    ``ahead`` is told of every line of the block and of its mask, evenly over its outputs, so that it may fetch those to
    come. A state that starts as the inversion instead of zero stays inverted.
    """
    starts, ages, bits, goes_on = tap_lists(code)
    places = [f"symbols + {_LINE * int(bit - age * code.n_in)}" for bit, age in zip(bits, ages, strict=True)]
    word, first = ("u16", "u32")[fmt.n_w > 16] if fmt.n_w > 8 else "u8", inversion
    if fmt.n_w == 4:
        first |= inversion << 4
    lines = [f"// {code.spec}", "template <class Sink, class Ahead>"]
    lines.append("XW_INLINE void decode_block(const u8* symbols, const u8* mask, Sink& sink, Ahead ahead) {")
    lines += ["    Line line;", f"    const Line first = every<{word}>({first});" if inversion else ""]
    fetched = 0
    for r in range(code.n_out):
        while fetched * code.n_out < r * code.n_in:
            lines.append(f"    ahead.line({_LINE * fetched});")
            fetched += 1
        lines.append(f"    ahead.of_mask(mask, {r});")
        taps = places[starts[r] : starts[r + 1]]
        if not goes_on[r]:
            if inversion or not taps:
                lines.append(f"    line = {'first' if inversion else f'every<{word}>(0)'};")
            else:
                lines.append(f"    line = load({taps.pop(0)});")
        for at in range(0, len(taps), 2):
            lines.append(f"    add(line, {', '.join(taps[at : at + 2])});")
        lines.append(f"    sink.output(line, {r});")
    lines += [f"    ahead.line({_LINE * k});" for k in range(fetched, code.n_in)]
    lines.append("    ahead.all_of_mask(mask);")
    return [*lines, "}"]


def _whole(words: int) -> int:
    return -(-words // ROOM) * ROOM  # what is left over of a register would be decoded word by word


def _shaped_lines(code: ShapedMaskCode, nibbles: int) -> list[str]:
    """Return the lines of ``decode_shaped(x, words)``: encoded bits to mask words, `nibbles` of 64 lanes for each.

    ``x[0]`` is the block's first word; those of a window lie in front of it. Whole registers are decoded, so up to
    `ROOM` words behind the block are read, and their mask bits come to nothing.
    """
    most = code.sum_pairs.shape[0]
    back, size = code.reach * nibbles, code.n_in * nibbles
    whole, words = _whole(back + size), _whole(size)
    number = np.arange(code.n_out) - np.searchsorted(code.bit_of_output, code.bit_of_output)
    places = (number * code.n_in + code.bit_of_output) * nibbles
    lines = [
        f"constexpr int SHAPED_BYTES = {8 * size}, SHAPED_WORDS = {(most - 1) * size + words};",
        f"constexpr int SHAPED_PLACE[] = {{{', '.join(map(str, places.tolist()))}}};",
        "XW_INLINE void decode_shaped(const Word64* x, Word64* words) {",
        f"    alignas(64) Word64 sums[{code.sums}][{max(whole, back + words)}];",
    ]
    for k, lags in enumerate(code.sum_lags.tolist()):
        taken = " ^ ".join(f"x[i - {nibbles * lag}]" for lag in lags)
        lines += [
            "#pragma omp simd",
            f"    for (int i = -{back}; i < {whole - back}; i++) sums[{k}][i + {back}] = {taken};",
        ]
    for m in range(most):
        pairs = (code.sum_pairs[m] * [1, 1, nibbles]).tolist()
        taken = " & ".join(f"(sums[{p}][i + {back}] ^ sums[{q}][i + {back - lag}])" for p, q, lag in pairs)
        lines += [
            "#pragma omp simd",
            f"    for (int i = 0; i < {words}; i++) words[i + {m * size}] = {taken};",
        ]
    return [*lines, "}"]
