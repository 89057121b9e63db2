"""What is stored of a tensor, chosen: scan, mask coder, value coder, codes. The one place where everything meets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.choose.arrangement import Arrangement
from xorweave.golden.choose.book_choice import GATE_PRICE, CodedValues
from xorweave.golden.choose.cell_code import encode_in_cells
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.choose.even_scan import even_scan
from xorweave.golden.choose.lane_code import encode_on_lanes
from xorweave.golden.choose.live_rows import live_scan
from xorweave.golden.choose.mask_choice import encode_shaped, false_ones, shaped_code
from xorweave.golden.choose.pattern_choice import beside, choose_pattern_book, mask_codes
from xorweave.golden.choose.plan import Plan, choose_plan
from xorweave.golden.choose.shared_code import SharedCode
from xorweave.golden.choose.tile_code import encode_in_tiles
from xorweave.golden.choose.values_choice import CHOOSERS, Chooser, settle_block, with_codes
from xorweave.golden.code.limits import binary_entropy
from xorweave.golden.mask.coders import BitmapMask, MaskCoder
from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.golden.scan.cells import CELL_ROWS
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.scan.live import LiveScan
from xorweave.golden.scan.scan import Scan
from xorweave.golden.scan.spec import SCANS, matrix_shape, most_positions
from xorweave.golden.scan.strides import candidate_strides
from xorweave.golden.scan.tiles import TILE_ROWS
from xorweave.golden.tensor.book_mask import encode_book_mask
from xorweave.golden.tensor.decode import checksum_of
from xorweave.golden.tensor.encode import EncodeOptions, encode_stored, segment_length
from xorweave.golden.tensor.stored import EncodedTensor

GOALS = ("storage", "hardware", "products", "paper")
MASK_CODES = ("auto", "bitmap", "book", "shaped")
_SCAN_K = 192  # window for which the scan of a mask that is encoded is judged, about that of its values
_SMALLEST = 256  # weights of a tensor whose mask is worth encoding
_DEAR_GATE = 0.0024  # `GATE_PRICE` where gates count
# By density, times the entropy of a mask: what a shaped code takes of it, false ones counted. And its gate equivalents
# a weight.
_SHAPED_DENSITIES, _SHAPED_COSTS = (0.01, 0.02, 0.03, 0.04, 0.05), (1.4, 1.18, 1.12, 1.1, 1.08)
_SHAPED_GATES = 12
_LANES = 64
_LANES_K = 128  # longest window on lanes, whose symbols are narrow
_AS_TOLD = 0.25  # so far off may the number of false ones be for a book that was chosen before them
_WORD_SCANS = ("cells", "tiles")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What decides how a tensor is stored.

    Attributes
    ----------
    goal : {"storage", "hardware", "products", "paper"}
        ``storage``: fewest bits, mask, book and header counted. ``hardware``: raw planes under a bitmap with a code
        of few gates, one for all tensors, at no more than `overhead`; where a book is asked for, of values or mask,
        each tensor's own one of few gates. ``products``: raw planes under a bitmap in the
        scan ``cells``, which a processor multiplies as fast as it reads it. ``paper``: the paper's format.
    mask_code : {"auto", "bitmap", "shaped"}
    values_code : "auto" or a name in `CHOOSERS`
        ``auto``: a book or raw planes, whichever is smaller.
    scan : "auto" or a name in `SCANS`
        ``cells`` are for products on a processor, ``tiles`` on a GPU.
    code : CodeChoice
        A code that is given, instead of one chosen, means raw planes.
    overhead : float
        (payload + corrections) / care bits - 1 that ``hardware`` may cost.
    beam : int
        Paths of a shaped mask's search.
    quick : bool
        Choose values with fewer trials: a third of the time for half a percent more bits.
    error_free : bool
        Raw planes at a rate at which nothing is unmatched.
    transform : str
        For raw planes; see `encode_tensor`.
    drop_planes : bool
        For raw planes; see `encode_tensor`.
    segments : int, optional
        Cut every tensor into so many segments, for decoders side by side.
    lanes : int
        Of the scan ``lanes``.
    prefix_k : int, optional
        Longest window of a prefix book's groups; by default as the block warrants, 512 at most.

    Raises
    ------
    InputError
        A value is none of those named.
    """

    goal: str = "storage"
    mask_code: str = "auto"
    values_code: str = "auto"
    scan: str = "auto"
    code: CodeChoice = field(default_factory=CodeChoice)
    overhead: float = 0.05
    beam: int = 1024
    quick: bool = False
    error_free: bool = False
    transform: str = "none"
    drop_planes: bool = False
    segments: int | None = None
    lanes: int = _LANES
    prefix_k: int | None = None

    def __post_init__(self) -> None:
        for name, known in (
            ("goal", GOALS), ("mask_code", MASK_CODES),
            ("values_code", ("auto", *CHOOSERS)), ("scan", ("auto", *SCANS)),
        ):  # fmt: skip
            if getattr(self, name) not in known:
                raise InputError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        if not 0 < self.overhead <= 10:
            raise InputError(f"overhead must be above 0 and at most 10, not {self.overhead}")
        if self.segments is not None and not 1 <= self.segments <= 4096:
            raise InputError(f"segments must be between 1 and 4096, not {self.segments}")
        if self.segments is not None and self.error_free:
            raise InputError("segments must be given without error_free, which chooses long segments itself")
        if self.scan in _WORD_SCANS or self.goal == "products":
            asked = (self.code.kind != "auto", self.error_free, self.transform != "none", self.drop_planes)
            if any(asked) or self.segments is not None:
                raise InputError(
                    "code, error_free, transform, drop_planes and segments must not be given for products"
                )
        given = self.code.kind != "auto" or self.transform != "none" or self.drop_planes
        if self.scan == "lanes" and (given or self.segments is not None):
            raise InputError(
                "code, transform, drop_planes and segments must not be given for the scan lanes, which chooses its own"
            )
        if self.scan == "live":
            raise InputError(
                "scan must be auto for what has empty rows or columns: it is found where it pays"
            )
        by_shape = self.scan == "auto" or SCANS[self.scan].usual is not None
        if "paper" in (self.goal, self.code.kind) and not by_shape:
            raise InputError(f"scan must be auto or row-major for the paper's format, not {self.scan}")
        if self.values_code not in ("auto", "raw") and self._raw_only:
            raise InputError(
                f"values_code must not be {self.values_code} where a code, a transform or error_free is given"
            )
        if self.mask_code == "shaped" and self._raw_only and not self._cells:
            raise InputError(
                "mask_code must not be shaped where a code, a transform, error_free or a scan other than affine and "
                "cells is given"
            )
        if self.mask_code == "book" and self._raw_only:
            raise InputError(
                "mask_code must not be book where a code, a transform, error_free or a scan other than affine is given"
            )

    @property
    def _cells(self) -> bool:
        """Whether products on a processor are asked for."""
        return self.scan == "cells" or (self.goal == "products" and self.scan == "auto")

    @property
    def _raw_only(self) -> bool:
        """Whether something is asked for that only raw planes have."""
        return (
            (self.goal != "storage" and not self._in_few_gates) or self.code.kind != "auto" or self.error_free
            or self.drop_planes or self.transform != "none" or self.scan not in ("auto", "affine")
            or self.segments is not None
        )  # fmt: skip

    @property
    def _in_few_gates(self) -> bool:
        """Whether a compressed decoder is asked for whose gates count."""
        books = self.values_code not in ("auto", "raw") or self.mask_code in ("book", "shaped")
        return self.goal == "hardware" and books

    @property
    def shares_code(self) -> bool:
        """Whether all tensors of a call get one code."""
        return self.goal == "hardware" and not self._in_few_gates

    @property
    def may_pack(self) -> bool:
        """Whether all is left to be chosen, so that kept words may be packed where no code takes fewer bits."""
        return (
            self.goal == "storage"
            and not self._raw_only
            and self.mask_code in ("auto", "bitmap")
            and self.values_code == "auto"
        )

    @property
    def _gates(self) -> float:
        """Share of the bits that a gate equivalent of the decoder, for one weight a cycle, must save."""
        return _DEAR_GATE if self._in_few_gates else GATE_PRICE

    @property
    def _choose_values(self) -> Chooser:
        chooser = CHOOSERS["prefix" if self.values_code == "auto" else self.values_code]
        return partial(chooser, gates=self._gates, quick=self.quick)

    @staticmethod
    def storable(values: NDArray, number_format: NumberFormat, mask: NDArray[np.bool_]) -> Words:
        """Return the words that are stored, shape (n,), 0 where they are pruned.

        A kept weight whose word is 0 counts as pruned: it reads back as 0.
        """
        words = number_format.to_words(np.ascontiguousarray(values)).reshape(-1)
        return words * mask.reshape(-1)

    def encode(
        self,
        values: NDArray,
        number_format: NumberFormat,
        mask: NDArray[np.bool_],
        options: EncodeOptions | None = None,
        shared: SharedCode | None = None,
        arranged: Arrangement | None = None,
    ) -> EncodedTensor:
        """Encode one tensor losslessly.

        Parameters
        ----------
        values : ndarray, any shape, dtype ``number_format.storage``
        mask : ndarray of bool, same shape
            True = kept.
        options : EncodeOptions, optional
        shared : SharedCode, optional
            For ``hardware``: the code of all tensors (`SharedCode.choose`); by default this tensor's own.
        arranged : Arrangement, optional
            What pruning has found for these weights already. It is taken for a shaped mask where it is not larger
            than the mask's own would be; what else is asked for has no use for it.

        Raises
        ------
        InputError
            Shapes or dtypes do not fit, or what is asked for cannot be had.
        """
        options = options or EncodeOptions()
        if mask.shape != values.shape:
            raise InputError(f"the mask must have the weights' shape {values.shape}, not {mask.shape}")
        self._check_options(options)
        raw = {"transform": self.transform, "drop_planes": self.drop_planes}
        if self.goal == "products" and self.scan == "auto" and self._fills(values.shape, CELL_ROWS):
            return replace(self, scan="cells").encode(values, number_format, mask, options)
        if self.scan in _WORD_SCANS:
            self._check_rows(values.shape, TILE_ROWS if self.scan == "tiles" else CELL_ROWS)
            return self._as_asked(self._for_products(values, number_format, mask, options), options)
        if self.goal == "products" and self.scan == "auto":
            return replace(self, goal="storage").encode(values, number_format, mask, options)
        if self.scan == "lanes" and self.code.kind == "auto":
            self._check_rows(values.shape, self.lanes)
            return self._as_asked(self._on_lanes(values, number_format, mask), options)
        if self.error_free:
            return self.code.encode_error_free(
                values, number_format, mask, options=options, row_major=self.scan == "row-major", **raw
            )
        strided = self.scan in ("auto", "row-major", "affine")
        if self.shares_code and self.code.kind == "auto" and strided:
            shared = shared or SharedCode.choose([(mask, number_format.n_w)], overhead=self.overhead)
            return shared.encode(values, number_format, mask, options, row_major=self.scan == "row-major")
        if self.goal == "paper" or self.code.kind != "auto" or self._raw_only or _only_of_raw(options):
            code = (
                replace(self.code, kind="paper")
                if self.goal == "paper" and self.code.kind == "auto"
                else self.code
            )
            return code.encode(
                values, number_format, mask, options=options, segments=self.segments, scan=self.scan, **raw
            )
        return self._smallest(values, number_format, mask, options, arranged)

    def _check_options(self, options: EncodeOptions) -> None:
        """Refuse what would else be asked for in vain."""
        if (self.values_code not in ("auto", "raw") or self.mask_code in ("book", "shaped")) and _only_of_raw(
            options
        ):
            raise InputError(
                "values_code must be raw, and mask_code bitmap, for the encoder viterbi and bounded corrections"
            )
        if self.scan in (*_WORD_SCANS, "lanes") and options.encoder == "viterbi":
            raise InputError(f"the encoder must be elimination for the scan {self.scan}, not viterbi")

    def _as_asked(self, found: EncodedTensor, options: EncodeOptions) -> EncodedTensor:
        """Refuse what a scan that chooses codes and corrections itself has chosen otherwise than asked for."""
        stored, asked = (text.split(":")[0] for text in (found.correction_format, options.corrections))
        if asked not in ("auto", stored) and stored != "none":
            raise InputError(f"corrections must be auto or {stored} for the scan {self.scan}, not {asked}")
        window = max((group.code.constraint_length for group in found.groups), default=0)
        if window > self.code.max_k:
            raise InputError(
                f"the scan {self.scan} needs a window of {window}, so max_k must be at least that, not"
                f" {self.code.max_k}"
            )
        return found

    @staticmethod
    def _fills(shape: tuple[int, ...], together: int) -> bool:
        """Whether a matrix has rows enough for a scan that takes `together` at once: the rest is padding."""
        rows, cols = matrix_shape(shape)
        return -(-rows // together) * together * cols <= most_positions(rows * cols)

    def _check_rows(self, shape: tuple[int, ...], together: int) -> None:
        if not self._fills(shape, together):
            rows, cols = matrix_shape(shape)
            raise InputError(
                f"scan {self.scan} takes {together} rows at once: so wide a matrix must have at least"
                f" {-(-together // 4)} rows, not the shape ({rows}, {cols})"
            )

    def _for_products(
        self, values: NDArray, number_format: NumberFormat, mask: NDArray[np.bool_], options: EncodeOptions
    ) -> EncodedTensor:
        shape = matrix_shape(values.shape)
        matrix, kept = values.reshape(shape), mask.reshape(shape)
        how: dict[str, Any] = {"mask": kept, "seed": self.code.seed, "jobs": options.jobs}
        if self.scan == "tiles":
            found = encode_in_tiles(matrix, number_format.name, **how)
        else:
            how["mask_code"] = "shaped" if self.mask_code == "shaped" else "bitmap"
            found = encode_in_cells(matrix, number_format.name, beam=self.beam, **how)
        return replace(found, shape=values.shape)

    def _on_lanes(
        self, values: NDArray, number_format: NumberFormat, mask: NDArray[np.bool_]
    ) -> EncodedTensor:
        rows, cols = matrix_shape(values.shape)
        layout = LaneLayout.fitting(rows, cols, self.lanes)
        return replace(
            encode_on_lanes(
                values.reshape(rows, cols),
                number_format,
                mask.reshape(rows, cols),
                layout,
                max_k=min(_LANES_K, self.code.max_k),
                error_free=self.error_free,
                seed=self.code.seed,
            ),
            shape=values.shape,
        )

    def _smallest(
        self,
        values: NDArray,
        number_format: NumberFormat,
        mask: NDArray[np.bool_],
        options: EncodeOptions,
        arranged: Arrangement | None = None,
    ) -> EncodedTensor:
        """Store a tensor in the fewest bits."""
        words = self.storable(values, number_format, mask)
        kept = words != 0
        n_w, max_k, seed = number_format.n_w, self.code.max_k, self.code.seed
        density = float(kept.mean()) if kept.size else 0.0
        encoded = self.mask_code in ("book", "shaped") or (
            self.mask_code == "auto"
            and self.values_code in ("auto", "prefix")
            and words.size >= _SMALLEST
            and 0 < density < 1
        )
        if self.mask_code == "shaped" and not 0 < density <= 0.5:
            raise InputError(f"a shaped mask must have a density above 0 and at most 0.5, not {density:.4f}")
        known = arranged.mask if encoded and arranged is not None and arranged.pays(kept, n_w) else None
        if arranged is not None and known is not None:
            found = self._choose_values(
                arranged.scan.to_scan(words),
                known.decode(),
                number_format,
                max_k=self.prefix_k,
                n_out=known.code.n_out,
            )
            if found is not None:
                return self._store(words, values.shape, number_format, arranged.scan, known, found, options)
        live = live_scan(kept, values.shape) if self.scan == "auto" else None
        if live is not None:
            return self._among_live(live, words, values.shape, number_format, options)
        if encoded:
            stored = self._with_mask(words, kept, values.shape, number_format, options)
            if stored is not None:
                return stored
        if self.mask_code in ("book", "shaped"):
            raise InputError(
                f"mask_code must not be {self.mask_code} for a tensor whose words no code of this values_code pays for"
            )
        plan = choose_plan(kept, n_w, max_k=max_k, seed=seed)
        return self._bitmap(words, kept, plan, values.shape, number_format, options)

    def _among_live(
        self,
        live: LiveScan,
        words: Words,
        shape: tuple[int, ...],
        number_format: NumberFormat,
        options: EncodeOptions,
    ) -> EncodedTensor:
        """Store the live rows and columns as a matrix of their own, then say where they lie."""
        part = live.to_scan(words).reshape(live.live_rows.size, live.live_columns.size)
        stored = self._smallest(number_format.from_words(part), number_format, part != 0, options)
        scan = stored.scan
        assert isinstance(scan, Interleaver)
        return replace(
            stored,
            shape=shape,
            scan=replace(live, stride=scan.stride, offset=scan.offset),
            checksum=checksum_of(words),
        )

    def _with_mask(
        self,
        words: Words,
        kept: NDArray[np.bool_],
        shape: tuple[int, ...],
        number_format: NumberFormat,
        options: EncodeOptions,
    ) -> EncodedTensor | None:
        """Store a tensor whose mask is encoded, by a book or shaped; None where a bitmap is as good."""
        if self.mask_code != "shaped":
            n_w, density = number_format.n_w, float(kept.mean())
            scan = even_scan(kept, n_w, max_k=self.prefix_k or _SCAN_K, seed=self.code.seed)
            in_order = scan.to_scan(kept)
            bits, book = choose_pattern_book(in_order, self._gates)
            times = float(np.interp(density, _SHAPED_DENSITIES, _SHAPED_COSTS))
            shaped = math.inf
            if density <= 0.5:
                shaped = kept.size * (times * binary_entropy(density) + _SHAPED_GATES * self._gates)
            if self.mask_code == "book" or bits <= min(kept.size, shaped):
                return self._with_book(
                    words, scan.to_scan(words), in_order, book, shape, number_format, scan, options
                )
            if kept.size <= shaped:
                return None
        return self._with_shaped(words, kept, shape, number_format, options)

    def _with_book(
        self,
        words: Words,
        truth: Words,
        kept: NDArray[np.bool_],
        book: PatternBook,
        shape: tuple[int, ...],
        number_format: NumberFormat,
        scan: Interleaver,
        options: EncodeOptions,
    ) -> EncodedTensor | None:
        """Store a tensor whose mask, and words, in scan order, go through books in the same blocks."""
        beside_values = beside(kept, book, number_format.n_w)
        found = self._choose_values(truth, kept, number_format, max_k=self.prefix_k, beside=beside_values)
        if found is None:
            return None
        codes = found.codes(self.code.seed)
        of_mask = mask_codes(book, found.n_out, found.beside, self.code.seed)
        period = segment_length(codes, kept.size, options)
        mask = encode_book_mask(kept, book, of_mask, segment_blocks=period, jobs=options.jobs)
        return self._store(words, shape, number_format, scan, mask, found, options)

    def _with_shaped(
        self,
        words: Words,
        kept: NDArray[np.bool_],
        shape: tuple[int, ...],
        number_format: NumberFormat,
        options: EncodeOptions,
    ) -> EncodedTensor | None:
        """Store a tensor under a shaped mask."""
        n_w, density, seed = number_format.n_w, float(kept.mean()), self.code.seed
        told = settled_before_mask(self._choose_values, words, kept, number_format, self.prefix_k, seed)
        if told is None:
            return None
        code = shaped_code(density, told.n_out, seed=seed)
        scan = even_scan(kept, n_w, max_k=self.prefix_k or _SCAN_K, seed=seed, shaped=code)
        mask_coder = encode_shaped(scan.to_scan(kept), code, beam=self.beam)
        found = self._under(mask_coder, told, scan.to_scan(words), number_format)
        if found is None:
            return None
        return self._store(words, shape, number_format, scan, mask_coder, found, options)

    def _under(
        self, mask_coder: MaskCoder, told: CodedValues, words: Words, number_format: NumberFormat
    ) -> CodedValues | None:
        """Choose codes, and a value coder if `told`'s was made for other words, under an encoded mask.

        `words` are in scan order. A book is good for any words of the frequencies that it was made for.
        """
        under = mask_coder.decode()
        kept = int(np.count_nonzero(words))
        false, expected = int(np.count_nonzero(under)) - kept, words.size * false_ones(kept / words.size)
        how: dict[str, Any] = {"max_k": self.prefix_k, "n_out": told.n_out}
        if abs(false - expected) <= _AS_TOLD * expected:
            return with_codes(told.values, words, under, number_format, **how)
        return self._choose_values(words, under, number_format, **how)

    def _bitmap(
        self,
        words: Words,
        kept: NDArray[np.bool_],
        plan: Plan,
        shape: tuple[int, ...],
        number_format: NumberFormat,
        options: EncodeOptions,
    ) -> EncodedTensor:
        """Store raw planes or what else was asked for under a bitmap; of a book the smaller one, if nothing was."""
        scan = plan.interleaver
        found, scanned = None, kept
        if self.values_code != "raw" and kept.any():
            scanned = scan.to_scan(kept)
            found = self._choose_values(scan.to_scan(words), scanned, number_format, max_k=self.prefix_k)
        if found is None or (self.values_code == "auto" and plan.expected_bits <= found.expected_bits):
            return self.code.encode_plan(words, plan, shape, number_format, options)
        return self._store(words, shape, number_format, scan, BitmapMask(scanned), found, options)

    def _store(
        self,
        words: Words,
        shape: tuple[int, ...],
        number_format: NumberFormat,
        scan: Scan,
        mask_coder: MaskCoder,
        found: CodedValues,
        options: EncodeOptions,
    ) -> EncodedTensor:
        period = getattr(mask_coder, "segment_blocks", None)
        return encode_stored(
            words,
            shape=shape,
            number_format=number_format,
            scan=scan,
            mask_coder=mask_coder,
            values=found.values,
            codes=found.codes(self.code.seed),
            options=replace(options, encoder="elimination", segment_blocks=period or options.segment_blocks),
        )


def settled_before_mask(
    choose: Chooser,
    words: Words,
    kept: NDArray[np.bool_],
    number_format: NumberFormat,
    max_k: int | None,
    seed: int,
) -> CodedValues | None:
    """Settle value coder and the block that it shares with the mask, before it is known which ones are false.

    As many false ones as the search leaves are drawn at random for it. None where no book pays.
    """
    density = float(kept.mean())
    rng = np.random.default_rng(seed)
    # not row by row, where care bits cluster: the scan that is chosen afterwards spreads them
    scan = Interleaver(words.size, candidate_strides(words.size, 2, seed)[-1])
    words, kept = scan.to_scan(words), scan.to_scan(kept)
    under = kept | (rng.random(words.size, np.float32) < false_ones(density) / (1 - density))
    return settle_block(choose, words, under, number_format, max_k=max_k)


def _only_of_raw(options: EncodeOptions) -> bool:
    """Whether it takes raw planes to do as asked: an exact search, or a promise for one group of planes."""
    return options.encoder == "viterbi" or options.corrections.startswith("bounded")
