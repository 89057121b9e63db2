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
    # Numba may have been told to compile for another processor than this one
    name, features = (getattr(config, setting) for setting in ("CPU_NAME", "CPU_FEATURES"))
    if name or features is not None:
        return "+avx512vnni" in (features or "")
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


def make_walk(n_w: int, multiplying: bool) -> Callable[..., None]:
    """Return the decoder of a block's first `count` outputs, 512 lanes at a time, for words of n_w bits, 8 or 4.

    ``walk(state, symbols, zeros, starts, offsets, goes_on, count, mask, flip, out, places, factors, vectors,
    factors_step, sums, sums_step, row_step)``, numbers and addresses only:

    - state: n_w vectors, the output before the first, changed to the last one;
    - symbols, zeros, starts, offsets, goes_on: output r adds the n_w vectors at symbols + offsets[k] for k in
      starts[r] .. starts[r + 1] - 1 (int64) to output r - 1, or to nothing if goes_on[r] (int64) is 0; zeros stands for
      a tap that is not there;
    - mask: a vector an output; flip: 8 64-bit words, one a plane. The planes of an output, exclusive-or flip and
      where the mask keeps them, become bytes: words of four bits are extended by their sign, and the top bit
      is inverted, so that a byte is its value plus 128;
    - not `multiplying`: 8 vectors of bytes are written to out for each output;
    - `multiplying`: places holds two int32 for each output, a byte offset s and an index c. For each of `vectors`
      vectors, its factor c (four signed bytes in the low half of an int64 at factors + 8 c) is multiplied with the
      bytes, and the products of four bytes are added to the int32 at sums + s: 16 for each of the 8 byte vectors,
      row_step bytes apart. From one vector to the next, factors and sums move by factors_step and sums_step.

    Everything goes by addresses: arrays handed to an intrinsic would have their references counted at each call.
    """

    @intrinsic
    def walk(  # type: ignore[no-untyped-def]
        typing, state, symbols, zeros, starts, offsets, goes_on, count, mask, flip, out,
        places, factors, vectors, factors_step, sums, sums_step, row_step,
    ):  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            (state, symbols, zeros, starts, offsets, goes_on, count, mask, flip, out,
             places, factors, vectors, factors_step, sums, sums_step, row_step) = arguments  # fmt: skip
            held = _pointer(builder, state, _LINE)
            flips = _pointer(builder, flip, _I64)
            first_tap, tap_offsets, chained = (
                _pointer(builder, address, _I64) for address in (starts, offsets, goes_on)
            )
            place = _pointer(builder, places, _I32)
            # the compiler keeps these in registers
            planes = [cgutils.alloca_once_value(builder, _load(builder, held, q)) for q in range(n_w)]

            def number(array: Any, index: Any) -> Any:
                return builder.load(builder.gep(array, [index]))

            def multiply(r: Any, lines: list[Any]) -> None:
                weights = [builder.bitcast(line, _BYTES) for line in lines]
                twice = builder.shl(r, _I64(1))
                to = builder.add(sums, builder.sext(number(place, twice), _I64))
                group = builder.sext(number(place, builder.add(twice, _I64(1))), _I64)
                index = builder.shl(group, _I64(3))
                with cgutils.for_range(builder, vectors) as batch:
                    v = batch.index
                    at = builder.add(builder.add(factors, index), builder.mul(v, factors_step))
                    spread = _spread(builder, builder.load(_pointer(builder, at, _I32)), _BYTES)
                    for j, weight in enumerate(weights):
                        away = builder.add(builder.mul(v, sums_step), builder.mul(row_step, _I64(j)))
                        where = _pointer(builder, builder.add(to, away), _BYTES)
                        total = byte_dot(builder, builder.load(where, align=4), weight, spread)
                        builder.store(total, where, align=4)

            with cgutils.for_range(builder, count) as outputs:
                r = outputs.index
                with builder.if_then(builder.icmp_signed("==", number(chained, r), _I64(0))):
                    for plane in planes:
                        builder.store(_splat(0), plane)
                first, last = number(first_tap, r), number(first_tap, builder.add(r, _I64(1)))
                # two taps at a time: three-input exclusive-or is one instruction
                pairs = builder.ashr(builder.add(builder.sub(last, first), _I64(1)), _I64(1))
                with cgutils.for_range(builder, pairs) as loop:
                    k = builder.add(first, builder.shl(loop.index, _I64(1)))
                    following = builder.add(k, _I64(1))
                    inside = builder.icmp_signed("<", following, last)
                    at = builder.select(inside, number(tap_offsets, following), _I64(0))
                    second = builder.select(inside, builder.add(symbols, at), zeros)
                    one = _pointer(builder, builder.add(symbols, number(tap_offsets, k)), _LINE)
                    other = _pointer(builder, second, _LINE)
                    for q, plane in enumerate(planes):
                        value = builder.xor(builder.load(plane), _load(builder, one, q))
                        builder.store(builder.xor(value, _load(builder, other, q)), plane)
                kept = builder.load(builder.gep(_pointer(builder, mask, _LINE), [r]), align=8)
                lines = []
                for q, plane in enumerate(planes):
                    inverted = _spread(builder, number(flips, _I64(q)), _LINE)
                    lines.append(builder.and_(builder.xor(builder.load(plane), inverted), kept))
                lines += [lines[-1]] * (PLANES - n_w)
                lines[-1] = builder.xor(lines[-1], _splat(-1))
                lines = bits_to_bytes(builder, lines)
                if not multiplying:
                    result = _pointer(
                        builder, builder.add(out, builder.mul(r, _I64(8 * LINE * PLANES))), _LINE
                    )
                    for j, line in enumerate(lines):
                        _store(builder, line, result, j)
                else:
                    multiply(r, lines)
            for q, plane in enumerate(planes):
                _store(builder, builder.load(plane), held, q)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 17), generate

    return walk


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
