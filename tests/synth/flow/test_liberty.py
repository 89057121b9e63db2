"""The Liberty reader, against tiny libraries read by eye and against the open process libraries."""

import gzip
import os
import re
from pathlib import Path

import pytest

from xorweave.golden.base.errors import InputError
from xorweave.synth.flow.liberty import GATES_LIB, parse_liberty, read_liberty

SHARED = Path(os.environ.get("XORWEAVE_DATA", Path(__file__).parents[3] / ".." / "shared" / "data")).parent
PROCESSES = {
    "SG13G2": SHARED / "liberty" / "sg13g2_stdcell_typ_1p20V_25C.lib",
    "SKY130 hd": SHARED / "liberty" / "sky130_fd_sc_hd__tt_025C_1v80.lib.gz",
}
INPUTS = {
    "INV": "A",
    "BUF": "A",
    "NAND2": "AB",
    "NOR2": "AB",
    "AND2": "AB",
    "OR2": "AB",
    "AOI21": "ABC",
    "OAI21": "ABC",
    "XOR2": "AB",
    "XNOR2": "AB",
    "MUX2": "ABS",
}


def documented_ratios() -> dict[str, tuple[float, float, float]]:
    """Read the table in the comment of gates.lib: here, SG13G2, SKY130 hd."""
    rows = re.findall(
        r"^ +([A-Z0-9]+) +(\d\.\d\d) +(\d\.\d\d) +(\d\.\d\d) ", GATES_LIB.read_text(), re.MULTILINE
    )
    return {name: (float(a), float(b), float(c)) for name, a, b, c in rows}


def test_generic_library_has_the_areas_its_table_states():
    library = read_liberty(GATES_LIB)
    stated = documented_ratios()
    assert set(stated) == set(library.cells)
    for name, (here, _, _) in stated.items():
        assert library.cells[name].area == here
    assert library.nand2.name == "NAND2" and library.nand2.area == 1


@pytest.mark.parametrize("column, process", list(enumerate(PROCESSES, 1)))
def test_ratio_columns_are_what_the_process_libraries_say(column, process):
    path = PROCESSES[process]
    if not path.is_file():
        pytest.skip(f"{path.name} is not at hand")
    generic, library = read_liberty(GATES_LIB), read_liberty(path)
    for name, ratios in documented_ratios().items():
        if name == "DFF":
            # scan flip-flops and those with an enable are larger; the smallest is what a plain register gets
            area = min(cell.area for cell in library.cells.values() if cell.flip_flop)
        else:
            area = three_input(library, name) or library.smallest(generic.cells[name].truth("Y")).area
        assert area / library.nand2.area == pytest.approx(ratios[column], abs=0.006), name


def three_input(library, name):
    """Find the smallest three-input cell of a function whatever the order of its pins."""
    functions = {
        "AOI21": lambda a, b, c: not ((a and b) or c),
        "OAI21": lambda a, b, c: not ((a or b) and c),
        "MUX2": lambda a, b, s: b if s else a,
    }
    if name not in functions:
        return None
    from itertools import permutations, product

    rows = list(product((False, True), repeat=3))
    tables = {
        tuple(bool(functions[name](*(row[i] for i in order))) for row in rows)
        for order in permutations(range(3))
    }
    return min(
        cell.area
        for cell in library.cells.values()
        if len(cell.inputs) == 3 and len(cell.functions) == 1 and cell.truth(cell.functions[0][0]) in tables
    )


@pytest.mark.parametrize("name", INPUTS)
def test_truth_of_generic_cells(name):
    expected = {
        "INV": "10",
        "BUF": "01",
        "NAND2": "1110",
        "NOR2": "1000",
        "AND2": "0001",
        "OR2": "0111",
        "XOR2": "0110",
        "XNOR2": "1001",
        "AOI21": "10101000",
        "OAI21": "11101010",
        "MUX2": "00011011",
    }
    truth = read_liberty(GATES_LIB).cells[name].truth("Y")
    if name == "OAI21":
        assert truth == tuple(not ((a or b) and c) for a in (0, 1) for b in (0, 1) for c in (0, 1))
    elif name == "MUX2":
        assert truth == tuple(bool(b if s else a) for a in (0, 1) for b in (0, 1) for s in (0, 1))
    else:
        assert "".join(str(int(bit)) for bit in truth) == expected[name]


@pytest.mark.parametrize("function", ["A B'", "!B*A", "(A & !B)", "A^(A&B)"])
def test_every_spelling_of_a_function_is_read(function, tmp_path):
    path = tmp_path / "one.lib"
    path.write_text(
        f"library (t) {{ cell (C) {{ area : 2; pin (A) {{ direction : input; }}"
        f' pin (B) {{ direction : "input"; }} pin (Y) {{ function : "{function}"; }} }} }}'
    )
    assert read_liberty(path).cells["C"].truth("Y") == (False, False, True, False)


def test_compressed_library_reads_like_the_plain_one(tmp_path):
    packed = tmp_path / "gates.lib.gz"
    packed.write_bytes(gzip.compress(GATES_LIB.read_bytes()))
    assert read_liberty(packed).cells == read_liberty(GATES_LIB).cells


@pytest.mark.parametrize("text", ["", "library (a) {", "hello world", "library (a) { } library (b) { }"])
def test_text_that_is_no_library_is_refused(text):
    with pytest.raises(InputError, match="Liberty file must"):
        parse_liberty(text)


def test_missing_library_is_refused(tmp_path):
    with pytest.raises(InputError, match="must be readable"):
        read_liberty(tmp_path / "none.lib")


def test_flip_flop_time_is_positive_and_below_a_nanosecond_in_the_open_processes():
    for process, path in PROCESSES.items():
        if not path.is_file():
            pytest.skip(f"{path.name} is not at hand")
        library = read_liberty(path)
        smallest = min((c for c in library.cells.values() if c.flip_flop), key=lambda c: c.area)
        time_ns = library.flip_flop_ns(smallest.name)
        assert time_ns is not None and 0.1 < time_ns < 1, process
    assert read_liberty(GATES_LIB).flip_flop_ns("DFF") is None
