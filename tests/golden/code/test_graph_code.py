import networkx as nx
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xorweave.golden.base.bit_source import BitSource
from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.graph_code import _deal_columns, _draw_edges, graph_structure

SIZES = {"n_in": 32, "n_out": 300, "n_s": 2, "seed": 0, "pool": 160, "run": 4, "start": 3}


def test_outputs_are_edges_of_a_graph_with_even_degrees_and_long_rings() -> None:
    added, edges = graph_structure(**SIZES)
    graph = nx.Graph(edges.tolist())
    assert len(added) == graph.number_of_nodes() == 160
    assert graph.number_of_edges() == len(edges) == 300  # no output twice
    degrees = [degree for _vertex, degree in graph.degree]
    assert max(degrees) - min(degrees) <= 3
    # a random graph of these degrees has rings of three; the Moore bound allows no girth above eight
    assert nx.girth(graph) >= 7
    for a, b in edges:  # neighbours of a run would make an output of a single column
        assert not (abs(a - b) == 1 and a // 4 == b // 4)


def drawn_slowly(source: BitSource, vertices: int, edges: int, run: int) -> list[list[int]] | None:
    """The rule of the drawing in plain words; None where the vertices do not do."""
    joined = nx.empty_graph(vertices)
    beside = nx.Graph([(v, v + 1) for v in range(vertices - 1) if (v + 1) % run])
    beside.add_nodes_from(range(vertices))
    drawn: list[list[int]] = []
    for _ in range(edges):
        degree = dict(joined.degree)
        least = min(degree.values())
        poorest = [v for v in range(vertices) if degree[v] == least]
        a = poorest[source.below(len(poorest))]
        near = nx.single_source_shortest_path_length(nx.compose(joined, beside), a, cutoff=3)
        steps = nx.single_source_shortest_path_length(joined, a)
        distance = [steps.get(v, 2 * vertices) for v in range(vertices)]
        allowed = [v for v in range(vertices) if v not in near] or [
            v for v in range(vertices) if distance[v] > 1
        ]
        allowed = [v for v in allowed if degree[v] <= least + 1] or allowed
        if not allowed:
            return None
        best = max((distance[v], -degree[v]) for v in allowed)
        farthest = [v for v in allowed if (distance[v], -degree[v]) == best]
        b = farthest[source.below(len(farthest))]
        if max(degree[a], degree[b]) >= 4 * edges // vertices + 8:
            return None
        joined.add_edge(a, b)
        drawn.append([a, b])
    return drawn


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 40), st.integers(1, 90), st.integers(1, 5), st.integers(0, 9))
def test_edges_are_drawn_as_in_plain_words(vertices: int, edges: int, run: int, seed: int) -> None:
    slow = drawn_slowly(BitSource(f"test;{seed}"), vertices, edges, run)
    if slow is None:
        with pytest.raises(InputError, match="the pool must hold more sums"):
            _draw_edges(BitSource(f"test;{seed}"), vertices, edges, run)
    else:
        assert _draw_edges(BitSource(f"test;{seed}"), vertices, edges, run).tolist() == slow


class Deck:
    """The rule of the dealing in plain words: columns in random order, each as often as any other."""

    def __init__(self, source: BitSource, columns: list[int]) -> None:
        self.source, self.columns, self.left = source, columns, list[int]()

    def draw(self, without: set[int]) -> int:
        passed: list[int] = []
        while True:
            if not self.left:
                self.left = self.source.shuffled(self.columns)
            column = self.left.pop()
            if column not in without:
                self.left.extend(reversed(passed))
                return column
            passed.append(column)


def dealt_slowly(
    source: BitSource, n_in: int, used: int, pool: int, run: int, start: int
) -> list[tuple[int, ...]]:
    newest, every = Deck(source, list(range(n_in))), Deck(source, list(range(used)))
    oldest = Deck(source, list(range(n_in, used))) if used > n_in else newest
    dealt, held = [], set[int]()
    for j in range(pool):
        if j % run == 0:
            held = set()
            for deck in [newest, oldest, *[every] * (start - 2)]:
                held.add(deck.draw(held))
            dealt.append(tuple(sorted(held)))
        else:
            column = every.draw(held)
            held.add(column)
            dealt.append((column,))
    return dealt


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(0, 30),
    st.integers(8, 90),
    st.integers(1, 9),
    st.integers(2, 4),
    st.integers(0, 9),
)
@example(2, 4, 600, 5, 2, 0)  # a run takes every column: cards passed over pile up
def test_columns_are_dealt_as_in_plain_words(
    n_in: int, older: int, pool: int, run: int, start: int, seed: int
) -> None:
    sizes = (n_in, max(n_in + older, start + run - 1), pool, run, start)
    fast, slow = BitSource(f"test;{seed}"), BitSource(f"test;{seed}")
    assert list(_deal_columns(fast, *sizes)) == dealt_slowly(slow, *sizes)
    assert fast.below(1 << 30) == slow.below(1 << 30)  # neither took a word more


def test_runs_begin_with_the_newest_and_an_older_symbol_and_use_columns_evenly() -> None:
    added, _edges = graph_structure(**SIZES)
    for j, columns in enumerate(added):
        assert len(columns) == (1 if j % 4 else 3)
        if j % 4 == 0:
            assert min(columns) < 32 <= max(columns)
    for start in range(0, 160, 4):
        run = [column for columns in added[start : start + 4] for column in columns]
        assert len(set(run)) == len(run)  # no column added twice would vanish again
    use = np.bincount([column for columns in added for column in columns], minlength=96)
    assert use.min() >= 1


def test_rows_are_the_sums_that_the_edges_join() -> None:
    sizes = {**SIZES, "n_in": 4, "n_out": 30, "pool": 15, "run": 3, "start": 2}
    code = Code.from_family("graph", **sizes)
    added, edges = graph_structure(**sizes)
    sums: list[set[int]] = []
    for j, columns in enumerate(added):
        sums.append(set(columns) ^ (sums[-1] if j % 3 else set()))
    for row, (a, b) in zip(code.generator, edges, strict=True):
        assert set(np.flatnonzero(row).tolist()) == sums[a] ^ sums[b]


def test_history_leaves_the_oldest_columns_out() -> None:
    code = Code.from_family("graph", n_in=16, n_out=120, n_s=2, history=20)
    used = code.generator.any(axis=0)
    assert used[: 16 + 20].all() and not used[16 + 20 :].any()


def test_without_history_there_is_only_the_newest_symbol() -> None:
    code = Code.from_family("graph", n_in=24, n_out=60, n_s=0, start=3)
    assert code.generator.any(axis=0).all()


def test_frozen_check_value() -> None:
    assert Code.from_spec("family=graph,n_in=32,n_out=300,n_s=3,seed=0").check_value == "e6138be1"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"run": 0}, "run must be at least 1, not 0"),
        ({"pool": 5}, "pool must be at least 8, not 5"),
        ({"history": 9}, "history must be between 0 and n_in * n_s = 8, not 9"),
        ({"start": 1}, "start must be between 2 and 13 with runs of 4, not 1"),
        ({"start": 14}, "start must be between 2 and 13 with runs of 4, not 14"),
        ({"pool": 8, "n_out": 60}, "the pool must hold more sums for 60 outputs, not 8"),
    ],
)
def test_what_cannot_be_made_is_refused(parameters: dict[str, int], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Code.from_family("graph", **{"n_in": 8, "n_out": 40, "n_s": 1, **parameters})
    assert str(caught.value) == message


def test_the_shortest_run_is_one() -> None:
    code = Code.from_family("graph", n_in=8, n_out=20, n_s=2, run=1)
    assert (code.generator.sum(axis=1) <= 4).all()  # two sums of two columns each
    with pytest.raises(InputError, match=r"^run must be at least 1, not 0$"):
        Code.from_family("graph", n_in=8, n_out=20, n_s=2, run=0)


@pytest.mark.parametrize("history", [-1, 65])
def test_no_more_history_than_there_is(history: int) -> None:
    with pytest.raises(InputError, match=f"^history must be between 0 and n_in . n_s = 64, not {history}$"):
        graph_structure(**SIZES, history=history)
