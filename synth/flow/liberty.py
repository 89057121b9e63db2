"""Read what a netlist report needs from a Liberty file: areas, functions, flip-flops and a few delays."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np

from xorweave.golden.base.errors import InputError

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}();:,]|[^\s{}();:,"]+', re.DOTALL)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\\\r?\n", re.DOTALL)


@dataclass
class Group:
    """A Liberty group ``kind (arguments) { ... }``: its attributes and the groups inside it."""

    kind: str
    arguments: list[str]
    attributes: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def inside(self, kind: str) -> list[Group]:
        """Return the groups of one kind directly inside this one."""
        return [group for group in self.groups if group.kind == kind]


def parse_liberty(text: str) -> Group:
    """Parse Liberty text into its outermost group.

    Raises
    ------
    InputError
        The text is not one well-formed Liberty library.
    """
    tokens = _TOKEN.findall(_COMMENT.sub(" ", text))
    root = Group("", [])
    stack = [root]
    i, end = 0, len(tokens)
    try:
        while i < end:
            token = tokens[i]
            if token == "}":
                stack.pop()
                i += 1
            elif token == ";":
                i += 1
            elif tokens[i + 1] == ":":
                stop = i + 2
                while tokens[stop] not in ";}":
                    stop += 1
                stack[-1].attributes[token] = " ".join(tokens[i + 2 : stop]).strip('"')
                i = stop
            elif tokens[i + 1] == "(":
                stop = tokens.index(")", i + 2)
                arguments = [word.strip('"') for word in tokens[i + 2 : stop] if word != ","]
                if stop + 1 < end and tokens[stop + 1] == "{":
                    group = Group(token, arguments)
                    stack[-1].groups.append(group)
                    stack.append(group)
                    i = stop + 2
                else:
                    stack[-1].lists[token] = arguments
                    i = stop + 1
            else:
                raise ValueError(token)
    except (IndexError, ValueError):
        raise InputError("the Liberty file must be well-formed, but its groups do not close") from None
    libraries = root.inside("library")
    if len(libraries) != 1 or len(stack) != 1:
        raise InputError("the Liberty file must hold one library group")
    return libraries[0]


@dataclass(frozen=True)
class Cell:
    """One cell of a library.

    Attributes
    ----------
    name : str
    area : float
        In the library's unit: um2 for a process, NAND2 equivalents for our generic library.
    inputs : tuple of str
    functions : tuple of (str, str)
        Output pin and its Boolean function.
    flip_flop : bool
    usable : bool
        False when the library says ``dont_use``.
    """

    name: str
    area: float
    inputs: tuple[str, ...]
    functions: tuple[tuple[str, str], ...]
    flip_flop: bool
    usable: bool

    def truth(self, output: str) -> tuple[bool, ...] | None:
        """Return the truth table of an output over `inputs` (first one slowest), None if it has a state."""
        if self.flip_flop or len(self.inputs) > 6:
            return None
        expression = dict(self.functions)[output]
        try:
            return tuple(
                _evaluate(expression, dict(zip(self.inputs, row, strict=True)))
                for row in product((False, True), repeat=len(self.inputs))
            )
        except KeyError:  # the function names a latch's state
            return None


def _evaluate(expression: str, values: dict[str, bool]) -> bool:
    """Evaluate a Liberty Boolean function (! and ' bind tightest, then ^, then & or *, then | or +)."""
    tokens = re.findall(r"\w+|[!'^&*|+()]", expression)
    position = 0

    def peek() -> str:
        return tokens[position] if position < len(tokens) else ""

    def take() -> str:
        nonlocal position
        position += 1
        return tokens[position - 1]

    def atom() -> bool:
        token = take()
        if token == "!":
            return not atom()
        if token == "(":
            value = either()
            take()
        else:
            value = token == "1" if token in "01" else values[token]
        while peek() == "'":
            take()
            value = not value
        return value

    def exclusive() -> bool:
        value = atom()
        while peek() == "^":
            take()
            value ^= atom()
        return value

    def both() -> bool:
        value = exclusive()
        while peek() in {"&", "*"} or re.match(r"[\w!(]", peek()):
            if peek() in {"&", "*"}:
                take()
            value &= exclusive()
        return value

    def either() -> bool:
        value = both()
        while peek() in {"|", "+"}:
            take()
            value |= both()
        return value

    return either()


@dataclass(frozen=True)
class Library:
    """A cell library as far as reports need it. Times are in nanoseconds, capacitances in picofarads."""

    name: str
    cells: dict[str, Cell]
    group: Group = field(repr=False, compare=False)
    time_ns: float = 1.0
    capacitance_pf: float = 1.0

    def smallest(self, truth: tuple[bool, ...]) -> Cell:
        """Return the usable cell of least area with one output of this truth table.

        Raises
        ------
        InputError
            The library has no such cell.
        """
        width = len(truth).bit_length() - 1
        found = [
            cell
            for cell in self.cells.values()
            if cell.usable
            and len(cell.inputs) == width
            and len(cell.functions) == 1
            and cell.truth(cell.functions[0][0]) == truth
        ]
        if not found:
            raise InputError(f"the library {self.name} must hold a cell of {width} inputs with truth {truth}")
        return min(found, key=lambda cell: (cell.area, cell.name))

    @property
    def nand2(self) -> Cell:
        """The smallest two-input NAND: one gate equivalent."""
        return self.smallest((True, True, True, False))

    @property
    def buffer(self) -> Cell:
        """The smallest buffer: what drives the inputs of a block under test."""
        return self.smallest((False, True))

    def pin_capacitance(self, cell: str) -> float:
        """Return the largest input capacitance of a cell in pF."""
        group = self._cell_group(cell)
        values = [
            float(pin.attributes["capacitance"])
            for pin in group.inside("pin")
            if pin.attributes.get("direction") == "input" and "capacitance" in pin.attributes
        ]
        return max(values, default=0.0) * self.capacitance_pf

    def flip_flop_ns(self, cell: str) -> float | None:
        """Return clock-to-output delay plus set-up time of a flip-flop in ns, None if the file gives no
        tables.
        """
        parts = self.flip_flop_parts_ns(cell)
        return None if parts is None else sum(parts)

    def flip_flop_parts_ns(self, cell: str) -> tuple[float, float] | None:
        """Return clock-to-output delay and set-up time of a flip-flop in ns, None if the file gives no tables.

        Both are read at a middle point of their tables: the median slew, and the load of four smallest NAND2
        inputs for the clock-to-output arc; the worse of rise and fall is taken.
        """
        group = self._cell_group(cell)
        load = 4 * self.pin_capacitance(self.nand2.name) / self.capacitance_pf
        launch, setup = [], []
        for pin in group.inside("pin"):
            for timing in pin.inside("timing"):
                kind = timing.attributes.get("timing_type", "")
                if kind in {"rising_edge", "falling_edge"}:
                    launch += [self._at(timing, name, load) for name in ("cell_rise", "cell_fall")]
                if kind.startswith("setup_") and "D" in pin.arguments:
                    setup += [self._at(timing, name, None) for name in ("rise_constraint", "fall_constraint")]
        launched = [value for value in launch if value is not None]
        held = [value for value in setup if value is not None]
        if not launched or not held:
            return None
        return max(launched) * self.time_ns, max(held) * self.time_ns

    def _cell_group(self, name: str) -> Group:
        return next(group for group in self.group.inside("cell") if group.arguments == [name])

    def _at(self, timing: Group, kind: str, load: float | None) -> float | None:
        """Interpolate a table at the median of each index (and at `load` on the capacitance axis)."""
        tables = timing.inside(kind)
        if not tables or "values" not in tables[0].lists:
            return None
        table = tables[0]
        template = next(
            (group for group in self.group.inside("lu_table_template") if group.arguments == table.arguments),
            Group("", []),
        )
        rows = np.array([[float(v) for v in row.replace(",", " ").split()] for row in table.lists["values"]])
        axes: list[tuple[str, np.ndarray]] = []
        for number in (1, 2):
            words = table.lists.get(f"index_{number}") or template.lists.get(f"index_{number}")
            if words:
                points = np.array([float(v) for word in words for v in word.replace(",", " ").split()])
                axes.append((template.attributes.get(f"variable_{number}", ""), points))
        if len(axes) != 2 or rows.shape != (axes[0][1].size, axes[1][1].size):
            return float(np.median(rows))

        def point(axis: int) -> float:
            name, points = axes[axis]
            at_load = load is not None and "capacitance" in name
            return load if at_load and load is not None else float(np.median(points))

        along = [np.interp(point(1), axes[1][1], row) for row in rows]
        return float(np.interp(point(0), axes[0][1], along))


def _cells(library: Group) -> Iterator[Cell]:
    for group in library.inside("cell"):
        pins = group.inside("pin")
        if "area" not in group.attributes:
            continue
        yield Cell(
            name=group.arguments[0],
            area=float(group.attributes["area"]),
            inputs=tuple(
                pin.arguments[0] for pin in pins if pin.attributes.get("direction", "").strip('"') == "input"
            ),
            functions=tuple(
                (pin.arguments[0], pin.attributes["function"]) for pin in pins if "function" in pin.attributes
            ),
            flip_flop=bool(group.inside("ff")),
            usable=group.attributes.get("dont_use", "false") != "true",
        )


_SECONDS = {"ns": 1.0, "ps": 1e-3, "us": 1e3}
_FARADS = {"pf": 1.0, "ff": 1e-3, "nf": 1e3}


@lru_cache(maxsize=4)
def read_liberty(path: Path) -> Library:
    """Read a Liberty file, plain or gzip-compressed.

    Raises
    ------
    InputError
        The file cannot be read or is no Liberty library.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8", "replace")
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"the Liberty file {path} must be readable, but: {error}") from None
    group = parse_liberty(text)
    cells = {cell.name: cell for cell in _cells(group)}
    if not cells:
        raise InputError(f"the Liberty file {path} must hold cells with areas, but holds none")
    unit = re.fullmatch(r"([\d.]+)\s*([a-z]+)", group.attributes.get("time_unit", "1ns"))
    time_ns = float(unit[1]) * _SECONDS.get(unit[2], 1.0) if unit else 1.0
    load = group.lists.get("capacitive_load_unit", ["1", "pf"])
    return Library(
        name=group.arguments[0],
        cells=cells,
        group=group,
        time_ns=time_ns,
        capacitance_pf=float(load[0]) * _FARADS.get(load[1].lower(), 1.0),
    )


GATES_LIB = Path(__file__).with_name("gates.lib")
