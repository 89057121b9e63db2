"""The kinds of words: what turns the planes of a weight, as the XOR networks make them, into its word."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from xorweave.golden.base.errors import InputError
from xorweave.golden.values.book_gates import word_gates
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.golden.values.raw_planes import RawPlanes
from xorweave.golden.values.transforms import TRANSFORMS

if TYPE_CHECKING:  # what a kind costs is told without Amaranth
    from amaranth.hdl import Module

XOR2 = 2.0  # gate equivalents


class WordKind(Protocol):
    """What every kind of words can do."""

    @property
    def n_w(self) -> int:
        """Bits of a word."""
        ...

    @property
    def planes(self) -> int:
        """Planes that the payload has for a word."""
        ...

    @property
    def plain(self) -> bool:
        """Whether the planes are the word: nothing stands between network and mask."""
        ...

    @property
    def coder(self) -> ValueCoder:
        """The software model: what the golden words of a test bench are made with."""
        ...

    @property
    def gates(self) -> float:
        """Gate equivalents of what turns the planes of one weight into its word, estimated."""
        ...

    def entry(self) -> dict[str, Any]:
        """Return what the manifest says of it; ``{"words": NAME}`` of a kind that `synth.proof` has no text of."""
        ...

    def connect(self, m: Module, block: Any, n_out: int, inversion: Any, keep: Any, care: Any = None) -> Any:
        """Put the stages behind a stream of blocks of planes and return the stream of blocks of words.

        `inversion` is the word where that is a port; `keep` the mask where the stages are to apply it, else None;
        `care` what is to be told of each group that is gated (see `GroupsDecoder`), None where there is none.
        """
        ...

    def stages(self) -> list[str]:
        """Name the stages, for the Verilog header."""
        ...


@dataclass(frozen=True)
class RawWords:
    """The planes are the bits of the word, but for an inversion word and a reversible map.

    Attributes
    ----------
    n_w : int
        1 to 64.
    inversion : int or None
        Fixed word to exclusive-or with (0 leaves the stage out), or None for a port.
    constant_planes : int
        Word whose bit q says that plane q is not in the payload: it has no registers and no XOR network, its symbol
        bits are ignored, and it decodes to 0 (which inversion may change). One plane is always kept.
    transform : str
        Map of words to undo after the inversion (see `TransformStage`), or ``none``.
    """

    n_w: int
    inversion: int | None = 0
    constant_planes: int = 0
    transform: str = "none"

    def __post_init__(self) -> None:
        if not 1 <= self.n_w <= 64:
            raise InputError(f"n_w must be between 1 and 64, not {self.n_w}")
        if self.transform not in TRANSFORMS:
            raise InputError(f"the transform must be one of {', '.join(TRANSFORMS)}, not {self.transform!r}")
        if not 0 <= self.constant_planes < 1 << self.n_w:
            raise InputError(f"the constant planes must be {self.n_w} bits, not {self.constant_planes}")
        if self.inversion is not None and not 0 <= self.inversion < 1 << self.n_w:
            raise InputError(f"the inversion word must have {self.n_w} bits, not be {self.inversion}")

    @property
    def planes(self) -> int:
        """All of the word's, those left out too: the symbol has room for them."""
        return self.n_w

    @property
    def stored_planes(self) -> list[int]:
        """The planes that have hardware of their own, lowest first; at least one."""
        return [q for q in range(self.n_w) if not self.constant_planes >> q & 1] or [0]

    @property
    def plain(self) -> bool:
        """Neither inversion nor map."""
        return self.inversion == 0 and self.transform == "none"

    @property
    def coder(self) -> RawPlanes:
        """Raw planes; with a port, of no inversion."""
        return RawPlanes(self.n_w, self.inversion or 0, self.constant_planes, self.transform)

    @property
    def gates(self) -> float:
        """Inversion at a port, and map."""
        gates = XOR2 * len(self.stored_planes) if self.inversion is None else 0.0
        if self.transform == "difference":
            gates += XOR2 * math.ceil(self.n_w / 2 * math.log2(max(2, self.n_w)))
        elif self.transform == "sign-magnitude":
            gates += 3.1 * (self.n_w - 1)
        return gates

    def entry(self) -> dict[str, Any]:
        """Nothing else."""
        return {}

    def connect(self, m: Module, block: Any, n_out: int, inversion: Any, keep: Any, care: Any = None) -> Any:
        """Constant planes, inversion, map."""
        from amaranth.lib import wiring

        from xorweave.hw.stages.inversion import InversionStage
        from xorweave.hw.stages.transform import TransformStage

        if len(self.stored_planes) < self.n_w:
            block = self._all_planes(m, block, n_out)
        if self.inversion != 0:
            m.submodules.invert = invert = InversionStage(n_out, self.n_w, self.inversion)
            wiring.connect(m, block, invert.i)
            if self.inversion is None:
                m.d.comb += invert.inversion.eq(inversion)
            block = invert.o
        if self.transform != "none":
            m.submodules.transform = transform = TransformStage(n_out, self.n_w, self.transform)
            wiring.connect(m, block, transform.i)
            block = transform.o
        return block

    def stages(self) -> list[str]:
        """Inversion and map."""
        named = []
        if self.inversion is None:
            named.append("xor inversion word")
        elif self.inversion:
            named.append(f"xor inversion word 0x{self.inversion:x}")
        if self.transform != "none":
            named.append(f"undo {self.transform}")
        return named

    def _all_planes(self, m: Module, stored: Any, n_out: int) -> Any:
        """Put planes that are constant, 0, among those that were decoded."""
        from amaranth.hdl import Cat, Const
        from amaranth.lib import stream

        from xorweave.hw.stages.layouts import block_layout

        planes = self.stored_planes
        whole = stream.Signature(block_layout(n_out, self.n_w)).create(path=("decoded",))
        place = {q: k for k, q in enumerate(planes)}
        bits = [
            stored.p.words[r * len(planes) + place[q]] if q in place else Const(0, 1)
            for r in range(n_out)
            for q in range(self.n_w)
        ]
        m.d.comb += [
            whole.p.words.eq(Cat(bits)),
            whole.p.first.eq(stored.p.first),
            whole.p.last.eq(stored.p.last),
            whole.valid.eq(stored.valid),
            stored.ready.eq(whole.ready),
        ]
        return whole


@dataclass(frozen=True, eq=False)
class PrefixWords:
    """The planes are a codeword, a sign and a tail, looked up in a table of gates for every weight.

    Attributes
    ----------
    book : PrefixCode
        With at least one class.
    """

    book: PrefixCode

    def __post_init__(self) -> None:
        if not self.book.planes:
            raise InputError("a decoder needs a code book with at least one class")

    @property
    def n_w(self) -> int:
        """Bits of a word."""
        return self.book.n_w

    @property
    def planes(self) -> int:
        """Codeword, sign, tail."""
        return self.book.planes

    @property
    def plain(self) -> bool:
        """The table stands between."""
        return False

    @property
    def coder(self) -> PrefixCode:
        """The book."""
        return self.book

    @property
    def gates(self) -> float:
        """The table."""
        return word_gates(self.book)

    def entry(self) -> dict[str, Any]:
        """The book, class by class."""
        lists = {name: getattr(self.book, name).tolist() for name in ("lengths", "tails", "prefixes")}
        return {"book": {"magnitude": self.book.magnitude, **lists}}

    def connect(self, m: Module, block: Any, n_out: int, inversion: Any, keep: Any, care: Any = None) -> Any:
        """A table for every weight."""
        from amaranth.lib import wiring

        from xorweave.hw.stages.word_tables import WordTables

        gated = 0 if care is None else len(care) // n_out
        m.submodules.words = words = WordTables(self.book, n_out, masked=keep is not None, gated=gated)
        if care is not None:
            m.d.comb += care.eq(words.care)
        if keep is not None:
            m.d.comb += words.keep.eq(keep)
        wiring.connect(m, block, words.i)
        return words.o

    def stages(self) -> list[str]:
        """The table."""
        return [f"word table of {self.book.lengths.size} classes"]


def _raw_words(values: RawPlanes) -> RawWords:
    constant = values.constant_planes
    if constant == (1 << values.n_w) - 1:
        constant &= ~1  # one plane stays in any case
    return RawWords(values.n_w, values.inversion, constant, values.transform)


#: By the kind of value coder, what makes the hardware of it.
WORD_KINDS: dict[str, Callable[[Any], WordKind]] = {"raw": _raw_words, "prefix": PrefixWords}
