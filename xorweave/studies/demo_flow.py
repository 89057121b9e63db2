"""One pruned layer through the whole flow, form by form: encode, decode, generate, simulate, count gates, multiply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.code.limits import bound_bits
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.plain import Bitmap
from xorweave.golden.files.blob import side_bits, write_blob
from xorweave.golden.files.prepare import Prepared
from xorweave.golden.tensor.decode import decode_scan, decode_tensor
from xorweave.golden.tensor.figures import figures_of, tensor_record
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.decoders.gate_estimate import decoder_gates
from xorweave.hw.package.package import write_package
from xorweave.hw.package.vectors import required_patches
from xorweave.sim.simulate import SimulationResult, simulate
from xorweave.synth.decoder_package import synthesize_decoder
from xorweave.synth.flow.synthesis import SynthesisResult

# Golden vectors of so many blocks are simulated: the start of the layer.
_BLOCKS = 100
# Mapping or a proof that takes longer is given up, and the table says so.
_STEP_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A way to store the layer.

    Attributes
    ----------
    key : str
        Name of its folder.
    label : str
        What tables and plots call it.
    option : str
        What makes ``encode`` store this.
    choice : Choice
        What is stored.
    """

    key: str
    label: str
    option: str
    choice: Choice


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that was measured of one form of one layer.

    Attributes
    ----------
    record : dict
        The figures of ``encode --json``.
    decoded_equal, product_equal : bool
        Whether every weight came back bit for bit, and whether the product from the stream equals the dense one.
    simulation : SimulationResult
        Of the layer's first blocks.
    synthesis : SynthesisResult or None
        Of the whole decoder, from symbols and patches to weights; None where no step of mapping ended in time.
    reason : str
        Why something of the synthesis is not there; empty where all is.
    estimate : dict of str to float
        Gate equivalents by part, told without synthesis (`decoder_gates`).
    blocks : int
        Of the whole layer.
    patches_per_block : int
        The most that any block of the layer needs, and the decoder applies in one cycle.
    kept_per_block, unmatched_per_block : ndarray of int64, shape (blocks,)
        Weights under the mask, and unmatched bits over all planes.
    """

    key: str
    label: str
    option: str
    record: dict[str, Any]
    decoded_equal: bool
    product_equal: bool
    simulation: SimulationResult
    synthesis: SynthesisResult | None
    reason: str
    estimate: dict[str, float]
    blocks: int
    patches_per_block: int
    kept_per_block: NDArray[np.int64]
    unmatched_per_block: NDArray[np.int64]

    @property
    def row_major(self) -> bool:
        """Whether the scan is row-major order."""
        return bool(self.record["scan"] == "row-major")

    @property
    def bits_per_weight(self) -> float:
        """Everything stored, over the weights of the layer."""
        return float(self.record["bits_per_weight_with_mask"])

    @property
    def gates_per_weight(self) -> float | None:
        """Gate equivalents of the whole decoder for one weight a cycle; None where they were not counted."""
        gates = self.synthesis.gate_equivalents if self.synthesis is not None else None
        return None if gates is None else gates / int(self.record["n_out"])

    @property
    def equivalence(self) -> str:
        """``proved``, ``failed`` or ``not run``."""
        return "not run" if self.synthesis is None else self.synthesis.equivalence

    @property
    def sound(self) -> bool:
        """Whether nothing at all differed from what it must be."""
        right = self.decoded_equal and self.product_equal and self.equivalence != "failed"
        return right and self.simulation.mismatches == 0


@dataclass(frozen=True, kw_only=True)
class Plain:
    """The same layer as a bitmap with packed values: what every form has to beat.

    Attributes
    ----------
    bits_per_weight, over_bound : float
        Mask and values, and the same over mask entropy + entropy of the values.
    mask_bits, value_bits : int
    decoded_equal : bool
    gates_per_weight : float or None
        Of its expander, as the table of decoders has it (another tensor of S = .9, INT8); None where it has none.
    gates_from : str
        How that figure was made.
    """

    bits_per_weight: float
    over_bound: float | None
    mask_bits: int
    value_bits: int
    decoded_equal: bool
    gates_per_weight: float | None = None
    gates_from: str = ""


def weights_per_block(mask: NDArray[np.bool_], n_out: int) -> NDArray[np.int64]:
    """Count the kept weights of each block of n_out positions; mask is in scan order, shape (n,)."""
    padded = np.zeros(-(-mask.size // n_out) * n_out, np.int64)
    padded[: mask.size] = mask
    return padded.reshape(-1, n_out).sum(axis=1)


def multiply_stream(encoded: EncodedTensor, vector: NDArray[np.integer]) -> NDArray[np.int64]:
    """Multiply an encoded integer matrix by a vector, weight by weight in the order in which they are decoded.

    The paper's Algorithm 2 for the whole stream: decode, mask, and add weight times activation to the row's sum.

    Parameters
    ----------
    encoded : EncodedTensor
        Of shape (rows, cols) and an integer format.
    vector : ndarray of integers, shape (cols,)

    Returns
    -------
    ndarray of int64, shape (rows,)
    """
    rows, columns = encoded.shape
    weights = encoded.number_format.from_words(decode_scan(encoded)).astype(np.int64)
    kept = np.flatnonzero(weights)  # a patch behind the mask makes weights where the mask has none
    element = encoded.scan.positions()[kept]
    sums = np.zeros(rows, np.int64)
    np.add.at(sums, element // columns, weights[kept] * vector.astype(np.int64)[element % columns])
    return sums


def contenders(seed: int = 0) -> list[Contender]:
    """Return what the demo compares: the paper's codes as the paper stores them, and the two goals of ``encode``."""
    found = [
        Contender(
            key=f"paper-ns{n_s}",
            label=f"paper, N_s = {n_s}",
            option=f"--code paper,n_s={n_s}",
            choice=Choice(goal="paper", code=CodeChoice(kind="paper", n_s=n_s, seed=seed)),
        )
        for n_s in (0, 1, 2)
    ]
    found += [
        Contender(
            key=goal,
            label=f"--for {goal}",
            option=f"--for {goal}",
            choice=Choice(goal=goal, code=CodeChoice(seed=seed)),
        )
        for goal in ("hardware", "storage")
    ]
    return found


def pack_plainly(item: Prepared) -> Plain:
    """Store a layer as a bitmap with packed values, count every bit and read it back."""
    tensor = PrunedTensor.from_values(item.values, item.number_format, item.mask)
    codec = Bitmap()
    encoding = codec.encode(tensor)
    words = codec.decode(encoding, tensor.shape, tensor.number_format)
    bound = bound_bits(tensor.words[tensor.words != 0], tensor.n)
    return Plain(
        bits_per_weight=encoding.bits / tensor.n,
        over_bound=encoding.bits / bound if bound else None,
        mask_bits=encoding.parts["mask"],
        value_bits=encoding.parts["values"],
        decoded_equal=bool(np.array_equal(words, tensor.words)),
    )


def run_form(
    contender: Contender,
    item: Prepared,
    vector: NDArray[np.integer],
    folder: Path,
    seconds: float = _STEP_SECONDS,
) -> Outcome:
    """Take one form through the whole flow.

    Parameters
    ----------
    contender : Contender
    item : Prepared
        The pruned, quantised layer, shape (rows, cols).
    vector : ndarray of integers, shape (cols,)
        What the layer is multiplied by.
    folder : Path
        Receives the generated decoder in a folder of its own.
    seconds : float
        For each step of mapping, and for the proof.
    """
    form: NumberFormat = item.number_format
    encoded = contender.choice.encode(item.values, form, item.mask)
    if not encoded.groups:
        raise InputError("the layer must be one that pays to encode: it is stored as it is")
    pruned = np.where(item.mask, item.values, item.values.dtype.type(0))
    decoded_equal = bool(np.array_equal(form.to_words(decode_tensor(encoded)), form.to_words(pruned)))
    dense = pruned.astype(np.int64) @ vector.astype(np.int64)
    product_equal = bool(np.array_equal(multiply_stream(encoded, vector), dense))

    config = config_for(encoded)
    place = folder / contender.key
    write_package(place, config, encoded, tensor_name=contender.label, max_blocks=_BLOCKS)
    simulation = simulate(place)
    synthesis, reason = None, ""
    try:
        synthesis = synthesize_decoder(place, timeout_s=seconds)
        reason = "; ".join(synthesis.notes)
    except ToolError as error:
        reason = str(error)

    wrong = np.bitwise_count(encoded.patches.differences).astype(np.int64)
    figures = figures_of(encoded, side_bits(encoded, write_blob(encoded)))
    return Outcome(
        key=contender.key,
        label=contender.label,
        option=contender.option,
        record=tensor_record(contender.label, encoded, figures),
        decoded_equal=decoded_equal,
        product_equal=product_equal,
        simulation=simulation,
        synthesis=synthesis,
        reason=reason,
        estimate=decoder_gates(config).parts,
        blocks=encoded.blocks,
        patches_per_block=required_patches(encoded),
        kept_per_block=weights_per_block(encoded.mask, encoded.n_out),
        unmatched_per_block=np.bincount(
            encoded.patches.positions // encoded.n_out, weights=wrong, minlength=encoded.blocks
        ).astype(np.int64),
    )


def run_all(
    forms: Sequence[Contender],
    item: Prepared,
    vector: NDArray[np.integer],
    folder: Path,
    *,
    jobs: int = 1,
    progress: Callable[[float], None] | None = None,
) -> list[Outcome]:
    """Take every form through the flow, `jobs` of them at a time in processes of their own.

    Returns
    -------
    list of Outcome
        In the order of `forms`.
    """
    place = {form.key: i for i, form in enumerate(forms)}
    # the longest work first, so that no process is left alone with it: books and masks have the most gates
    longest_first = sorted(forms, key=lambda form: -place[form.key])
    done: list[Outcome] = []
    work = (delayed(run_form)(form, item, vector, folder) for form in longest_first)
    for outcome in Parallel(n_jobs=jobs, return_as="generator_unordered")(work):
        done.append(outcome)
        if progress is not None:
            progress(len(done) / len(forms))
    return sorted(done, key=lambda outcome: place[outcome.key])


def advice(outcomes: Sequence[Outcome], plain: Plain) -> str:
    """Say in one sentence which form to take for what, from what was measured."""
    smallest = min(outcomes, key=lambda outcome: outcome.bits_per_weight)
    bits = f"{smallest.bits_per_weight:.3f} bits a weight"
    beside = f"a bitmap with packed values takes {plain.bits_per_weight:.3f}"
    if plain.gates_per_weight is not None:
        beside += f" and {plain.gates_per_weight:.0f} GE, and stalls on dense blocks"
    counted = [outcome for outcome in outcomes if outcome.gates_per_weight is not None]
    if not counted:
        return f"Take {smallest.label} for the fewest bits ({bits}; {beside}); gates were not measured."
    leanest = min(counted, key=lambda outcome: outcome.gates_per_weight or 0.0)
    gates = f"{leanest.gates_per_weight:.0f} GE for a weight a cycle"
    if leanest is smallest:
        return f"Take {smallest.label} for the fewest bits and the fewest gates ({bits}, {gates}); {beside}."
    more = (
        "its gates not measured"
        if smallest.gates_per_weight is None
        else f"{smallest.gates_per_weight:.0f} GE for a weight a cycle"
    )
    return (
        f"Take {smallest.label} for the fewest bits ({bits}, {more}) and {leanest.label} for the smallest decoder "
        f"({gates}, {leanest.bits_per_weight:.3f} bits); {beside}."
    )
