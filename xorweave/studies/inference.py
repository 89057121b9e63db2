"""A network of dense layers on images: in floats, in whole numbers, and through one simulated engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.weight_files import read_weight_file
from xorweave.golden.network.integer_network import (
    Dense,
    IntegerLayer,
    dense_layers,
    quantise_layers,
    run_float,
    run_integer,
    to_int8,
)
from xorweave.hw.package.engine_core import write_engine
from xorweave.hw.package.package import check_replaceable
from xorweave.sim.csr_run import simulate_csr
from xorweave.sim.network_run import NetworkRun, NetworkSimulator

_SET_BY = 1000  # images that the scales of activations are set by


@dataclass(frozen=True, eq=False)
class Images:
    """Images and, where they are known, what they show.

    Attributes
    ----------
    values : ndarray of float64, shape (n, pixels), between 0 and 1
    labels : ndarray of int64, shape (n,), or None
    """

    values: NDArray[np.float64]
    labels: NDArray[np.int64] | None

    @classmethod
    def read(cls, path: Path) -> Images:
        """Read ``images``, whole numbers to 255 or floats to 1, and ``labels`` of an .npz file.

        Raises
        ------
        InputError
            The file has no such arrays, or they do not go together.
        """
        arrays = {name: tensor.values for name, tensor in read_weight_file(path).tensors.items()}
        if "images" not in arrays or arrays["images"].ndim < 2 or not arrays["images"].size:
            raise InputError(f"{path} must hold an array named images, of shape (n, ...)")
        images, labels = arrays["images"], arrays.get("labels")
        values = images.reshape(len(images), -1).astype(np.float64)
        values /= 255.0 if images.dtype.kind in "ui" else 1.0
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise InputError(
                f"the images of {path} must be whole numbers from 0 to 255 or floats from 0 to 1"
            )
        if labels is not None and labels.shape != (len(images),):
            raise InputError(f"{path} must have a label for each of {len(images)} images")
        return cls(values, None if labels is None else labels.astype(np.int64))

    def chosen(self, count: int, each: int | None) -> NDArray[np.int64]:
        """Return which images to run: the first ones, or the first ones with each label.

        Raises
        ------
        InputError
            There are no labels, or a number is below 1.
        """
        if count < 1 or (each is not None and each < 1):
            raise InputError(f"the images run must be at least 1, not {count if each is None else each}")
        if each is None:
            return np.arange(min(count, len(self.values)))
        if self.labels is None:
            raise InputError("so many images of each label can be had only where there are labels")
        return np.concatenate(
            [np.flatnonzero(self.labels == label)[:each] for label in np.unique(self.labels)]
        )


def infer_network(
    model: Path,
    images: Path,
    *,
    count: int = 100,
    each: int | None = None,
    lanes: int = 64,
    batch: int = 1,
    in_flight: int = 2,
    csr: bool = False,
    engine: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Quantise a network to INT8 and run it on images, in floats, in whole numbers, and through one engine.

    Parameters
    ----------
    model : path
        Tensors NAME.weight, (rows, columns), and NAME.bias of dense layers in their order, ReLU in between.
    images : path
        See `Images.read`.
    count, each
        So many images, the first ones; or so many with each label.
    lanes, batch : int
        Of the engine.
    in_flight : int
        Batches whose layers take turns in it.
    csr : bool
        Also run every layer's first batch on the CSR engine, as many lanes as the bytes a cycle of ours feed.
    engine : path, optional
        A new folder for the engine: Verilog and a FuseSoC core.
    progress : callable, optional
        Told what is begun.

    Raises
    ------
    InputError
        A file is not as it must be, sums might need more than 32 bits, or Verilator cannot be run here.
    """
    tell = progress or (lambda _: None)
    if engine is not None:
        check_replaceable(engine)
    if not 8 <= lanes <= 256 or lanes & (lanes - 1) or not 1 <= batch <= 64:
        raise InputError(
            f"lanes must be a power of two from 8 to 256 and the batch 1 to 64, not {lanes} and {batch}"
        )
    if in_flight < 1:
        raise InputError(f"the batches in flight must be at least 1, not {in_flight}")
    layers = dense_layers({n: t.values for n, t in read_weight_file(model).tensors.items()})
    pictures = Images.read(images)
    if pictures.values.shape[1] != layers[0][1].shape[1]:
        raise InputError(
            f"images must have {layers[0][1].shape[1]} pixels, as the first layer has columns, not"
            f" {pictures.values.shape[1]}"
        )
    run = pictures.chosen(count, each)
    others = np.setdiff1d(np.arange(len(pictures.values)), run)[:_SET_BY]
    integer = quantise_layers(layers, pictures.values[others if others.size else run])
    tell("compiling the engine")
    simulator = NetworkSimulator(integer, lanes=lanes, batch=batch, fast=len(run) > 10 * batch)
    if engine is not None:
        write_engine(engine, simulator.config)
    tell(f"simulating {len(run)} images")
    inputs = to_int8(pictures.values[run])
    found = simulator.run(inputs, in_flight=in_flight)
    figures = _figures(layers, integer, pictures, run, found)
    figures |= {"lanes": lanes, "batch": batch}
    if csr:
        tell("simulating the CSR engine")
        figures["csr"] = _csr(integer, inputs[:batch], found)
    return figures


def _figures(
    layers: Sequence[Dense],
    integer: Sequence[IntegerLayer],
    pictures: Images,
    run: NDArray[np.int64],
    found: NetworkRun,
) -> dict[str, Any]:
    floats = run_float(layers, pictures.values[run])[-1].argmax(axis=1)
    said = found.outputs[-1].argmax(axis=1)
    labels = None if pictures.labels is None else pictures.labels[run]

    def right(answers: NDArray[np.integer]) -> float | None:
        return None if labels is None else float((answers == labels).mean())

    weights = sum(found.weight_bytes.values())
    return {
        "layers": [
            {
                "name": layer.name,
                "shape": list(layer.weights.shape),
                "sparsity": float((layer.weights == 0).mean()),
            }
            for layer in integer
        ],
        "images": found.images,
        "accuracy_float": right(floats),
        "accuracy_int8": right(said),
        "predictions_as_float": float((said == floats).mean()),
        "mismatches": found.mismatches,
        "cycles": found.cycles,
        "blocks": found.blocks,
        "stall_cycles": found.stall_cycles,
        "empty_cycles": found.empty_cycles,
        "in_flight": found.in_flight,
        "outside_bytes": found.outside_bytes,
        "cycles_per_image": found.cycles / found.images,
        "weight_bytes": found.weight_bytes,
        "bytes_per_image": weights * found.passes / found.images + found.activation_bytes,
        "bytes_per_cycle": found.bytes_per_cycle,
        "messages": list(found.messages),
    }


def _csr(integer: Sequence[IntegerLayer], inputs: NDArray[np.int8], ours: NetworkRun) -> dict[str, Any]:
    """Run every layer on the CSR engine; its memory gives as many bytes a cycle as ours, in whole lanes."""
    vectors, cycles, read, wrong, waited = inputs, 0, 0.0, 0, 0
    lanes = []
    for layer, out in zip(integer, run_integer(integer, inputs), strict=True):
        cols = layer.weights.shape[1]
        item = 8 + max(1, (cols - 1).bit_length()) + 1
        lanes.append(max(1, int(ours.bytes_per_cycle * 8 // item)))
        run = simulate_csr(layer.weights, layer.weights != 0, vectors, lanes=lanes[-1])
        wrong += run.mismatches + int((run.results + layer.bias != _sums(layer, vectors)).sum())
        cycles, read, waited = cycles + run.cycles, read + run.bytes_read, waited + run.conflict_cycles
        vectors = out.astype(np.int8)
    return {
        "lanes": lanes,
        "cycles_per_image": cycles / len(inputs),
        "bytes_per_image": read / len(inputs),
        "conflict_cycles": waited,
        "mismatches": wrong,
    }


def _sums(layer: IntegerLayer, vectors: NDArray[np.int8]) -> NDArray[np.int64]:
    return vectors.astype(np.int64) @ layer.weights.T.astype(np.int64) + layer.bias
