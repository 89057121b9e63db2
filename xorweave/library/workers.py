"""Where the tensors of a model are encoded: threads, processes of this machine, or a cluster's workers."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path

from xorweave.cached_kernels import load_cached_kernels_alone
from xorweave.golden.base.errors import InputError

# A process takes a second to start: below so many bytes threads are done before. Raw planes under a bitmap are found
# some sixty times as fast as the default format, mostly by kernels, which threads share.
_WORTH_PROCESSES = 16 << 20
_WORTH_PROCESSES_RAW = 1 << 30
_METHOD = "forkserver"  # fork would copy the locks of threads that are not there afterwards
_LOADED = ("xorweave.golden.files.model", "xorweave.library.tensor_record", "xorweave.hw.decoders.config_for")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shard_of_job(shard: str | None) -> str | None:
    """Return a shard as ``i/n``; ``slurm`` stands for the place of this job in its array.

    Raises
    ------
    InputError
        It is ``slurm``, and this is no job of an array.
    """
    if shard != "slurm":
        return shard
    names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT")
    try:
        task, first, count = (int(os.environ[name]) for name in names)
    except (KeyError, ValueError):
        raise InputError(f"the shard may be slurm only in a job array, where {names[0]} is set") from None
    return f"{task - first + 1}/{count}"


def load_ahead(
    sources: Sequence[Path], jobs: int, scheduler: str | None = None, *, raw: bool = False
) -> bool:
    """Start to load what processes of this machine need, while this one loads the same; whether `workers` uses them."""
    least = _WORTH_PROCESSES_RAW if raw else _WORTH_PROCESSES
    if scheduler is not None or jobs <= 1 or sum(map(_bytes_of, sources)) < least:
        return False
    multiprocessing.get_context(_METHOD).set_forkserver_preload(list(_LOADED))
    forkserver.ensure_running()
    return True


@contextmanager
def workers(
    sources: Sequence[Path], jobs: int, scheduler: str | None = None, *, raw: bool = False
) -> Iterator[Executor | None]:
    """Lend an executor for the tensors of files, or None where threads of this process serve as well.

    Parameters
    ----------
    sources : sequence of Path
    jobs : int
        Processes of this machine.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers see the same files (extra ``cluster``).
    raw : bool
        Whether all tensors are stored as raw planes under a bitmap.

    Raises
    ------
    InputError
        There is no such scheduler, or the extra is not installed.
    """
    if scheduler is not None:
        with _dask(scheduler) as executor:
            yield executor
    elif load_ahead(sources, jobs, scheduler, raw=raw):
        context = multiprocessing.get_context(_METHOD)
        pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=load_cached_kernels_alone)
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    else:
        yield None


@contextmanager
def _dask(scheduler: str) -> Iterator[Executor]:
    from distributed import Client  # an extra: its absence is one line that names it

    try:
        client = Client(scheduler, timeout=20)
    except (OSError, ValueError, TimeoutError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"the scheduler {scheduler} must answer: {reason:.200}") from None
    try:
        with client.get_executor() as executor:
            yield executor
    finally:
        client.close()


def _bytes_of(source: Path) -> int:
    if source.is_dir():
        return sum(path.stat().st_size for path in source.iterdir() if path.is_file())
    if source.name.endswith(".json"):
        return _bytes_of(source.parent)
    return source.stat().st_size if source.is_file() else 0
