"""Which encoder takes a code, and the function it is for one segment."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.golden.code.code import Code
from xorweave.golden.encoders import elimination, viterbi
from xorweave.golden.encoders.list_elimination import MAX_ALTERNATIVES, encode_segment_with_list

ENCODERS = ("auto", "elimination", "viterbi")
# Bytes of reduced rows that one segment may take in the encoder. A segment starts with an empty window, which costs
# up to K encoded bits a plane, so segments are as long as memory allows.
_SEGMENT_BYTES = 160 << 20
# Up to this window the list without a limit is smaller than the trellis; beyond it, exactness is the trellis's.
_EXACT_LIST_WINDOW = 12

Solver = Callable[[Words, NDArray[np.bool_]], Words]


def check_encoder(encoder: str) -> None:
    """Refuse what is no encoder."""
    if encoder not in ENCODERS:
        raise InputError(f"encoder must be one of {', '.join(ENCODERS)}, not {encoder!r}")


def resolve_encoder(encoder: str, code: Code) -> str:
    """Turn ``auto`` into the exact encoder where it is bearable (K <= 24), else elimination.

    Raises
    ------
    InputError
        There is no such encoder, or it cannot take the code's window.
    """
    check_encoder(encoder)
    bearable = code.constraint_length <= viterbi.MAX_WINDOW_BITS
    if encoder == "viterbi" and not bearable:
        raise InputError(
            f"the viterbi encoder takes n_in * (n_s + 1) up to {viterbi.MAX_WINDOW_BITS}, "
            f"not {code.constraint_length}; use the encoder elimination"
        )
    if encoder != "auto":
        return encoder
    return "viterbi" if bearable and code.family != "identity" else "elimination"


def make_solver(code: Code, encoder: str, n_w: int, effort: int | None = 1) -> Solver:
    """Return the function that encodes one segment: (targets, mask), shape (n,), to symbols, (blocks, n_in).

    Parameters
    ----------
    encoder : {"elimination", "viterbi"}
    effort : int or None
        Right-hand-side alternatives of elimination; None is without limit, the exact optimum.

    Raises
    ------
    InputError
        The effort is out of range, or exactness is asked for a window too long for it.
    """
    if encoder == "viterbi":
        return lambda targets, mask: viterbi.encode_segment(code, targets, mask, n_w)
    if effort is None:
        if code.constraint_length > viterbi.MAX_WINDOW_BITS:
            raise InputError(
                f"the exact optimum can be found for n_in * (n_s + 1) up to {viterbi.MAX_WINDOW_BITS}, "
                f"not {code.constraint_length}; effort must be a number"
            )
        if code.constraint_length > _EXACT_LIST_WINDOW:
            return lambda targets, mask: viterbi.encode_segment(code, targets, mask, n_w)
        effort = 1 << (code.constraint_length + 1)
    if not 1 <= effort <= MAX_ALTERNATIVES:
        raise InputError(f"effort must be between 1 and {MAX_ALTERNATIVES} or exact, not {effort}")
    rows = elimination.rotated_rows(code)
    limit = effort
    return lambda targets, mask: encode_segment_with_list(code, targets, mask, n_w, limit, rows)


def default_segment_blocks(code: Code, n: int, budget: int = _SEGMENT_BYTES) -> int:
    """Return the blocks of a segment: the whole tensor, or equal parts whose reduced rows fit in `budget` bytes."""
    blocks = max(1, -(-n // code.n_out))
    row_bytes = 8 * (1 << (-(-code.constraint_length // 64) - 1).bit_length()) + 8
    segments = -(-blocks * code.n_in * row_bytes // budget)
    return -(-blocks // segments)
