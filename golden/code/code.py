"""The code itself: N_in, N_out, N_s and the generator matrix that software and hardware are both derived from."""

from __future__ import annotations

import operator
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.catalogue import CATALOGUE
from xorweave.golden.code.generators import build_generator

MAX_N_IN = 1024
MAX_N_OUT = 16384
MAX_CONSTRAINT_LENGTH = 4096


def _positive(name: str, value: object, limit: int, least: int = 1) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{name} must be an integer, not {value!r}") from None
    if not least <= number <= limit:
        raise InputError(f"{name} must be between {least} and {limit}, not {number}")
    return number


@dataclass(frozen=True, eq=False, kw_only=True)
class Code:
    """A fixed-to-fixed XOR code (Park et al., section 3): y_t = G * [x_t; x_(t-1); ...; x_(t-N_s)] over GF(2).

    Parameters
    ----------
    n_in : int
        Encoded bits read for a block and a plane (N_in), 1 to 1024.
    n_out : int
        Plane bits given out for a block (N_out), 1 to 16384.
    n_s : int
        Earlier symbols held in shift registers (N_s), 0 or more.
    generator : ndarray, shape (n_out, n_in * (n_s + 1)), 0 or 1
        The matrix G. Column ``i * n_in + b`` is bit ``b`` of the symbol that is ``i`` blocks old, x_(t-i).
    family : str
        Generator family that made the matrix, or ``"custom"``.
    parameters : mapping of str to int
        What the family needs to make the matrix again (the seed among them).

    Raises
    ------
    InputError
        A size is out of range, or the matrix has another shape or other values than 0 and 1.
    """

    n_in: int
    n_out: int
    n_s: int
    generator: NDArray[np.uint8]
    family: str = "custom"
    parameters: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_in = _positive("n_in", self.n_in, MAX_N_IN)
        n_out = _positive("n_out", self.n_out, MAX_N_OUT)
        n_s = _positive("n_s", self.n_s, MAX_CONSTRAINT_LENGTH, least=0)
        if n_in * (n_s + 1) > MAX_CONSTRAINT_LENGTH:
            raise InputError(
                f"the constraint length n_in * (n_s + 1) must be at most {MAX_CONSTRAINT_LENGTH}, "
                f"not {n_in * (n_s + 1)}"
            )
        matrix = np.array(self.generator)
        if matrix.shape != (n_out, n_in * (n_s + 1)):
            raise InputError(
                f"the generator must have shape ({n_out}, {n_in * (n_s + 1)}), not {matrix.shape}"
            )
        if ((matrix != 0) & (matrix != 1)).any():
            raise InputError("the generator must hold only 0 and 1")
        matrix = matrix.astype(np.uint8)
        matrix.setflags(write=False)
        for name, value in (("n_in", n_in), ("n_out", n_out), ("n_s", n_s), ("generator", matrix)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "parameters", dict(self.parameters))

    @classmethod
    def from_family(cls, family: str, /, *, n_in: int, n_out: int, n_s: int, **parameters: int) -> Code:
        """Make a code whose generator comes from a named family (see ``xorweave.golden.code.generators``).

        Raises
        ------
        InputError
            A size or a parameter is out of range, or there is no such family.
        """
        n_in = _positive("n_in", n_in, MAX_N_IN)
        n_out = _positive("n_out", n_out, MAX_N_OUT)
        n_s = _positive("n_s", n_s, MAX_CONSTRAINT_LENGTH, least=0)
        if n_in * (n_s + 1) > MAX_CONSTRAINT_LENGTH:
            raise InputError(
                f"the constraint length n_in * (n_s + 1) must be at most {MAX_CONSTRAINT_LENGTH}, "
                f"not {n_in * (n_s + 1)}"
            )
        generator, used = build_generator(family, n_in=n_in, n_out=n_out, n_s=n_s, parameters=parameters)
        return cls(n_in=n_in, n_out=n_out, n_s=n_s, generator=generator, family=family, parameters=used)

    @classmethod
    def uniform(cls, *, n_in: int, n_out: int, n_s: int, seed: int = 0) -> Code:
        """Make the paper's code: every element of G is 0 or 1 with equal probability."""
        return cls.from_family("uniform", n_in=n_in, n_out=n_out, n_s=n_s, seed=seed)

    @property
    def constraint_length(self) -> int:
        """K = N_in * (N_s + 1): how many encoded bits one output bit can depend on."""
        return self.n_in * (self.n_s + 1)

    @property
    def rate(self) -> float:
        """Encoded bits per plane bit, N_in / N_out."""
        return self.n_in / self.n_out

    @property
    def check_value(self) -> str:
        """Eight hexadecimal digits that name the matrix: CRC-32 of the three sizes and the packed rows of G."""
        head = f"{self.n_in},{self.n_out},{self.n_s};".encode()
        return f"{zlib.crc32(head + np.packbits(self.generator, axis=1, bitorder='little').tobytes()):08x}"

    @property
    def spec(self) -> str:
        """The code in words, as ``--code`` reads it: ``family=...,n_in=...,n_out=...,n_s=...,...``."""
        items = [("family", self.family), ("n_in", self.n_in), ("n_out", self.n_out), ("n_s", self.n_s)]
        return ",".join(f"{key}={value}" for key, value in [*items, *sorted(self.parameters.items())])

    @classmethod
    def from_spec(cls, spec: str) -> Code:
        """Make a code from its words, the inverse of ``spec`` for every family but ``custom``.

        Raises
        ------
        InputError
            An item is not KEY=VALUE, a size is missing, or the family does not take a key.
        """
        family = "uniform"
        numbers: dict[str, int] = {}
        for item in spec.split(","):
            key, equals, value = item.partition("=")
            key = key.strip().lower()
            if not equals or not key:
                raise InputError(f"a code must be written as KEY=VALUE,..., not {item!r} in {spec!r}")
            if key == "family":
                family = value.strip()
                continue
            if key in numbers:
                raise InputError(f"the code {spec!r} names {key} twice")
            try:
                numbers[key] = int(value)
            except ValueError:
                raise InputError(f"{key} must be an integer, not {value!r}") from None
        missing = [key for key in ("n_in", "n_out", "n_s") if key not in numbers]
        if missing:
            raise InputError(f"the code {spec!r} must give {', '.join(missing)}")
        return cls.from_family(family, **numbers)

    @classmethod
    def from_name(cls, name: str) -> Code:
        """Make a code of the catalogue (``xorweave.golden.code.catalogue``).

        Raises
        ------
        InputError
            The catalogue has no such name.
        """
        if name not in CATALOGUE:
            raise InputError(f"the code must be one of {', '.join(CATALOGUE)}, not {name!r}")
        return cls.from_spec(CATALOGUE[name].spec)

    def first_rows(self, n_out: int) -> Code:
        """Return the code of the first `n_out` outputs of each block, decoded by this code's own decoder.

        So one decoder serves tensors of several densities: symbols, and with them the bits read in a cycle, stay the
        same, and a denser tensor leaves the last outputs of a block unused.

        Raises
        ------
        InputError
            `n_out` is not between 1 and this code's.
        """
        if not 1 <= n_out <= self.n_out:
            raise InputError(f"the outputs taken must be between 1 and n_out = {self.n_out}, not {n_out}")
        if n_out == self.n_out:
            return self
        parameters = dict(self.parameters)
        if self.family != "custom":
            parameters.setdefault("of", self.n_out)
        return Code(
            n_in=self.n_in,
            n_out=n_out,
            n_s=self.n_s,
            generator=self.generator[:n_out],
            family=self.family,
            parameters=parameters,
        )

    @property
    def whole(self) -> Code:
        """The code whose first outputs these are: itself, if it is all of them."""
        of = self.parameters.get("of", 0)
        if not of:
            return self
        rest = {key: value for key, value in self.parameters.items() if key != "of"}
        return Code.from_family(self.family, n_in=self.n_in, n_out=of, n_s=self.n_s, **rest)

    def punctured(self, n_in: int) -> Code:
        """Return the code of symbols whose bits above the lowest `n_in` are zero: their columns of G fall away.

        One decoder of this code decodes every punctured one, so it serves several rates.

        Raises
        ------
        InputError
            `n_in` is not between 1 and this code's.
        """
        if not 1 <= n_in <= self.n_in:
            raise InputError(f"a rate's n_in must be between 1 and {self.n_in}, not {n_in}")
        columns = [i * self.n_in + b for i in range(self.n_s + 1) for b in range(n_in)]
        return Code(n_in=n_in, n_out=self.n_out, n_s=self.n_s, generator=self.generator[:, columns])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Code):
            return NotImplemented
        sizes = (self.n_in, self.n_out, self.n_s) == (other.n_in, other.n_out, other.n_s)
        return sizes and bool(np.array_equal(self.generator, other.generator))

    def __hash__(self) -> int:
        return hash((self.n_in, self.n_out, self.n_s, self.check_value))

    def __repr__(self) -> str:
        return f"Code({self.spec}, check_value={self.check_value})"
