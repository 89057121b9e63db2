"""Local search on a finished network: take one sum away, repair with another, for as long as the size does not grow.

The state is the *set* of sums (linear forms over the inputs) that the network makes; which gate makes which sum from
which pair is left open and found anew for every state. A set is a network of as many gates if every sum can be reached
from the inputs by adding two sums already reached. Two moves: a sum that can be taken away without cutting off an
output is dropped; otherwise every sum w = u + a that could reconnect (u cut off, a still reached, w the sum of two
others) is tried in its place. Most moves keep the size: it is the walk over such plateaus, through networks that
cancel, that gets past the greedy methods' local optima (compare Xiang et al., ToSC 2020(2), for in-place programs, and
Tan and Peyrin, TCHES 2020(1), "localOpt").

A sum is held as a 64-bit fingerprint, the XOR of random words given to its inputs, so that its cost does not depend on
the number of inputs. Two different sums share a fingerprint with probability 2**-64; the caller checks the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.hw.xor_network import Gate, XorNetwork

_NONE = -1


@njit(cache=True)
def _find(keys, key):  # type: ignore[no-untyped-def]
    """Where the fingerprint is, or the free place (key 0) where it belongs."""
    mask = np.uint64(keys.size - 1)
    place = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(24) & mask
    while keys[place] != 0 and keys[place] != key:
        place = (place + np.uint64(1)) & mask
    return np.int64(place)


@njit(cache=True)
def _rebuilt(keys, pairs, slots):  # type: ignore[no-untyped-def]
    """The table without the entries that stand for nothing any more, at most a quarter full."""
    live = 0
    for i in range(keys.size):
        if keys[i] != 0 and (pairs[i] > 0 or slots[i] >= 0):
            live += 1
    size = 1024
    while size < 4 * live:
        size *= 2
    new_keys = np.zeros(size, np.uint64)
    new_pairs = np.zeros(size, np.int32)
    new_slots = np.full(size, _NONE, np.int32)
    for i in range(keys.size):
        if keys[i] != 0 and (pairs[i] > 0 or slots[i] >= 0):
            place = _find(new_keys, keys[i])
            new_keys[place], new_pairs[place], new_slots[place] = keys[i], pairs[i], slots[i]
    return new_keys, new_pairs, new_slots, live


@njit(cache=True)
def _unlink(first, second, degree, slot, gone):  # type: ignore[no-untyped-def]
    """Take the triple that holds `gone` out of the list of `slot`."""
    last = degree[slot] - 1
    for i in range(last + 1):
        if first[slot, i] == gone or second[slot, i] == gone:
            first[slot, i], second[slot, i] = first[slot, last], second[slot, last]
            degree[slot] = last
            return


@njit(cache=True)
def _reach(
    inputs, first, second, degree, banned, extra, partner, with_extra, limit, level, done, queue
):  # type: ignore[no-untyped-def]
    """Level of every sum that can be reached without `banned` within `limit`, -1 for the others; breadth first.

    Sums leave the queue by level, so that the first pair to reach a sum is one of least depth. With `with_extra` the
    sum `extra` counts too: ``partner[x]`` is the sum that makes it together with x.
    """
    level[:] = -1
    done[:] = False
    tail = inputs
    for i in range(inputs):
        queue[i] = i
        level[i] = 0
    head = 0
    while head < tail:
        x = queue[head]
        head += 1
        done[x] = True
        above = level[x] + 1
        if above > limit:
            continue
        if x == extra:
            for y in range(partner.size):
                z = partner[y]
                if z >= 0 and done[y] and level[z] < 0 and z != banned:
                    level[z] = above
                    queue[tail] = z
                    tail += 1
            continue
        for i in range(degree[x]):
            y, z = first[x, i], second[x, i]
            if done[y]:
                if level[z] < 0 and z != banned:
                    level[z] = above
                    queue[tail] = z
                    tail += 1
            elif done[z] and level[y] < 0 and y != banned:
                level[y] = above
                queue[tail] = y
                tail += 1
        if with_extra and partner[x] >= 0:
            y = partner[x]
            if done[y]:
                if level[extra] < 0:
                    level[extra] = above
                    queue[tail] = extra
                    tail += 1
            elif level[extra] >= 0 and done[extra] and level[y] < 0 and y != banned:
                level[y] = above
                queue[tail] = y
                tail += 1
    return tail


@njit(cache=True)
def _walk(start, inputs, targets, moves, limit, climb, seed):  # type: ignore[no-untyped-def]
    """Walk `moves` steps from the sums `start` (inputs first, then targets, then the rest); returns the best sums."""
    np.random.seed(seed)
    fixed = inputs + targets
    capacity = start.size + 8
    prints = np.zeros(capacity, np.uint64)
    keys = np.zeros(1024, np.uint64)
    pairs = np.zeros(1024, np.int32)
    slots = np.full(1024, _NONE, np.int32)
    used = 0
    wide = 16
    first = np.zeros((capacity, wide), np.int32)
    second = np.zeros((capacity, wide), np.int32)
    degree = np.zeros(capacity, np.int32)
    members = np.empty(capacity, np.int32)  # the slots in use
    where = np.full(capacity, _NONE, np.int32)  # a slot's place among them
    free = np.empty(capacity, np.int32)
    frees = 0
    for s in range(capacity - 1, -1, -1):
        free[frees] = s
        frees += 1
    count = 0
    level = np.empty(capacity, np.int32)
    before = np.empty(capacity, np.int32)
    trial = np.empty(capacity, np.int32)
    done = np.empty(capacity, np.bool_)
    queue = np.empty(capacity + 1, np.int32)
    partner = np.full(capacity, _NONE, np.int32)
    candidates = np.empty(4096, np.uint64)
    best = start.copy()
    best_count = start.size
    best_depth = np.int64(1 << 30)
    to_add = start.copy()
    adding = start.size
    to_drop = np.empty(capacity, np.int32)
    step = -1
    while True:
        # apply what the last step decided
        dropping = 0
        if step >= 0:
            pass
        for i in range(adding):
            new = to_add[i]
            frees -= 1
            x = free[frees]
            prints[x] = new
            degree[x] = 0
            if 2 * (used + count + 2) > keys.size:
                keys, pairs, slots, used = _rebuilt(keys, pairs, slots)
                if 2 * (used + count + 2) > keys.size:
                    larger = np.zeros(keys.size * 4, np.uint64)
                    larger_pairs = np.zeros(keys.size * 4, np.int32)
                    larger_slots = np.full(keys.size * 4, _NONE, np.int32)
                    for j in range(keys.size):
                        if keys[j] != 0:
                            place = _find(larger, keys[j])
                            larger[place] = keys[j]
                            larger_pairs[place], larger_slots[place] = pairs[j], slots[j]
                    keys, pairs, slots = larger, larger_pairs, larger_slots
            place = _find(keys, new)
            if keys[place] == 0:
                keys[place] = new
                used += 1
            slots[place] = x
            for j in range(count):
                a = members[j]
                key = new ^ prints[a]
                place = _find(keys, key)
                if keys[place] == 0:
                    keys[place] = key
                    used += 1
                pairs[place] += 1
                b = slots[place]
                if b > a or (b >= 0 and b < a and False):
                    if max(degree[x], max(degree[a], degree[b])) + 1 >= wide:
                        wider = np.zeros((capacity, 2 * wide), np.int32)
                        wider[:, :wide] = first
                        first = wider
                        wider = np.zeros((capacity, 2 * wide), np.int32)
                        wider[:, :wide] = second
                        second = wider
                        wide *= 2
                    first[x, degree[x]], second[x, degree[x]] = a, b
                    first[a, degree[a]], second[a, degree[a]] = x, b
                    first[b, degree[b]], second[b, degree[b]] = x, a
                    degree[x] += 1
                    degree[a] += 1
                    degree[b] += 1
            members[count] = x
            where[x] = count
            count += 1
        adding = 0
        if step >= 0 or True:
            _reach(inputs, first, second, degree, _NONE, _NONE, partner, False, limit, before, done, queue)
            depth = 0
            for t in range(inputs, fixed):
                depth = max(depth, before[t])
            if count < best_count or (count == best_count and depth < best_depth):
                best_depth = depth
                best_count = count
                for j in range(count):
                    best[j] = prints[members[j]]
        # next proposal; `before` holds the levels of the present state
        accepted = False
        while not accepted:
            step += 1
            if step >= moves or count == fixed:
                return best[:best_count]
            if climb > 0 and count < best_count + climb and np.random.random() < 0.01:
                a = members[np.random.randint(count)]
                b = members[np.random.randint(count)]
                key = prints[a] ^ prints[b]
                if a != b:
                    place = _find(keys, key)
                    if slots[place] < 0 and pairs[place] >= 2 and frees > 1:
                        to_add[0] = key
                        adding = 1
                        accepted = True
                continue
            v = members[np.random.randint(count)]
            if v < fixed:
                continue
            tail = _reach(inputs, first, second, degree, v, _NONE, partner, False, limit, level, done, queue)
            cut = 0
            for t in range(inputs, fixed):
                if level[t] < 0:
                    cut += 1
            if cut == 0:  # v, and what hung on it alone, is not needed
                for j in range(count):
                    if level[members[j]] < 0:
                        to_drop[dropping] = members[j]
                        dropping += 1
                accepted = True
                break
            # every single sum that may reconnect
            found = 0
            for j in range(count):
                u = members[j]
                if level[u] >= 0 or u == v:
                    continue
                for i in range(tail):
                    key = prints[u] ^ prints[queue[i]]
                    place = _find(keys, key)
                    if pairs[place] >= 2 and slots[place] < 0 and found < candidates.size:
                        candidates[found] = key
                        found += 1
            while found > 0:
                pick = np.random.randint(found)
                key = candidates[pick]
                found -= 1
                candidates[pick] = candidates[found]
                x = free[frees - 1]  # a slot not in use stands for the new sum
                for j in range(count):
                    a = members[j]
                    place = _find(keys, key ^ prints[a])
                    b = slots[place]
                    partner[a] = b if b != v and a != v else _NONE
                _reach(inputs, first, second, degree, v, x, partner, True, limit, trial, done, queue)
                whole = trial[x] >= 0
                for t in range(inputs, fixed):
                    if trial[t] < 0:
                        whole = False
                if whole:
                    for j in range(count):
                        if trial[members[j]] < 0:
                            to_drop[dropping] = members[j]
                            dropping += 1
                    to_add[0] = key
                    adding = 1
                    accepted = True
                for j in range(count):
                    partner[members[j]] = _NONE
                if accepted:
                    break
        for i in range(dropping):
            v = to_drop[i]
            for j in range(degree[v]):
                _unlink(first, second, degree, first[v, j], v)
                _unlink(first, second, degree, second[v, j], v)
            degree[v] = 0
            last = members[count - 1]
            members[where[v]] = last
            where[last] = where[v]
            where[v] = _NONE
            count -= 1
            slots[_find(keys, prints[v])] = _NONE
            for j in range(count):
                pairs[_find(keys, prints[v] ^ prints[members[j]])] -= 1
            free[frees] = v
            frees += 1


@dataclass(frozen=True)
class _Sums:
    """The different sums of a network as fingerprints: inputs, then outputs that are neither, then the others."""

    words: NDArray[np.uint64]
    inputs: int
    targets: int
    outputs: tuple[int, ...]  # fingerprint of every output, 0 for an empty one


def _fingerprints(network: XorNetwork, seed: int) -> _Sums:
    units = np.random.default_rng(seed).integers(1, 1 << 63, network.inputs, dtype=np.uint64)
    words = [int(w) for w in units]
    for a, b in network.gates:
        words.append(words[a] ^ words[b])
    outputs = tuple(0 if s is None else words[s] for s in network.outputs)
    inputs = set(words[: network.inputs])
    targets = [w for w in dict.fromkeys(outputs) if w and w not in inputs]
    others = [w for w in dict.fromkeys(words) if w and w not in inputs and w not in set(targets)]
    order = words[: network.inputs] + targets + others
    return _Sums(np.array(order, np.uint64), network.inputs, len(targets), outputs)


def _network_of(sums: NDArray[np.uint64], inputs: int, outputs: tuple[int, ...]) -> XorNetwork:
    """Reach every sum from the inputs, breadth first, and write down the gate that reached it."""
    words = [int(w) for w in sums]
    wanted = set(words)
    signal = {w: i for i, w in enumerate(words[:inputs])}
    reached = words[:inputs]
    gates: list[Gate] = []
    front = list(reached)
    done: list[int] = []
    while front:
        following: list[int] = []
        for x in front:
            for y in done:
                z = x ^ y
                if z in wanted and z not in signal:
                    signal[z] = inputs + len(gates)
                    gates.append((signal[x], signal[y]))
                    following.append(z)
            done.append(x)
        front = following
    return XorNetwork(inputs, tuple(gates), tuple(signal[w] if w else None for w in outputs))


def plateau_search(
    network: XorNetwork,
    *,
    moves: int,
    depth_limit: int | None = None,
    climb: int = 1,
    seed: int = 0,
) -> XorNetwork:
    """Make a network smaller, or as small and shallower, by a random walk over networks of about its size.

    Parameters
    ----------
    network : XorNetwork
    moves : int
        Proposals to try; a proposal costs about as many table look-ups as the network has signals.
    depth_limit : int, optional
        No output may be deeper; the network given must keep to it.
    climb : int
        How many gates more than the smallest seen the walk may carry for a while.
    seed : int

    Returns
    -------
    XorNetwork
        The smallest seen, and of those the shallowest; never worse than the network given.
    """
    sums = _fingerprints(network, seed)
    limit = (1 << 30) if depth_limit is None else depth_limit
    best = _walk(sums.words, sums.inputs, sums.targets, moves, limit, climb, seed)
    found = _network_of(best, sums.inputs, sums.outputs).pruned()
    return min(network.pruned(), found, key=lambda n: (n.xor2, n.depth))
