from __future__ import annotations

import numpy as np
import pytest

from tests.golden.files.stored_examples import KINDS
from xorweave.golden.base.errors import InputError
from xorweave.golden.code.decoder import decode_plain
from xorweave.golden.tensor import decode
from xorweave.golden.tensor.decode import decode_blocks, decode_scan


def by_definition(tensor) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Words in scan order: every group by itself from the definition of its code, then a weight at a time."""
    planes = np.zeros(tensor.blocks * tensor.n_out, np.uint64)
    for group in tensor.groups:
        bits = decode_plain(group.code, np.asarray(group.symbols), tensor.segment_blocks).reshape(-1)
        planes |= bits.astype(np.uint64) << np.uint64(tensor.values.planes - group.end)
    patches = dict(zip(tensor.patches.positions.tolist(), tensor.patches.differences.tolist(), strict=True))
    word, words = tensor.number_format.word, np.zeros(tensor.scan.length, tensor.number_format.word)
    packed = iter(
        np.asarray(tensor.values.words).reshape(-1).tolist() if tensor.values.kind == "packed" else ()
    )
    for i, kept in enumerate(tensor.mask_coder.decode().tolist()):
        one = planes[i : i + 1] if tensor.values.kind == "prefix" else planes[i : i + 1].astype(word)
        coded = next(packed, None) if kept else None
        coded = int(tensor.values.words_of(one, word)[0]) if coded is None else coded
        words[i] = (coded if kept else 0) ^ patches.get(i, 0)
    return words


@pytest.mark.parametrize("kind", KINDS)
def test_every_range_of_blocks_is_the_slice_of_the_whole(kind: str) -> None:
    tensor = KINDS[kind]()
    whole = by_definition(tensor)
    assert np.array_equal(decode_scan(tensor), whole)
    last = tensor.blocks if tensor.blocks < 30 else 30
    for first in range(last + 1):
        for end in range(first, last + 1):
            part = whole[first * tensor.n_out : end * tensor.n_out]
            assert np.array_equal(decode_blocks(tensor, first, end), part)


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_give_the_whole(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = KINDS[kind]()
    monkeypatch.setattr(decode, "_PIECE", 1)
    assert np.array_equal(decode_scan(tensor), by_definition(tensor))


@pytest.mark.parametrize(("first", "last"), [(-1, 2), (2, 1), (0, 8)])
def test_blocks_that_are_not_there_are_refused(first: int, last: int) -> None:
    with pytest.raises(InputError, match=rf"^blocks must lie in 0 .. 7, not {first} .. {last}$"):
        decode_blocks(KINDS["raw"](), first, last)
