"""Layer normalisation as exporters write it out: (x - mean) / sqrt(mean of squares + epsilon)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Node = Any  # onnx.NodeProto


@dataclass(frozen=True)
class WrittenNorm:
    """One normalisation: what it reads, the operators inside it, and its epsilon."""

    source: str
    inner: tuple[Node, ...]
    epsilon: float


def written_norms(
    nodes: list[Node],
    uses: Mapping[str, int],
    number: Callable[[str], float | None],
    axes: Callable[[Node], list[int] | None],
) -> dict[str, WrittenNorm]:
    """Find normalisations over the last axis.

    Parameters
    ----------
    nodes : list of onnx.NodeProto
    uses : mapping of str to int
        How often each value is read, model outputs included.
    number : callable
        The one number that a constant value holds, or None.
    axes : callable
        The axes of a ReduceMean, or None where they are not known; only [-1] is taken.

    Returns
    -------
    dict of str to WrittenNorm
        By the name of the quotient.
    """
    makers = {output: node for node in nodes for output in node.output}

    def maker(name: str, *kinds: str) -> Node | None:
        node = makers.get(name)
        return node if node is not None and node.op_type in kinds else None

    def mean(name: str) -> Node | None:
        node = maker(name, "ReduceMean")
        keeps = node is not None and all(a.i for a in node.attribute if a.name == "keepdims")
        return node if node is not None and keeps and axes(node) == [-1] else None

    found: dict[str, WrittenNorm] = {}
    for node in nodes:
        if node.op_type != "Div" or len(node.input) != 2:
            continue
        centred, root = maker(node.input[0], "Sub"), maker(node.input[1], "Sqrt")
        add = maker(root.input[0], "Add") if root is not None else None
        if centred is None or root is None or add is None:
            continue
        variance, epsilon = mean(add.input[0]), number(add.input[1])
        middle = mean(centred.input[1])
        power = maker(variance.input[0], "Pow", "Mul") if variance is not None else None
        if variance is None or middle is None or power is None or epsilon is None:
            continue
        squares = number(power.input[1]) == 2 if power.op_type == "Pow" else power.input[1] == node.input[0]
        if middle.input[0] != centred.input[0] or power.input[0] != node.input[0] or not squares:
            continue
        readers = 2 if power.op_type == "Pow" else 3  # of the centred values: the squares and the quotient
        inner = (middle, centred, power, variance, add, root)
        alone = all(uses[part.output[0]] == 1 for part in inner if part is not centred)
        if alone and uses[centred.output[0]] == readers:
            found[node.output[0]] = WrittenNorm(centred.input[0], inner, epsilon)
    return found
