"""A whole checkpoint: which tensors are encoded, which are carried and why, and all of it into a container."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.shared_code import SharedCode
from xorweave.golden.files.blob import read_blob, side_bits
from xorweave.golden.files.container import Container
from xorweave.golden.files.finished import Finished, StoredBytes
from xorweave.golden.files.prepare import (
    Preparation,
    Prepared,
    is_negative_zero,
    is_quantised,
    scale_names,
    sort_tensors,
)
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.files.smallest import store
from xorweave.golden.files.waiting import FilePart, Waiting
from xorweave.golden.tensor.encode import EncodeOptions
from xorweave.golden.tensor.figures import figures_of

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """Tensors to be encoded, and those that are carried through unchanged.

    Attributes
    ----------
    work : mapping of str to Prepared
        A `Waiting` where tensors are prepared when they are stored.
    plain : dict of str to Tensor
        Carried tensors.
    carried : dict of str to str
        Why each carried tensor is not encoded.
    scales : dict of str to str
        Name of the tensor of scales of each quantised tensor.
    """

    work: Mapping[str, Prepared]
    plain: dict[str, Tensor] = field(default_factory=dict)
    carried: dict[str, str] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)

    def sizes(self) -> dict[str, int]:
        """Return the weights of each tensor to be encoded."""
        if isinstance(self.work, Waiting):
            return self.work.sizes()
        return {name: item.values.size for name, item in self.work.items()}


def prepare_model(tensors: Mapping[str, Tensor], how: Preparation, path: Path | None = None) -> PreparedModel:
    """Tell the tensors that can be encoded from those that are carried.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        All of a file.
    how : Preparation
    path : Path, optional
        The file, where other processes can read it again.

    Raises
    ------
    InputError
        No tensor can be encoded as asked.
    """
    encodable, carried = sort_tensors(tensors, how)
    if len(how.masks) == 1 and len(encodable) == 1:
        # one mask for one tensor needs no name
        how = replace(how, masks={next(iter(encodable)): next(iter(how.masks.values()))})
    quantised = [name for name, tensor in encodable.items() if is_quantised(tensor, how.dtype)]
    return PreparedModel(
        Waiting(encodable, how, path),
        {name: tensors[name] for name in carried},
        carried,
        scale_names(quantised, tensors),
    )


@dataclass(frozen=True, eq=False)
class Job:
    """All that a process needs to store one tensor, and nothing that only this process has.

    Attributes
    ----------
    name : str
    weights : FilePart or Prepared
    choice : Choice
    options : EncodeOptions
    shared : SharedCode or None
    """

    name: str
    weights: FilePart | Prepared
    choice: Choice
    options: EncodeOptions
    shared: SharedCode | None

    def run(self) -> StoredBytes:
        """Store the tensor.

        Raises
        ------
        InputError
            It cannot be encoded as asked; the line names it.
        """
        item = self.weights.prepared() if isinstance(self.weights, FilePart) else self.weights
        zeros = 0
        if item.number_format.is_float:
            zeros = int(np.count_nonzero(is_negative_zero(item.values, item.number_format) & item.mask))
        try:
            stored, blob = store(
                item.values, item.number_format, item.mask, self.choice, self.options, self.shared
            )
        except InputError as error:
            raise InputError(f"tensor {self.name}: {error}") from None
        # counted while the words are at hand: nothing has to be decoded for it
        words = Choice.storable(item.values, item.number_format, item.mask)
        return StoredBytes(blob, item.scale, zeros, figures_of(stored, side_bits(stored, blob), words))


def encode_model(
    model: PreparedModel,
    choice: Choice,
    options: EncodeOptions,
    *,
    info: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    finished: Finished | None = None,
    only: Sequence[str] | None = None,
) -> tuple[Container, int]:
    """Encode a prepared model. The result depends on the model, the choice and the options alone.

    Parameters
    ----------
    choice : Choice
    options : EncodeOptions
        Its `jobs` are threads over tensors, and over segments where there is one tensor.
    info, metadata : mapping of str to str
        How the file was made, and the metadata of the source.
    progress : callable, optional
        Called with a tensor's name and the share of its weights that are done.
    executor : concurrent.futures.Executor, optional
        Where tensors are stored, in place of threads. What travels is picklable: the place of a tensor in its file
        where the model has one, else its values.
    finished : Finished, optional
        Tensors that an earlier run stored are taken from there, and those that this run stores are put there.
    only : sequence of str, optional
        Encode these alone, as they are encoded among all.

    Returns
    -------
    (Container, int)
        And how many kept weights are -0.0.

    Raises
    ------
    InputError
        A tensor cannot be encoded as asked; the line names it.
    ToolError
        A process of the executor ended.
    """
    names = [name for name in model.work if only is None or name in set(only)]
    shared = _shared_code(model.work, choice)
    inner = options if len(model.work) == 1 else replace(options, jobs=1)
    inner = replace(inner, progress=None)
    work, done = model.work, {}
    told = {name: _told(model, name, choice, inner, shared) for name in names} if finished else {}
    for name in names if finished is not None else ():
        stored = finished.get(*told[name])  # type: ignore[union-attr]
        if stored is not None:
            done[name] = stored
            if progress is not None:
                progress(name, 1.0)

    def one(name: str) -> StoredBytes:
        share = (lambda part: progress(name, part)) if progress else None
        return Job(name, work[name], choice, replace(inner, progress=share), shared).run()

    sizes = model.sizes()
    left = sorted((name for name in names if name not in done), key=lambda name: -sizes[name])
    with _pool(executor, options.jobs) as pool:
        futures: dict[Future[StoredBytes], str] = {}
        for name in left:
            if executor is None:
                futures[pool.submit(one, name)] = name
            else:
                part = work.part(name) if isinstance(work, Waiting) else work[name]
                futures[pool.submit(Job.run, Job(name, part, choice, inner, shared))] = name
        try:
            for future in as_completed(futures):
                name = futures[future]
                done[name] = future.result()
                if finished is not None:
                    finished.put(done[name], *told[name])
                if progress is not None:
                    progress(name, 1.0)
        except BaseException as error:
            for future in futures:
                future.cancel()
            if isinstance(error, BrokenProcessPool):
                raise ToolError(
                    "a process that stored tensors ended: it was killed, or had no memory"
                ) from None
            raise
    scales: dict[str, Tensor] = {}
    for name in names:
        scale = done[name].scale
        if scale is not None:
            scales[model.scales[name]] = Tensor.of(scale)
    return (
        Container(
            encoded={name: read_blob(done[name].blob) for name in names},
            plain=model.plain | scales,
            info=dict(info or {}),
            metadata=dict(metadata or {}),
            scales={name: model.scales[name] for name in names if name in model.scales},
            written={name: done[name].blob for name in names},
            counted={
                name: figures for name in names for figures in [done[name].figures] if figures is not None
            },
        ),
        sum(stored.negative_zeros for stored in done.values()),
    )


def _shared_code(work: Mapping[str, Prepared], choice: Choice) -> SharedCode | None:
    """Choose the one code of all tensors, where the goal has one; all are looked at, whichever are encoded here."""
    if choice.goal != "hardware" or choice.code.kind != "auto" or not work:
        return None
    masks: list[tuple[NDArray[np.bool_], int]] = []
    for name in work:
        item = work[name]
        masks.append((item.mask, item.number_format.n_w))
    return SharedCode.choose(masks, overhead=choice.overhead)


def _told(
    model: PreparedModel, name: str, choice: Choice, options: EncodeOptions, shared: SharedCode | None
) -> tuple[str, ...]:
    """Return in words all that the stored bytes of a tensor depend on."""
    code = "" if shared is None else f"{shared.code.spec} {shared.overhead}"
    how = replace(options, jobs=1)
    if isinstance(model.work, Waiting):
        weights = model.work.digest(name)
    else:
        item = model.work[name]
        tensor = Tensor(item.values, item.number_format.name)
        weights = Waiting({name: tensor}, Preparation(masks={name: item.mask})).digest(name)
    return name, weights, str(choice), str(how), code


@contextmanager
def _pool(executor: Executor | None, jobs: int) -> Iterator[Executor]:
    """Lend the executor, which belongs to somebody else, or threads, which end here."""
    if executor is not None:
        yield executor
        return
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        yield pool
