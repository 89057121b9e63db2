"""Machine instructions that Numba does not offer: count trailing zeros, and ones, of a 64-bit word."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic


@intrinsic
def trailing_zeros(typingctx: Any, word: Any) -> Any:
    """Return the index of the lowest set bit of a uint64 (undefined for 0); for use in compiled code only."""
    signature = types.int64(types.uint64)

    def codegen(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

    return signature, codegen


@intrinsic
def count_ones(typingctx: Any, word: Any) -> Any:
    """Return how many bits of a uint64 are set, as a uint64; for use in compiled code only."""
    signature = types.uint64(types.uint64)

    def codegen(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return signature, codegen
