"""What one code for all tensors of a model costs over codes of their own, layer by layer, all of them encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xorweave.golden.choose.choice import Choice
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions
from xorweave.golden.tensor.figures import figures_of
from xorweave.library.stored import Encoded
from xorweave.library.words import DEFAULTS


@dataclass(frozen=True)
class OwnCodes:
    """Overheads of one tensor, (payload + corrections) / care bits - 1; of all, weighted by care bits.

    Attributes
    ----------
    shared : float
        With the code that serves all tensors: as it is stored.
    alike : float
        With a code of its own, chosen by the same rule: few gates, at no more than the overhead asked for.
    fewest : float
        With the code of its own that takes the fewest bits, whatever its gates (raw planes, windows to 256 bits).
    """

    shared: float
    alike: float
    fewest: float


def own_codes(
    encoded: Encoded, *, progress: Callable[[float], None] | None = None
) -> tuple[dict[str, OwnCodes], OwnCodes] | None:
    """Encode every tensor again, with codes of its own, and return what each way costs: by tensor, and for all.

    Parameters
    ----------
    encoded : Encoded
    progress : callable, optional
        Called with the share of the weights that are done.

    Returns
    -------
    (dict of str to OwnCodes, OwnCodes), or None
        None where there is nothing to compare: not several tensors that were encoded with one code for hardware.
    """
    info = encoded.container.info
    if info.get("for") != "hardware" or "code" in info:
        return None
    tensors = {name: encoded[name].tensor for name in encoded}
    # without care bits there is nothing to choose by
    kept = {name: tensor for name, tensor in tensors.items() if tensor.mask.any()}
    if len(kept) < 2:
        return None
    overhead = float(info.get("overhead", DEFAULTS["overhead"]))
    rules = Choice(goal="hardware", overhead=overhead), Choice(values_code="raw", mask_code="bitmap")
    found: dict[str, OwnCodes] = {}
    totals, care, done = np.zeros(3), 0, 0
    for name, tensor in kept.items():
        values = decode_tensor(tensor)
        mask = tensor.scan.from_scan(tensor.mask.reshape(-1)).reshape(values.shape)
        words = tensor.number_format.to_words(values).reshape(-1)
        costs = []
        own = [rule.encode(values, tensor.number_format, mask, EncodeOptions()) for rule in rules]
        for coded in (tensor, *own):
            figures = figures_of(coded, 0, words)
            costs.append(figures.stored_bits / figures.care_bits - 1)
        found[name] = OwnCodes(*costs)
        totals += np.array(costs) * figures.care_bits
        care, done = care + figures.care_bits, done + tensor.n
        if progress is not None:
            progress(done / sum(one.n for one in kept.values()))
    return found, OwnCodes(*(totals / care).tolist())
