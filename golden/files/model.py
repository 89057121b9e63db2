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
from xorweave.golden.base.printable import listed
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.shared_code import SharedCode
from xorweave.golden.files.blob import side_bits
from xorweave.golden.files.container import Container, Written
from xorweave.golden.files.finished import Finished, StoredBytes
from xorweave.golden.files.masks_beside import named_masks
from xorweave.golden.files.prepare import (
    Preparation,
    Prepared,
    is_negative_zero,
    is_quantised,
    scale_names,
    sort_tensors,
)
from xorweave.golden.files.recipe import Recipe
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.files.smallest import store
from xorweave.golden.files.waiting import FilePart, Waiting
from xorweave.golden.tensor.encode import EncodeOptions
from xorweave.golden.tensor.figures import Figures, figures_of
from xorweave.golden.tensor.stored import EncodedTensor

Progress = Callable[[str, float], None]
Describe = Callable[[str, EncodedTensor, Figures], dict[str, object]]


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
    remarks : tuple of str
        What the one who encodes should know.
    """

    work: Mapping[str, Prepared]
    plain: dict[str, Tensor] = field(default_factory=dict)
    carried: dict[str, str] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def sizes(self) -> dict[str, int]:
        """Return the weights of each tensor to be encoded."""
        if isinstance(self.work, Waiting):
            return self.work.sizes()
        return {name: item.values.size for name, item in self.work.items()}


def prepare_model(
    tensors: Mapping[str, Tensor],
    how: Preparation,
    places: Mapping[str, Path] | None = None,
    own: Mapping[str, Recipe] | None = None,
    beside: Mapping[str, str] | None = None,
) -> PreparedModel:
    """Tell the tensors that can be encoded from those that are carried.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        All of a file, or of several.
    how : Preparation
    places : mapping of str to Path, optional
        The file of each tensor, where other processes can read it again.
    own : mapping of str to Recipe, optional
        Of tensors that are stored in another way. One that prunes to a sparsity needs no mask.
    beside : mapping of str to str, optional
        Tensors that are no weights, and why.

    Raises
    ------
    InputError
        No tensor can be encoded as asked, or a mask is of none.
    """
    ways = {name: replace(recipe.how, arranged=how.arranged) for name, recipe in (own or {}).items()}
    encodable, carried = sort_tensors(tensors, how, ways, beside)
    how, ways, remarks = _with_masks(how, ways, tensors, encodable)
    quantised = [
        name for name, tensor in encodable.items() if is_quantised(tensor, ways.get(name, how).dtype)
    ]
    return PreparedModel(
        Waiting(encodable, how, places, ways),
        # copies: the file they lie in may be another one by the time they are written
        {name: replace(tensors[name], values=tensors[name].values.copy()) for name in carried},
        carried,
        scale_names(quantised, tensors),
        remarks,
    )


def _with_masks(
    how: Preparation,
    ways: Mapping[str, Preparation],
    tensors: Mapping[str, Tensor],
    encodable: Mapping[str, Tensor],
) -> tuple[Preparation, dict[str, Preparation], tuple[str, ...]]:
    """Give masks to the tensors that they are of; say which tensors have none, and which masks are not used."""
    if not how.masks:
        return how, dict(ways), ()
    shapes = {name: tensor.values.shape for name, tensor in tensors.items()}
    alone = len(how.masks) == len(encodable) == 1  # one mask for one tensor needs no name
    found = named_masks(how.masks, {name: shapes[name] for name in encodable} if alone else shapes)
    remarks = []
    if without := [name for name in encodable if name not in found and ways.get(name, how).sparsity is None]:
        remarks.append(f"no mask is given for {listed(without)}: zeros are the mask there")
    if unused := [name for name in found if name not in encodable]:
        remarks.append(f"the masks of {listed(unused)} are not used: these tensors are carried unchanged")
    masks = {name: mask for name, mask in found.items() if name in encodable}
    own = {name: way if way.sparsity is not None else replace(way, masks=masks) for name, way in ways.items()}
    return replace(how, masks=masks), own, tuple(remarks)


@dataclass(frozen=True, eq=False)
class Job:
    """All that a process needs to store one tensor, and nothing that only this process has.

    Attributes
    ----------
    name : str
    weights : FilePart or Prepared or None
        None where they are not read yet.
    choice : Choice
    options : EncodeOptions
    shared : SharedCode or None
    describe : callable, optional
        What else to say of a tensor that is stored, by its name and figures: a function that can be pickled.
    """

    name: str
    weights: FilePart | Prepared | None
    choice: Choice
    options: EncodeOptions
    shared: SharedCode | None
    describe: Describe | None = None

    def sent(self, model: PreparedModel) -> Job:
        """Return the job with what another process needs to have the weights."""
        part = model.work.part(self.name) if isinstance(model.work, Waiting) else model.work[self.name]
        return replace(self, weights=part)

    def run(self) -> StoredBytes:
        """Store the tensor.

        Raises
        ------
        InputError
            It cannot be encoded as asked; the line names it.
        """
        item = self.weights.prepared() if isinstance(self.weights, FilePart) else self.weights
        assert item is not None
        zeros = 0
        if item.number_format.is_float:
            zeros = int(np.count_nonzero(is_negative_zero(item.values, item.number_format) & item.mask))
        try:
            stored, blob = store(
                item.values,
                item.number_format,
                item.mask,
                self.choice,
                self.options,
                self.shared,
                item.arranged,
            )
        except InputError as error:
            raise InputError(f"tensor {self.name}: {error}") from None
        # counted while the words are at hand: nothing has to be decoded for it
        words = Choice.storable(item.values, item.number_format, item.mask)
        figures = figures_of(stored, side_bits(stored, blob), words)
        record = self.describe(self.name, stored, figures) if self.describe is not None else None
        return StoredBytes(blob, item.scale, zeros, figures, record)


def encode_model(
    model: PreparedModel,
    usual: Recipe,
    *,
    own: Mapping[str, Recipe] | None = None,
    info: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    finished: Finished | None = None,
    only: Sequence[str] | None = None,
    describe: Describe | None = None,
) -> tuple[Container, int]:
    """Encode a prepared model. The result depends on the model, the choices and the options alone.

    Parameters
    ----------
    usual : Recipe
        The `jobs` of its options are threads over tensors, and over segments where there is one tensor; its `how`, and
        that of others, was for `prepare_model`.
    own : mapping of str to Recipe, optional
        Of tensors that are stored in another way.
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
    describe : callable, optional
        Called where a tensor is stored, while its parts are at hand; what it says is in `Container.records`.

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
    jobs = _jobs(model, usual, own or {}, names, describe)
    done: dict[str, StoredBytes] = {}
    told: dict[str, tuple[str, ...]] = {}

    def earlier(name: str) -> StoredBytes | None:
        if finished is None:
            return None
        told[name] = _told(model, jobs[name])
        return finished.get(*told[name])

    def one(name: str) -> StoredBytes:
        stored = earlier(name)
        if stored is None:
            share = (lambda part: progress(name, part)) if progress else None
            job = jobs[name]
            stored = replace(
                job, weights=model.work[name], options=replace(job.options, progress=share)
            ).run()
            if finished is not None:
                finished.put(stored, *told[name])
        return stored

    sizes = model.sizes()
    with _pool(executor, usual.options.jobs) as pool:
        futures: dict[Future[StoredBytes], str] = {}
        try:
            for name in sorted(names, key=lambda name: -sizes[name]):
                if executor is None:
                    futures[pool.submit(one, name)] = name
                elif (stored := earlier(name)) is None:
                    futures[pool.submit(Job.run, jobs[name].sent(model))] = name
                else:
                    done[name] = stored
                    if progress is not None:
                        progress(name, 1.0)
            for future in as_completed(futures):
                name = futures[future]
                done[name] = future.result()
                if executor is not None and finished is not None:
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
    whole = _container(model, {name: done[name] for name in names}, info or {}, metadata or {})
    return whole, sum(stored.negative_zeros for stored in done.values())


def _jobs(
    model: PreparedModel,
    usual: Recipe,
    own: Mapping[str, Recipe],
    names: Sequence[str],
    describe: Describe | None,
) -> dict[str, Job]:
    """Return what is to be done for each tensor, its weights not read yet."""
    recipes = {name: own.get(name, usual) for name in model.work}
    shared = _shared_code(model.work, {name: recipe.choice for name, recipe in recipes.items()})
    alone = len(model.work) == 1
    return {
        name: Job(
            name,
            None,
            recipes[name].choice,
            replace(recipes[name].options, jobs=usual.options.jobs if alone else 1, progress=None),
            shared,
            describe,
        )
        for name in names
    }


def _container(
    model: PreparedModel,
    done: Mapping[str, StoredBytes],
    info: Mapping[str, str],
    metadata: Mapping[str, str],
) -> Container:
    scales: dict[str, Tensor] = {}
    for name, stored in done.items():
        if stored.scale is not None:
            scales[model.scales[name]] = Tensor.of(stored.scale)
    blobs = {name: stored.blob for name, stored in done.items()}
    return Container(
        encoded=Written(blobs),
        plain=model.plain | scales,
        info=dict(info),
        metadata=dict(metadata),
        scales={name: model.scales[name] for name in done if name in model.scales},
        written=blobs,
        counted={name: stored.figures for name, stored in done.items() if stored.figures is not None},
        records={name: stored.record for name, stored in done.items() if stored.record is not None},
    )


def _shared_code(work: Mapping[str, Prepared], choices: Mapping[str, Choice]) -> SharedCode | None:
    """Choose the one code of all tensors that share it; all are looked at, whichever are encoded here."""
    sharing = [name for name in work if choices[name].shares_code and choices[name].code.kind == "auto"]
    if not sharing:
        return None
    masks: list[tuple[NDArray[np.bool_], int]] = []
    for name in sharing:
        item = work[name]
        masks.append((item.mask, item.number_format.n_w))
    return SharedCode.choose(masks, overhead=choices[sharing[0]].overhead)


def _told(model: PreparedModel, job: Job) -> tuple[str, ...]:
    """Return in words all that the stored bytes of a tensor depend on."""
    code = "" if job.shared is None else f"{job.shared.code.spec} {job.shared.overhead}"
    options = replace(job.options, jobs=1)
    if isinstance(model.work, Waiting):
        weights = model.work.digest(job.name)
    else:
        item = model.work[job.name]
        tensor = Tensor(item.values, item.number_format.name)
        arranged = {} if item.arranged is None else {job.name: item.arranged}
        how = Preparation(masks={job.name: item.mask}, arranged=arranged)
        weights = Waiting({job.name: tensor}, how).digest(job.name)
    return job.name, weights, str(job.choice), str(options), code


@contextmanager
def _pool(executor: Executor | None, jobs: int) -> Iterator[Executor]:
    """Lend the executor, which belongs to somebody else, or threads, which end here."""
    if executor is not None:
        yield executor
        return
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        yield pool
