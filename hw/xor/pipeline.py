"""Cut a network into pipeline stages: which stage each gate works in, and how many registers that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from xorweave.golden.base.errors import InputError
from xorweave.hw.xor.network import XorNetwork


@dataclass(frozen=True)
class PipelineCut:
    """A network with its signals dealt to stages; a register stands wherever a signal passes from stage to
    stage.

    Parameters
    ----------
    network : XorNetwork
    stage_of : tuple of int
        Stage that makes each signal; 0 for inputs. A gate's operands are of its own or of an earlier stage.
    stages : int
        Number of stages, 1 or more. All outputs leave the last one together, ``stages - 1`` clocks after
        the inputs.
    """

    network: XorNetwork
    stage_of: tuple[int, ...]
    stages: int

    @cached_property
    def delays(self) -> tuple[int, ...]:
        """Registers in a row that each signal needs to reach its last reader."""
        last = list(self.stage_of)
        for signal, gate in enumerate(self.network.gates, self.network.inputs):
            for operand in gate:
                last[operand] = max(last[operand], self.stage_of[signal])
        for output in self.network.outputs:
            if output is not None:
                last[output] = self.stages - 1
        return tuple(end - begin for end, begin in zip(last, self.stage_of, strict=True))

    @property
    def registers(self) -> int:
        """Number of one-bit registers, without any for the inputs' and outputs' own sake."""
        return sum(self.delays)

    @property
    def stage_depth(self) -> int:
        """Two-input XORs on the longest way between registers."""
        level = [0] * self.network.signals
        for signal, gate in enumerate(self.network.gates, self.network.inputs):
            here = self.stage_of[signal]
            level[signal] = 1 + max(level[s] if self.stage_of[s] == here else 0 for s in gate)
        return max(level, default=0)


def pipeline_cut(network: XorNetwork, *, max_depth: int) -> PipelineCut:
    """Deal the gates to as few stages as a depth allows, with few registers.

    Parameters
    ----------
    network : XorNetwork
    max_depth : int
        Most two-input XORs in a row within a stage, at least 1.

    Returns
    -------
    PipelineCut
        Of ceil(depth / max_depth) stages. Every gate may stand anywhere between as soon and as late as
        possible; gates are moved one at a time, from both of these ends, for as long as registers are
        saved.

    Raises
    ------
    InputError
        `max_depth` is less than 1.
    """
    if max_depth < 1:
        raise InputError(f"the depth of a stage must be at least 1, not {max_depth}")
    network = network.pruned()
    stages = max(1, -(-network.depth // max_depth))
    final = stages * max_depth
    inputs = network.inputs
    readers: list[list[int]] = [[] for _ in range(network.signals)]
    for signal, gate in enumerate(network.gates, inputs):
        for operand in gate:
            readers[operand].append(signal)
    leaves = {s for s in network.outputs if s is not None}
    latest = [final] * network.signals
    for signal in range(network.signals - 1, inputs - 1, -1):
        for operand in network.gates[signal - inputs]:
            latest[operand] = min(latest[operand], latest[signal] - 1)

    def stage(time: int) -> int:
        return max(0, time - 1) // max_depth

    def cost(signal: int, times: Sequence[int]) -> int:
        ends = [stage(times[r]) for r in readers[signal]]
        if signal in leaves:
            ends.append(stages - 1)
        return max(ends, default=stage(times[signal])) - stage(times[signal])

    def settled(times: list[int]) -> list[int]:
        improved = True
        while improved:
            improved = False
            for signal in [*range(network.signals - 1, inputs - 1, -1), *range(inputs, network.signals)]:
                operands = network.gates[signal - inputs]
                low = max(times[s] for s in operands) + 1
                high = min((times[r] - 1 for r in readers[signal]), default=final)
                now = times[signal]
                near = (*operands, signal)
                before = sum(cost(s, times) for s in near)
                for time in {low, high, *range(low + -low % max_depth, high, max_depth)}:
                    times[signal] = time
                    after = sum(cost(s, times) for s in near)
                    if after < before:
                        before, now, improved = after, time, True
                times[signal] = now
        return times

    early = settled(list(network.levels))
    late = settled([0] * inputs + latest[inputs:])
    cuts = [PipelineCut(network, tuple(stage(t) for t in times), stages) for times in (early, late)]
    return min(cuts, key=lambda cut: cut.registers)
