"""The order of a fully connected network's layers, from the shapes of its weights.

Files sort tensors by name or type, so their order is no order of layers. One that follows from the shapes is taken;
where several fit, one must be known from elsewhere, and what is taken then is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from xorweave.golden.base.errors import InputError

HINT = "give the network: a name, a .json description or an .onnx file"
# Orders are looked for one step at a time; a set of shapes that needs more steps counts as fitting in several.
_STEPS = 20_000


@dataclass(frozen=True)
class LayerOrder:
    """Weights front to back.

    Attributes
    ----------
    names : tuple of str
    transposed : bool
        Whether weights have shape (inputs, outputs).
    remark : str
        What was taken for granted; empty where the shapes allow nothing else.
    """

    names: tuple[str, ...]
    transposed: bool
    remark: str = ""


def layer_order(
    weights: Mapping[str, tuple[int, ...]], *, order: Sequence[str] | None = None, ordered: bool = True
) -> LayerOrder:
    """Put weights of rank 2 in the order in which one's outputs are the next one's inputs.

    Parameters
    ----------
    weights : mapping of str to tuple of int
        Shapes by name, (outputs, inputs) or all of them (inputs, outputs).
    order : sequence of str, optional
        The order, where it is known.
    ordered : bool
        Whether the mapping's own order was made by somebody, and not by a file format.

    Raises
    ------
    InputError
        No order fits, or several do and nothing says which.
    """
    names = list(weights)
    if order is not None and sorted(order) == sorted(names):
        found = _as_given(weights, order)
        if found is not None:
            return LayerOrder(tuple(order), found)
    fitting = {turned: _orders(weights, turned) for turned in (False, True)}
    several = any(len(orders) > 1 for orders in fitting.values())
    if ordered and (found := _as_given(weights, names)) is not None:
        return LayerOrder(tuple(names), found, _remark(names, "as in the file") if several else "")
    # turned round and read backwards, any order fits as well; what lies on a path is the same either way
    turned = not fitting[False]
    if not fitting[turned]:
        raise InputError(f"the tensors {', '.join(names[:8])} do not follow on each other as layers; {HINT}")
    if len(fitting[turned]) == 1:
        return LayerOrder(fitting[turned][0], turned)
    numbered = by_number(names)
    if numbered is not None and (found := _as_given(weights, numbered)) is not None:
        return LayerOrder(tuple(numbered), found, _remark(numbered, "by the numbers in their names"))
    raise InputError(
        f"the order of the layers {', '.join(names[:8])} must be known, as their shapes allow several "
        f"and their file sorts them by name; {HINT}"
    )


def by_number(names: Sequence[str]) -> list[str] | None:
    """Return names that differ in nothing but numbers in the order of those; None for other names."""
    if len({re.sub(r"[0-9]+", "0", name) for name in names}) != 1:
        return None
    return sorted(names, key=lambda name: [int(digits) for digits in re.findall(r"[0-9]{1,18}", name)])


def _remark(names: Sequence[str], why: str) -> str:
    return f"layers taken in the order {', '.join(names)} ({why}); their shapes allow others"


def _as_given(weights: Mapping[str, tuple[int, ...]], names: Sequence[str]) -> bool | None:
    """Return whether weights in this order are (inputs, outputs); None if they follow on each other neither way."""
    for turned in (False, True):
        ends = [weights[name] if turned else weights[name][::-1] for name in names]
        if all(before[1] == after[0] for before, after in pairwise(ends)):
            return turned
    return None


def _orders(weights: Mapping[str, tuple[int, ...]], turned: bool) -> list[tuple[str, ...]]:
    """Return up to two orders in which all weights follow on each other."""
    ends = {name: shape if turned else shape[::-1] for name, shape in weights.items()}
    sources = {inputs for inputs, _ in ends.values()}
    # along a path every width is left as often as it is entered, but for the first and the last
    surplus = {
        width: sum(i == width for i, _ in ends.values()) - sum(o == width for _, o in ends.values())
        for width in sources | {outputs for _, outputs in ends.values()}
    }
    if sum(abs(count) for count in surplus.values()) > 2:
        return []
    starts = [width for width, count in surplus.items() if count == 1] or sorted(sources)
    found: list[tuple[str, ...]] = []
    steps = 0
    stack: list[tuple[int, tuple[str, ...]]] = [(start, ()) for start in starts]
    while stack and len(found) < 2:
        steps += 1
        if steps > _STEPS:
            return found * 2 or [tuple(ends)] * 2
        width, path = stack.pop()
        if len(path) == len(ends):
            found.append(path)
            continue
        for name, (inputs, outputs) in ends.items():
            if inputs == width and name not in path:
                stack.append((outputs, (*path, name)))
    return found
