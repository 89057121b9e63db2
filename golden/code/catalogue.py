"""Named codes, each with a frozen check value: the same name means the same gates for ever."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CatalogueEntry:
    """One named code.

    Attributes
    ----------
    spec : str
        The code in words (``Code.from_spec``).
    check_value : str
        ``Code.check_value`` of the matrix, frozen.
    why : str
        What the code is good for.
    """

    spec: str
    check_value: str
    why: str


CATALOGUE: dict[str, CatalogueEntry] = {
    "paper-s60-ns0": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=20,n_s=0,seed=0",
        check_value="59898cbb",
        why="the paper's code for a sparsity of 60 %",
    ),
    "paper-s60-ns1": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=20,n_s=1,seed=1",
        check_value="3d18fa7d",
        why="the paper's code for a sparsity of 60 %",
    ),
    "paper-s60-ns2": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=20,n_s=2,seed=0",
        check_value="74a68150",
        why="the paper's code for a sparsity of 60 %",
    ),
    "paper-s70-ns0": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=26,n_s=0,seed=0",
        check_value="3465acac",
        why="the paper's code for a sparsity of 70 %",
    ),
    "paper-s70-ns1": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=26,n_s=1,seed=0",
        check_value="b7e8a700",
        why="the paper's code for a sparsity of 70 %",
    ),
    "paper-s70-ns2": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=26,n_s=2,seed=0",
        check_value="d35b7cc0",
        why="the paper's code for a sparsity of 70 %",
    ),
    "paper-s80-ns0": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=40,n_s=0,seed=0",
        check_value="d9c0de39",
        why="the paper's code for a sparsity of 80 %",
    ),
    "paper-s80-ns1": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=40,n_s=1,seed=0",
        check_value="54ac3a2d",
        why="the paper's code for a sparsity of 80 %",
    ),
    "paper-s80-ns2": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=40,n_s=2,seed=0",
        check_value="fe11dfdc",
        why="the paper's code for a sparsity of 80 %",
    ),
    "paper-s90-ns0": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=80,n_s=0,seed=0",
        check_value="6b22e5c1",
        why="the paper's code for a sparsity of 90 %",
    ),
    "paper-s90-ns1": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=80,n_s=1,seed=0",
        check_value="7eb9ac65",
        why="the paper's code for a sparsity of 90 %",
    ),
    "paper-s90-ns2": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=80,n_s=2,seed=0",
        check_value="9c5961b5",
        why="the paper's code for a sparsity of 90 %",
    ),
    "uniform-8-80-k64": CatalogueEntry(
        spec="family=uniform,n_in=8,n_out=80,n_s=7,seed=0",
        check_value="196ca21f",
        why="ten to one with a short window",
    ),
    "uniform-32-320-k256": CatalogueEntry(
        spec="family=uniform,n_in=32,n_out=320,n_s=7,seed=0",
        check_value="69b0d4c6",
        why="ten to one within a percent of the limit",
    ),
    "uniform-64-640-k512": CatalogueEntry(
        spec="family=uniform,n_in=64,n_out=640,n_s=7,seed=0",
        check_value="8ea97751",
        why="ten to one within half a percent",
    ),
    "uniform-32-106-k256": CatalogueEntry(
        spec="family=uniform,n_in=32,n_out=106,n_s=7,seed=0",
        check_value="de702e1c",
        why="for a sparsity of 70 %",
    ),
    "uniform-32-64-k256": CatalogueEntry(
        spec="family=uniform,n_in=32,n_out=64,n_s=7,seed=0",
        check_value="2002a66e",
        why="two to one, for a sparsity of 50 %",
    ),
    "sparse7-8-80-k24": CatalogueEntry(
        spec="family=sparse,n_in=8,n_out=80,n_s=2,seed=0,taps=7",
        check_value="8128c379",
        why="the sizes of the paper with seven taps an output",
    ),
    "sparse7-32-320-k256": CatalogueEntry(
        spec="family=sparse,n_in=32,n_out=320,n_s=7,seed=0,taps=7",
        check_value="c7e49070",
        why="long window, seven taps an output",
    ),
    "chain1-32-320-k128": CatalogueEntry(
        spec="family=chain,n_in=32,n_out=320,n_s=3,run=20,seed=0,taps=1",
        check_value="96b858d9",
        why="fewest gates: one XOR an output",
    ),
    "chain2-32-320-k128": CatalogueEntry(
        spec="family=chain,n_in=32,n_out=320,n_s=3,run=10,seed=0,taps=2",
        check_value="21120564",
        why="two XORs an output",
    ),
    "chain2-64-640-k256": CatalogueEntry(
        spec="family=chain,n_in=64,n_out=640,n_s=3,run=10,seed=0,taps=2",
        check_value="3786e2cc",
        why="two XORs an output, near the limit",
    ),
    "free-32-308-k256": CatalogueEntry(
        spec="family=uniform,n_in=32,n_out=308,n_s=7,seed=0",
        check_value="87c4e22d",
        why="slack of four percent at a sparsity of 90 %: no corrections",
    ),
    "graph-128-1225-k256": CatalogueEntry(
        spec="family=graph,n_in=128,n_out=1225,n_s=1,history=0,pool=600,run=4,seed=0,start=2",
        check_value="b6ed3850",
        why="few gates an output at a sparsity of 90 %, without corrections: slack of 4.5 percent",
    ),
    "graph-200-1972-k600": CatalogueEntry(
        spec="family=graph,n_in=200,n_out=1972,n_s=2,history=0,pool=986,run=4,seed=0,start=3",
        check_value="8f4575ad",
        why="few gates at a sparsity of 90 %, without corrections: slack of 1.4 percent",
    ),
    "graph-512-4876-k624": CatalogueEntry(
        spec="family=graph,n_in=512,n_out=4876,n_s=1,history=112,pool=1920,run=4,seed=0,start=2",
        check_value="acbc0096",
        why="fewest gates an output at a sparsity of 90 %, without corrections: slack of 5 percent, a wide block",
    ),
}
