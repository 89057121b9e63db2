"""Stored tensors in memory and in files: what `encode` returns and what `open` reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.carried import why_carried
from xorweave.golden.files.container import Container, directory_bytes, write_container
from xorweave.golden.files.outputs import check_output, check_output_folder
from xorweave.golden.files.restore import for_each, restore_tensors
from xorweave.golden.files.safetensors_file import for_loaders, write_safetensors
from xorweave.golden.files.sharded import ShardedContainer, decode_sharded, read_together, write_sharded
from xorweave.golden.files.shards import shard_files
from xorweave.golden.tensor.figures import Figures, total_record
from xorweave.golden.tensor.random_access import decode_block, decode_rows
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.library.gates import estimated_gates
from xorweave.library.tensor_record import record_of

if TYPE_CHECKING:
    from xorweave.hw.decoders.gate_estimate import DecoderGates
    from xorweave.library.products import StoredMatrix

AnyPath = str | PathLike[str]


def path_of(value: object, what: str) -> Path:
    """Return a path; refuse what is none.

    Raises
    ------
    InputError
        The value is neither text nor a path.
    """
    if not isinstance(value, str | PathLike):
        raise InputError(f"{what} must be a path, not {type(value).__name__}")
    return Path(value)


class NoSuchTensor(InputError, KeyError):
    """There is no stored tensor of that name."""

    def __str__(self) -> str:
        return str(self.args[0])


class TensorFigures(Mapping[str, Any]):
    """The figures of a stored tensor, by name: ``figures["overhead"]`` or ``figures.overhead``.

    The names are those of ``xorweave inspect --json``.
    """

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = dict(record)

    def __getitem__(self, name: str) -> Any:
        return self._record[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._record)

    def __len__(self) -> int:
        return len(self._record)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._record:
            raise AttributeError(
                f"figures have no {name!r}, only {', '.join(self.__dict__.get('_record', ()))}"
            )
        return self._record[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._record]

    def __repr__(self) -> str:
        return f"TensorFigures({self._record})"

    def to_dict(self) -> dict[str, Any]:
        """Return them as a dict."""
        return dict(self._record)


class StoredTensor:
    """One stored tensor: a name in a container. What it holds is read when it is asked for.

    >>> import numpy as np
    >>> import xorweave as xw
    >>> fc1 = xw.encode(np.eye(64, dtype=np.int8), goal="hardware")["weights"]
    >>> fc1
    StoredTensor('weights', shape=(64, 64), dtype='int8')
    >>> fc1.rows(10, 12).argmax(axis=1)
    array([10, 11])
    >>> (fc1 @ np.arange(64)).sum()
    np.int64(2016)
    """

    def __init__(self, container: Container, name: str) -> None:
        self._container, self.name = container, name

    @property
    def tensor(self) -> EncodedTensor:
        """Its parts: scan, mask coder, value coder, groups, patches."""
        return self._container.encoded[self.name]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what it decodes to."""
        return self.tensor.shape

    @property
    def dtype(self) -> str:
        """Number format: ``int4``, ``int8``, ``fp16``, ``bf16``, ``fp32`` ..."""
        return self.tensor.number_format.name

    @property
    def scale(self) -> NDArray | None:
        """What a quantised weight is multiplied with: float32, shape (1,) or (rows,); None if it was not quantised."""
        name = self._container.scales.get(self.name)
        return None if name is None else self._container.plain[name].values

    @property
    def blocks(self) -> int:
        """Number of blocks of its stream."""
        return self.tensor.blocks

    @cached_property
    def counted(self) -> Figures:
        """Its bits as they are counted; the tensor is decoded for it."""
        return self._container.figures(self.name)

    @cached_property
    def figures(self) -> TensorFigures:
        """Its figures, ratios included; the tensor is decoded for it."""
        record = self._container.records.get(self.name)
        return TensorFigures(record or record_of(self.name, self.tensor, self.counted, self.gates))

    @cached_property
    def gates(self) -> DecoderGates | str:
        """Estimated gates of its decoder, by part; in words why there is no estimate."""
        return estimated_gates({self.name: self.tensor})

    def decode(self) -> NDArray:
        """Decode all of it: bit for bit what was encoded; INT4 in int8, BF16 as its bits in uint16.

        Raises
        ------
        InputError
            What is stored was damaged.
        """
        return self._container.decode(self.name)

    def rows(self, first: int, last: int) -> NDArray:
        """Decode rows first .. last - 1 (of the first dimension), reading only blocks that hold weights of theirs.

        With a row-major scan these are neighbours, and one window before them is all that is read besides. The scan
        ``lanes`` spreads a row over a block for each column (which serve all rows of as many lanes), and ``affine``
        scatters it over the stream: there every block that is read brings its window. Checksums, which are of whole
        tensors, are not looked at: `verify` does.

        Raises
        ------
        InputError
            There are no such rows.
        """
        return decode_rows(self.tensor, _whole(first, "rows"), _whole(last, "rows"))

    def block(self, number: int) -> NDArray:
        """Decode one block: n_out weights in the order of the scan (the last block's fewer).

        Raises
        ------
        InputError
            There is no such block.
        """
        return decode_block(self.tensor, _whole(number, "the block"))

    def __matmul__(self, other: Any) -> NDArray:
        return self._matrix @ other

    @cached_property
    def _matrix(self) -> StoredMatrix:
        return self.matrix()  # kept: a kernel's layout of it takes as long as hundreds of products

    def matrix(self, on: str = "cpu", *, threads: int | None = None) -> StoredMatrix:
        """Return it as a linear operator; see `xorweave.matrix`."""
        from xorweave.library.products import matrix

        return matrix(self, on=on, threads=threads)

    def __repr__(self) -> str:
        return f"StoredTensor({self.name!r}, shape={self.shape}, dtype={self.dtype!r})"


def _whole(value: object, what: str) -> int:
    try:
        return value.__index__()  # type: ignore[attr-defined]
    except AttributeError:
        raise InputError(f"{what} must be given by integers, not {value!r:.40}") from None


class Encoded(Mapping[str, StoredTensor]):
    """Stored tensors by name, and what lies beside them.

    Attributes
    ----------
    container : Container
    remarks : tuple of str
        What the one who encodes should know.
    paths : tuple of Path
        Where it lies: a file or several, or a folder or its index.
    options : str
        The text of an options file that gives the same bytes of the same source; empty where that is not known.
    """

    def __init__(
        self,
        container: Container,
        carried: Mapping[str, str] | None = None,
        remarks: tuple[str, ...] = (),
        paths: Sequence[Path] = (),
        options: str = "",
    ) -> None:
        self.container, self.remarks, self.paths, self.options = container, remarks, tuple(paths), options
        self._carried = carried
        self._handles: dict[str, StoredTensor] = {}

    @cached_property
    def carried(self) -> dict[str, str]:
        """What is not encoded, and why; of an opened file told from what it holds."""
        return dict(self._carried) if self._carried is not None else why_carried(self.container)

    @property
    def files(self) -> list[Path]:
        """The files it lies in."""
        return [file for path in self.paths for file in _files(path)]

    def __getitem__(self, name: str) -> StoredTensor:
        if name not in self.container.encoded:
            known = ", ".join(list(self.container.encoded)[:8]) or "none"
            raise NoSuchTensor(f"the stored tensors are {known}, not {name!r}")
        return self._handles.setdefault(name, StoredTensor(self.container, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.container.encoded)

    def __len__(self) -> int:
        return len(self.container.encoded)

    def __repr__(self) -> str:
        return f"Encoded({', '.join(self)}; {len(self.container.plain)} carried)"

    @property
    def metadata(self) -> dict[str, str]:
        """Metadata of the source."""
        return self.container.metadata

    def save(self, path: AnyPath, *, force: bool = False, sharded: bool = False) -> int:
        """Write the container file, and return its size in bytes. The file appears whole or not at all.

        Parameters
        ----------
        path : path
            Named .safetensors; a folder where it is sharded.
        force : bool
            Replace a file of another kind.
        sharded : bool
            Write files as the source's, with their index. The source was a folder of safetensors files.

        Raises
        ------
        InputError
            The path cannot be written to, or there is nothing to shard by.
        """
        out = path_of(path, "the output")
        if sharded:
            check_output_folder(out)
            write_sharded(out, self.container)
        else:
            check_output(out, force=force)
            write_container(out, self.container)
        self.paths = (out,)
        return sum(file.stat().st_size for file in self.files)

    def decode(self, *, dequantized: bool = False, jobs: int = 1) -> dict[str, NDArray]:
        """Decode everything, checksums checked, what is carried included.

        Parameters
        ----------
        dequantized : bool
            Quantised tensors become float32 with their scales, which then are left out.
        jobs : int
            Threads, over tensors.

        Raises
        ------
        InputError
            What is stored was damaged; the line names the tensor.
        """
        restored = restore_tensors(self.container, dequantized=dequantized, jobs=jobs)
        return {name: tensor.values for name, tensor in restored.items()}

    def write_decoded(
        self,
        path: AnyPath,
        *,
        dequantized: bool = False,
        jobs: int = 1,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Write what `decode` gives as an ordinary safetensors file, with the source's metadata.

        Of a sharded container: a folder of files of the same names, with their index. Loaders want metadata to say a
        ``format``: where the source's do not, it is ``pt``.

        Raises
        ------
        InputError
            As of `decode`; or the path cannot be written to.
        """
        out = path_of(path, "the output")
        if self.is_sharded:
            check_output_folder(out)
            decode_sharded(out, self.container, dequantized=dequantized, jobs=jobs, progress=progress)
            return
        restored = restore_tensors(self.container, dequantized=dequantized, jobs=jobs, progress=progress)
        write_safetensors(out, restored, for_loaders(self.container.metadata))

    @property
    def is_sharded(self) -> bool:
        """Whether it was opened from a folder, and is decoded to one."""
        return isinstance(self.container, ShardedContainer)

    def summary(self) -> dict[str, Any]:
        """Return the figures of every tensor and of all together, as ``xorweave inspect --json`` prints them."""
        counted = [self[name].counted for name in self]
        directory = 8 * sum(directory_bytes(file) for file in self.files)
        return {
            "tensors": [self[name].figures.to_dict() for name in self],
            "total": total_record(counted, directory),
            "carried": dict(self.carried),
        }


def _files(path: Path) -> list[Path]:
    """Return the files of a container, which may be a folder or the index of one."""
    return shard_files(path)[1] if path.is_dir() or path.suffix == ".json" else [path]


def open_container(path: AnyPath, *more: AnyPath) -> Encoded:
    """Open a container that was saved, or written by ``xorweave encode``: a file, or a folder of them. Nothing is
    decoded yet.

    Several files are opened as one model: the parts that ``encode --shard`` wrote, or shards that were encoded one by
    one. A file is mapped: a tensor's header is read when the tensor is asked for, its symbols when they are decoded.

    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> import xorweave as xw
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "m.safetensors"
    >>> size = xw.encode({"fc1": np.eye(64, dtype=np.int8)}, goal="hardware").save(file)
    >>> opened = xw.open(file)
    >>> list(opened), int(opened["fc1"].decode().sum())
    (['fc1'], 64)

    Raises
    ------
    InputError
        A file is not there, is damaged, or is no xorweave container; or two hold a tensor of one name.
    """
    files = [path_of(one, "the container") for one in (path, *more)]
    return Encoded(read_together(files), paths=files)


@dataclass(frozen=True)
class Verified:
    """What `verify` found right: how many encoded tensors, how many weights in them, and how many carried ones."""

    tensors: int
    weights: int
    carried: int


def verify(
    source: Encoded | AnyPath, *, jobs: int = 1, progress: Callable[[float], None] | None = None
) -> Verified:
    """Check every checksum of a container, and decode everything in it.

    Parameters
    ----------
    source : Encoded or path
    jobs : int
        Threads, over tensors.
    progress : callable, optional
        Called with the share that is done.

    Raises
    ------
    InputError
        What is stored was damaged (the line names the tensor), or the file is of version 1, which has no checksums.
    """
    opened = source if isinstance(source, Encoded) else open_container(source)
    container = opened.container
    weights = 0
    for name, _ in for_each(container.work(), container.verify, jobs=jobs, progress=progress):
        weights += container.encoded[name].n
    for name in container.plain:
        container.plain[name]
    if not all(container.encoded[name].is_checked for name in container.encoded):
        what = "the container" if isinstance(source, Encoded) else str(source)
        raise InputError(
            f"{what} was decoded, but has version 1, which stores no checksums: encode again to have them"
        )
    return Verified(len(container.encoded), weights, len(container.plain))
