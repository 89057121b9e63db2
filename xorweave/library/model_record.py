"""All that can be said of a stored model: what ``xorweave report`` shows. One source for its page and its JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from xorweave.golden.tensor.care_bits import care_statistics
from xorweave.golden.tensor.figures import figures_of
from xorweave.library.gates import estimated_gates
from xorweave.library.own_codes import OwnCodes, own_codes
from xorweave.library.stored import Encoded


def model_record(encoded: Encoded, *, progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """Return the figures of stored tensors, their care bits, their decoder and what lies beside them, as JSON values.

    Every tensor is decoded once, checksums checked: nothing is estimated but the gates.

    Parameters
    ----------
    progress : callable, optional
        Called with the share of the weights that are done.

    Returns
    -------
    dict
        What `Encoded.summary` returns, and: ``files`` (name, bytes); ``made`` (how, as the file says); ``care`` (by
        tensor, for each group of planes, `CareStatistics`); ``decoder`` (``one``: gates by part of the decoder of all
        tensors, or None, and ``why`` not; ``each``: the same by tensor, None where there is none); ``own_codes``
        (``all`` and ``each``, by tensor: `OwnCodes`; None where no one code was chosen for several); ``beside``
        (carried tensors: dtype, shape, bytes, why); ``decode_seconds``, measured here, None without tensors.

    Raises
    ------
    InputError
        What is stored was damaged; the line names the tensor.
    """
    care, seconds = _decode_once(encoded, _first_half(progress))
    summary = encoded.summary()
    return {
        **summary,
        "files": [{"name": path.name, "bytes": path.stat().st_size} for path in encoded.files],
        "made": dict(encoded.container.info),
        "care": care,
        "decoder": _decoder(encoded),
        "own_codes": own_codes_entry(own_codes(encoded, progress=_second_half(progress))),
        "beside": [_beside(encoded, name, why) for name, why in summary["carried"].items()],
        "decode_seconds": seconds if len(encoded) else None,
    }


def _first_half(progress: Callable[[float], None] | None) -> Callable[[float], None] | None:
    return None if progress is None else lambda share: progress(share / 2)


def _second_half(progress: Callable[[float], None] | None) -> Callable[[float], None] | None:
    return None if progress is None else lambda share: progress((1 + share) / 2)


def _decode_once(
    encoded: Encoded, progress: Callable[[float], None] | None
) -> tuple[dict[str, list[dict[str, Any]]], float]:
    """Decode each tensor, count it and its care bits; return these, and the seconds that decoding took."""
    container, care, seconds, done = encoded.container, {}, 0.0, 0
    total = max(1, sum(encoded[name].tensor.n for name in encoded))
    for name in encoded:
        tensor = container.checked(name)
        if tensor.blocks:
            encoded[name].block(0)  # what has to be compiled is compiled before the clock runs
        started = time.perf_counter()
        values = encoded[name].decode()
        seconds += time.perf_counter() - started
        words = tensor.number_format.to_words(values).reshape(-1)
        if name not in container.counted:
            container.counted[name] = figures_of(tensor, container.side_bits(name), words)
        care[name] = [asdict(group) for group in care_statistics(tensor, words)]
        done += tensor.n
        if progress is not None:
            progress(done / total)
    return care, seconds


def _decoder(encoded: Encoded) -> dict[str, Any]:
    def parts(gates: Any) -> dict[str, Any] | None:
        return None if isinstance(gates, str) else {**asdict(gates), "per_weight": gates.per_weight}

    one = (
        estimated_gates({name: encoded[name].tensor for name in encoded})
        if len(encoded)
        else "no tensor is encoded"
    )
    return {
        "one": parts(one),
        "why": one if isinstance(one, str) else "",
        "each": {name: parts(encoded[name].gates) for name in encoded},
    }


def own_codes_entry(found: tuple[dict[str, OwnCodes], OwnCodes] | None) -> dict[str, Any] | None:
    """Return what `own_codes` found as JSON values."""
    if found is None:
        return None
    each, whole = found
    return {"all": asdict(whole), "each": {name: asdict(costs) for name, costs in each.items()}}


def _beside(encoded: Encoded, name: str, why: str) -> dict[str, Any]:
    """Return a carried tensor's entry; what an encoder left out altogether has neither type nor size."""
    if name not in encoded.container.plain:
        return {"name": name, "dtype": None, "shape": None, "bytes": None, "why": why}
    tensor = encoded.container.plain[name]
    return {
        "name": name,
        "dtype": tensor.dtype,
        "shape": list(tensor.stored_shape),
        "bytes": int(tensor.values.nbytes),
        "why": why,
    }
