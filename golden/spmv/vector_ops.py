"""Vector operations that a compiler does not find by itself: bit planes to bytes, and bytes times a vector.

They are written as LLVM vectors of 512 bits, which every target can take apart into what it has; only the dot product
of bytes asks for an instruction (VNNI) and has a plain form where the processor lacks it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic
from numpy.typing import NDArray

LINE = 8  # 64-bit words of a vector: 512 lanes of one plane
PLANES = 8  # planes of a byte

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_LINE = ir.VectorType(_I64, LINE)
_BYTES = ir.VectorType(_I32, 2 * LINE)


def has_byte_dot() -> bool:
    """Whether this processor multiplies and adds four bytes at once on 512-bit vectors (AVX-512 VNNI)."""
    if (
        config.CPU_NAME or config.CPU_FEATURES is not None
    ):  # Numba compiles for another processor than this one
        return "+avx512vnni" in (config.CPU_FEATURES or "")
    return bool(binding.get_host_cpu_features().get("avx512vnni"))


def aligned_zeros(shape: tuple[int, ...], dtype: type) -> NDArray:
    """Return zeros that begin at a multiple of 64 bytes: a vector across two cache lines costs two loads."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size].view(dtype).reshape(shape)


def _pointer(builder: Any, address: Any, to: Any) -> Any:
    return builder.inttoptr(address, to.as_pointer())


def _load(builder: Any, pointer: Any, k: int) -> Any:
    return builder.load(builder.gep(pointer, [ir.Constant(_I32, k)]), align=8)


def _store(builder: Any, value: Any, pointer: Any, k: int) -> None:
    builder.store(value, builder.gep(pointer, [ir.Constant(_I32, k)]), align=8)


def _spread(builder: Any, scalar: Any, kind: Any) -> Any:
    undefined = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
    return builder.shuffle_vector(
        one, undefined, ir.Constant(ir.VectorType(_I32, kind.count), [0] * kind.count)
    )


def _splat(value: int) -> Any:
    return ir.Constant(_LINE, [value & (2**64 - 1)] * LINE)


def bits_to_bytes(builder: Any, planes: list[Any]) -> list[Any]:
    """Turn 8 vectors of one plane each into 8 vectors of bytes.

    Byte k of vector j gathers bit 8k + j of every plane, plane q as its bit q: three rounds of exchanging
    halves (Warren, Hacker's Delight, section 7-3), on whole vectors.
    """
    line = list(planes)
    for distance, keep in ((4, 0x0F), (2, 0x33), (1, 0x55)):
        shift, low = _splat(distance), _splat(int.from_bytes(bytes([keep]) * 8, "little"))
        for low_index in range(PLANES):
            if low_index & distance:
                continue
            a, b = line[low_index], line[low_index + distance]
            # the upper half of a's bits changes places with the lower half of b's
            crossed = builder.and_(builder.xor(builder.lshr(a, shift), b), low)
            line[low_index + distance] = builder.xor(b, crossed)
            line[low_index] = builder.xor(a, builder.shl(crossed, shift))
    return line


def make_unpack(n_w: int) -> Callable[..., None]:
    """Return ``unpack(state, first, second, mask, flip, out)``, all addresses, for words of n_w bits, 8 or 4.

    state ^= first ^ second (n_w vectors each: a decoder step of all planes); the planes of state, exclusive-or `flip`
    (eight 64-bit words, one a plane) and where the vector `mask` keeps them, are turned into eight vectors of bytes at
    `out`. Words of four bits are extended by their sign. The top bit is inverted: a byte is its value plus 128.
    """

    @intrinsic
    def unpack(typing, state, first, second, mask, flip, out):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            held, one, other, care, result = (_pointer(builder, arguments[i], _LINE) for i in (0, 1, 2, 3, 5))
            flips = _pointer(builder, arguments[4], _I64)
            kept = _load(builder, care, 0)
            planes = []
            for q in range(n_w):
                value = builder.xor(_load(builder, held, q), _load(builder, one, q))
                value = builder.xor(value, _load(builder, other, q))
                _store(builder, value, held, q)
                word = builder.load(builder.gep(flips, [ir.Constant(_I32, q)]))
                planes.append(builder.and_(builder.xor(value, _spread(builder, word, _LINE)), kept))
            planes += [planes[-1]] * (PLANES - n_w)
            planes[-1] = builder.xor(planes[-1], _splat(-1))
            for j, line in enumerate(bits_to_bytes(builder, planes)):
                _store(builder, line, result, j)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 6), generate

    return unpack


def make_add(n_w: int) -> Callable[..., None]:
    """Return ``add(state, source)``, both addresses: state ^= source, n_w vectors."""

    @intrinsic
    def add(typing, state, source):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            held, other = (_pointer(builder, argument, _LINE) for argument in arguments)
            for q in range(n_w):
                _store(builder, builder.xor(_load(builder, held, q), _load(builder, other, q)), held, q)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp), generate

    return add


@intrinsic
def clear(typing, state):  # type: ignore[no-untyped-def]
    """Set the eight vectors at the address `state` to zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = _pointer(builder, arguments[0], _LINE)
        for q in range(PLANES):
            _store(builder, _splat(0), held, q)
        return context.get_dummy_value()

    return types.void(types.intp), generate


@intrinsic
def accumulate(typing, sums, stride, data, factor):  # type: ignore[no-untyped-def]
    """Add four products to each of 128 sums: sum i of row j += bytes 4i .. 4i+3 of vector j times `factor`.

    sums: address of int32 sums, 16 for each j, `stride` bytes from one j to the next; data: address of eight vectors
    as `make_unpack` writes them, unsigned bytes; factor: four signed bytes in the low half of a 64-bit integer.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, stride, data, factor = arguments
        lines = _pointer(builder, data, _BYTES)
        factors = _spread(builder, builder.trunc(factor, _I32), _BYTES)
        for j in range(PLANES):
            where = _pointer(builder, builder.add(first, builder.mul(stride, ir.Constant(_I64, j))), _BYTES)
            total = byte_dot(builder, builder.load(where, align=4), _load(builder, lines, j), factors)
            builder.store(total, where, align=4)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.int64), generate


def byte_dot(builder: Any, total: Any, unsigned: Any, signed: Any) -> Any:
    """Add to each int32 of `total` the four products of its unsigned bytes with its signed bytes."""
    if has_byte_dot():
        kind = ir.FunctionType(_BYTES, [_BYTES, _BYTES, _BYTES])
        dot = builder.module.declare_intrinsic("llvm.x86.avx512.vpdpbusd.512", (), kind)
        return builder.call(dot, [total, unsigned, signed])

    def every(number: int) -> Any:
        return ir.Constant(_BYTES, [number] * 2 * LINE)

    for byte in range(4):
        weight = builder.and_(builder.lshr(unsigned, every(8 * byte)), every(255))
        factor = builder.ashr(builder.shl(signed, every(24 - 8 * byte)), every(24))
        total = builder.add(total, builder.mul(weight, factor))
    return total


@intrinsic
def sum_lanes(typing, sums, clear_only):  # type: ignore[no-untyped-def]
    """Return the sum of the 64 int32 at the address `sums`; if `clear_only`, set them to zero and return 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lines = _pointer(builder, arguments[0], _BYTES)
        result = cgutils.alloca_once_value(builder, ir.Constant(_I32, 0))
        with builder.if_else(arguments[1]) as (clearing, summing):
            with clearing:
                for k in range(4):
                    _store(builder, ir.Constant(_BYTES, [0] * 2 * LINE), lines, k)
            with summing:
                total = _load(builder, lines, 0)
                for k in range(1, 4):
                    total = builder.add(total, _load(builder, lines, k))
                reduce = builder.module.declare_intrinsic(
                    "llvm.vector.reduce.add.v16i32", (), ir.FunctionType(_I32, [_BYTES])
                )
                builder.store(builder.call(reduce, [total]), result)
        return builder.load(result)

    return types.int32(types.intp, types.boolean), generate
