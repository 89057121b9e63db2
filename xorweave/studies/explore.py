"""Sweep codes and record, for each, its overhead and its gates: the map from which to choose a decoder."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from joblib import Parallel, delayed

from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.base.whole_file import write_whole
from xorweave.golden.code.code import Code
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_design import decoder_verilog
from xorweave.hw.xor.paired import shared_network
from xorweave.pages.explore_page import explore_page
from xorweave.studies.overhead import measure_overhead
from xorweave.synth.flow.synthesis import SynthesisResult, synthesize

POINTS, TABLE, PAGE = "points.jsonl", "points.csv", "explore.html"
#: What is written into the folder, and how it begins.
RESULTS = {POINTS: '{"key": ', TABLE: "code,sharing,", PAGE: ""}
SHARING = ("yosys", "matrix")
COLUMNS = (
    "code",
    "sharing",
    "input_register",
    "planes",
    "sparsity",
    "overhead",
    "unmatched_bits",
    "care_bits",
    "patches_per_block",
    "gate_equivalents_per_output",
    "xor2_per_output",
    "flip_flops",
    "depth",
    "bits_per_cycle_per_kge",
    "fmax_mhz",
    "gbit_per_s_per_kge",
    "paper",
    "command",
)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One point of the sweep.

    Attributes
    ----------
    code : str
        The code in words (`Code.from_spec`).
    sharing : str
        ``yosys``: a tree of exclusive-ors a row, sharing left to Yosys. ``matrix``: the network is optimised on
        the matrix first.
    input_register : bool
        Whether the newest symbol is registered (a pipeline stage before the network).
    planes : int
    paper : bool
        Whether to mark it as one of the paper's.
    """

    code: str
    sharing: str
    input_register: bool = False
    planes: int = 1
    paper: bool = False

    @property
    def key(self) -> str:
        """What tells this candidate from every other."""
        return f"{self.code};{self.sharing};{int(self.input_register)};{self.planes}"


def grid(
    *,
    n_in: Sequence[int],
    slack: Sequence[float],
    n_s: Sequence[int],
    families: Sequence[str],
    taps: Sequence[int],
    sharing: Sequence[str],
    input_register: Sequence[bool] = (False,),
    planes: int = 1,
    sparsity: float = 0.9,
    seed: int = 0,
) -> list[Candidate]:
    """Make the candidates of a sweep, the paper's three points (N_s = 0, 1, 2) first.

    Parameters
    ----------
    n_in, n_s : sequences of int
    slack : sequence of float
        Payload above the entropy limit, as a fraction: N_out = floor(N_in / ((1 - S) (1 + slack))).
    families : sequence of str
    taps : sequence of int
        For the families that take it.
    sharing : sequence of str
    input_register : sequence of bool
    planes : int
    sparsity : float
    seed : int

    Raises
    ------
    InputError
        A value is out of range.
    """
    if not 0 < sparsity < 1:
        raise InputError(f"the sparsity must lie between 0 and 1, not be {sparsity}")
    unknown = sorted(set(sharing) - set(SHARING))
    if unknown:
        raise InputError(f"sharing must be one of {', '.join(SHARING)}, not {', '.join(unknown)}")
    found = {}
    for history in (0, 1, 2):
        code = Code.uniform(n_in=8, n_out=int(8 / (1 - sparsity) + 1e-9), n_s=history)
        point = Candidate(code=code.spec, sharing="yosys", planes=planes, paper=True)
        found[point.key] = point
    for family in families:
        for width in n_in:
            for more in slack:
                n_out = int(width / ((1 - sparsity) * (1 + more)) + 1e-9)
                for history in n_s:
                    for number in taps if family in {"sparse", "chain"} else [0]:
                        parameters = {"seed": seed} | ({"taps": number} if number else {})
                        code = Code.from_family(family, n_in=width, n_out=n_out, n_s=history, **parameters)
                        for how in sharing:
                            for register in input_register:
                                point = Candidate(
                                    code=code.spec, sharing=how, input_register=register, planes=planes
                                )
                                found.setdefault(point.key, point)
    return list(found.values())


def evaluate(
    candidate: Candidate,
    *,
    sparsity: float = 0.9,
    weights: int = 1 << 19,
    liberty: Path | None = None,
    clock_mhz: float | None = None,
) -> dict[str, object]:
    """Measure one candidate: overhead and patches a block with the encoder, gates with Yosys.

    The mask stage is counted, and a correction stage for as many patches as the fullest block of the sample needs;
    the netlist is not proved.
    """
    code = Code.from_spec(candidate.code)
    overhead = measure_overhead(code, sparsity=sparsity, weights=weights, tries=4)
    patches = overhead.patches_per_block
    shared = candidate.sharing == "matrix"
    config = DecoderConfig.raw(
        code=code,
        n_w=candidate.planes,
        patches_per_block=patches,
        input_register=candidate.input_register,
        network=shared_network(code) if shared else None,
    )
    outputs = code.n_out * candidate.planes
    result = synthesize_text(decoder_verilog(config, "top"), outputs, liberty, clock_mhz)
    assert result.gate_equivalents is not None and result.xor2 is not None
    return {
        "key": candidate.key,
        "code": candidate.code,
        "sharing": candidate.sharing,
        "input_register": candidate.input_register,
        "planes": candidate.planes,
        "sparsity": sparsity,
        "overhead": overhead.overhead,
        "unmatched_bits": overhead.unmatched_bits,
        "care_bits": overhead.care_bits,
        "patches_per_block": patches,
        "gate_equivalents_per_output": result.gate_equivalents / outputs,
        "xor2_per_output": result.xor2 / outputs,
        "flip_flops": result.flip_flops,
        "depth": result.depth,
        "bits_per_cycle_per_kge": result.bits_per_cycle_per_kge,
        "fmax_mhz": result.fmax_mhz,
        "gbit_per_s_per_kge": result.gbit_per_s_per_kge,
        "paper": candidate.paper,
        "command": generate_command(candidate, patches),
    }


def generate_command(candidate: Candidate, patches: int) -> str:
    """Return the command that writes the decoder whose gates were counted."""
    words = ["xorweave generate", f"--code {candidate.code}", f"--planes {candidate.planes}"]
    words += [f"--patches {patches}"] if patches else []
    words += [] if candidate.sharing == "matrix" else ["--network plain"]
    words += [] if candidate.input_register else ["--no-input-register"]
    return " ".join([*words, "-o decoder"])


def synthesize_text(
    text: str, outputs: int, liberty: Path | None, clock_mhz: float | None, *, timeout_s: float = 1200
) -> SynthesisResult:
    """Synthesise Verilog text whose top module is ``top`` and which gives out `outputs` plane bits a cycle."""
    with tempfile.TemporaryDirectory(prefix="xorweave-explore-") as folder:
        source = Path(folder) / "decoder.v"
        source.write_text(text)
        return synthesize(
            [source],
            "top",
            liberty=liberty,
            clock_mhz=clock_mhz,
            outputs_per_cycle=outputs,
            timeout_s=timeout_s,
        )


def read_points(path: Path) -> dict[str, dict[str, object]]:
    """Read what earlier runs measured; what is no point (a last line cut short by an interruption) is left out."""
    points: dict[str, dict[str, object]] = {}
    if path.is_file():
        for line in path.read_text("utf-8", errors="replace").splitlines():
            try:
                point = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if _is_point(point):
                points[point["key"]] = point
    return points


def _is_point(point: object) -> bool:
    """Whether something is a point as `explore` writes it: figures are finite numbers, or None."""
    if not isinstance(point, dict) or not all(isinstance(point.get(word), str) for word in ("key", "code")):
        return False
    if "error" in point:
        return isinstance(point["error"], str)
    figures = [point.get(name, "") for name in COLUMNS if name not in ("code", "sharing", "command")]
    return all(value is None or (isinstance(value, int | float) and abs(value) < 1e300) for value in figures)


def explore(
    candidates: Sequence[Candidate],
    directory: Path,
    *,
    sparsity: float = 0.9,
    weights: int = 1 << 19,
    liberty: Path | None = None,
    clock_mhz: float | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, object]]:
    """Measure the candidates that `directory` does not hold yet, and write the CSV and the page.

    Every finished point is appended to ``points.jsonl`` at once, so an interrupted sweep goes on where it stopped.

    Returns
    -------
    list of dict
        A point for each candidate; one that could not be measured has ``error`` instead of figures, and is in
        neither CSV nor page.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / POINTS
    setting = f"{sparsity};{weights};{liberty.name if liberty else ''};{clock_mhz or ''}"
    points = {key: p for key, p in read_points(log).items() if p.get("setting") == setting}
    waiting = [candidate for candidate in candidates if candidate.key not in points]

    def task(candidate: Candidate) -> dict[str, object]:
        try:
            point = evaluate(
                candidate, sparsity=sparsity, weights=weights, liberty=liberty, clock_mhz=clock_mhz
            )
        except (InputError, ToolError) as error:
            point = {"key": candidate.key, "code": candidate.code, "error": str(error)}
        return point | {"setting": setting}

    done = len(points)
    results: Iterable[dict[str, object]] = Parallel(n_jobs=jobs, return_as="generator_unordered")(
        delayed(task)(candidate) for candidate in waiting
    )
    try:
        with log.open("a") as file:
            if log.stat().st_size and not log.read_text("utf-8", errors="replace").endswith("\n"):
                file.write("\n")
            for point in results:
                points[str(point["key"])] = point
                file.write(json.dumps(point) + "\n")
                file.flush()
                done += 1
                if progress is not None:
                    progress(done, len(candidates))
    finally:  # an interrupted sweep has a table and a page too
        found = [points[c.key] for c in candidates if c.key in points]
        measured = [point for point in found if "error" not in point]
        write_table_and_page(directory, measured)
    return found


def write_table_and_page(directory: Path, measured: Sequence[dict[str, object]]) -> None:
    """Write ``points.csv`` and ``explore.html`` from points without an error."""
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(measured)
    write_whole(directory / TABLE, table.getvalue())
    front = pareto(measured, "overhead", "gate_equivalents_per_output", smaller=True)
    write_whole(directory / PAGE, explore_page(measured, front))


def pareto(
    points: Sequence[dict[str, object]], cost: str, gain: str, *, smaller: bool
) -> list[dict[str, object]]:
    """Return the points that no other beats in both figures, by rising cost (less of `cost` is better)."""

    def value(point: dict[str, object]) -> float:
        number = float(point[gain])  # type: ignore[arg-type]
        return number if smaller else -number

    known = [p for p in points if p.get(cost) is not None and p.get(gain) is not None]
    front: list[dict[str, object]] = []
    for point in sorted(known, key=lambda p: (float(p[cost]), value(p))):  # type: ignore[arg-type]
        if not front or value(point) < value(front[-1]):
            front.append(point)
    return front
