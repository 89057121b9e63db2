"""Decoders of every kind as packages: written, clean under lint, right under random stalls, counted."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_plain
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_design import axis_design
from xorweave.hw.package.baseline_designs import BASELINES, baseline_design
from xorweave.hw.package.package import write_design
from xorweave.hw.package.stream_design import StreamDesign
from xorweave.hw.package.vectors import random_tensor
from xorweave.hw.package.xor_designs import plane_serial_design, segments_design
from xorweave.sim.simulate import simulate
from xorweave.sim.simulators import available
from xorweave.synth.decoder_package import synthesize_decoder

CODE = Code.uniform(n_in=4, n_out=9, n_s=2, seed=5)
INT4 = number_format("int4")
BLOCKS, SEGMENT = 50, 7


def _tensor(code: Code = CODE, *, patches: int = 0, inversion: int = 0, seed: int = 1) -> EncodedTensor:
    return random_tensor(
        code,
        INT4,
        blocks=BLOCKS,
        segment_blocks=SEGMENT,
        sparsity=0.6,
        patches_per_block=patches,
        inversion=inversion,
        seed=seed,
    )


def _config(**options: object) -> DecoderConfig:
    return DecoderConfig.raw(**{"code": CODE, "n_w": 4, **options})  # type: ignore[arg-type]


def _rates() -> StreamDesign:
    config = _config(rates=(1, 3, 4), patches_per_block=1, inversion=None)
    tensors = [
        _tensor(CODE.punctured(n_in), patches=1, inversion=number, seed=n_in)
        for number, n_in in enumerate((3, 1, 4, 3))
    ]
    return axis_design(config, tensors)


def _rates_unregistered() -> StreamDesign:
    config = _config(rates=(2, 4), mask=False, inversion=None, input_register=False)
    return axis_design(config, [_tensor(CODE.punctured(n), inversion=n, seed=n) for n in (4, 2)])


def _block_lengths() -> StreamDesign:
    config = _config(block_lengths=True, patches_per_block=2, inversion=None)
    tensors = [
        _tensor(CODE.first_rows(n_out), patches=min(n_out, 2), inversion=number, seed=n_out)
        for number, n_out in enumerate((4, 9, 1, 8))
    ]
    return axis_design(config, tensors)


def _block_lengths_unregistered() -> StreamDesign:
    config = _config(block_lengths=True, input_register=False)
    return axis_design(config, [_tensor(CODE.first_rows(n), seed=n) for n in (2, 9)])


def _bounded() -> StreamDesign:
    return axis_design(_config(patches_per_block=2, bounded=True), [_tensor(patches=2)])


def _plane_serial() -> StreamDesign:
    return plane_serial_design(_config(patches_per_block=2, inversion=6), _tensor(patches=2, inversion=6))


def _plane_serial_dense() -> StreamDesign:
    return plane_serial_design(_config(patches_per_block=9, mask=False), _tensor(patches=9))


def _segments() -> StreamDesign:
    return segments_design(_config(patches_per_block=1), _tensor(patches=1), 3)


def _baseline(kind: str) -> Callable[[], StreamDesign]:
    def make() -> StreamDesign:
        rng = np.random.default_rng(4)
        mask = rng.random(400) < 0.4
        return baseline_design(kind, rng.integers(0, 8, 400).astype(np.uint8), mask, n_out=9, n_w=4)

    return make


DESIGNS: dict[str, Callable[[], StreamDesign]] = {
    "rates": _rates,
    "rates, no registers": _rates_unregistered,
    "block lengths": _block_lengths,
    "block lengths, no registers": _block_lengths_unregistered,
    "bounded": _bounded,
    "plane-serial": _plane_serial,
    "plane-serial, dense patches": _plane_serial_dense,
    "segments": _segments,
    **{kind: _baseline(kind) for kind in BASELINES},
}
STALLING = {"bitmap", "relative-index"}


@pytest.mark.parametrize("name", DESIGNS)
def test_generated_decoder_is_clean_and_right(
    name: str, tmp_path: Path, lint: Callable[[str, str], str]
) -> None:
    design = DESIGNS[name]()
    manifest = write_design(tmp_path / "d", design)
    assert sorted(
        str(p.relative_to(tmp_path / "d")) for p in (tmp_path / "d").rglob("*") if p.is_file()
    ) == list(manifest.files)
    text = (tmp_path / "d" / manifest.verilog[0]).read_text()
    assert lint(text, manifest.top) == ""


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("name", DESIGNS)
def test_words_come_out_in_order_whatever_stalls(
    name: str, stall: float, run_ports: Callable[..., list[int]]
) -> None:
    design = DESIGNS[name]()
    cycles: list[int] = []
    assert run_ports(design, stall=stall, cycles=cycles) == list(design.output.words)
    if not stall and name not in STALLING:
        # full rate: a word in every cycle once the first has come
        assert cycles[0] <= len(design.output.words) + 2


@pytest.mark.skipif(not available("verilator"), reason="verilator is not installed")
@pytest.mark.parametrize("name", ["plane-serial", "segments", "huffman", "block lengths"])
def test_verilog_of_a_package_in_the_simulator(name: str, tmp_path: Path) -> None:
    design = DESIGNS[name]()
    write_design(tmp_path / "d", design)
    words = len(design.output.words)
    result = simulate(tmp_path / "d", stalls="random", seed=3)
    assert (result.mismatches, result.blocks, result.stall_cycles) == (0, words, 0)
    free = simulate(tmp_path / "d")
    assert (free.mismatches, free.stall_cycles) == (0, 0) and free.cycles <= words + 2


def test_block_length_vectors_are_what_the_first_outputs_decode() -> None:
    """From the pins alone: the words within the length said with a stream's first symbol, mask and patches applied."""
    code, n_w = CODE, 4
    design = _block_lengths()
    symbols, patches, masks = (list(stream.words) for stream in design.inputs)
    width = code.n_in * n_w
    lengths: list[int] = []
    inversions: list[int] = []
    for word in symbols:
        begins, side = word >> width & 1, word >> (width + 2)
        length, inversion = side & 15, side >> 4
        assert begins or length != lengths[-1]  # what stands there later means nothing
        lengths.append(length if begins else lengths[-1])
        inversions.append(inversion if begins else inversions[-1])
    assert [length for length, before in zip(lengths, [0, *lengths], strict=False) if length != before] == [
        4, 9, 1, 8,
    ]  # fmt: skip
    history = [0] * (code.n_s + 1)
    expected = []
    for word, length, inversion, mask, listed in zip(
        symbols, lengths, inversions, masks, patches, strict=True
    ):
        assert length == 9 or mask >> length == (1 << (9 - length)) - 1  # noise beyond the length
        history = [word & ((1 << width) - 1), *([0] * code.n_s if word >> width & 1 else history[:-1])]
        window = sum(x << (age * width) for age, x in enumerate(history))
        block = 0
        for row in range(length):
            columns = np.flatnonzero(code.generator[row]).tolist()
            value = inversion
            for column in columns:
                value ^= window >> (column * n_w) & 15
            block |= (value if mask >> row & 1 else 0) << (row * n_w)
        for slot in range(2):
            patch = listed >> (9 * slot) & 511
            if patch >> 8:
                block ^= (patch & 15) << (n_w * (patch >> 4 & 15))
        expected.append(block)
    assert [word & ((1 << 36) - 1) for word in design.output.words] == expected


def test_rates_vectors_are_what_the_punctured_codes_decode() -> None:
    design = _rates()
    width = 4 * CODE.n_in
    symbols = np.array([[w >> (b * 4) & 15 for b in range(4)] for w in design.inputs[0].words], np.uint8)
    said = [word >> (width + 2) & 3 for word in design.inputs[0].words]
    first = [word >> width & 1 for word in design.inputs[0].words]
    rates: list[int] = []  # what counts is said with a stream's first symbol; the others say something else
    for rate, begins in zip(said, first, strict=True):
        assert begins or rate != rates[-1]
        rates.append(rate if begins else rates[-1])
    inversions = [word >> (width + 4) for word in design.inputs[0].words]
    assert sorted(set(rates)) == [0, 1, 2]
    assert (symbols[np.array(rates) == 0][:, 1:] == 15).all()  # noise where the rate has no bits
    used = symbols.copy()
    for row, rate in zip(used, rates, strict=True):
        row[(1, 3, 4)[rate] :] = 0
    starts = [*np.flatnonzero(first), len(first)]
    masks = design.inputs[2].words
    for begin, end in pairwise(starts):
        words = decode_plain(CODE, used[begin:end])
        for t in range(end - begin):
            patch = design.inputs[1].words[begin + t]
            for r in range(9):
                wanted = int(words[t, r]) ^ inversions[begin]
                wanted *= masks[begin + t] >> r & 1
                if patch >> 8 & 1 and patch >> 4 & 15 == r:
                    wanted ^= patch & 15
                assert design.output.words[begin + t] >> (4 * r) & 15 == wanted


def test_synth_counts_and_proves_them(tmp_path: Path) -> None:
    write_design(tmp_path / "d", _plane_serial())
    result = synthesize_decoder(tmp_path / "d")
    assert result.equivalence == "proved" and not result.notes
    assert result.outputs_per_cycle == 9 and result.gate_equivalents


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: axis_design(_config(rates=(2, 4)), [_tensor(CODE.punctured(3))]), "one of the rates"),
        (
            lambda: axis_design(_config(block_lengths=True), [_tensor(CODE.punctured(3))]),
            "with the first outputs of the code",
        ),
        (lambda: _config(block_lengths=True, mask=False), "block lengths must have a bitmap"),
        (lambda: _config(block_lengths=True, rates=(2, 4)), "must have raw words and one rate"),
        (lambda: _config(block_lengths=True, patches_per_block=1, gap_bits=3), "as lists or by lane"),
        (
            lambda: axis_design(_config(rates=(2, 4)), [_tensor(patches=1)]),
            "at least 1 for this tensor, not 0",
        ),
        (lambda: plane_serial_design(_config(transform="difference"), _tensor()), "without transform"),
        (
            lambda: plane_serial_design(_config(), _tensor(inversion=3)),
            "the inversion word must be the tensor's, 3",
        ),
        (lambda: segments_design(_config(), _tensor(), 0), "at least 1, not 0"),
        (lambda: segments_design(_config(mask=False), _tensor(), 3), "multiple of 3 whole segments"),
        (lambda: segments_design(_config(inversion=None), _tensor(), 2), "inversion port, rates"),
        (
            lambda: axis_design(_config(patches_per_block=1, bounded=True), [_tensor(patches=2)]),
            "at least 2",
        ),
        (lambda: _config(bounded=True), "must have patches_per_block"),
    ],
)
def test_what_does_not_fit_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_bad_baselines_are_refused() -> None:
    words = np.arange(10, dtype=np.uint8)
    with pytest.raises(InputError, match="must be one of bitmap, relative-index, huffman, not 'zip'"):
        baseline_design("zip", words, words > 3, n_out=2, n_w=4)
    with pytest.raises(InputError, match="between 1 and 1024, not 0"):
        baseline_design("bitmap", words, words > 3, n_out=2, n_w=4, lanes=0)
    with pytest.raises(InputError, match="a lane for every word of a block, 2, not 3"):
        baseline_design("huffman", words, words > 3, n_out=2, n_w=4, lanes=3)
    with pytest.raises(InputError, match="of one shape"):
        baseline_design("bitmap", words, words[:4] > 3, n_out=2, n_w=4)
