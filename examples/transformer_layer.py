"""One Transformer layer through one simulated engine: its six linear maps, with the activations of real words.

    python examples/transformer_layer.py model.safetensors [--layer 0] [--sparsity 0.9] [--tokens 11] [--engine DIR]

MODEL is all-MiniLM-L6-v2 (or another BERT of that form). A sentence goes through the layers in floats, up to the one
asked for, whose weights are pruned; what goes into each of its linear maps is quantised to INT8, and so are the
weights. The maps are encoded with one code, and one engine multiplies: every beat that leaves it is compared with the
product in whole numbers. Softmax, normalisation and GELU are the evaluator's: the engine has none.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.weight_files import read_weight_file
from xorweave.golden.network.integer_network import IntegerLayer
from xorweave.golden.values.quantize import quantize
from xorweave.hw.package.engine_core import write_engine
from xorweave.sim.network_run import NetworkSimulator

# [CLS] the quick brown fox jumps over the lazy dog [SEP], in the vocabulary of BERT without capitals
SENTENCE = (101, 1996, 4248, 2829, 4419, 14523, 2058, 1996, 13971, 3899, 102)
HEADS = 12
MAPS = (
    *("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    *("intermediate.dense", "output.dense"),
)

Floats = NDArray[np.float32]


class Layer:
    """A layer of a BERT, in floats; it keeps what went into each of its linear maps.

    Parameters
    ----------
    tensors : dict of str to ndarray of float32
    prefix : str
        ``encoder.layer.0.`` and so on.
    """

    def __init__(self, tensors: dict[str, Floats], prefix: str) -> None:
        self.tensors, self.prefix = tensors, prefix
        self.inputs: dict[str, Floats] = {}

    def weight(self, name: str) -> Floats:
        return self.tensors[f"{self.prefix}{name}.weight"]

    def _map(self, name: str, x: Floats) -> Floats:
        self.inputs[name] = x
        return x @ self.weight(name).T + self.tensors[f"{self.prefix}{name}.bias"]

    def __call__(self, x: Floats) -> Floats:
        """Return what leaves the layer for tokens of shape (n, width)."""
        q, k, v = (self._map(name, x).reshape(len(x), HEADS, -1).transpose(1, 0, 2) for name in MAPS[:3])
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])
        shares = np.exp(scores - scores.max(axis=2, keepdims=True))
        shares /= shares.sum(axis=2, keepdims=True)
        mixed = (shares @ v).transpose(1, 0, 2).reshape(len(x), -1)
        x = normed(x + self._map(MAPS[3], mixed), self.tensors, f"{self.prefix}attention.output.LayerNorm")
        wide = gelu(self._map(MAPS[4], x))
        return normed(x + self._map(MAPS[5], wide), self.tensors, f"{self.prefix}output.LayerNorm")


def gelu(x: Floats) -> Floats:
    """Return x times the share of a normal distribution below it, by the usual approximation."""
    return np.float32(0.5) * x * (1 + np.tanh(np.float32(0.7978846) * (x + np.float32(0.044715) * x**3)))


def normed(x: Floats, tensors: dict[str, Floats], name: str) -> Floats:
    """Normalise tokens, and scale them by what the model has learnt."""
    x = x - x.mean(axis=1, keepdims=True)
    x = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-12)
    return x * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def pruned(values: Floats, sparsity: float) -> Floats:
    """Return a matrix with its smallest magnitudes set to zero."""
    return np.where(np.abs(values) > np.quantile(np.abs(values), sparsity), values, np.float32(0))


def integers(values: Floats) -> tuple[NDArray[np.int8], float]:
    """Quantise activations to INT8: the values, and the step between them."""
    step = float(np.abs(values).max()) / 127
    return np.rint(values / step).astype(np.int8), step


def activations(tensors: dict[str, Floats], number: int, sparsity: float, tokens: int) -> Layer:
    """Run the sentence up to a layer, whose weights are pruned, and through it."""
    ids = np.array(SENTENCE[:tokens])
    names = ("word", "position", "token_type")
    word, position, kind = (tensors[f"embeddings.{name}_embeddings.weight"] for name in names)
    x = normed(word[ids] + position[: len(ids)] + kind[0], tensors, "embeddings.LayerNorm")
    for before in range(number):
        x = Layer(tensors, f"encoder.layer.{before}.")(x)
    prefix = f"encoder.layer.{number}."
    own = {f"{prefix}{name}.weight": pruned(tensors[f"{prefix}{name}.weight"], sparsity) for name in MAPS}
    layer = Layer({**tensors, **own}, prefix)
    layer(x)
    return layer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--layer", type=int, default=0)
    parser.add_argument("--sparsity", type=float, default=0.9)
    parser.add_argument("--tokens", type=int, default=len(SENTENCE), help="of the sentence, the first ones")
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4, help="tokens that go through the engine together")
    parser.add_argument("--engine", type=Path, help="write the engine there, for xorweave synth")
    said = parser.parse_args()
    if not 1 <= said.tokens <= len(SENTENCE):
        parser.error(f"the tokens must be between 1 and {len(SENTENCE)}, not {said.tokens}")
    try:
        read = read_weight_file(said.model).tensors
        tensors = {name: tensor.values.astype(np.float32) for name, tensor in read.items()}
        layer = activations(tensors, said.layer, said.sparsity, said.tokens)
    except (InputError, KeyError) as error:
        parser.error(f"{said.model} must be a BERT with a layer {said.layer}: {error}")
    maps, vectors, steps = [], [], []
    for name in MAPS:
        coded, scale = quantize(layer.weight(name), "int8")
        given, step = integers(layer.inputs[name])
        maps.append(IntegerLayer(name, coded, np.zeros(len(coded), np.int32), 0, 0))
        vectors.append(given)
        steps.append(step * float(scale[0]))
    print("encoding, compiling the engine", file=sys.stderr, flush=True)
    simulator = NetworkSimulator(maps, lanes=said.lanes, batch=said.batch)
    if said.engine is not None:
        write_engine(said.engine, simulator.config)
    print("simulating", file=sys.stderr, flush=True)
    run = simulator.run_each(vectors)
    print("| linear map | shape | zeros | blocks a batch | error of INT8 |")
    print("|---|---|---|---|---|")
    for one, tensor, out, scale in zip(maps, simulator.tensors, run.outputs, steps, strict=True):
        floats = layer.inputs[one.name] @ layer.weight(one.name).T
        error = np.linalg.norm(out * scale - floats) / np.linalg.norm(floats)
        rows, cols = one.weights.shape
        zeros = np.mean(one.weights == 0)
        print(
            f"| {one.name} | {rows} x {cols} | {100 * zeros:.1f} % | {tensor.blocks} | {100 * error:.1f} % |"
        )
    print(
        f"\n{said.tokens} tokens, {said.batch} at a time, {said.lanes} lanes, {simulator.config.decoder.code.n_in} ->"
        f" {said.lanes}: {run.cycles} cycles, {run.blocks} blocks, {run.stall_cycles} stall cycles,"
        f" {run.mismatches} mismatches"
    )
    for message in run.messages:
        print(message)
    raise SystemExit(run.mismatches > 0)


if __name__ == "__main__":
    main()
