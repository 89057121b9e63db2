"""A tensor as a file holds it: encoded as was chosen, or packed where that takes fewer bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.choose.arrangement import Arrangement
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.shared_code import SharedCode
from xorweave.golden.files.blob import write_blob
from xorweave.golden.scan.live import LiveScan
from xorweave.golden.tensor.encode import EncodeOptions
from xorweave.golden.tensor.packed import pack_tensor, packed_bits
from xorweave.golden.tensor.stored import EncodedTensor


def store(
    values: NDArray,
    number_format: NumberFormat,
    mask: NDArray[np.bool_],
    choice: Choice,
    options: EncodeOptions | None = None,
    shared: SharedCode | None = None,
    arranged: Arrangement | None = None,
) -> tuple[EncodedTensor, bytes]:
    """Return the stored tensor and its bytes: what ``encode`` writes and ``codecs`` counts.

    Parameters
    ----------
    values, number_format, mask, options, shared, arranged
        As of `Choice.encode`.

    Raises
    ------
    InputError
        As of `Choice.encode`.
    """
    words = choice.storable(values, number_format, mask) if choice.may_pack else None
    if words is not None and not words.any():
        stored = pack_tensor(words, values.shape, number_format)
        return stored, write_blob(stored)
    stored = choice.encode(values, number_format, mask, options, shared, arranged)
    blob = write_blob(stored)
    if words is not None:
        # in the order of the tensor, empty rows and columns left out where they are
        live = replace(stored.scan, stride=1, offset=0) if isinstance(stored.scan, LiveScan) else None
        if packed_bits(words, number_format.n_w, live) < 8 * len(blob):
            packed = pack_tensor(words, values.shape, number_format, live)
            smaller = write_blob(packed)
            if len(smaller) < len(blob):
                return packed, smaller
    return stored, blob
