"""Several containers of one model as one: parts of ``encode --shard``, or shards that were encoded one by one."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.container import Container, read_container
from xorweave.golden.files.sharding import is_part, merge_shards
from xorweave.golden.tensor.stored import EncodedTensor


@dataclass(frozen=True, eq=False)
class JoinedContainer(Container):
    """Tensors of several container files. What is counted of a tensor is what its own file takes for it.

    Attributes
    ----------
    holders : mapping of str to Container
        The container of each encoded tensor.
    """

    holders: Mapping[str, Container] = field(default_factory=dict)

    def checked(self, name: str) -> EncodedTensor:
        """Return a tensor whose stored bytes are those that were written.

        Raises
        ------
        InputError
            They are not; the line names file and tensor.
        """
        return self.holders[name].checked(name)

    def side_bits(self, name: str) -> int:
        """Return what header, book, checksums and padding of a tensor take in its file, in bits."""
        return self.holders[name].side_bits(name)


def join_containers(paths: Sequence[Path]) -> Container:
    """Open container files of one model.

    Raises
    ------
    InputError
        A file is no container, two hold a tensor of one name, or they are parts of a model but not all of one.
    """
    opened = [read_container(path) for path in paths]
    if len(opened) == 1:
        return opened[0]
    first = opened[0].info
    info = {key: said for key, said in first.items() if all(c.info.get(key) == said for c in opened)}
    if any(is_part(container) for container in opened):
        info = merge_shards(paths).info  # looks whether they are all the parts of one model
    holders: dict[str, Container] = {}
    plain: set[str] = set()
    for path, container in zip(paths, opened, strict=True):
        names = [*container.encoded, *container.plain]
        if twice := next((name for name in names if name in holders or name in plain), None):
            raise InputError(f"{path} holds the tensor {twice}, which another of the files holds too")
        holders |= dict.fromkeys(container.encoded, container)
        plain |= set(container.plain)
    # a ChainMap goes through its last mapping first
    behind = opened[::-1]
    return JoinedContainer(
        encoded=ChainMap(*(container.encoded for container in behind)),  # type: ignore[arg-type]
        plain=ChainMap(*(container.plain for container in behind)),  # type: ignore[arg-type]
        info=info,
        metadata=opened[0].metadata,
        scales={name: scale for container in opened for name, scale in container.scales.items()},
        holders=holders,
    )
