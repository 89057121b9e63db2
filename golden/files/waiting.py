"""Weights that wait to be encoded: each is cast, quantised and pruned where it is stored, in whatever process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.arranged import write_arrangement
from xorweave.golden.files.prepare import Preparation, Prepared, prepare
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.files.weight_files import read_weight_file

_PIECE = 1 << 24  # bytes that are hashed together


@dataclass(frozen=True, eq=False)
class FilePart:
    """One tensor of a file, as it travels to a process that has the same file: its place instead of its values.

    Attributes
    ----------
    path : Path
    stamp : tuple of int
        Size and time of the last change of the file (nanoseconds) when it was opened.
    name : str
    how : Preparation
    """

    path: Path
    stamp: tuple[int, int]
    name: str
    how: Preparation

    def prepared(self) -> Prepared:
        """Read and prepare the tensor.

        Raises
        ------
        InputError
            The file is not there or is another one by now, or the tensor cannot be prepared.
        """
        check_stamp(self.path, self.stamp)
        tensor = _tensors_of(self.path, self.stamp)[self.name]
        return _prepare_mapped(self.name, tensor, self.how, self.path, self.stamp)


def stamp_of(path: Path) -> tuple[int, int]:
    """Return what tells one state of a file from another: its size, and when it was changed last (nanoseconds)."""
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return found.st_size, found.st_mtime_ns


def check_stamp(path: Path, stamp: tuple[int, int]) -> None:
    """Refuse a file that is another one than it was."""
    if stamp_of(path) != stamp:
        raise InputError(f"{path} must not change while it is encoded")


def _prepare_mapped(
    name: str, tensor: Tensor, how: Preparation, path: Path, stamp: tuple[int, int]
) -> Prepared:
    """Prepare a tensor of a mapped file: it gets values of its own, and the file must still be the same then."""
    prepared = prepare(name, tensor, how)
    if np.may_share_memory(prepared.values, tensor.values):
        prepared = replace(prepared, values=prepared.values.copy())
    check_stamp(path, stamp)
    return prepared


@lru_cache(maxsize=4)  # a worker takes one tensor of a file after another
def _tensors_of(path: Path, stamp: tuple[int, int]) -> dict[str, Tensor]:
    return read_weight_file(path).tensors


class Waiting(Mapping[str, Prepared]):
    """Tensors by name; each is prepared when it is asked for, and anew each time.

    Parameters
    ----------
    tensors : mapping of str to Tensor
    how : Preparation
    places : mapping of str to Path, optional
        The file of each tensor, where other processes can read it again.
    own : mapping of str to Preparation, optional
        Of tensors that are prepared in another way.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        how: Preparation,
        places: Mapping[str, Path] | None = None,
        own: Mapping[str, Preparation] | None = None,
    ) -> None:
        self._tensors, self._how, self._own = dict(tensors), how, dict(own or {})
        self._places = {name: path.absolute() for name, path in (places or {}).items()}
        self._stamps = {path: stamp_of(path) for path in set(self._places.values())}

    def how(self, name: str) -> Preparation:
        """Return how a tensor is prepared, what is of other tensors left out."""
        how = self._own.get(name, self._how)
        return replace(
            how,
            masks={name: how.masks[name]} if name in how.masks else {},
            arranged={name: how.arranged[name]} if name in how.arranged else {},
        )

    def __getitem__(self, name: str) -> Prepared:
        place = self._places.get(name)
        if place is None:
            return prepare(name, self._tensors[name], self.how(name))
        check_stamp(place, self._stamps[place])
        return _prepare_mapped(name, self._tensors[name], self.how(name), place, self._stamps[place])

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def part(self, name: str) -> FilePart | Prepared:
        """Return what another process needs to have the tensor."""
        path = self._places.get(name)
        if path is None:
            return self[name]
        return FilePart(path, self._stamps[path], name, self.how(name))

    def sizes(self) -> dict[str, int]:
        """Return the weights of each tensor."""
        return {name: tensor.values.size for name, tensor in self._tensors.items()}

    def digest(self, name: str) -> str:
        """Return a digest of all that `__getitem__` depends on."""
        tensor, how = self._tensors[name], self.how(name)
        state = hashlib.sha256()
        told = replace(how, masks={}, arranged={})
        state.update(
            f"{name}\0{tensor.dtype}\0{tensor.values.shape}\0{told}\0".encode("utf-8", "surrogatepass")
        )
        arrays = [tensor.values, *([how.masks[name]] if name in how.masks else [])]
        if name in how.arranged:
            arrays.append(write_arrangement(how.arranged[name], tensor.values.shape))
        for array in arrays:
            flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            for at in range(0, flat.size, _PIECE):
                state.update(flat[at : at + _PIECE].data)
        return state.hexdigest()
