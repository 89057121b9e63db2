"""The tensors of a container as they were encoded, or as floats again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.container import Container
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.values.quantize import dequantize

_Result = TypeVar("_Result")


def for_each(
    sizes: Mapping[str, int],
    what: Callable[[str], _Result],
    *,
    jobs: int = 1,
    progress: Callable[[float], None] | None = None,
) -> Iterator[tuple[str, _Result]]:
    """Do something with every tensor, in threads, the largest first; what comes of it comes in the tensors' order.

    Parameters
    ----------
    sizes : mapping of str to int
        How much there is to do of each tensor: `Container.work`.
    what : callable
        Called with a name. Kernels let go of the interpreter, so that threads share the work.
    jobs : int
        Threads.
    progress : callable, optional
        Called with the share that is done.

    Raises
    ------
    InputError
        There are no jobs, or `what` raises it: of several that do, the first tensor's.
    """
    if jobs < 1:
        raise InputError(f"jobs must be at least 1, not {jobs}")
    total, done = max(1, sum(sizes.values())), 0
    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        futures = {name: pool.submit(what, name) for name in sorted(sizes, key=lambda name: -sizes[name])}
        for name in sizes:
            result = futures.pop(name).result()
            done += sizes[name]
            if progress is not None:
                progress(done / total)
            yield name, result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def restore_tensors(
    container: Container,
    *,
    dequantized: bool = False,
    jobs: int = 1,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Tensor]:
    """Decode every tensor, checksums checked, and put the carried ones beside them.

    Parameters
    ----------
    dequantized : bool
        Quantised tensors become float32 with their scales, which then are left out.
    jobs, progress
        See `for_each`.

    Raises
    ------
    InputError
        What is stored is damaged, or a scale does not fit its tensor.
    """
    tensors = dict(container.plain)
    for name, values in for_each(container.work(), container.decode, jobs=jobs, progress=progress):
        number_format = container.encoded[name].number_format
        scale_name = container.scales.get(name)
        scale = container.plain.get(scale_name) if scale_name is not None else None
        if not dequantized or scale is None or number_format.name not in ("int8", "int4"):
            tensors[name] = Tensor(values, number_format.safetensors)
            continue
        if scale.dtype != "F32" or scale.values.size not in (1, *values.shape[:1]):
            raise InputError(
                f"{scale_name} must hold one float32, or one for each of {len(values) if values.shape else 1} rows"
            )
        tensors[name] = Tensor(dequantize(values, scale.values), "F32")
        del tensors[str(scale_name)]
    return tensors
