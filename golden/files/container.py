"""The container, version 2: stored tensors in an ordinary safetensors file.

For each encoded tensor NAME the file holds one row of bytes ``xorweave/NAME`` that explains itself
(``xorweave.golden.files.blob``). Tensors that are not encoded lie beside them under their own names, and so does the
metadata of the source. The metadata key ``xorweave`` holds one JSON object, ``xorweave.crc`` the checksum of all
metadata and of the directory. Nothing in the file depends on when or how fast it was made.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.files import container_v1
from xorweave.golden.files.blob import check_stored, read_blob, side_bits, write_blob
from xorweave.golden.files.mapped import MappedTensor, map_safetensors
from xorweave.golden.files.safetensors_file import Tensor, tensor_from_bytes, write_safetensors
from xorweave.golden.files.shards import INDEX
from xorweave.golden.tensor.decode import decode_scan, decode_tensor, segment_checksums
from xorweave.golden.tensor.figures import Figures, figures_of
from xorweave.golden.tensor.stored import EncodedTensor

VERSION = 2
PREFIX = "xorweave/"
_KEY = "xorweave"
_CRC = "xorweave.crc"


@dataclass(frozen=True, eq=False)
class Container:
    """What a container file holds.

    Attributes
    ----------
    encoded : mapping of str to EncodedTensor
    plain : mapping of str to Tensor
        Tensors carried through unchanged, and the scales of quantised ones.
    info : dict of str to str
        How the file was made: command options and seeds.
    metadata : dict of str to str
        The metadata of the source.
    scales : dict of str to str
        Name of the tensor of scales of each quantised tensor.
    written : dict of str to bytes
        What `write_blob` gave for tensors that were written already.
    counted : dict of str to Figures
        Figures of tensors that were counted already.
    records : dict of str to dict
        What the process that stored a tensor said of it (`Job.describe`).
    shards : dict of str to str
        Of a source in several files: the name of the file that holds each tensor. Not stored; files say it.
    """

    encoded: Mapping[str, EncodedTensor]
    plain: Mapping[str, Tensor] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)
    counted: dict[str, Figures] = field(default_factory=dict)
    records: dict[str, dict[str, object]] = field(default_factory=dict)
    shards: dict[str, str] = field(default_factory=dict)

    def blob(self, name: str) -> bytes:
        """Return the bytes of a tensor, written once."""
        if name not in self.written:
            self.written[name] = write_blob(self.encoded[name])
        return self.written[name]

    def checked(self, name: str) -> EncodedTensor:
        """Return a tensor whose stored bytes are those that were written; see `OpenContainer.checked`."""
        return self.encoded[name]

    def work(self) -> dict[str, int]:
        """Return how much there is to decode of each tensor: weights, or stored bytes where it was not read yet."""
        return {name: tensor.n for name, tensor in self.encoded.items()}

    def side_bits(self, name: str) -> int:
        """Return what the tensor's header, book, checksums and padding take."""
        tensor = self.encoded[name]
        return side_bits(tensor, self.blob(name))

    def figures(self, name: str) -> Figures:
        """Return the figures of a tensor, everything stored of it counted."""
        if name not in self.counted:
            self.counted[name] = figures_of(self.encoded[name], self.side_bits(name))
        return self.counted[name]

    def decode(self, name: str) -> np.ndarray:
        """Decode a tensor and check its words.

        Raises
        ------
        InputError
            What is stored was damaged; the line names the tensor.
        """
        try:
            return decode_tensor(self.checked(name))
        except InputError as error:
            raise InputError(f"tensor {name}: {error}") from None

    def verify(self, name: str) -> None:
        """Decode a tensor and check its words, and those of each segment.

        Raises
        ------
        InputError
            What is stored was damaged; the line names the tensor.
        """
        tensor = self.checked(name)
        self.decode(name)
        if tensor.segment_checksums:
            words = decode_scan(tensor)
            found = segment_checksums(tensor.blocks, tensor.segment_blocks, tensor.n_out, words)
            wrong = [
                i
                for i, pair in enumerate(zip(found, tensor.segment_checksums, strict=True))
                if len(set(pair)) > 1
            ]
            if wrong:
                raise InputError(f"tensor {name}: segment {wrong[0]} is damaged: its checksum is another")


def write_container(path: Path, container: Container) -> None:
    """Write a container file in one step: the same container gives the same bytes.

    Raises
    ------
    InputError
        A carried tensor's name is one of ours, or the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for name, tensor in container.plain.items():
        if name.startswith(PREFIX) or name in container.encoded:
            raise InputError(f"a tensor may not be named {name!r} in a container")
        tensors[name] = tensor
    for name in container.encoded:
        tensors[PREFIX + name] = Tensor(np.frombuffer(container.blob(name), np.uint8), "U8")
    head = {
        "version": VERSION,
        "info": container.info,
        # only those with another name than the usual one
        "scales": {k: v for k, v in container.scales.items() if v != f"{k}.scale"},
        # one after another, in the order of the names
        "plain": "".join(_crc_of(container.plain[name]) for name in sorted(container.plain)),
    }
    metadata = {key: value for key, value in container.metadata.items() if key not in (_KEY, _CRC)}
    metadata[_KEY] = json.dumps(head, separators=(",", ":"))
    directory = {
        name: [tensor.dtype, tensor.stored_shape, _own_crc(name, tensor.values)]
        for name, tensor in tensors.items()
    }
    metadata[_CRC] = _directory_crc(directory, metadata)
    write_safetensors(path, tensors, metadata)


def _crc_of(tensor: Tensor) -> str:
    values = np.ascontiguousarray(tensor.values)
    return f"{zlib.crc32(values.astype(values.dtype.newbyteorder('<'), copy=False).tobytes()):08x}"


def _own_crc(name: str, data: np.ndarray) -> str:
    """Return the checksum that ends a stored tensor: it ties the name to the bytes. None of what is carried."""
    return data[-4:].tobytes().hex() if name.startswith(PREFIX) else ""


def _directory_crc(directory: Mapping[str, Any], metadata: Mapping[str, str]) -> str:
    told = [sorted(directory.items()), sorted((k, v) for k, v in metadata.items() if k != _CRC)]
    return f"{zlib.crc32(json.dumps(told, separators=(',', ':')).encode()):08x}"


def directory_bytes(path: Path) -> int:
    """Return what the directory of a container file takes for its encoded tensors: their entries, our metadata.

    Entries of carried tensors and the metadata of the source would stand in any file.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    metadata = header.pop("__metadata__", {})
    others: list[Any] = [{k: v} for k, v in metadata.items() if k not in (_KEY, _CRC)]
    others += [{name: entry} for name, entry in header.items() if not name.startswith(PREFIX)]
    return 8 + length - sum(len(_compact(item).encode()) - 1 for item in others)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Written(Mapping[str, EncodedTensor]):
    """Tensors as they were written, each read back when it is asked for, and kept.

    Parameters
    ----------
    entries : mapping of str to bytes
        What `write_blob` gave.
    """

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.entries = entries
        self._read: dict[str, EncodedTensor] = {}

    def _of(self, name: str) -> EncodedTensor:
        return read_blob(self.entries[name])

    def __getitem__(self, name: str) -> EncodedTensor:
        if name not in self._read:
            self._read[name] = self._of(name)
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


class _Blobs(Written):
    """Those of a file, mapped."""

    def __init__(self, path: Path, entries: Mapping[str, MappedTensor]) -> None:
        super().__init__(entries)
        self.path = path

    def _of(self, name: str) -> EncodedTensor:
        try:
            return read_blob(self.entries[name].data)
        except InputError as error:
            raise InputError(f"{self.path}: tensor {name}: {error}") from None


class _Plain(Mapping[str, Tensor]):
    """Carried tensors of a file, checked when they are read."""

    def __init__(self, path: Path, entries: dict[str, MappedTensor], checks: Mapping[str, object]) -> None:
        self._path, self._entries, self._checks = path, entries, checks

    def __getitem__(self, name: str) -> Tensor:
        entry = self._entries[name]
        if f"{zlib.crc32(entry.data.data):08x}" != self._checks.get(name):
            raise InputError(f"{self._path}: tensor {name} is damaged: the checksum of its bytes is another")
        return tensor_from_bytes(f"{self._path}: tensor {name}", entry.dtype, entry.shape, entry.data)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True, eq=False)
class OpenContainer(Container):
    """A container file, mapped: a tensor is read when it is asked for, its symbols when they are decoded."""

    path: Path = Path()
    size: int = 0

    def checked(self, name: str) -> EncodedTensor:
        """Return a tensor whose stored bytes are those that were written.

        Raises
        ------
        InputError
            They are not; the line names file and tensor.
        """
        assert isinstance(self.encoded, _Blobs)
        try:
            check_stored(self.encoded.entries[name].data)
        except InputError as error:
            raise InputError(f"{self.path}: tensor {name}: {error}") from None
        return self.encoded[name]

    def work(self) -> dict[str, int]:
        """Return the stored bytes of each tensor: nothing is read for it."""
        assert isinstance(self.encoded, _Blobs)
        return {name: entry.data.data.nbytes for name, entry in self.encoded.entries.items()}

    def side_bits(self, name: str) -> int:
        """Return what header, book and checksums of a tensor take, and what rounds its parts up to bytes, in bits."""
        assert isinstance(self.encoded, _Blobs)
        return side_bits(self.encoded[name], self.encoded.entries[name].data.data)


def read_container(path: Path) -> Container:
    """Open a container file of version 2, mapped, or read one of version 1; or a folder of them, or its index.

    Whatever the file says, opening and decoding take at most 16 times its size, 3 times what is decoded, and 128 MiB.
    Nothing in the file can run code.

    Raises
    ------
    InputError
        The file is not there, is damaged, or is no xorweave container.
    """
    if path.is_dir() or path.name.lower().endswith(INDEX):
        from xorweave.golden.files.sharded import read_sharded  # which comes back here for each file

        return read_sharded(path)
    entries, metadata = map_safetensors(path)
    head = _read_head(path, metadata)
    if head["version"] == 1:
        return _read_version_1(path, entries, head)
    directory = {
        name: [entry.dtype, list(entry.shape), _own_crc(name, entry.data)] for name, entry in entries.items()
    }
    if metadata.get(_CRC) != _directory_crc(directory, metadata):
        raise InputError(f"{path} is damaged: the checksum of its metadata is another")
    blobs = {name.removeprefix(PREFIX): e for name, e in entries.items() if name.startswith(PREFIX)}
    plain = {name: e for name, e in entries.items() if not name.startswith(PREFIX)}
    listed = str(head.get("plain"))
    _check_names(path, blobs, plain)
    checks = {name: listed[8 * i : 8 * i + 8] for i, name in enumerate(sorted(plain))}
    return OpenContainer(
        encoded=_Blobs(path, blobs),
        plain=_Plain(path, plain, checks),
        info=_texts(head.get("info")),
        metadata={k: v for k, v in metadata.items() if k not in (_KEY, _CRC)},
        scales={name: f"{name}.scale" for name in blobs if f"{name}.scale" in plain}
        | _texts(head.get("scales")),
        path=path,
        size=path.stat().st_size,
    )


def _check_names(path: Path, encoded: Iterable[str], plain: Mapping[str, object]) -> None:
    """Refuse a name that an encoded and a carried tensor have: what is decoded has room for one of them."""
    if twice := next((name for name in encoded if name in plain), None):
        raise InputError(f"{path}: the tensor {twice} must be encoded or carried, not both")


def _texts(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _read_head(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if _KEY not in metadata:
        raise InputError(f"{path} must be a file written by 'xorweave encode': it has no xorweave metadata")
    try:
        head = json.loads(metadata[_KEY])
        version = head["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{path} has xorweave metadata that cannot be read") from None
    if version not in (1, VERSION) or isinstance(version, bool):
        raise InputError(
            f"{path} has container version {version!r:.40}, but this release reads versions 1 and {VERSION}"
        )
    return head


def _read_version_1(path: Path, entries: dict[str, MappedTensor], head: dict[str, Any]) -> Container:
    records, info = head.get("tensors"), head.get("info", {})
    if not isinstance(records, dict) or not isinstance(info, dict):
        raise InputError(f"{path} has xorweave metadata that cannot be read")
    tensors = {
        name: tensor_from_bytes(f"{path}: tensor {name}", entry.dtype, entry.shape, entry.data)
        for name, entry in entries.items()
    }
    encoded = {}
    for name, record in records.items():
        if not isinstance(record, dict):
            raise InputError(f"{path}: tensor {name}: its metadata must be an object")
        try:
            encoded[name] = container_v1.read_tensor(record, tensors, name)
        except InputError as error:
            raise InputError(f"{path}: tensor {name}: {error}") from None
    plain = {name: tensor for name, tensor in tensors.items() if not name.startswith(PREFIX)}
    _check_names(path, encoded, plain)
    scales = {name: f"{name}.scale" for name in encoded if f"{name}.scale" in plain}
    return Container(encoded=encoded, plain=plain, info=_texts(info), scales=scales)
