"""A small stored tensor of every kind that a file can hold, for tests that go over all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tests.golden.files.stored_examples import BOOKS, book_mask
from xorweave.golden.base.number_format import NumberFormat, number_format, to_bfloat16
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.choose.mask_choice import encode_shaped
from xorweave.golden.code.code import Code
from xorweave.golden.code.usual_graph import usual_graph
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.scan.cells import CELL_COLUMNS, CellScan
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.encode import EncodeOptions, encode_stored, encode_tensor
from xorweave.golden.tensor.packed import pack_tensor
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.raw_planes import RawPlanes

SHAPE = (48, 50)
_CODES = {
    "uniform": "n_in=8,n_out=60,n_s=2,seed=3",
    "sparse": "family=sparse,n_in=8,n_out=60,n_s=2,seed=3,taps=5",
    "chain": "family=chain,n_in=8,n_out=60,n_s=2,seed=3,taps=2,run=7",
    "paired": "family=paired,n_in=8,n_out=60,n_s=2,seed=3",
    "graph": "family=graph,n_in=12,n_out=90,n_s=2,seed=3",
}


def weights(form: NumberFormat, seed: int = 0) -> tuple[NDArray, NDArray[np.bool_]]:
    """Return values near a normal distribution under a random mask of density 0.12, and the mask."""
    rng = np.random.default_rng(seed)
    mask = rng.random(SHAPE) < 0.12
    real = rng.standard_normal(SHAPE, np.float32)
    if form.name == "bf16":
        values: NDArray = to_bfloat16(real)
    elif form.is_float:
        values = real.astype(form.storage)
    else:
        top = 1 << (form.n_w - 1)
        values = np.clip(np.round(real * top / 3), -top, top - 1).astype(form.storage)
    return np.where(mask, values, values.dtype.type(0)), mask


def _code(family: str) -> Code:
    return Code.from_spec(_CODES[family])


def _raw(code: Code, **more: object) -> tuple[EncodedTensor, NDArray]:
    form = number_format("int8")
    values, mask = weights(form)
    return encode_tensor(values, form, code, mask=mask, **more), values  # type: ignore[arg-type]


def _chosen(dtype: str = "int8", **words: object) -> tuple[EncodedTensor, NDArray]:
    form = number_format(dtype)
    values, mask = weights(form)
    return Choice(**words).encode(values, form, mask), values  # type: ignore[arg-type]


def _cells(dtype: str, n_out: int) -> tuple[EncodedTensor, NDArray]:
    form = number_format(dtype)
    values, mask = weights(form)
    scan = CellScan(*SHAPE, CELL_COLUMNS[form.n_w], 3, n_out // 3)
    code = Code.from_family("chain", n_in=8, n_out=n_out // 3 * 3, n_s=2)
    return encode_tensor(values, form, code, mask=mask, scan=scan), values


def _transformed(transform: str) -> tuple[EncodedTensor, NDArray]:
    form = number_format("int8")
    values, mask = weights(form)
    small = values // 16
    return encode_tensor(small, form, _code("chain"), mask=mask, transform=transform, drop_planes=True), small


def _own_taps() -> tuple[EncodedTensor, NDArray]:
    """Raw planes under a shaped mask whose parities share no sums."""
    form = number_format("int8")
    values, _ = weights(form)
    words = form.to_words(values).reshape(-1)
    code = ShapedMaskCode(n_in=32, n_out=60, parities=3, window=20, taps=6, seed=1)
    stored = encode_stored(
        words,
        shape=SHAPE,
        number_format=form,
        scan=Interleaver(words.size),
        mask_coder=encode_shaped(words != 0, code, beam=64),
        values=RawPlanes(8),
        codes=[Code.from_family("chain", n_in=24, n_out=60, n_s=2)],
        options=EncodeOptions(),
    )
    return stored, values


def _book(book: str, dtype: str, **words: object) -> tuple[EncodedTensor, NDArray]:
    """Raw planes under a mask through a book; of a book for more ones than zeros, the mask of what else is pruned."""
    form, coder = number_format(dtype), BOOKS[book]
    values, mask = weights(form)
    if coder.inverted:
        values = np.where(mask, values.dtype.type(0), np.full_like(values, 3))
    stored = form.to_words(values).reshape(-1)
    scan, n_out = Interleaver(stored.size, 1009, 17), coder.m * (90 // coder.m)
    options = EncodeOptions(encoder="elimination", **words)  # type: ignore[arg-type]
    mask_coder = book_mask(scan.to_scan(stored) != 0, coder, n_out, options.segment_blocks)
    code = usual_graph(math.ceil(n_out * min(1, 0.05 + 1.1 * (stored != 0).mean())), n_out, 2)
    tensor = encode_stored(
        stored,
        shape=SHAPE,
        number_format=form,
        scan=scan,
        mask_coder=mask_coder,
        values=RawPlanes(form.n_w),
        codes=[code],
        options=options,
    )
    return tensor, values


def _packed(dtype: str, full: bool = False) -> tuple[EncodedTensor, NDArray]:
    form = number_format(dtype)
    values, _ = weights(form)
    if full:
        values = np.full_like(values, 0x3F80)
    return pack_tensor(form.to_words(values).reshape(-1), SHAPE, form), values


def _options(**words: object) -> dict[str, object]:
    return {"options": EncodeOptions(**words)}  # type: ignore[arg-type]


_KINDS: dict[str, Callable[[], tuple[EncodedTensor, NDArray]]] = {
    **{f"{family} code": (lambda family=family: _raw(_code(family))) for family in _CODES},
    "custom code": lambda: _raw(Code(n_in=8, n_out=60, n_s=2, generator=_code("chain").generator)),
    "first rows of a code": lambda: _raw(_code("chain").first_rows(50)),
    "affine, segments": lambda: _raw(
        _code("chain"), scan=Interleaver(48 * 50, 1009, 17), **_options(segment_blocks=7)
    ),
    **{
        f"corrections {text}": (lambda text=text: _raw(_code("chain"), **_options(corrections=text)))
        for text in ("paper", "joint", "plane", "bounded:5")
    },
    **{
        f"transform {name}": (lambda name=name: _transformed(name))
        for name in ("difference", "sign-magnitude")
    },
    "lanes": lambda: _chosen(scan="lanes", lanes=16),
    **{
        f"cells, {name}": (lambda name=name, n_out=n_out: _cells(name, n_out))
        for name, n_out in (("int4", 40), ("int8", 60), ("bf16", 60), ("fp32", 60))
    },
    **{
        f"tiles, {name}": (lambda name=name: _chosen(name, scan="tiles")) for name in ("int4", "int8", "fp16")
    },
    "for storage": lambda: _chosen(),
    "prefix, bitmap": lambda: _chosen(mask_code="bitmap", values_code="prefix"),
    "shaped, fp16": lambda: _chosen("fp16", mask_code="shaped"),
    "shaped, own taps": _own_taps,
    "for hardware": lambda: _chosen(goal="hardware"),
    "for the paper": lambda: _chosen(code=CodeChoice.parse("paper,n_s=1")),
    **{
        name: (lambda name=name: _chosen(name, code=CodeChoice.parse(_CODES["chain"])))
        for name in ("int4", "fp16", "bf16", "fp32")
    },
    "book": lambda: _chosen(mask_code="book"),
    "book, raw": lambda: _chosen(mask_code="book", values_code="raw"),
    "book, segments": lambda: _book("escape", "int8", segment_blocks=7),
    "book, inverted": lambda: _book("inverted, escape", "int4"),
    "book, wide, fp16": lambda: _book("wide", "fp16", segment_blocks=5),
    "packed": lambda: _packed("int8"),
    "packed, int4": lambda: _packed("int4"),
    "packed, no mask": lambda: _packed("bf16", full=True),
    "rate 1": lambda: _raw(Code.from_family("identity", n_in=8, n_out=8, n_s=0)),
}

#: The names of the kinds.
STORED_KINDS = tuple(_KINDS)


@cache
def stored_kind(name: str) -> tuple[EncodedTensor, NDArray]:
    """Return a stored tensor of a kind, and what it must decode to."""
    return _KINDS[name]()
