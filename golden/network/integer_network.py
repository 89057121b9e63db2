"""A network of dense layers in whole numbers: INT8 weights and activations, INT32 sums, ReLU in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.values.quantize import quantize

_HIGHEST = 127
_MOST_SHIFT = 63  # of a requantiser
_MULTIPLIER_BITS = 15


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """A dense layer: ``t = weights @ x + bias``, then ReLU and INT8, or t itself in the last one.

    Attributes
    ----------
    name : str
    weights : ndarray of int8, shape (rows, cols)
        0 where they are pruned.
    bias : ndarray of int32, shape (rows,)
    multiplier, shift : int
        ReLU(t) times ``multiplier / 2^(shift + 1)``, rounded half up, at most 127. A multiplier of 0: t itself.
    """

    name: str
    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: int
    shift: int

    def check(self) -> None:
        """Refuse a layer whose sums might need more than 32 bits for some activations.

        Raises
        ------
        InputError
            The magnitudes of a row's weights times 128, and its bias, reach 2^31.
        """
        most = np.abs(self.weights.astype(np.int64)).sum(axis=1) * 128 + np.abs(self.bias.astype(np.int64))
        row = int(most.argmax())
        if int(most[row]) >= 1 << 31:
            raise InputError(
                f"sums of the layer {self.name} must stay below 2^31 to fit 32 bits, but row {row} might reach"
                f" {int(most[row])}"
            )

    def run(self, activations: NDArray[np.int8]) -> NDArray[np.int32]:
        """Return what leaves the layer, shape (batch, rows), for activations of shape (batch, cols)."""
        self.check()
        totals = activations.astype(np.int64) @ self.weights.astype(np.int64).T + self.bias
        if not self.multiplier:
            return totals.astype(np.int32)
        scaled = np.maximum(totals, 0) * self.multiplier
        rounded = (scaled + (1 << self.shift)) // (1 << (self.shift + 1))
        return np.minimum(rounded, _HIGHEST).astype(np.int32)


Dense = tuple[str, NDArray[np.float32], NDArray[np.float32]]


def dense_layers(tensors: Mapping[str, NDArray]) -> list[Dense]:
    """Return (name, weights, bias) of the dense layers of a network whose tensors are NAME.weight and NAME.bias.

    Raises
    ------
    InputError
        There are none, or the rows of one are not the columns of the next.
    """
    layers: list[Dense] = []
    for key, weights in tensors.items():
        name = key.removesuffix(".weight")
        if name == key:
            continue
        if weights.ndim != 2 or weights.dtype.kind != "f":
            raise InputError(
                f"{key} must be a matrix of floats, not {weights.dtype} of shape {weights.shape}"
            )
        bias = tensors.get(f"{name}.bias", np.zeros(weights.shape[0], np.float32))
        if bias.shape != weights.shape[:1]:
            raise InputError(f"{name}.bias must have {weights.shape[0]} values, not the shape {bias.shape}")
        if layers and layers[-1][1].shape[0] != weights.shape[1]:
            raise InputError(
                f"{key} must have {layers[-1][1].shape[0]} columns, as many as the layer before has rows, not"
                f" {weights.shape[1]}"
            )
        layers.append((name, weights.astype(np.float32), bias.astype(np.float32)))
    if not layers:
        raise InputError("the model must have at least one tensor NAME.weight")
    return layers


def run_float(layers: Sequence[Dense], inputs: NDArray[np.floating]) -> list[NDArray[np.float64]]:
    """Return what leaves every layer in floats, each of shape (batch, rows); the last one without ReLU."""
    found = []
    values = inputs.astype(np.float64)
    for number, (_, weights, bias) in enumerate(layers):
        values = values @ weights.T.astype(np.float64) + bias
        if number < len(layers) - 1:
            values = np.maximum(values, 0)
        found.append(values)
    return found


def to_int8(inputs: NDArray[np.floating]) -> NDArray[np.int8]:
    """Quantise inputs between 0 and 1 to 0 .. 127."""
    return np.rint(np.clip(inputs, 0, 1) * _HIGHEST).astype(np.int8)


def quantise_layers(layers: Sequence[Dense], inputs: NDArray[np.floating]) -> list[IntegerLayer]:
    """Quantise a network, its activations by the largest that these inputs (between 0 and 1) cause.

    Raises
    ------
    InputError
        A layer gives nothing but zeros, or sums might need more than 32 bits.
    """
    found = []
    outputs = run_float(layers, inputs)
    scale = 1 / _HIGHEST
    for number, (name, weights, bias) in enumerate(layers):
        integers, steps = quantize(weights, "int8")
        unit = scale * float(np.ravel(steps)[0])
        multiplier = shift = 0
        if number < len(layers) - 1:
            largest = float(outputs[number].max(initial=0))
            if largest <= 0:
                raise InputError(f"the layer {name} must give something above 0 for the images it is set by")
            scale = largest / _HIGHEST
            shift = min(_MOST_SHIFT, _MULTIPLIER_BITS - 1 - int(np.ceil(np.log2(unit / scale))))
            multiplier = int(np.rint(unit / scale * 2.0 ** (shift + 1)))
        limit = np.iinfo(np.int32)
        wide = np.rint(bias.astype(np.float64) / unit)
        if (np.abs(wide) > limit.max).any():
            raise InputError(f"sums of the layer {name} must fit 32 bits, but its bias does not")
        layer = IntegerLayer(name, integers, wide.astype(np.int32), multiplier, shift)
        layer.check()
        found.append(layer)
    return found


def run_integer(layers: Sequence[IntegerLayer], inputs: NDArray[np.int8]) -> list[NDArray[np.int32]]:
    """Return what leaves every layer, each of shape (batch, rows), for inputs of shape (batch, columns)."""
    found: list[NDArray[np.int32]] = []
    for layer in layers:
        found.append(layer.run(found[-1].astype(np.int8) if found else inputs))
    return found
