"""Linear layers of the literature on XOR networks, built from their definitions, and the least counts found published.

The collection of `rub-hgi/shorter_linear_slps_for_mds_matrices` (Kranz, Leander, Stoffelen, Wiemer, ToSC 2017(3)) is
here in the conventions of its headers (bit i of a word is the coefficient of x^i), all but the 64 x 64 matrices and
those of a few XORs an output, and beside it AES InvMixColumns and bounds on depth. "Published" is the least count whose
source we found; counts of Xiang et al. (ToSC 2020(2)) are for in-place programs, each of which is a network of as many
gates, and like those of Kranz et al. read from the authors' own listings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.uint8]


@dataclass(frozen=True)
class Field:
    """GF(2^degree) modulo a polynomial; bit i of an element is the coefficient of x^i."""

    polynomial: int

    @property
    def degree(self) -> int:
        return self.polynomial.bit_length() - 1

    def product(self, a: int, b: int) -> int:
        result = 0
        while b:
            result ^= a if b & 1 else 0
            b >>= 1
            a <<= 1
            if a >> self.degree:
                a ^= self.polynomial
        return result

    def power(self, exponent: int) -> int:
        """Return x to an exponent, negative ones too."""
        result = 1
        for _ in range(exponent % ((1 << self.degree) - 1)):
            result = self.product(result, 2)
        return result

    def multiplication(self, element: int) -> Matrix:
        """Return the matrix over GF(2) that multiplies by an element."""
        columns = [self.product(element, 1 << i) for i in range(self.degree)]
        return np.array([[c >> i & 1 for c in columns] for i in range(self.degree)], np.uint8)

    def matrix(self, rows: Sequence[Sequence[int]]) -> Matrix:
        return np.block([[self.multiplication(element) for element in row] for row in rows])


def circulant(row: Sequence[int]) -> list[list[int]]:
    return [[row[(j - i) % len(row)] for j in range(len(row))] for i in range(len(row))]


def hadamard(row: Sequence[int]) -> list[list[int]]:
    return [[row[i ^ j] for j in range(len(row))] for i in range(len(row))]


def twice(matrix: Matrix, bits: int) -> Matrix:
    """Let a matrix over 4-bit words work on both halves of 8-bit words (the subfield construction)."""
    blocks = [
        [matrix[bits * i : bits * i + bits, bits * j : bits * j + bits] for j in range(len(matrix) // bits)]
        for i in range(len(matrix) // bits)
    ]
    return np.block([[np.kron(np.eye(2, dtype=np.uint8), block) for block in row] for row in blocks])


def toeplitz(first: Sequence[int], below: Sequence[int]) -> list[list[int]]:
    """Return rows that shift right; the elements below the diagonal follow one another downwards."""
    n = len(first)
    return [[first[j - i] if j >= i else below[i - j - 1] for j in range(n)] for i in range(n)]


def bits(rows: str) -> Matrix:
    """Return a matrix from its rows, written as words of 0 and 1."""
    return np.array([[int(bit) for bit in row] for row in rows.split()], np.uint8)


def from_columns(columns: str) -> Matrix:
    """Return a square matrix from its columns in hexadecimal, the first row in the highest bit."""
    words = [int(word, 16) for word in columns.split()]
    n = len(words)
    return np.array([[word >> (n - 1 - i) & 1 for word in words] for i in range(n)], np.uint8)


def to_columns(matrix: Matrix) -> list[str]:
    """Return the columns in hexadecimal, the first row in the highest bit, as the collection's headers have them."""
    digits = -(-len(matrix) // 4)
    return [f"{int(''.join(map(str, column.tolist())), 2):0{digits}x}" for column in matrix.T]


def inverse(matrix: Matrix) -> Matrix:
    """Invert a regular matrix over GF(2) by elimination."""
    n = len(matrix)
    both = np.hstack((matrix, np.eye(n, dtype=np.uint8)))
    for i in range(n):
        pivot = i + int(np.argmax(both[i:, i]))
        both[[i, pivot]] = both[[pivot, i]]
        others = np.flatnonzero(both[:, i])
        both[others[others != i]] ^= both[i]
    return both[:, n:]


def product(a: Matrix, b: Matrix) -> Matrix:
    return (a.astype(int) @ b % 2).astype(np.uint8)


def hadamard_blocks(row: Sequence[Matrix]) -> Matrix:
    return np.block([[row[i ^ j] for j in range(len(row))] for i in range(len(row))])


def cauchy(field: Field, rows: Sequence[int], columns: Sequence[int]) -> Matrix:
    """Return the matrix of 1 / (row + column)."""
    order = (1 << field.degree) - 1
    logarithm = {field.power(exponent): exponent for exponent in range(order)}
    return field.matrix([[field.power(-logarithm[a ^ b]) for b in columns] for a in rows])


def vandermonde(field: Field, points: Sequence[int], others: Sequence[int]) -> Matrix:
    """Return the product of one Vandermonde matrix and the inverse of another."""

    def powers(element: int) -> list[int]:
        row = [1]
        for _ in range(len(points) - 1):
            row.append(field.product(row[-1], element))
        return row

    first, second = (field.matrix([powers(element) for element in part]) for part in (points, others))
    return product(first, inverse(second))


def li_wang(n: int) -> tuple[Matrix, Matrix]:
    """Li and Wang, FSE 2016: two matrices of n-bit words, circulant and not."""
    one = np.eye(n, dtype=np.uint8)
    a = np.eye(n, k=1, dtype=np.uint8)
    a[n - 1, [0, 3] if n == 4 else [0, 2]] = 1
    b = bits("0110 0011 1000 0100") if n == 4 else product(inverse(a), inverse(a))
    c = bits(
        "0110 0001 0100 1000"
        if n == 4
        else "00010000 00001000 00000100 00000001 00100000 00010010 10000000 01000000"
    )
    d = product(inverse(c), inverse(c))
    row = [one, one, a, b]
    circular = np.block([[row[(j - i) % 4] for j in range(4)] for i in range(4)])
    return circular, np.block([[c, one, one, one], [one, one, d, c], [one, c, one, d], [one, d, c, one]])


def li_wang_involutions() -> tuple[Matrix, Matrix]:
    """Li and Wang, FSE 2016: the involutions of 4-bit and of 8-bit words; the latter as its header has it."""
    a = bits("0100 1010 0001 0110")
    small = hadamard_blocks([np.eye(4, dtype=np.uint8), a, inverse(a), a ^ inverse(a)])
    blocks = [np.eye(8, dtype=np.uint8)] + [
        from_columns(part)
        for part in ("08 21 04 02 80 20 10 44", "44 08 10 0c 01 02 a0 90", "b0 50 20 10 04 08 01 02")
    ]
    large = np.block([[blocks[(i - j) % 4] for j in range(4)] for i in range(4)])
    return small, large


GF16 = Field(0x13)
AES_FIELD = Field(0x11B)
CLEFIA_FIELD = Field(0x11D)

XIANG = "Xiang et al., ToSC 2020(2)"
KRANZ = "Kranz et al., ToSC 2017(3)"
JOE_B = "Joe-b-20/aes-mixcolumns-xor-circuits"


@dataclass(frozen=True)
class Published:
    """A matrix, the least count we found published for it, at what depth (0: not stated), and where.

    A count of 0: none found.
    """

    name: str
    matrix: Matrix
    count: int
    depth: int
    source: str
    depth_limit: int | None = None


def _aes() -> list[Published]:
    forward = AES_FIELD.matrix(circulant([2, 3, 1, 1]))
    return [
        Published("AES MixColumns", forward, 88, 7, "Jean, ePrint 2026/1481"),
        Published("AES, depth <= 6", forward, 88, 6, JOE_B, 6),
        Published("AES, depth <= 5", forward, 88, 5, JOE_B, 5),
        Published("AES, depth <= 4", forward, 91, 4, JOE_B, 4),
        Published("AES, depth <= 3", forward, 97, 3, JOE_B, 3),
        Published("AES InvMixColumns", AES_FIELD.matrix(circulant([14, 11, 13, 9])), 0, 0, ""),
    ]


def _words_of_4() -> list[Published]:
    """Return the 4 x 4 matrices over 4-bit words."""
    power = GF16.power
    circular, other = li_wang(4)
    blocks = [bits(rows) for rows in (
        "0001 0010 0100 1000", "0011 1001 1100 0100", "1101 1100 0101 0010", "1100 0101 1011 0001",
    )]  # fmt: skip
    return [
        Published("small-scale AES", GF16.matrix(circulant([2, 3, 1, 1])), 43, 5, XIANG),
        Published("Joltik", GF16.matrix(hadamard([1, 4, 9, 13])), 44, 7, XIANG),
        Published("SKOP15 4x4 GF(16)", GF16.matrix(hadamard([1, 2, 8, 9])), 44, 7, XIANG),
        Published("LS16 4x4 GF(16)", GF16.matrix(circulant([1, 1, 9, 4])), 44, 0, XIANG),
        Published("LW16 4x4 GF(16)", circular, 44, 0, XIANG),
        Published("LW16 4x4 GF(16) second", other, 43, 0, KRANZ),
        Published("BKL16 4x4 GF(16)", GF16.matrix(circulant([1, 1, 2, power(-2)])), 41, 0, XIANG),
        Published("SS16 4x4 GF(16)", sarkar_syed(Field(0x19)), 41, 0, XIANG),
        Published("JPST17 4x4 GF(16)", JEAN_PEYRIN_SIM, 41, 0, XIANG),
        Published("KLSW17 4x4 GF(16)", hadamard_blocks(blocks), 36, 0, KRANZ),
        Published("LW16 4x4 GF(16) inv.", li_wang_involutions()[0], 44, 6, XIANG),
        Published("SS16 4x4 GF(16) inv.", SARKAR_SYED_INVOLUTION, 38, 0, XIANG),
        Published("JPST17 4x4 GF(16) inv.", JEAN_PEYRIN_SIM_INVOLUTION, 41, 6, XIANG),
    ]


def sarkar_syed(field: Field) -> Matrix:
    """Sarkar and Syed, ToSC 2016."""
    x, y, z = field.power(1), field.power(-1), field.power(-2)
    return field.matrix([[1, 1, x, y], [z, 1, 1, x], [1, z, 1, 1], [y, 1, z, 1]])


SARKAR_SYED_INVOLUTION = GF16.matrix([[1, 2, 4, 1], [2, 1, 1, 4], [8, 2, 1, 2], [2, 8, 2, 1]])
JEAN_PEYRIN_SIM = GF16.matrix([[1, 1, 1, 2], [1, 2, 13, 1], [2, 13, 1, 1], [13, 1, 2, 1]])
JEAN_PEYRIN_SIM_INVOLUTION = GF16.matrix([[2, 1, 1, 9], [1, 4, 15, 1], [13, 9, 4, 1], [1, 13, 1, 2]])


def _words_of_8() -> list[Published]:
    """Return the 4 x 4 matrices over 8-bit words."""
    small = {case.name: case.matrix for case in _words_of_4()}
    circular, other = li_wang(8)
    field = Field(0x165)
    x, y, z = field.power(-2), field.power(209), field.power(211)
    involution = field.matrix([[1, 2, 1, z], [2, 1, z, 1], [x, y, 1, 2], [y, x, 2, 1]])
    bkl = Field(0x163)
    return [
        Published("SKOP15 4x4 GF(256)", twice(small["SKOP15 4x4 GF(16)"], 4), 90, 0, XIANG),
        Published("LS16 4x4 GF(256)", Field(0x1C3).matrix(circulant([1, 1, 2, 0x91])), 112, 0, KRANZ),
        Published("LW16 4x4 GF(256)", circular, 104, 0, KRANZ),
        Published("LW16 4x4 GF(256) second", other, 102, 0, KRANZ),
        Published("BKL16 4x4 GF(256)", bkl.matrix(circulant([1, 1, 2, bkl.power(-2)])), 110, 0, KRANZ),
        Published("SS16 4x4 GF(256)", sarkar_syed(Field(0x1C3)), 107, 0, KRANZ),
        Published("JPST17 4x4 GF(256)", twice(JEAN_PEYRIN_SIM, 4), 82, 0, XIANG),
        Published("KLSW17 4x4 GF(256)", twice(small["KLSW17 4x4 GF(16)"], 4), 72, 0, KRANZ),
        Published("SKOP15 4x4 GF(256) inv.", twice(small["Joltik"], 4), 91, 6, XIANG),
        Published("LW16 4x4 GF(256) inv.", li_wang_involutions()[1], 87, 0, XIANG),
        Published("SS16 4x4 GF(256) inv.", involution, 93, 8, XIANG),
        Published("JPST17 4x4 GF(256) inv.", twice(JEAN_PEYRIN_SIM_INVOLUTION, 4), 83, 6, XIANG),
        Published("KLSW17 4x4 GF(256) inv.", twice(SARKAR_SYED_INVOLUTION, 4), 84, 0, KRANZ),
    ]


def _ciphers() -> list[Published]:
    twofish = Field(0x169).matrix(
        [[1, 0xEF, 0x5B, 0x5B], [0x5B, 0xEF, 0xEF, 1], [0xEF, 0x5B, 1, 0xEF], [0xEF, 1, 0xEF, 0x5B]]
    )
    fox = AES_FIELD.matrix([[1, 1, 1, 2], [1, 0xFE, 2, 1], [0xFE, 2, 1, 1], [2, 1, 0xFE, 1]])
    return [
        Published("Clefia M0", CLEFIA_FIELD.matrix(hadamard([1, 2, 4, 6])), 98, 0, XIANG),
        Published("Clefia M1", CLEFIA_FIELD.matrix(hadamard([1, 8, 2, 10])), 103, 10, XIANG),
        Published("Anubis", AES_FIELD.matrix(hadamard([1, 2, 4, 6])), 99, 0, XIANG),
        Published("Twofish", twofish, 111, 8, XIANG),
        Published("Fox mu4", fox, 136, 0, XIANG),
        Published("Whirlwind M0", GF16.matrix(hadamard([5, 4, 10, 6, 2, 13, 8, 3])), 183, 0, XIANG),
        Published("Whirlwind M1", GF16.matrix(hadamard([5, 14, 4, 7, 1, 3, 15, 8])), 190, 0, XIANG),
    ]


def _wide() -> list[Published]:
    """Return the 8 x 8 matrices over 4-bit words."""
    power = GF16.power
    first = [power(exponent) for exponent in (1, 0, 4, 0, 5, 14, 7, 8)]
    below = [power(exponent) for exponent in (3, 6, 14, 14, 8, 6, 3)]
    return [
        Published(
            "SKOP15 8x8 GF(16)", GF16.matrix(hadamard([1, 2, 6, 8, 9, 12, 13, 10])), 170, 0, XIANG
        ),
        Published("SS17 8x8 GF(16)", GF16.matrix(toeplitz(first, below)), 183, 0, XIANG),
        Published(
            "KLSW17 8x8 GF(16)",
            cauchy(GF16, [12, 8, 11, 3, 0, 15, 4, 7], [1, 5, 14, 9, 13, 6, 10, 2]), 196, 0, KRANZ,
        ),
        Published(
            "SKOP15 8x8 GF(16) inv.", GF16.matrix(hadamard([2, 3, 4, 12, 5, 10, 8, 15])), 185, 0, XIANG
        ),
        Published(
            "KLSW17 8x8 GF(16) inv.",
            vandermonde(GF16, [11, 3, 14, 13, 9, 8, 0, 10], [7, 15, 2, 1, 5, 4, 12, 6]), 212, 0, KRANZ,
        ),
    ]  # fmt: skip


PUBLISHED = [*_aes(), *_words_of_4(), *_words_of_8(), *_ciphers(), *_wide()]
