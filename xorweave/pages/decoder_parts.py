"""What is stored of a tensor, and what a decoder is made of: the parts that pages show, in words and colours."""

from __future__ import annotations

#: Parts of what is stored: what they are called, their figure, and their colour.
STORED = (
    ("values", "payload_bits", "c1"), ("patches", "correction_bits", "c2"), ("mask", "mask_bits", "c3"),
    ("header, book, checksums", "side_bits", "c4"),
)  # fmt: skip

#: Stages of a decoder, as `DecoderGates` has them.
PARTS = (
    ("XOR networks", "networks", "c1"), ("shift registers", "registers", "c5"), ("words", "words", "c4"),
    ("mask", "mask", "c3"), ("patches", "patches", "c2"), ("buffers, control", "buffers", "c6"),
)  # fmt: skip
