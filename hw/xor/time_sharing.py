"""Sharing through time: a sum of old symbol bits may be the registered copy of the same sum made blocks
earlier.

Column ``i * n_in + b`` of the generator is bit b of x_(t-i). If a network makes a sum of columns that are
all at least d blocks old, and also makes the same sum d blocks fresher, d registers can stand for the older
sum and for every gate that nothing else needs. A register costs about three XORs, so that this pays for
sums of many gates only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.hw.xor.network import XorNetwork

XOR2_GATE_EQUIVALENTS = 2.25
FLIP_FLOP_GATE_EQUIVALENTS = 6.5


@dataclass(frozen=True)
class TimeSharedNetwork:
    """An XOR network whose further inputs are registered copies of its own signals.

    Parameters
    ----------
    n_in, n_s : int
        As in the code.
    network : XorNetwork
        Its inputs are the ``n_in * (n_s + 1)`` columns and then one input for each copy.
    copies : tuple of (int, int)
        For each copy its signal in the network and by how many blocks (1 or more) it is delayed. The
        registers are cleared where the shift registers are.
    """

    n_in: int
    n_s: int
    network: XorNetwork
    copies: tuple[tuple[int, int], ...]

    @property
    def xor2(self) -> int:
        """Number of two-input XORs."""
        return self.network.xor2

    @property
    def registers(self) -> int:
        """One-bit registers: each symbol bit as far back as it is used, and each copied signal likewise."""
        used = self.network.fanout
        tapped = {signal for signal, _ in self.copies}
        count = 0
        for bit in range(self.n_in):
            ages = [
                i for i in range(self.n_s + 1) if used[i * self.n_in + bit] or i * self.n_in + bit in tapped
            ]
            count += max(ages, default=0)
        longest: dict[int, int] = {}
        for signal, delay in self.copies:
            longest[signal] = max(longest.get(signal, 0), delay)
        return count + sum(longest.values())

    @property
    def gate_equivalents(self) -> float:
        """Estimated area in NAND2s, of XORs and registers only."""
        return self.xor2 * XOR2_GATE_EQUIVALENTS + self.registers * FLIP_FLOP_GATE_EQUIVALENTS

    def matrix(self) -> NDArray[np.uint8]:
        """Return the generator the network stands for, shape (n_out, n_in * (n_s + 1)).

        Raises
        ------
        InputError
            A copy depends on itself, or on a symbol older than the code has.
        """
        columns = self.n_in * (self.n_s + 1)
        forms: list[NDArray[np.uint8] | None] = [None] * self.network.signals
        for i in range(columns):
            forms[i] = np.zeros(columns, np.uint8)
            forms[i][i] = 1  # type: ignore[index]
        # a copy can be worked out once its signal is, which may need other copies
        waiting = set(range(columns, self.network.signals))
        while waiting:
            ready = set()
            for s in sorted(waiting):
                if s < self.network.inputs:
                    signal, delay = self.copies[s - columns]
                    form = forms[signal]
                    if form is None:
                        continue
                    if form[columns - delay * self.n_in :].any():
                        raise InputError(
                            f"copy {s - columns} must not reach back more than {self.n_s} blocks"
                        )
                    forms[s] = np.roll(form, delay * self.n_in)
                else:
                    left, right = (forms[x] for x in self.network.gates[s - self.network.inputs])
                    if left is None or right is None:
                        continue
                    forms[s] = left ^ right
                ready.add(s)
            if not ready:
                raise InputError("a registered copy must not depend on itself")
            waiting -= ready
        rows = [np.zeros(columns, np.uint8) if s is None else forms[s] for s in self.network.outputs]
        return np.array(rows, np.uint8).reshape(len(rows), columns)


def _without(
    network: XorNetwork, replaced: dict[int, int], columns: int, copies: int
) -> tuple[XorNetwork, list[int]]:
    """Put new inputs, from `columns` on, in the place of signals; also return every signal's new name."""
    name = [s if s < columns else s + copies for s in range(network.signals)]
    for signal, copy in replaced.items():
        name[signal] = columns + copy
    gates = tuple((name[a], name[b]) for a, b in network.gates)
    return XorNetwork(
        columns + copies, gates, tuple(None if s is None else name[s] for s in network.outputs)
    ), name


def time_shared(code: Code, network: XorNetwork) -> TimeSharedNetwork:
    """Replace sums of old columns by registered copies of fresher ones where that saves area.

    Parameters
    ----------
    code : Code
    network : XorNetwork
        Computes ``code.generator``.

    Returns
    -------
    TimeSharedNetwork
        With no copies, if none pays: a copy must save more gate equivalents of XORs than its registers cost.

    Raises
    ------
    InputError
        The network has other inputs or outputs than the generator.
    """
    columns = code.constraint_length
    if (len(network.outputs), network.inputs) != code.generator.shape:
        raise InputError(
            f"the network must have {columns} inputs and {code.n_out} outputs, not {network.inputs} and "
            f"{len(network.outputs)}"
        )
    best = TimeSharedNetwork(code.n_in, code.n_s, network.pruned(), ())
    plain = best.network
    forms: list[int] = [1 << i for i in range(columns)]
    for a, b in plain.gates:
        forms.append(forms[a] ^ forms[b])
    signal_of = {form: s for s, form in reversed(list(enumerate(forms)))}
    cost = [0] * plain.inputs  # gates in a signal's cone, an upper bound of what a copy saves
    for a, b in plain.gates:
        cost.append(1 + cost[a] + cost[b])
    candidates: list[tuple[int, int, int]] = []
    for signal in range(columns, plain.signals):
        for delay in range(1, code.n_s + 1):
            if forms[signal] & ((1 << delay * code.n_in) - 1):
                break
            source = signal_of.get(forms[signal] >> delay * code.n_in)
            if source is not None:
                candidates.append((signal, source, delay))
                break
    candidates.sort(key=lambda c: -cost[c[0]])
    chosen: list[tuple[int, int, int]] = []
    for candidate in candidates:
        if cost[candidate[0]] * XOR2_GATE_EQUIVALENTS <= FLIP_FLOP_GATE_EQUIVALENTS:
            break
        trial = _shared(code, plain, [*chosen, candidate])
        if trial.gate_equivalents < best.gate_equivalents:
            best = trial
            chosen.append(candidate)
    return best


def _shared(code: Code, plain: XorNetwork, chosen: list[tuple[int, int, int]]) -> TimeSharedNetwork:
    columns = code.constraint_length
    replaced = {signal: copy for copy, (signal, _, _) in enumerate(chosen)}
    network, name = _without(plain, replaced, columns, len(chosen))
    # the copied signals are kept alive as outputs while the rest is pruned
    sources = tuple(name[source] for _, source, _ in chosen)
    kept = XorNetwork(network.inputs, network.gates, network.outputs + sources).pruned()
    count = len(network.outputs)
    copies = tuple(
        (signal or 0, delay) for signal, (_, _, delay) in zip(kept.outputs[count:], chosen, strict=True)
    )
    return TimeSharedNetwork(
        code.n_in, code.n_s, XorNetwork(kept.inputs, kept.gates, kept.outputs[:count]), copies
    )
