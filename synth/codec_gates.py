"""Gates of the decoders of the storage formats that have one in RTL, side by side: one tensor, one flow.

Each decoder gives out about 64 INT8 weights a cycle of the same tensor: random mask, S = .9, normal values. What it
is made of is synthesised part by part (generic cells, NAND2 = 1) and added up; planes of an XOR code are alike, so one
is synthesised and multiplied.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from amaranth.lib import wiring

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.code.code import Code
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.mask.coders import BookMask, MaskCoder, ShapedMask
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.golden.weightless.banded import Banded
from xorweave.golden.weightless.bloomier import Bloomier
from xorweave.hw.decoders.config_for import mask_kind
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.hw.rivals.band import BandLane, directory_widths, row_cells, row_tables
from xorweave.hw.rivals.bitmap_expander import BitmapExpander
from xorweave.hw.rivals.bloomier import BloomierLane, bank_depth
from xorweave.hw.rivals.huffman import HuffmanLane, code_lengths
from xorweave.hw.rivals.relative_index import RelativeIndexDecoder
from xorweave.hw.stages.mask import MaskStage
from xorweave.hw.stages.mask_kinds import BookWords
from xorweave.hw.stages.pattern_mask import PatternMaskDecoder
from xorweave.hw.stages.prefix_word import PrefixWord
from xorweave.hw.stages.shaped_mask import ShapedMaskDecoder
from xorweave.hw.stages.xor_decoder import XorDecoder
from xorweave.hw.xor.pairs import greedy_pairs
from xorweave.synth.flow.synthesis import synthesize

WIDTH = 64  # weights a cycle of the decoders that are built for a width
_LANES = 8  # entries a cycle: 6.4 kept weights on average
_RUN_BITS = 4


@dataclass(frozen=True, kw_only=True)
class DecoderGates:
    """Gates of one format's decoder.

    Attributes
    ----------
    codec : str
        Name of the format, as in the table of formats.
    weights_per_cycle : int
        Weights a cycle; of formats of variable rate when nothing stalls.
    parts : dict of str to float
        Gate equivalents of each part, all its copies together.
    memory_bits : int
        Tables in memories, not in the gates.
    note : str
        What is built, and what is left out.
    """

    codec: str
    weights_per_cycle: int
    parts: dict[str, float] = field(default_factory=dict)
    memory_bits: int = 0
    note: str = ""

    @property
    def gate_equivalents(self) -> float:
        """All parts."""
        return sum(self.parts.values())

    @property
    def per_weight(self) -> float:
        """Gate equivalents for one weight a cycle."""
        return self.gate_equivalents / self.weights_per_cycle


def sample_tensor(n: int = 1 << 17, sparsity: float = 0.9) -> PrunedTensor:
    """Return the tensor that the decoders are made for: random mask, normal INT8 values."""
    random = np.random.default_rng(0)
    values = np.clip(np.round(random.standard_normal(n) * 30), -127, 127).astype(np.int8)
    kept = np.zeros(n, bool)
    kept[random.permutation(n)[: round(n * (1 - sparsity))]] = True
    return PrunedTensor.from_values(np.where(kept, values, 0).reshape(256, -1), number_format("int8"))


def gates_of(component: wiring.Component) -> float:
    """Synthesise one component to generic cells and return its gate equivalents."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.v"
        path.write_text(amaranth_verilog(component, "part"))
        found = synthesize([path], "part").gate_equivalents
    assert found is not None
    return found


def _plane(code: Code) -> float:
    """Shift registers and XOR network of one plane."""
    return gates_of(XorDecoder(code, 1, greedy_pairs(code.generator), input_register=False))


def _mask_stage(n_out: int, n_w: int) -> float:
    return gates_of(MaskStage(n_out, n_w))


def _shaped(code: ShapedMaskCode) -> float:
    """A shaped mask's decoder, in gate equivalents for one mask bit."""
    network = greedy_pairs(code.generator.reshape(code.n_out * code.parities, -1))
    return gates_of(ShapedMaskDecoder(code, network)) / code.n_out


def _mask_decoder(coder: MaskCoder) -> tuple[float, str]:
    """A mask's decoder, in gate equivalents for one mask bit, and what it is."""
    if isinstance(coder, ShapedMask):
        return _shaped(coder.code), "shaped"
    assert isinstance(coder, BookMask)
    kind = mask_kind(coder)
    assert isinstance(kind, BookWords)
    decoder = PatternMaskDecoder(kind.book, kind.groups)
    return gates_of(decoder) / coder.n_out, f"book of {kind.book.codewords} patterns of {kind.book.m} bits"


def _bitmap(tensor: PrunedTensor) -> DecoderGates:
    return DecoderGates(
        codec="bitmap",
        weights_per_cycle=WIDTH,
        parts={"expander": gates_of(BitmapExpander(WIDTH, tensor.n_w, _LANES))},
        note=f"{_LANES} values a cycle; stalls on dense blocks",
    )


def _relative_index(tensor: PrunedTensor) -> DecoderGates:
    return DecoderGates(
        codec="eie",
        weights_per_cycle=WIDTH,
        parts={"relative index": gates_of(RelativeIndexDecoder(WIDTH, tensor.n_w, _LANES, _RUN_BITS))},
        note=f"{_LANES} entries a cycle; stalls on dense blocks",
    )


def _runs(tensor: PrunedTensor) -> Counter[int]:
    """Runs of zeros before each kept weight as 4-bit entries write them, padding entries among them."""
    gaps = np.diff(np.flatnonzero(tensor.mask), prepend=-1) - 1
    longest = (1 << _RUN_BITS) - 1
    found = Counter((gaps % (longest + 1)).tolist())
    found[longest] += int((gaps // (longest + 1)).sum())
    return found


def _huffman(tensor: PrunedTensor) -> DecoderGates:
    words = Counter(tensor.words[tensor.mask].tolist())
    words[0] += 1  # padding entries
    return DecoderGates(
        codec="deep-compression",
        weights_per_cycle=WIDTH,
        parts={
            "value lanes": _LANES * gates_of(HuffmanLane(code_lengths(words), tensor.n_w)),
            "run lanes": _LANES * gates_of(HuffmanLane(code_lengths(_runs(tensor)), _RUN_BITS)),
            "relative index": gates_of(RelativeIndexDecoder(WIDTH, tensor.n_w, _LANES, _RUN_BITS)),
        },
        note=f"{_LANES} lanes, each with streams of its own; stalls on dense blocks",
    )


def _labels(tensor: PrunedTensor) -> tuple[np.ndarray, np.ndarray, int]:
    keys = np.flatnonzero(tensor.mask)
    return keys, np.random.default_rng(0).integers(0, 16, keys.size), (tensor.n - 1).bit_length()


def _weightless(tensor: PrunedTensor) -> DecoderGates:
    keys, labels, key_bits = _labels(tensor)
    table = Banded.build(keys, labels, t=8, key_bits=key_bits)
    pairs = greedy_pairs(table.hash.first[:, :-1]), greedy_pairs(table.hash.second)
    return DecoderGates(
        codec="weightless",
        weights_per_cycle=WIDTH,
        parts={"lanes": WIDTH * gates_of(BandLane(table, 16, pairs))},
        memory_bits=row_tables(table).size * 8 + table.buckets * sum(directory_widths(table)),
        note=f"{WIDTH} lanes; {2 * WIDTH} read ports of {8 * row_cells(table)} bits, {WIDTH} of the directory",
    )


def _weightless_peeled(tensor: PrunedTensor) -> DecoderGates:
    keys, labels, key_bits = _labels(tensor)
    table = Bloomier.build(keys, labels, t=8, k=4, layout="fuse", key_bits=key_bits)
    pairs = greedy_pairs(table.hash.first[:, :-1]), greedy_pairs(table.hash.second)
    memory = 4 * bank_depth(table.layout) * 8
    return DecoderGates(
        codec="weightless-peeled",
        weights_per_cycle=WIDTH,
        parts={"lanes": WIDTH * gates_of(BloomierLane(table, 16, pairs))},
        memory_bits=memory,
        note=f"{WIDTH} lanes; the table needs {4 * WIDTH} read ports",
    )


def _xor(name: str, code: Code, n_w: int) -> DecoderGates:
    parts = {"planes": n_w * _plane(code), "mask stage": _mask_stage(code.n_out, n_w)}
    return DecoderGates(
        codec=name,
        weights_per_cycle=code.n_out,
        parts=parts,
        note=f"{code.n_in} -> {code.n_out}, K = {code.constraint_length}, {code.family}; corrections apart",
    )


def _auto(tensor: PrunedTensor, *, error_free: bool = False) -> Code:
    choice = CodeChoice.parse("auto")
    values = tensor.number_format.from_words(tensor.words).reshape(tensor.shape)
    method = choice.encode_error_free if error_free else choice.encode
    return method(values, tensor.number_format, tensor.mask.reshape(tensor.shape)).code


def _prefix(tensor: PrunedTensor) -> DecoderGates:
    values = tensor.number_format.from_words(tensor.words).reshape(tensor.shape)
    stored = Choice().encode(values, tensor.number_format, tensor.mask.reshape(tensor.shape))
    assert isinstance(stored.values, PrefixCode)
    mask, what = _mask_decoder(stored.mask_coder)
    n_out = stored.n_out
    planes = sum((group.end - group.first) * _plane(group.code) for group in stored.groups)
    families = " and ".join(sorted({group.code.family for group in stored.groups}))
    widths = " + ".join(f"{group.end - group.first} x {group.code.n_in}" for group in stored.groups)
    return DecoderGates(
        codec="xor",
        weights_per_cycle=n_out,
        parts={
            "planes": planes,
            "codewords": n_out * gates_of(PrefixWord(stored.values, masked=True)),
            "mask decoder": n_out * mask,
        },
        note=f"{widths} -> {n_out}, {families}; mask: {what}; corrections apart",
    )


BUILDERS: dict[str, Callable[[PrunedTensor], DecoderGates]] = {
    "bitmap": _bitmap,
    "eie": _relative_index,
    "deep-compression": _huffman,
    "weightless": _weightless,
    "weightless-peeled": _weightless_peeled,
    "xor-paper": lambda tensor: _xor("xor-paper", Code.uniform(n_in=8, n_out=80, n_s=2), tensor.n_w),
    "xor-raw": lambda tensor: _xor("xor-raw", _auto(tensor), tensor.n_w),
    "xor-error-free": lambda tensor: _xor("xor-error-free", _auto(tensor, error_free=True), tensor.n_w),
    "xor": _prefix,
}


def measure_gates(codec: str, tensor: PrunedTensor | None = None) -> DecoderGates:
    """Synthesise the decoder of one format: seconds, but minutes for dense codes of long windows.

    Raises
    ------
    InputError
        There is no decoder of this format in RTL.
    """
    if codec not in BUILDERS:
        raise InputError(f"a decoder in RTL must be one of {', '.join(BUILDERS)}, not {codec!r}")
    return BUILDERS[codec](sample_tensor() if tensor is None else tensor)
