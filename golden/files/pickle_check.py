"""What a pickle would take to load, from its opcodes alone: a few of them can claim memory or time without bound."""

from __future__ import annotations

import io
import pickle
import pickletools

# A dictionary hashes its keys, a tuple hashes all that is in it, each time it is asked: forty pairs, each of the one
# before and itself, take 2^40 steps. Keys of checkpoints are names and numbers; those of optimisers, small tuples.
_LARGEST_KEY = 64
_TUPLES = ("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")
_CALLS = ("REDUCE", "OBJ", "INST", "NEWOBJ", "NEWOBJ_EX")  # what is called may return what it was given
_REFUSED = ("EXT1", "EXT2", "EXT4", "READONLY_BUFFER", "NEXT_BUFFER")


def check_pickle(data: bytes, start: int = 0) -> None:
    """Refuse a pickle that takes memory or time out of proportion: a memo as long as an index says, vast keys.

    Raises
    ------
    pickle.UnpicklingError, ValueError
        It does, or is no pickle.
    """
    stream = io.BytesIO(data)
    stream.seek(start)
    stack = _Weights()
    for opcode, argument, _place in pickletools.genops(stream):
        if "PUT" in opcode.name and isinstance(argument, int) and argument > len(data):
            raise pickle.UnpicklingError("its memo is longer than it")
        if opcode.name in _REFUSED:
            raise pickle.UnpicklingError(f"it uses {opcode.name}")
        stack.step(opcode, argument)


class _Weights:
    """The stack of the machine with, for each object, how many a hash of it visits; None is a mark."""

    def __init__(self) -> None:
        self._stack: list[int | None] = []
        self._memo: dict[object, int] = {}

    def _pop(self) -> int:
        found = self._stack.pop() if self._stack else None
        if found is None:
            raise pickle.UnpicklingError("it takes more off its stack than is there")
        return found

    def _above_mark(self) -> list[int]:
        found: list[int] = []
        while self._stack and (weight := self._stack.pop()) is not None:
            found.append(weight)
        return found[::-1]

    def step(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        """Do to the stack what an opcode does, as `pickletools` describes it."""
        name, before = opcode.name, opcode.stack_before
        if name == "MARK":
            self._stack.append(None)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo.get(argument, 1))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            weight = self._pop()
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = weight
            self._stack.append(weight)
        elif name == "POP" and self._stack and self._stack[-1] is None:
            self._stack.pop()
        else:
            marked = pickletools.markobject in before
            items = self._above_mark() if marked else []
            under = before.index(pickletools.markobject) if marked else len(before)
            popped = [self._pop() for _ in range(under)][::-1]
            _check_keys(name, popped, items)
            if name in _TUPLES or name in _CALLS:
                result = min(_LARGEST_KEY + 1, (name in _TUPLES) + sum(popped) + sum(items))
            else:
                result = popped[0] if popped else 1
            self._stack += [max(1, result)] * len(opcode.stack_after)


def _check_keys(name: str, popped: list[int], items: list[int]) -> None:
    """Refuse keys that take long to hash; `items` lie above the mark, `popped` below it."""
    keys = {
        "SETITEM": popped[1:2],
        "SETITEMS": items[::2],
        "DICT": items[::2],
        "ADDITEMS": items,
        "FROZENSET": items,
    }.get(name, [])
    if max(keys, default=0) > _LARGEST_KEY:
        raise pickle.UnpicklingError("a key of its dictionaries is larger than any name")
