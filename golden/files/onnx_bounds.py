"""What an ONNX model may come to: a few hundred bytes can refer to the same data, or to each other, without end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xorweave.golden.base.errors import InputError

# Whatever its tensors and functions refer to may be this many times larger than the files, and always so many bytes.
_MOST_GROWTH = 4
_ALWAYS_ALLOWED = 1 << 24


class Room:
    """Counts what is taken of files that may be referred to again and again.

    Parameters
    ----------
    model : str
        What an error calls the model.
    size : int
        Bytes of its file.
    growth, always : int
        What is taken may be `growth` times the files, or `always` bytes.
    """

    def __init__(
        self, model: str, size: int, growth: int = _MOST_GROWTH, always: int = _ALWAYS_ALLOWED
    ) -> None:
        self._model, self._growth, self._always = model, growth, always
        self._files = {"": size}
        self._taken = 0

    def file(self, name: str, size: int) -> None:
        """Count a file beside the model's, once."""
        self._files[name] = size

    def take(self, size: int, what: str) -> None:
        """Take so many bytes more, before they are made.

        Raises
        ------
        InputError
            That is more than the files are good for.
        """
        self._taken += size
        there = sum(self._files.values())
        if self._taken > max(self._always, self._growth * there):
            raise InputError(
                f"{self._model} claims {what}, which is too large for files of {there} bytes in all"
            )


def check_calls(model: Any, size: int, name: str) -> None:
    """Refuse local functions that call themselves, or that would be many times the file where they are written out.

    Parameters
    ----------
    model : onnx.ModelProto
    size : int
        Bytes of its file and of the data beside it.
    name : str
        What an error calls the model.

    Raises
    ------
    InputError
        They do.
    """
    functions = {(function.domain, function.name): function for function in model.functions}
    sizes: dict[tuple[str, str], int] = {}
    open_calls: list[tuple[str, str]] = []

    def written_out(nodes: Any) -> int:
        """Return the bytes of operators once every call in them is written out; all callees are known."""
        return sum(node.ByteSize() + sizes.get((node.domain, node.op_type), 0) for node in _all_nodes(nodes))

    for start in functions:
        open_calls.append(start)
        while open_calls:
            key = open_calls[-1]
            callees = {(node.domain, node.op_type) for node in _all_nodes(functions[key].node)}
            waiting = [callee for callee in callees if callee in functions and callee not in sizes]
            if any(callee in open_calls for callee in waiting):
                raise InputError(f"{name} must have functions that do not call themselves")
            if waiting:
                open_calls.append(waiting[0])
                continue
            sizes[key] = written_out(functions[key].node)
            open_calls.pop()
    Room(name, size).take(
        written_out(model.graph.node), "functions that are written out where they are called"
    )


def _all_nodes(nodes: Any) -> Iterator[Any]:
    """Yield operators, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield from _all_nodes(graph.node)
