"""One pruned layer through the whole flow, code by code: encode, decode, generate, simulate, count gates, multiply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.choose.plan import rank_plans
from xorweave.golden.code.code import Code
from xorweave.golden.files.prepare import Prepared
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.decode import decode_scan, decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.figures import figures_of, tensor_record
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.package import write_package
from xorweave.hw.package.vectors import random_tensor
from xorweave.hw.xor.synthesis import optimize
from xorweave.sim.simulate import SimulationResult, simulate
from xorweave.synth.decoder_package import synthesize_decoder
from xorweave.synth.flow.synthesis import SynthesisResult

# The elimination code of the demo: outputs in runs of ten, each the one before it plus four fresh taps.
_FAMILY, _TAPS, _RUN, _WIDTH, _WINDOW = "chain", 4, 10, 32, 128
_PLANS, _SEEDS = 8, 8
# A proof that takes longer is given up, and the table says so.
_PROOF_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A code as it is to be tried on the layer.

    Attributes
    ----------
    key : str
        Name of its folder.
    label : str
        What tables and plots call it.
    encode : dict
        Arguments of ``encode_tensor``: code, scan, options.
    """

    key: str
    label: str
    encode: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that was measured of one code on one layer.

    Attributes
    ----------
    record : dict
        The figures of ``encode --json``.
    decoded_equal, product_equal : bool
        Whether every weight came back bit for bit, and whether the product from the stream equals the dense one.
    simulation : SimulationResult
        Of the whole layer.
    core : SynthesisResult
        XOR network, shift registers and handshake: what the paper calls the decoder.
    whole : SynthesisResult
        Everything that was simulated: corrections, inversion and mask stages too.
    network_xor2 : int
        Two-input XORs of one plane's network, before synthesis.
    patches_per_block : int
        Slots of the correction stage: the most that any block of the layer needs.
    kept_per_block, unmatched_per_block : ndarray of int64, shape (blocks,)
        Care bits of a plane, and unmatched bits over all planes.
    """

    key: str
    label: str
    record: dict[str, Any]
    decoded_equal: bool
    product_equal: bool
    simulation: SimulationResult
    core: SynthesisResult
    whole: SynthesisResult
    network_xor2: int
    patches_per_block: int
    kept_per_block: NDArray[np.int64]
    unmatched_per_block: NDArray[np.int64]

    @property
    def interleaved(self) -> bool:
        """Whether the scan is another than row-major order."""
        return bool(self.record["scan"] != "row-major")

    @property
    def sound(self) -> bool:
        """Whether nothing at all differed from what it must be."""
        proofs = "failed" not in (self.core.equivalence, self.whole.equivalence)
        return self.decoded_equal and self.product_equal and self.simulation.mismatches == 0 and proofs


def care_bits_per_block(mask: NDArray[np.bool_], n_out: int) -> NDArray[np.int64]:
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
    kept = np.flatnonzero(encoded.mask)
    element = encoded.scan.positions()[kept]
    sums = np.zeros(rows, np.int64)
    np.add.at(sums, element // columns, weights[kept] * vector.astype(np.int64)[element % columns])
    return sums


def paper_code(n_s: int, sparsity: float, seed: int) -> Code:
    """Return the paper's code for a nominal sparsity: N_in = 8, N_out = floor(8 / (1 - S)), uniform random."""
    # 8 / (1 - 0.9) is a little under 80 in binary floating point
    return Code.uniform(n_in=8, n_out=int(8 / (1.0 - sparsity) + 1e-6), n_s=n_s, seed=seed)


def elimination_code(item: Prepared, seed: int) -> tuple[Code, Interleaver, int]:
    """Choose a code of K = 128 and a scan for a layer: the smallest stream that leaves no bit unmatched.

    Sizes and scan come from the plan for the mask; then seeds of the generator are tried, and each is believed
    only when the decoded stream shows no unmatched bit. If none does, the one with the fewest stored bits is taken.

    Returns
    -------
    (Code, Interleaver, int)
        And how many encodings were tried.
    """
    n_w = item.number_format.n_w
    plans = rank_plans(
        item.mask,
        n_w,
        max_k=_WINDOW,
        seed=seed,
        error_free=True,
        widths=range(_WIDTH, _WIDTH + 1),
        count=_PLANS,
    )
    best: tuple[int, Code, Interleaver] | None = None
    tried = 0
    for plan in plans:
        sizes = plan.code
        if sizes.family == "identity":
            continue
        for number in range(seed, seed + _SEEDS):
            code = Code.from_family(
                _FAMILY, n_in=sizes.n_in, n_out=sizes.n_out, n_s=sizes.n_s, taps=_TAPS, run=_RUN, seed=number
            )
            encoded = encode_tensor(
                item.values,
                item.number_format,
                code,
                mask=item.mask,
                scan=plan.interleaver,
                options=EncodeOptions(encoder="elimination"),
            )
            tried += 1
            if encoded.patches.positions.size == 0:
                return code, plan.interleaver, tried
            bits = figures_of(encoded).stored_bits
            if best is None or bits < best[0]:
                best = (bits, code, plan.interleaver)
    if best is None:
        raise InputError("the layer must be pruned further for the demo: no code of rate below 1 pays on it")
    return best[1], best[2], tried


def contenders(item: Prepared, sparsity: float, seed: int) -> tuple[list[Contender], int]:
    """Return the codes that the demo compares, and how many encodings the choice of the last one took."""
    code, scan, tried = elimination_code(item, seed)

    def paper(n_s: int) -> dict[str, Any]:
        how = EncodeOptions(encoder="viterbi", corrections="paper")
        return {"code": paper_code(n_s, sparsity, seed), "options": how}

    found = [
        Contender(key=f"paper-ns{n_s}", label=f"paper, N_s = {n_s}", encode={**paper(n_s), "scan": scan})
        for n_s in (0, 1, 2)
    ]
    # the layer as it lies in memory: what the scan order alone brings
    found.append(Contender(key="paper-ns2-row-major", label="paper, N_s = 2, row-major", encode=paper(2)))
    found.append(
        Contender(
            key=f"{code.family}-k{code.constraint_length}",
            label=f"{code.family}, K = {code.constraint_length}",
            encode={"code": code, "scan": scan, "options": EncodeOptions(encoder="elimination")},
        )
    )
    return found, tried


def core_config(config: DecoderConfig) -> DecoderConfig:
    """Return the same decoder without corrections, inversion and mask."""
    return DecoderConfig.raw(code=config.code, n_w=config.n_w, mask=False, network=config.network)


def run_code(
    contender: Contender, item: Prepared, vector: NDArray[np.integer], folder: Path, seed: int = 0
) -> Outcome:
    """Take one code through the whole flow.

    Parameters
    ----------
    contender : Contender
    item : Prepared
        The pruned, quantised layer, shape (rows, cols).
    vector : ndarray of integers, shape (cols,)
        What the layer is multiplied by.
    folder : Path
        Receives the generated decoder in a folder of its own.
    seed : int
        Of the vectors of the bare decoder, which are nobody's weights.
    """
    options = dict(contender.encode)
    code: Code = options.pop("code")
    form: NumberFormat = item.number_format
    encoded = encode_tensor(item.values, form, code, mask=item.mask, **options)
    pruned = np.where(item.mask, item.values, item.values.dtype.type(0))
    decoded_equal = bool(np.array_equal(form.to_words(decode_tensor(encoded)), form.to_words(pruned)))
    dense = pruned.astype(np.int64) @ vector.astype(np.int64)
    product_equal = bool(np.array_equal(multiply_stream(encoded, vector), dense))

    network = optimize(code.generator, effort=0)
    config = config_for(encoded, network_of=lambda _: network)
    place = folder / contender.key
    write_package(place, config, encoded, tensor_name=contender.label)
    simulation = simulate(place)
    whole = synthesize_decoder(place, timeout_s=_PROOF_SECONDS)
    bare = place / "sim_build" / "core"
    made_up = random_tensor(code, form, blocks=2, seed=seed)
    write_package(bare, core_config(config), made_up, seed=seed)
    core = synthesize_decoder(bare, timeout_s=_PROOF_SECONDS)

    blocks = encoded.blocks
    wrong = np.bitwise_count(encoded.patches.differences).astype(np.int64)
    return Outcome(
        key=contender.key,
        label=contender.label,
        record=tensor_record(contender.label, encoded, figures_of(encoded)),
        decoded_equal=decoded_equal,
        product_equal=product_equal,
        simulation=simulation,
        core=core,
        whole=whole,
        network_xor2=network.xor2,
        patches_per_block=config.patches_per_block,
        kept_per_block=care_bits_per_block(encoded.mask, code.n_out),
        unmatched_per_block=np.bincount(
            encoded.patches.positions // code.n_out, weights=wrong, minlength=blocks
        ).astype(np.int64),
    )


def run_all(
    codes: Sequence[Contender],
    item: Prepared,
    vector: NDArray[np.integer],
    folder: Path,
    *,
    jobs: int = 1,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> list[Outcome]:
    """Take every code through the flow, `jobs` of them at a time in processes of their own.

    Returns
    -------
    list of Outcome
        In the order of `codes`.
    """
    place = {code.key: i for i, code in enumerate(codes)}
    # the longest work first, so that no process is left alone with it: a row-major scan needs the largest
    # correction stage, and long windows more encoding and more gates
    longest_first = sorted(codes, key=lambda code: ("scan" in code.encode, -code.encode["code"].n_s))
    done: list[Outcome] = []
    work = (delayed(run_code)(code, item, vector, folder, seed) for code in longest_first)
    for outcome in Parallel(n_jobs=jobs, return_as="generator_unordered")(work):
        done.append(outcome)
        if progress is not None:
            progress(len(done) / len(codes))
    return sorted(done, key=lambda outcome: place[outcome.key])
