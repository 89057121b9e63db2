"""Words and masks of the plain decoder: what planes mean, and which words are kept."""

from __future__ import annotations

import numpy as np

from xorweave.synth.proof.shape import DecoderShape, MaskBook, vector


def words_of_planes(shape: DecoderShape, current: str, name: str) -> tuple[list[str], str]:
    """Turn planes into words; return the lines, and the name of the block of words.

    Words of a book come from instances of the module `word_module`.
    """
    if shape.book is not None:
        n_w, planes = shape.n_w, shape.book.planes
        lines = [f"  wire {vector(shape.block_width)} words;"]
        for r in range(shape.code.n_out):
            pins = f".bits({current}[{r * planes} +: {planes}]), .word(words[{r * n_w} +: {n_w}])"
            lines.append(f"  {name}_word word{r} ({pins});")
        return lines, "words"
    n_w = shape.n_w
    lines = []
    if shape.inversion is None or shape.inversion:
        word = "inversion" if shape.inversion is None else f"{n_w}'d{shape.inversion}"
        lines.append(
            f"  wire {vector(shape.block_width)} upright = {current} ^ {{{shape.code.n_out}{{{word}}}}};"
        )
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
    return lines, current


def word_module(shape: DecoderShape, name: str) -> str:
    """Write the module from a weight's planes to its word, a case for every codeword; 0 where there is none.

    A module of its own is worked out once, whatever the number of words. Without a book there is none.
    """
    book = shape.book
    if book is None:
        return ""
    n_w, planes, tail = shape.n_w, book.planes, book.tail_planes
    lines = [
        f"module {name}_word (input {vector(planes)} bits, output reg {vector(n_w)} word);",
        f"  reg {vector(n_w - 1)} size;",
        "  always @* begin",
        "    word = 0; size = 0;",
    ]
    for codeword, rest, prefix in zip(book.codewords, book.tails, book.prefixes, strict=True):
        if rest < 0:
            continue
        size = f"{n_w - 1}'d{prefix << rest}"
        if rest:
            size += f" | bits[{rest - 1}:0]"
        above = (1 << (n_w - 1)) - (1 << rest)  # what the class stands for, its tail left as it is
        turned = {
            "plain": "size",
            "inverted": "~size",
            "negated": "-size",
            "prefix-inverted": f"size ^ {n_w - 1}'d{above}",
        }[book.magnitude]
        lines += [
            f"    if (bits[{planes - 1}:{planes - len(codeword)}] == {len(codeword)}'b{codeword}) begin",
            f"      size = {size};",
            f"      word[{n_w - 2}:0] = bits[{tail}] ? {turned} : size; word[{n_w - 1}] = bits[{tail}];",
            "    end",
        ]
    return "\n".join([*lines, "  end", "endmodule\n"])


def pattern_module(shape: DecoderShape, name: str) -> str:
    """Write the module from a pattern's planes to its mask bits, a case for every codeword.

    Without a pattern book there is none.
    """
    book = shape.mask_code
    if not isinstance(book, MaskBook):
        return ""
    planes, bits = book.planes, book.bits
    lines = [
        f"module {name}_pattern (input {vector(planes)} bits, output reg {vector(bits)} kept);",
        "  always @* begin",
        "    kept = 0;",
    ]
    for codeword, pattern in book.entries:
        value = f"bits[{bits - 1}:0]" if pattern is None else f"{bits}'d{pattern}"
        lines.append(
            f"    if (bits[{planes - 1}:{planes - len(codeword)}] == {len(codeword)}'b{codeword}) kept = {value};"
        )
    return "\n".join([*lines, "  end", "endmodule\n"])


def _book_words(shape: DecoderShape, book: MaskBook, name: str) -> list[str]:
    """Declare ``keep`` by a pattern book: the window of every group, flat exclusive-ors, an instance a pattern."""
    patterns, total = shape.code.n_out // book.bits, book.planes
    lines = [f"  wire {vector(patterns * total)} mask_planes; wire {vector(shape.code.n_out)} keep;"]
    low, above = 0, total
    for g, (planes, code) in enumerate(book.groups):
        width = planes * code.n_in
        older, above = width * code.n_s, above - planes
        here = f"s_axis_mask_d[{low + width - 1}:{low}]"
        low += width
        if older:
            lines += [
                f"  reg {vector(older)} mask_x{g};",
                f"  wire {vector(older + width)} mask_seen{g} = {{block_first ? {older}'d0 : mask_x{g}, {here}}};",
                f"  always @(posedge clk) if (s_axis_mask_v & s_axis_mask_r) mask_x{g} <= mask_seen{g}[{older - 1}:0];",
            ]
        else:
            lines.append(f"  wire {vector(width)} mask_seen{g} = {here};")
        for p, taps in enumerate(code.generator):
            columns = np.flatnonzero(taps)
            for q in range(planes):
                terms = " ^ ".join(f"mask_seen{g}[{column * planes + q}]" for column in columns) or "1'b0"
                lines.append(f"  assign mask_planes[{p * total + above + q}] = {terms};")
    for p in range(patterns):
        pins = f".bits(mask_planes[{p * total} +: {total}]), .kept(keep[{p * book.bits} +: {book.bits}])"
        lines.append(f"  {name}_pattern pattern{p} ({pins});")
    return lines


def mask_words(shape: DecoderShape, name: str) -> list[str]:
    """Declare ``keep``: a bit for every word of the block.

    Those of a pattern book come from instances of the module `pattern_module`.
    """
    if isinstance(shape.mask_code, MaskBook):
        return _book_words(shape, shape.mask_code, name)
    n_out = shape.code.n_out
    if shape.block_lengths:
        within = ", ".join(f"block_length > {row}" for row in reversed(range(n_out)))
        return [f"  wire {vector(n_out)} keep = s_axis_mask_d & {{{within}}};"]
    if shape.mask_code is None:
        return [f"  wire {vector(n_out)} keep = s_axis_mask_d;"]
    n_in, generator = shape.mask_code.n_in, shape.mask_code.generator
    columns = generator.shape[2]
    older = columns - n_in
    seen = f"{{block_first ? {{{older}{{1'b0}}}} : mask_x, s_axis_mask_d}}" if older else "s_axis_mask_d"
    lines = [
        f"  reg {vector(max(1, older))} mask_x; wire {vector(columns)} mask_seen = {seen};",
        *(
            [
                "  always @(posedge clk)"
                f" if (s_axis_mask_v & s_axis_mask_r) mask_x <= mask_seen[{older - 1}:0];"
            ]
            if older
            else []
        ),
        f"  wire {vector(n_out)} keep;",
    ]
    for r, parities in enumerate(generator):
        terms = [
            "(" + (" ^ ".join(f"mask_seen[{c}]" for c in np.flatnonzero(taps)) or "1'b0") + ")"
            for taps in parities
        ]
        lines.append(f"  assign keep[{r}] = {' & '.join(terms)};")
    return lines


def masked(shape: DecoderShape, current: str) -> list[str]:
    """Declare ``masked``: words that are not kept are 0."""
    kept = ", ".join(f"{{{shape.n_w}{{keep[{row}]}}}}" for row in reversed(range(shape.code.n_out)))
    return [f"  wire {vector(shape.block_width)} masked = {current} & {{{kept}}};"]
