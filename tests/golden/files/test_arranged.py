"""Arrangements as bytes: what goes in comes out, what was changed is refused, what fits nothing is left out."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.arrangement import Arrangement
from xorweave.golden.files.arranged import join_arrangements, read_arrangement, write_arrangement
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.mask.coders import ShapedMask
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.scan.interleaver import Interleaver

SHAPE = (12, 40)


def made(scale: np.ndarray | None = None) -> Arrangement:
    code = ShapedMaskCode.usual(n_in=31, n_out=64, parities=3)
    symbols = np.random.default_rng(0).integers(0, 2, (8, 31)).astype(np.uint8)
    dtype = "" if scale is None else "int8"
    return Arrangement(Interleaver(480, 77, 5), ShapedMask(code, symbols, 480, 3), dtype, scale)


@pytest.mark.parametrize(
    "scale", [None, np.array([0.25], np.float32), np.linspace(0.1, 1, 12, dtype=np.float32)]
)
def test_what_is_written_is_read(scale: np.ndarray | None) -> None:
    before = made(scale)
    after, shape = read_arrangement(write_arrangement(before, SHAPE))
    assert shape == SHAPE and after.scan == before.scan and after.dtype == before.dtype
    assert before.mask is not None and after.mask is not None
    assert after.mask.code == before.mask.code and after.mask.segment_blocks == 3
    assert np.array_equal(after.mask.symbols, before.mask.symbols)
    assert np.array_equal(after.mask.decode(), before.mask.decode())
    assert (after.scale is None) if scale is None else np.array_equal(after.scale, scale)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan])
def test_scales_that_are_none_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="the scales must be finite and above 0"):
        read_arrangement(write_arrangement(made(np.array([bad], np.float32)), SHAPE))


def test_values_alone_need_no_mask() -> None:
    before = Arrangement(Interleaver(480), None, "int4", np.array([2.0], np.float32))
    after, _ = read_arrangement(write_arrangement(before, SHAPE))
    assert after.mask is None and after.dtype == "int4" and after.scan == Interleaver(480)


def test_every_changed_or_missing_byte_is_seen() -> None:
    data = write_arrangement(made(np.array([0.25], np.float32)), SHAPE)
    for at in range(data.size):
        broken = data.copy()
        broken[at] ^= 1 << at % 8
        with pytest.raises(InputError, match="damaged"):
            read_arrangement(broken)
        with pytest.raises(InputError, match="damaged"):
            read_arrangement(data[:at])


def _sealed(data: np.ndarray) -> np.ndarray:
    from zlib import crc32

    body = data[:-4].tobytes()
    return np.frombuffer(body + crc32(body).to_bytes(4, "little"), np.uint8)


def test_no_lie_that_is_sealed_takes_memory_or_ends_otherwise_than_in_one_line() -> None:
    data = write_arrangement(made(np.array([0.25], np.float32)), SHAPE)
    rng = np.random.default_rng(1)
    for _ in range(400):
        broken = data.copy()
        broken[rng.integers(4, 40)] = rng.integers(256)
        with contextlib.suppress(InputError):
            read_arrangement(_sealed(broken))


def test_an_arrangement_belongs_to_weights_of_its_shape() -> None:
    data = Tensor.of(write_arrangement(made(), SHAPE))
    weights = Tensor.of(np.ones(SHAPE, np.float32))
    rest, found, taken = join_arrangements({"w": weights, "w.encodable": data})
    assert list(rest) == ["w"] and list(found) == ["w"] and list(taken) == ["w.encodable"]
    rest, found, taken = join_arrangements({"w": Tensor.of(np.ones((6, 80))), "w.encodable": data})
    assert list(rest) == ["w"] and not found and "(12, 40)" in taken["w.encodable"]
    # without weights of its name, or as something else, it is a tensor like others
    rest, found, _ = join_arrangements({"v": weights, "w.encodable": data})
    assert set(rest) == {"v", "w.encodable"} and not found
    rest, found, _ = join_arrangements({"w": weights, "w.encodable": weights})
    assert set(rest) == {"w", "w.encodable"} and not found
    damaged = Tensor.of(np.append(data.values, np.uint8(0)))
    with pytest.raises(InputError, match=r"tensor w\.encodable: the arrangement is damaged"):
        join_arrangements({"w": weights, "w.encodable": damaged})
