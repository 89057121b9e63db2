"""The header of a stored tensor, version 2: read, not written. Everything is said, usual or not."""

from __future__ import annotations

import numpy as np

from xorweave.golden.base.byte_fields import ByteReader
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, number_format
from xorweave.golden.files.header import (
    ENCODERS,
    MASKS,
    PATCHES,
    Header,
    item,
    read_codes,
    read_corrections,
    read_mask,
    read_n_out,
    read_scan,
    read_shape,
)
from xorweave.golden.files.value_fields import read_raw
from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.golden.scan.spec import SCANS
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.prefix_code import MAGNITUDES, PrefixCode

VERSION = 2


def read_header(head: ByteReader, size: int) -> Header:
    """Read a header whose version byte is read; `size` is that of the whole stored tensor in bytes."""
    form = number_format(head.text())
    shape = read_shape(head)
    scan = read_scan(head, item(SCANS, head.byte(), "scan"), shape, size)
    n_out = read_n_out(head)
    blocks = -(-scan.length // n_out)
    period = head.varint(max(1, blocks))
    if not period:
        raise InputError("the blocks of a segment must be at least 1")
    mask = read_mask(head, item(MASKS, head.byte(), "mask code"), n_out, usual=False)
    if isinstance(mask, PatternBook):  # the codes of its groups would have no place here
        raise InputError("a mask's book must come in a header of version 3")
    values = _read_values(head, form)
    codes = read_codes(head, [n_out] * len(values.spans), size)
    corrections = read_corrections(head, item(PATCHES, head.byte(), "correction format"))
    patch_bits = head.varint(8 * size)
    encoder = item(ENCODERS, head.byte(), "encoder")
    segments = -(-blocks // period)
    checksum, *of_segments = head.words(1 + (segments if segments > 1 else 0))
    return Header(
        number_format=form,
        shape=shape,
        scan=scan,
        n_out=n_out,
        segment_blocks=period,
        mask=mask,
        values=values,
        codes=codes,
        corrections=corrections,
        patch_bits=patch_bits,
        encoder=encoder,
        checksum=checksum,
        segment_checksums=tuple(of_segments),
    )


def _read_values(head: ByteReader, form: NumberFormat) -> ValueCoder:
    if item(("raw", "prefix"), head.byte(), "value coder") == "raw":
        return read_raw(head, form.n_w)
    magnitude = item(MAGNITUDES, head.byte(), "magnitude")
    rows = [(head.byte(), head.byte() - 1, head.varint(1 << form.n_w)) for _ in range(head.varint(1 << 15))]
    table = np.array(rows, np.int64).reshape(len(rows), 3)
    return PrefixCode(form.n_w, magnitude, table[:, 0], table[:, 1], table[:, 2])
