"""Every page of the project, made of figures that are quickly had or made up, with names that are hard to show."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import xorweave as xw
from xorweave.golden.codecs.comparison import Row
from xorweave.library.model_record import model_record
from xorweave.pages.codec_table import GateTable, page, records
from xorweave.pages.demo_page import DemoReport, render_report
from xorweave.pages.explore_page import explore_page
from xorweave.pages.report_page import report_page
from xorweave.pages.reproduction_page import Reproduction, html
from xorweave.pages.spmv_page import record_of, render_page
from xorweave.sim.run_bench import SimulationResult
from xorweave.studies.demo_flow import Outcome, Plain
from xorweave.studies.explore import pareto
from xorweave.studies.paper_tables import Table
from xorweave.studies.spmv_figure import Point
from xorweave.studies.spmv_flow import Layer, Software
from xorweave.synth.flow.synthesis import SynthesisResult

LONG = "encoder.layer.0." + "very_long_name" * 40
HOSTILE = "<script>alert(1)</script>&\"'\u202e\x07" + "]]>-->"
MACHINE = {"processor": "a processor", "cores": 2}


def model(folder: Path, goal: str) -> xw.Encoded:
    """Encode a small model of uneven sparsities and save it: hostile names, a packed tensor, carried ones."""
    rng = np.random.default_rng(0)
    rows = np.sqrt(np.arange(1, 97))[:, None]
    tensors = {
        f"layer.{index}.weight": np.where(
            rng.random((96, 128)) < density, rng.standard_normal((96, 128)) * rows, 0.0
        ).astype(np.float32)
        for index, density in enumerate((0.1, 0.3))
    }
    tensors |= {HOSTILE: tensors["layer.0.weight"][:48], LONG: tensors["layer.1.weight"][:40]}
    tensors |= {"empty.weight": np.zeros((8, 16), np.float32), "bias": np.ones(3, np.float32)}
    encoded = xw.encode(tensors, dtype="int8", goal=goal)
    encoded.save(folder / f"{goal}.safetensors")
    return xw.open(folder / f"{goal}.safetensors")


def reported(folder: Path, goal: str) -> str:
    """The report of such a model."""
    return report_page(f"{goal}.safetensors", model_record(model(folder, goal)), MACHINE)


def demo() -> str:
    """The demo's page of two made-up forms."""
    rng = np.random.default_rng(1)
    mask = rng.random((64, 80)) < 0.1
    outcomes = []
    for index, (label, scan) in enumerate((("paper, N_s = 1", "row-major"), ("--for storage", "affine"))):
        kept = mask.reshape(-1, 80).sum(axis=1)
        record = {
            "n_out": 80, "payload_bits": 4096, "correction_bits": 900, "mask_bits": 5120, "side_bits": 300,
            "bits_per_weight_with_mask": 2.03, "over_bound": 1.6, "care_bits": 8 * int(mask.sum()), "scan": scan,
            "corrections": "paper" if index == 0 else "joint:10", "mask_code": "bitmap", "values_code": "raw",
            "groups": [{"planes": 8, "code": "family=uniform,n_in=8,n_out=80,n_s=1,seed=0"}],
        }  # fmt: skip
        made = SynthesisResult(gate_equivalents=4000.0, equivalence="proved", tool_versions={"yosys": "1"})
        outcomes.append(
            Outcome(
                key=label, label=label, option=f"--code {index}", record=record, decoded_equal=True,
                product_equal=True, simulation=SimulationResult(100, 64, 0, 0, 0, "verilator", ()),
                synthesis=made if index == 0 else None, reason="" if index == 0 else "time was up",
                estimate={"networks": 2000.0, "registers": 900.0, "patches": 700.0, "mask": 200.0}, blocks=64,
                patches_per_block=9, kept_per_block=kept, unmatched_per_block=rng.integers(0, 9, 64),
            )
        )  # fmt: skip
    plain = Plain(
        bits_per_weight=1.8, over_bound=1.4, mask_bits=5120, value_bits=4096, decoded_equal=True,
        gates_per_weight=300.0, gates_from="made up",
    )  # fmt: skip
    source = f"Input: {HOSTILE} {LONG}"
    return render_report(
        DemoReport(source=source, mask=mask, n_w=8, outcomes=outcomes, plain=plain, seed=0, seconds=3.0)
    )


def codecs() -> str:
    """The page of formats, one of them far above the others, one lossy, one not measured."""
    bits = {"dense": 8.0, "bitmap": 1.8, "xor": 1.14, "xor-raw": 1.9, "eie": 1.5, "weightless": 2.2}
    rows = [
        Row(
            codec=codec, title=codec, lossless=codec != "weightless", bits=int(1000 * each), bits_per_weight=each / 2,
            bits_per_weight_with_mask=each, memory_reduction_with_mask=1 - each / 8, encode_seconds=0.1,
            decode_seconds=0.1, rate="fixed", worst_case_stall="none", random_access="a block", note="a note " * 8,
        )
        for codec, each in bits.items()
    ]  # fmt: skip
    rows.append(Row(codec="csr", title="csr", lossless=True, note="slow"))
    rows.append(
        Row(codec="bound-entropy", title="mask and value entropy", lossless=True, bits=1070,
            bits_per_weight_with_mask=1.07)
    )  # fmt: skip
    gates = GateTable.stored()
    table = records(rows, gates)
    head = {"shape": [64, 80], "dtype": "int8", "sparsity": 0.9}
    tensors = [{"name": title, **head, "codecs": table} for title in (HOSTILE, LONG)]
    return page(f"{HOSTILE}.npz", tensors, table, gates)


def explore() -> str:
    """The page of a sweep of three points."""
    points = [
        {
            "code": f"family={family},n_in=8,n_out=80,n_s={index},seed=0", "sharing": "matrix", "planes": 1,
            "overhead": overhead, "gate_equivalents_per_output": gates, "bits_per_cycle_per_kge": 1000 / gates,
            "gbit_per_s_per_kge": None, "patches_per_block": 3, "paper": family == "uniform",
            "command": f"xorweave generate --code family={family},n_in=8,n_out=80 --planes 1 --patches 3 -o decoder",
        }
        for index, (family, overhead, gates) in enumerate(
            [("uniform", 0.5, 5.5), ("chain", 0.02, 7.0), ("uniform", 0.05, 12.0)]
        )
    ]  # fmt: skip
    return explore_page(points, pareto(points, "overhead", "gate_equivalents_per_output", smaller=True))


def spmv() -> str:
    """The page of products of two layers, timed on a processor, with the picture over sparsity and batch."""

    def timed(name: str, seconds: float) -> Software:
        return Software(
            name=name, threads=1, seconds=seconds, fastest=0.9 * seconds, slowest=1.2 * seconds, cycles=3e9 * seconds,
            bytes_read=20000, bytes_per_cycle=2.0, slots_used=0.9, speed_up=1e-5 / seconds,
        )  # fmt: skip

    layers = [
        Layer(
            name=name, rows=64, cols=80, kept=512, batch=1, dtype="int8", agree=True, differing=(), engine=None,
            csr=None, csr_equal_bytes=None, software=(timed("encoded", 2e-6), timed("bitmap INT8", 1e-6)),
            stored={"scan": "cells", "mask_code": "bitmap", "values_code": "raw", "corrections": "none", "bytes": 1000,
                    "from_file": False},
            missing=("GPU: there is none",),
        )
        for name in (HOSTILE, LONG)
    ]  # fmt: skip
    points = [
        Point(product=product, sparsity=s, batch=batch, normalized=time * (1.1 - s), lowest=0.1, highest=1.0)
        for product, time in (("encoded", 0.5), ("CSR INT8", 1.0), ("bitmap INT8", 0.4))
        for s in (0.5, 0.7, 0.9)
        for batch in (1, 4)
    ]
    return render_page(record_of(layers, points, HOSTILE), layers, points)


def reproduction() -> str:
    """The page of the papers' tables."""
    columns = (
        "mask",
        *(f"E, S = {s}" for s in (0.6, 0.7, 0.8, 0.9)),
        "a long column of words",
        "another one",
    )
    table = Table("Table 1", "A note.", columns, [[LONG, *("98.70 ± 0.02" for _ in columns[1:])]])
    return html(Reproduction(tables=[table], made="Made up.", left_out=[], whole=True))


#: Every page by name: a function of a folder to write into.
PAGES = {
    "report of a storage model": lambda folder: reported(folder, "storage"),
    "report of a hardware model": lambda folder: reported(folder, "hardware"),
    "demo": lambda _: demo(),
    "codecs": lambda _: codecs(),
    "explore": lambda _: explore(),
    "spmv": lambda _: spmv(),
    "reproduction": lambda _: reproduction(),
}
