"""Local search on a network: take one sum away, repair with another, as long as the size does not grow.

The state is the *set* of sums (linear forms over the inputs) that the network makes; which gate makes which
sum from which pair is left open and found anew for every state. A set is a network of as many gates if
every sum can be reached from the inputs by adding two sums already reached. Two moves: a sum that can be
taken away without cutting off an output is dropped; otherwise every sum w = u + a that could reconnect (u
cut off, a still reached, w the sum of two others) is tried in its place. Most moves keep the size: it is
the walk over such plateaus, through networks that cancel, that gets past the local optima of greedy
methods. Such walks over sets of sums are what the smallest known networks of AES MixColumns come from (see
docs/xor-networks.md); compare also the local rewriting of Xiang et al., ToSC 2020(2), and of Tan and
Peyrin, TCHES 2020(1).

A sum is held as a 64-bit fingerprint, the XOR of random words given to its inputs, so that its cost does not
depend on the number of inputs. Two different sums share a fingerprint with probability 2**-64; the result is
compared with the network it came from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.hw.xor.network import Gate, XorNetwork
from xorweave.hw.xor.random_order import below

_NONE = -1
# A table entry holds the number of pairs in its upper half and the slot + 1 in its lower one.
_PAIR = np.uint64(1 << 32)
_SLOTS = np.uint64((1 << 32) - 1)


@njit(cache=True)
def _find(table, key):  # type: ignore[no-untyped-def]
    """Where the fingerprint is in the table, or the free place (key 0) where it belongs."""
    mask = np.uint64(table.shape[0] - 1)
    place = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(24) & mask
    while table[place, 0] != 0 and table[place, 0] != key:
        place = (place + np.uint64(1)) & mask
    return np.int64(place)


@njit(cache=True)
def _slot(table, key):  # type: ignore[no-untyped-def]
    """Slot of the sum with this fingerprint, -1 if there is none."""
    return np.int64(table[_find(table, key), 1] & _SLOTS) - 1


@njit(cache=True)
def _count_pair(table, key, change):  # type: ignore[no-untyped-def]
    """Count a pair of sums whose XOR is `key` in (1) or out (-1); tells if the key is new to the table."""
    place = _find(table, key)
    fresh = table[place, 0] == 0
    table[place, 0] = key
    if change > 0:
        table[place, 1] += _PAIR
    else:
        table[place, 1] -= _PAIR
    return 1 if fresh else 0


@njit(cache=True)
def _rebuilt(table):  # type: ignore[no-untyped-def]
    """Return the table without the entries that stand for nothing any more, and the number of the others."""
    fresh = np.zeros(table.shape, np.uint64)
    live = 0
    for i in range(table.shape[0]):
        if table[i, 1] != 0:
            place = _find(fresh, table[i, 0])
            fresh[place, 0], fresh[place, 1] = table[i, 0], table[i, 1]
            live += 1
    return fresh, live


@njit(cache=True)
def _add_sum(table, prints, members, where, count, first, second, degree, x, new):  # type: ignore[no-untyped-def]
    """Give the sum with fingerprint `new` the slot x; returns how many table entries it took."""
    taken = 0
    prints[x] = new
    degree[x] = 0
    place = _find(table, new)
    if table[place, 0] == 0:
        table[place, 0] = new
        taken += 1
    table[place, 1] += np.uint64(x + 1)
    for j in range(count):
        a = members[j]
        key = new ^ prints[a]
        taken += _count_pair(table, key, 1)
        b = _slot(table, key)
        if b > a:
            first[x, degree[x]], second[x, degree[x]] = a, b
            first[a, degree[a]], second[a, degree[a]] = x, b
            first[b, degree[b]], second[b, degree[b]] = x, a
            degree[x] += 1
            degree[a] += 1
            degree[b] += 1
    members[count] = x
    where[x] = count
    return taken


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
def _drop_sum(table, prints, members, where, count, first, second, degree, x):  # type: ignore[no-untyped-def]
    """Take the sum in slot x out."""
    for i in range(degree[x]):
        _unlink(first, second, degree, first[x, i], x)
        _unlink(first, second, degree, second[x, i], x)
    degree[x] = 0
    last = members[count - 1]
    members[where[x]] = last
    where[last] = where[x]
    table[_find(table, prints[x]), 1] -= np.uint64(x + 1)
    for j in range(count - 1):
        _count_pair(table, prints[x] ^ prints[members[j]], -1)


@njit(cache=True)
def _reach(inputs, first, second, degree, banned, limit, level, done, queue):  # type: ignore[no-untyped-def]
    """Level of every sum that can be reached without `banned` within `limit`, -1 for the others.

    Sums leave the queue by level, so that the first pair to reach a sum is one of least depth. Returns how
    many are reached; they are the first entries of the queue.
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
    return tail


@njit(cache=True)
def _repairs(  # type: ignore[no-untyped-def]
    table, prints, queue, tail, first, second, degree, cut_off, lost, banned, fixed, key, limit, level
):
    """Whether the sum `key` in place of `banned` reconnects every output; sets levels of what it reaches."""
    level_new = np.int64(0)
    if limit < (1 << 30):  # the level it can be made at
        level_new = limit + 1
        for i in range(tail):
            a = queue[i]
            if level[a] < level_new:
                b = _slot(table, key ^ prints[a])
                if b >= 0 and level[b] >= 0:
                    level_new = min(level_new, max(level[a], level[b]) + 1)
        if level_new > limit:
            return False
    changed = True
    while changed:
        changed = False
        for k in range(lost):
            z = cut_off[k]
            if level[z] >= 0 or z == banned:
                continue
            lowest = limit + 1
            b = _slot(table, key ^ prints[z])
            if b >= 0 and level[b] >= 0:
                lowest = min(lowest, max(level[b], level_new) + 1)
            for i in range(degree[z]):
                y, x = first[z, i], second[z, i]
                if level[y] >= 0 and level[x] >= 0:
                    lowest = min(lowest, max(level[y], level[x]) + 1)
            if lowest <= limit:
                level[z] = lowest
                changed = True
    whole = True
    for k in range(lost):
        whole = whole and (cut_off[k] >= fixed or level[cut_off[k]] >= 0)
    return whole


@njit(cache=True)
def _find_repair(  # type: ignore[no-untyped-def]
    table,
    prints,
    queue,
    tail,
    first,
    second,
    degree,
    cut_off,
    lost,
    banned,
    fixed,
    limit,
    tries,
    level,
    random,
):
    """Return a sum that in place of `banned` reconnects every output, 0 if none was found; sets `level`.

    A sum that can: u + a, with u cut off and a reached, and itself the sum of a pair reached. The table
    counts all pairs that give a sum; those with a sum that is cut off are counted out again here.
    """
    from_u = below(random, lost)
    from_a = below(random, tail)
    for j in range(lost):
        u = cut_off[(from_u + j) % lost]
        if u == banned:
            continue
        for i in range(tail):
            key = prints[u] ^ prints[queue[(from_a + i) % tail]]
            entry = table[_find(table, key), 1]
            if entry < 2 * _PAIR or entry & _SLOTS != 0:
                continue
            good = np.int64(entry >> np.uint64(32))
            for k in range(lost):
                b = _slot(table, key ^ prints[cut_off[k]])
                if b >= 0 and (level[b] >= 0 or b > cut_off[k]):
                    good -= 1
            if good <= 0:
                continue
            if _repairs(
                table,
                prints,
                queue,
                tail,
                first,
                second,
                degree,
                cut_off,
                lost,
                banned,
                fixed,
                key,
                limit,
                level,
            ):
                return key
            for k in range(lost):
                level[cut_off[k]] = _NONE
        tries -= tail
        if tries <= 0:
            break
    return np.uint64(0)


@njit(cache=True)
def _walk(start, inputs, targets, moves, limit, climb, tries, seed):  # type: ignore[no-untyped-def]
    """Walk from the sums `start` (inputs, then targets, then the rest); returns the best set of sums seen."""
    random = np.array([seed], np.uint64)
    fixed = inputs + targets
    capacity = start.size + climb + 2
    prints = np.zeros(capacity, np.uint64)
    size = 1024
    while size < capacity * capacity * 3 // 2:
        size *= 2
    table = np.zeros((size, 2), np.uint64)
    used = 0
    first = np.empty((capacity, capacity // 2 + 1), np.int32)  # a sum's triples: the other two
    second = np.empty((capacity, capacity // 2 + 1), np.int32)
    degree = np.zeros(capacity, np.int32)
    members = np.empty(
        capacity, np.int32
    )  # the slots in use; inputs and targets keep their places, the first
    where = np.full(capacity, _NONE, np.int32)  # a slot's place among them
    count = 0
    for i in range(start.size):
        used += _add_sum(table, prints, members, where, count, first, second, degree, i, start[i])
        count += 1
    free = np.empty(capacity, np.int64)
    frees = 0
    for i in range(start.size, capacity):
        free[frees] = i
        frees += 1
    level = np.empty(capacity, np.int32)
    done = np.empty(capacity, np.bool_)
    queue = np.empty(capacity, np.int32)
    cut_off = np.empty(capacity, np.int32)
    best = start.copy()
    best_count = start.size + 1
    best_depth = 0
    changed = True
    for _ in range(moves):
        if changed:
            _reach(inputs, first, second, degree, _NONE, limit, level, done, queue)
            depth = 0
            for t in range(inputs, fixed):
                depth = max(depth, level[t])
            if count < best_count or (count == best_count and depth < best_depth):
                best_count, best_depth = count, depth
                for j in range(count):
                    best[j] = prints[members[j]]
            if 2 * (used + count) > size:
                table, used = _rebuilt(table)
            changed = False
        if count == fixed:
            break
        new = np.uint64(0)
        lost = 0
        if count < best_count + climb and below(random, 100) == 0:
            # now and then carry a sum more, one that several pairs make
            a = prints[members[below(random, count)]]
            place = _find(table, a ^ prints[members[below(random, count)]])
            if table[place, 1] >= 2 * _PAIR and table[place, 1] & _SLOTS == 0:
                new = table[place, 0]
        else:
            v = members[fixed + below(random, count - fixed)]
            tail = _reach(inputs, first, second, degree, v, limit, level, done, queue)
            broken = False
            for j in range(count):
                u = members[j]
                if level[u] < 0:
                    cut_off[lost] = u
                    lost += 1
                    broken = broken or u < fixed
            if broken:  # else v, and what hung on it alone, is not needed
                new = _find_repair(
                    table, prints, queue, tail, first, second, degree, cut_off, lost, v, fixed, limit,
                    tries, level, random,
                )  # fmt: skip
                if new == 0:
                    continue
        for k in range(lost):
            x = cut_off[k]
            if level[x] < 0:
                _drop_sum(table, prints, members, where, count, first, second, degree, x)
                count -= 1
                free[frees] = x
                frees += 1
                changed = True
        if new != 0:
            frees -= 1
            used += _add_sum(table, prints, members, where, count, first, second, degree, free[frees], new)
            count += 1
            changed = True
    if changed and count < best_count:
        best_count = count
        for j in range(count):
            best[j] = prints[members[j]]
    return best[:best_count]


@dataclass(frozen=True)
class _Sums:
    """The different sums of a network as fingerprints: inputs, then outputs, then the others."""

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
    climb: int = 0,
    tries: int = 4000,
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
    tries : int
        Repairs to look at for a proposal, before it is given up.
    seed : int

    Returns
    -------
    XorNetwork
        The smallest seen, and of those the shallowest; never worse than the network given.
    """
    sums = _fingerprints(network, seed)
    limit = (1 << 30) if depth_limit is None else depth_limit
    best = _walk(sums.words, sums.inputs, sums.targets, moves, limit, climb, tries, seed)
    found = _network_of(best, sums.inputs, sums.outputs).pruned()
    return min(network.pruned(), found, key=lambda n: (n.xor2, n.depth))
