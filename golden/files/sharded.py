"""Outputs in several files, as the source was: a folder of safetensors files with the index of Hugging Face's layout.

Each file of a sharded container is a container by itself; the folder, or its index, is opened as one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.leftovers import beside, leftover, remove
from xorweave.golden.files.container import PREFIX, Container, read_container, write_container
from xorweave.golden.files.restore import restore_tensors
from xorweave.golden.files.safetensors_file import for_loaders, write_safetensors
from xorweave.golden.files.sharding import is_part, merge_shards
from xorweave.golden.files.shards import INDEX, read_places, shard_files
from xorweave.golden.tensor.stored import EncodedTensor

_NUMBERED = re.compile(r"(.+)-\d+-of-\d+\.safetensors")
_T = TypeVar("_T")


class _Joined(Mapping[str, _T]):
    """Mappings of several files as one; a value is read when it is asked for."""

    def __init__(self, of: Callable[[Container], Mapping[str, _T]], places: Mapping[str, Container]) -> None:
        self._of, self._places = of, places

    def __getitem__(self, name: str) -> _T:
        return self._of(self._places[name])[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@dataclass(frozen=True, eq=False)
class ShardedContainer(Container):
    """A folder of container files; `shards` says which file holds what.

    Attributes
    ----------
    files : dict of str to Container
    """

    files: dict[str, Container] = field(default_factory=dict)

    def work(self) -> dict[str, int]:
        """Return how much there is to decode of each tensor of all files."""
        return {name: size for file in self.files.values() for name, size in file.work().items()}

    def checked(self, name: str) -> EncodedTensor:
        """Return a tensor whose stored bytes are those that were written; see `OpenContainer.checked`."""
        return self.files[self.shards[name]].checked(name)

    def side_bits(self, name: str) -> int:
        """Return what header, book, checksums and padding of a tensor take."""
        return self.files[self.shards[name]].side_bits(name)


def read_sharded(path: Path) -> ShardedContainer:
    """Open a folder of container files, or the index that lists them, as one container.

    Raises
    ------
    InputError
        A file is not there, is damaged or no container, two hold one tensor, or the index says otherwise.
    """
    index, paths = shard_files(path)
    joined = join({file.name: read_container(file) for file in paths}, path)
    if index is not None:
        listed = {name.removeprefix(PREFIX): file for name, file in read_places(index).items()}
        shards = joined.shards
        if wrong := next((name for name in listed | shards if listed.get(name) != shards.get(name)), None):
            raise InputError(
                f"{index} must say which file holds the tensor {wrong}: {shards.get(wrong, 'none')}"
            )
    return joined


def read_together(paths: Sequence[Path]) -> Container:
    """Open the container files of one model: parts that a shard was encoded to, or files that were encoded one by one.

    Raises
    ------
    InputError
        As of `read_container`; two files hold a tensor of one name, or they are parts of a model but not all of one.
    """
    if len(paths) == 1:
        return read_container(paths[0])
    files: dict[str, Container] = {}
    for path in paths:
        if path.is_dir() or path.name in files:
            raise InputError(f"several containers of one model must be files of different names, not {path}")
        files[path.name] = read_container(path)
    joined = join(files, "the model")
    if any(is_part(container) for container in files.values()):
        # looks whether they are all the parts of one model
        return replace(joined, info=merge_shards(paths).info)
    same = {
        key: said for key, said in joined.info.items() if all(c.info.get(key) == said for c in files.values())
    }
    return replace(joined, info=same)


def join(files: Mapping[str, Container], whole: object) -> ShardedContainer:
    """Return containers by name as one, named `whole` where two hold the same tensor.

    Raises
    ------
    InputError
        Two hold a tensor of one name.
    """
    encoded: dict[str, Container] = {}
    plain: dict[str, Container] = {}
    shards: dict[str, str] = {}
    for name, file in files.items():
        for held, places in ((file.encoded, encoded), (file.plain, plain)):
            for tensor in held:
                if tensor in shards:
                    raise InputError(
                        f"{whole}: {name} holds the tensor {tensor}, which {shards[tensor]} holds too"
                    )
                places[tensor], shards[tensor] = file, name
    first = next(iter(files.values()))
    return ShardedContainer(
        encoded=_Joined(lambda file: file.encoded, encoded),
        plain=_Joined(lambda file: file.plain, plain),
        info=first.info,
        metadata=first.metadata,
        scales={name: scale for file in files.values() for name, scale in file.scales.items()},
        shards=shards,
        files=dict(files),
    )


def split(container: Container) -> dict[str, Container]:
    """Return what each file of a sharded container holds, by the file's name.

    Raises
    ------
    InputError
        The container came from one file.
    """
    if isinstance(container, ShardedContainer):
        return container.files
    if not container.shards:
        raise InputError(
            "a sharded output needs a source of several safetensors files: their folder or index"
        )
    shards = dict(container.shards)
    for name, scale in container.scales.items():
        shards[scale] = shards[name]
    return {
        file: replace(
            container,
            encoded={name: container.encoded[name] for name in container.encoded if shards[name] == file},
            plain={name: container.plain[name] for name in container.plain if shards[name] == file},
            scales={name: scale for name, scale in container.scales.items() if shards[name] == file},
        )
        for file in sorted(set(shards.values()))
    }


def write_sharded(folder: Path, container: Container) -> None:
    """Write a container as a folder of files; it appears whole under its name or not at all.

    Raises
    ------
    InputError
        The container came from one file, or the folder cannot be written.
    """
    with whole_folder(folder) as partial:
        places: dict[str, str] = {}
        total = 0
        for name, part in split(container).items():
            write_container(partial / name, part)
            places |= dict.fromkeys([*(PREFIX + own for own in part.encoded), *part.plain], name)
            total += sum(len(part.blob(own)) for own in part.encoded)
            total += sum(tensor.values.nbytes for tensor in part.plain.values())
        _write_index(partial, places, total)


def decode_sharded(
    folder: Path,
    container: Container,
    *,
    dequantized: bool = False,
    jobs: int = 1,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Decode a sharded container to files of the same names, a file at a time, with their index.

    `jobs` and `progress` are those of `for_each`.

    Raises
    ------
    InputError
        What is stored is damaged, the container came from one file, or the folder cannot be written.
    """
    with whole_folder(folder) as partial:
        places: dict[str, str] = {}
        total = 0
        parts = split(container)
        for number, (name, part) in enumerate(parts.items()):

            def advance(share: float, number: int = number) -> None:
                if progress is not None:
                    progress((number + share) / len(parts))

            tensors = restore_tensors(part, dequantized=dequantized, jobs=jobs, progress=advance)
            write_safetensors(partial / name, tensors, for_loaders(part.metadata))
            places |= dict.fromkeys(tensors, name)
            total += sum(tensor.values.nbytes for tensor in tensors.values())
        _write_index(partial, places, total)


def _write_index(folder: Path, places: Mapping[str, str], total: int) -> None:
    """Write the index of a folder of several files; of one file loaders want none."""
    if len(set(places.values())) < 2:
        return
    index: dict[str, Any] = {
        "metadata": {"total_size": total},
        "weight_map": dict(sorted(places.items())),
    }
    # as writers name it: model-00001-of-00002.safetensors has the index model.safetensors.index.json
    stems = {found[1] if (found := _NUMBERED.fullmatch(name)) else "model" for name in places.values()}
    stem = stems.pop() if len(stems) == 1 else "model"
    (folder / f"{stem}{INDEX}").write_text(json.dumps(index, indent=2) + "\n", "utf-8")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Lend a folder to write to; at the end of the block it takes the place of `folder`.

    Raises
    ------
    InputError
        It cannot be made there.
    """
    try:
        with leftover(beside(folder)) as partial, leftover(beside(folder)) as old:
            partial.mkdir()
            yield partial
            if folder.exists():
                folder.rename(old)
            partial.rename(folder)
            remove(old)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}") from None
