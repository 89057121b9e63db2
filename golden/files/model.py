"""A whole checkpoint: which tensors are encoded, which are carried and why, and all of it into a container."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.shared_code import SharedCode
from xorweave.golden.files.container import Container
from xorweave.golden.files.prepare import Preparation, Prepared, prepare, scale_names, sort_tensors
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.files.smallest import store
from xorweave.golden.tensor.encode import EncodeOptions
from xorweave.golden.tensor.stored import EncodedTensor

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """Tensors ready to be encoded, and those that are carried through unchanged.

    Attributes
    ----------
    work : dict of str to Prepared
    plain : dict of str to Tensor
        Carried tensors, and the scales of quantised ones.
    carried : dict of str to str
        Why each carried tensor is not encoded.
    scales : dict of str to str
        Name of the tensor of scales of each quantised tensor.
    """

    work: dict[str, Prepared]
    plain: dict[str, Tensor] = field(default_factory=dict)
    carried: dict[str, str] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)


def prepare_model(tensors: Mapping[str, Tensor], how: Preparation) -> PreparedModel:
    """Cast, quantise and prune the tensors that can be encoded.

    Raises
    ------
    InputError
        A tensor cannot be cast as asked, or a mask does not fit; the line names the tensor.
    """
    encodable, carried = sort_tensors(tensors, how)
    if len(how.masks) == 1 and len(encodable) == 1:
        # one mask for one tensor needs no name
        how = replace(how, masks={next(iter(encodable)): next(iter(how.masks.values()))})
    work = {name: prepare(name, tensor, how) for name, tensor in encodable.items()}
    plain = {name: tensors[name] for name in carried}
    scales = {name: item.scale for name, item in work.items() if item.scale is not None}
    names = scale_names(scales, tensors)
    plain |= {names[name]: Tensor.of(scale) for name, scale in scales.items()}
    return PreparedModel(work, plain, carried, names)


def encode_model(
    model: PreparedModel,
    choice: Choice,
    options: EncodeOptions,
    *,
    info: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Container:
    """Encode a prepared model.

    Parameters
    ----------
    choice : Choice
    options : EncodeOptions
        Its `jobs` are threads over tensors, and over segments where there is one tensor; the result does not depend
        on them.
    info, metadata : mapping of str to str
        How the file was made, and the metadata of the source.
    progress : callable, optional
        Called with a tensor's name and the share of its weights that are done.

    Raises
    ------
    InputError
        A tensor cannot be encoded as asked; the line names it.
    """
    shared = None
    if choice.goal == "hardware" and choice.code.kind == "auto" and model.work:
        shared = SharedCode.choose(
            [(item.mask, item.number_format.n_w) for item in model.work.values()], overhead=choice.overhead
        )
    inner = options if len(model.work) == 1 else replace(options, jobs=1)

    def one(name: str) -> tuple[EncodedTensor, bytes]:
        item = model.work[name]
        own = replace(inner, progress=(lambda share: progress(name, share)) if progress else None)
        try:
            stored = store(item.values, item.number_format, item.mask, choice, own, shared)
        except InputError as error:
            raise InputError(f"tensor {name}: {error}") from None
        if progress is not None:
            progress(name, 1.0)
        return stored

    encoded: dict[str, EncodedTensor] = {}
    written: dict[str, bytes] = {}
    largest_first = sorted(model.work, key=lambda name: -model.work[name].values.size)
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        try:
            futures = {name: pool.submit(one, name) for name in largest_first}
            for name in model.work:
                encoded[name], written[name] = futures[name].result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return Container(
        encoded=encoded,
        plain=model.plain,
        info=dict(info or {}),
        metadata=dict(metadata or {}),
        scales=dict(model.scales),
        written=written,
    )
