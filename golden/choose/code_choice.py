"""From the words of ``--code`` to the code, scan and correction format used for each tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.choose.plan import Plan, choose_plan, dense_plan, rank_plans
from xorweave.golden.choose.rate_choice import check_rates, choose_rate
from xorweave.golden.code.catalogue import CATALOGUE
from xorweave.golden.code.code import Code
from xorweave.golden.encoders.stream_start import error_free_start
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.scan import Scan
from xorweave.golden.scan.spec import SCANS
from xorweave.golden.scan.strides import candidate_strides
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.solvers import default_segment_blocks
from xorweave.golden.tensor.stored import EncodedTensor

# Codes tried before a tensor is stored dense rather than with an unmatched bit.
_ERROR_FREE_TRIES = 12
# Codes that are expected to lose a few equations may lose none from a good start: tried where no other code is left.
_LESS_SURE = (30.0, 10.0, 3.0, 1.0)
_LESS_SURE_TRIES = 4
# Scans tried for a code that is given: strides, and starts for each.
_STRIDES = 6
_STARTS = 6
# Longest window of a chosen code for the exact search, which takes 2^K steps for a block and a plane.
_EXACT_K = 16
# A segment's start, where the window is empty, is where bits go unmatched first: longer segments, more memory.
_ERROR_FREE_BYTES = 1 << 30


def _error_free_scan(
    mask: NDArray[np.bool_], code: Code, segment_blocks: int, seed: int
) -> Interleaver | None:
    """Find a scan of a flat mask in which every value can be encoded, in one segment; None if there is none."""
    n = mask.size
    if not n or segment_blocks * code.n_out < n:
        return None
    for stride in candidate_strides(n, _STRIDES, seed):
        ring = Interleaver(n=n, stride=stride)
        start, _tries = error_free_start(ring.to_scan(mask), code, tries=_STARTS)
        if start is not None:
            return Interleaver(n=n, stride=stride, offset=start * stride % n)
    return None


def paper_n_out(mask: NDArray[np.bool_]) -> int:
    """Return the paper's N_out = floor(8 / (1 - S)) for a mask (True = kept), at most 4096.

    S is taken to three digits, as it is asked for: one kept weight more than 10 % is still S = .9.
    """
    kept = int(np.count_nonzero(mask))
    # a mask without a kept weight would ask for an endless block
    share = round(kept / mask.size, 3) or kept / mask.size if kept else 0.0
    return min(4096, math.floor(8 / share + 1e-9)) if kept else 4096


@dataclass(frozen=True, kw_only=True)
class TensorChoice:
    """The code, the scan and the correction format (``auto`` or a name) for one tensor."""

    code: Code
    interleaver: Interleaver
    corrections: str


@dataclass(frozen=True, kw_only=True)
class CodeChoice:
    """A parsed ``--code``: ``auto``, ``paper[,KEY=VALUE,...]``, a name of the catalogue, or KEY=VALUE,...

    With ``rates=A/B/...`` among the KEY=VALUE items the code is that of a decoder of several rates, and each tensor
    is encoded at the rate that serves it best. The paper's code has N_in = 8 and N_out = floor(8 / (1 - S)) by the
    tensor's own sparsity, row-major order and the paper's correction format; with ``invert=0`` no plane is inverted.
    """

    kind: str = "auto"
    max_k: int = 256
    seed: int = 0
    n_s: int = 2
    invert: bool | None = None
    code: Code | None = None
    rates: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str, *, max_k: int = 256, seed: int = 0) -> CodeChoice:
        """Parse ``--code``.

        Raises
        ------
        InputError
            The words name no code.
        """
        head, *items = text.split(",")
        if head == "auto" and not items:
            if max_k < 4:
                raise InputError(f"max_k must be at least 4, not {max_k}")
            return cls(kind="auto", max_k=max_k, seed=seed)
        if head == "paper":
            numbers = {"n_s": 2, "seed": seed, "invert": 1}
            for item in items:
                key, _, value = item.partition("=")
                if key not in numbers or not value.isdecimal():
                    raise InputError(
                        f"the paper's code takes n_s=NUMBER, seed=NUMBER and invert=0|1, not {item!r}"
                    )
                numbers[key] = int(value)
            if numbers["n_s"] > 2:
                raise InputError(f"the paper's code has n_s = 0, 1 or 2, not {numbers['n_s']}")
            if numbers["invert"] > 1:
                raise InputError(f"invert must be 0 or 1, not {numbers['invert']}")
            return cls(
                kind="paper",
                max_k=max_k,
                seed=numbers["seed"],
                n_s=numbers["n_s"],
                invert=None if numbers["invert"] else False,
            )
        if text in CATALOGUE:
            return cls(kind="fixed", max_k=max_k, seed=seed, code=Code.from_name(text))
        if "=" not in text:
            raise InputError(
                f"the code must be auto, paper[,n_s=0|1|2], KEY=VALUE,... or one of {', '.join(CATALOGUE)}, "
                f"not {text!r}"
            )
        rates = [item for item in (head, *items) if item.startswith("rates=")]
        if rates:
            code = Code.from_spec(",".join(item for item in (head, *items) if item not in rates))
            listed = rates[0].removeprefix("rates=").split("/")
            if len(rates) > 1 or not all(number.isdecimal() for number in listed):
                raise InputError(f"rates must be given once, as rates=A/B/..., not {', '.join(rates)!r}")
            return cls(
                kind="rates",
                max_k=max_k,
                seed=seed,
                code=code,
                rates=check_rates(code, [int(number) for number in listed]),
            )
        return cls(kind="fixed", max_k=max_k, seed=seed, code=Code.from_spec(text))

    def for_mask(self, mask: NDArray[np.bool_], n_w: int) -> TensorChoice:
        """Settle code, scan and corrections for a tensor with this mask (True = kept) and n_w bits a weight."""
        n = mask.size
        if self.kind == "auto":
            plan = choose_plan(mask, n_w, max_k=self.max_k, seed=self.seed)
            return TensorChoice(code=plan.code, interleaver=plan.interleaver, corrections="auto")
        if self.kind == "paper":
            code = Code.uniform(n_in=8, n_out=paper_n_out(mask), n_s=self.n_s, seed=self.seed)
            return TensorChoice(code=code, interleaver=Interleaver(n), corrections="paper")
        assert self.code is not None
        if self.kind == "rates":
            code, scan = choose_rate(mask, n_w, self.code, self.rates, seed=self.seed)
            return TensorChoice(code=code, interleaver=scan, corrections="auto")
        return TensorChoice(code=self.code, interleaver=Interleaver(n), corrections="auto")

    def encode(
        self,
        values: NDArray,
        number_format: NumberFormat,
        mask: NDArray[np.bool_],
        *,
        options: EncodeOptions | None = None,
        segments: int | None = None,
        scan: str = "auto",
        **raw: Any,
    ) -> EncodedTensor:
        """Encode a tensor, raw planes under a bitmap, with the code chosen for it.

        Parameters
        ----------
        segments : int, optional
            Cut the tensor into so many segments of equal length (the last may be shorter), for decoders side by side.
        scan : str
            A kind that the shape alone decides, as ``row-major``, instead of the scan that was chosen with the code.
        **raw
            `transform` and `drop_planes` of `encode_tensor`.
        """
        options = options or EncodeOptions()
        if self.kind == "auto" and options.encoder == "viterbi" and self.max_k > _EXACT_K:
            short = replace(self, max_k=_EXACT_K)
            return short.encode(
                values, number_format, mask, options=options, segments=segments, scan=scan, **raw
            )
        if self.kind == "auto" and options.corrections.startswith("bounded"):
            return self._encode_bounded(
                values, number_format, mask, options, row_major=scan == "row-major", **raw
            )
        chosen = self.for_mask(mask, number_format.n_w)
        usual = SCANS[scan].usual if scan in SCANS else None
        order: Scan = chosen.interleaver if usual is None else usual(values.shape)
        if scan == "affine" and self.kind == "fixed":
            rates = (chosen.code.n_in,)
            order = choose_rate(mask, number_format.n_w, chosen.code, rates, seed=self.seed)[1]
        if segments is not None:
            blocks = -(-order.length // chosen.code.n_out)
            options = replace(options, segment_blocks=max(1, -(-blocks // segments)))
        if options.corrections == "auto":
            options = replace(options, corrections=chosen.corrections)
        return encode_tensor(
            values,
            number_format,
            chosen.code,
            mask=mask,
            scan=order,
            invert=self.invert,
            options=options,
            **raw,
        )

    def _encode_bounded(
        self,
        values: NDArray,
        number_format: NumberFormat,
        mask: NDArray[np.bool_],
        options: EncodeOptions,
        row_major: bool,
        **raw: Any,
    ) -> EncodedTensor:
        """Encode at the smallest rate tried that keeps the bound: the plan's own, then rates with slack, then dense."""
        n_w = number_format.n_w
        rank = partial(rank_plans, mask, n_w, max_k=self.max_k, seed=self.seed, row_major=row_major)
        plans = [*rank(), *rank(error_free=True, count=3)]
        refused: InputError | None = None
        for plan in [*plans, dense_plan(mask.size, n_w)]:
            try:
                return encode_tensor(
                    values, number_format, plan.code, mask=mask, scan=plan.interleaver, options=options, **raw
                )
            except InputError as error:
                refused = error
        assert refused is not None
        raise refused

    def encode_plan(
        self,
        words: Words,
        plan: Plan,
        shape: tuple[int, ...],
        number_format: NumberFormat,
        options: EncodeOptions,
    ) -> EncodedTensor:
        """Encode flat words, raw planes under a bitmap of those that are not 0, by a plan that was chosen for them."""
        return encode_tensor(
            number_format.from_words(words).reshape(shape),
            number_format,
            plan.code,
            scan=plan.interleaver,
            options=options,
        )

    def _error_free_plans(self, mask: NDArray[np.bool_], n_w: int, row_major: bool) -> Iterator[Plan]:
        """Yield codes and scans that may leave no bit unmatched, the smallest payload first, the dense words last."""
        rank = partial(
            rank_plans, mask, n_w, max_k=self.max_k, seed=self.seed, error_free=True, row_major=row_major
        )
        dense = dense_plan(mask.size, n_w)
        yield from (plan for plan in rank(count=_ERROR_FREE_TRIES) if plan.code.spec != dense.code.spec)
        flat = mask.reshape(-1)
        for tolerated in () if row_major else _LESS_SURE:
            for plan in rank(count=_LESS_SURE_TRIES, tolerated=tolerated):
                blocks = default_segment_blocks(plan.code, mask.size, _ERROR_FREE_BYTES)
                if plan.code.spec == dense.code.spec or blocks * plan.code.n_out < mask.size:
                    continue
                ring = replace(plan.interleaver, offset=0)
                start, _tries = error_free_start(ring.to_scan(flat), plan.code, tries=_STARTS)
                if start is not None:
                    yield replace(plan, interleaver=replace(ring, offset=start * ring.stride % mask.size))
        yield dense

    def encode_error_free(
        self,
        values: NDArray,
        number_format: NumberFormat,
        mask: NDArray[np.bool_],
        *,
        options: EncodeOptions | None = None,
        row_major: bool = False,
        **raw: Any,
    ) -> EncodedTensor:
        """Encode a tensor with no unmatched bit at all, so that hardware needs no correction stage.

        With ``auto``, codes expected to be error-free are tried, the smallest payload first, and each is believed
        only when its decoded stream shows no unmatched bit. Should none hold, the weights are stored dense. With a
        code that is given, scans are tried (strides and starts) until one is found in which no equation of a kept
        weight depends on others, so that one decoder serves many tensors. With `row_major` there is that scan alone.

        Raises
        ------
        InputError
            The code was given and leaves a bit unmatched.
        """
        options = replace(options or EncodeOptions(), corrections="auto")
        if self.kind != "auto":
            chosen = self.for_mask(mask, number_format.n_w)
            blocks = default_segment_blocks(chosen.code, mask.size, _ERROR_FREE_BYTES)
            scan: Scan | None = Interleaver(mask.size)
            if not row_major:
                scan = _error_free_scan(mask.reshape(-1), chosen.code, blocks, self.seed)
            encoded = encode_tensor(
                values,
                number_format,
                chosen.code,
                mask=mask,
                scan=scan or chosen.interleaver,
                invert=self.invert,
                options=replace(options, segment_blocks=blocks),
                **raw,
            )
            wrong = int(encoded.patches.positions.size)
            if wrong:
                raise InputError(
                    f"the code {encoded.code.spec} leaves {wrong} weights unmatched; "
                    "an error-free encoding needs a higher rate (smaller n_out), a longer window, or the code auto"
                )
            return encoded
        n_w = number_format.n_w
        for plan in self._error_free_plans(mask, n_w, row_major):
            blocks = default_segment_blocks(plan.code, mask.size, _ERROR_FREE_BYTES)
            encoded = encode_tensor(
                values,
                number_format,
                plan.code,
                mask=mask,
                scan=plan.interleaver,
                options=replace(options, segment_blocks=blocks),
                **raw,
            )
            if encoded.patches.positions.size == 0:
                return encoded
        raise AssertionError("the identity code leaves no bit unmatched")
