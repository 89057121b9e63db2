"""Check lists of XOR gates, without anything of xorweave: plain Python.

    python check.py [FILE...]          all .txt files beside this one, if none is named

A list holds one matrix over GF(2) and one straight-line program for it:

    # Clefia M1: 101 XORs, depth 12            name, and what the program claims
    column 80104050                            a column of the matrix for every input, x0 first, in hexadecimal;
    t0 = x3 + x25                              its highest bit is output y0
    y0 = t7                                    an output is a signal; every gate adds two earlier signals

Every signal is evaluated as a set of inputs, so a program is checked for all values of its inputs at once. Prints name,
XORs and depth of each list; status 1, and a line that says what is wrong, where a program does not compute its
matrix or claims other numbers than it has.
"""

import pathlib
import re
import sys

HEAD = re.compile(r"# (.+): (\d+) XORs, depth (\d+)\n")


class Wrong(Exception):
    """What is wrong with a list."""


def check(text):
    """Return name, XORs and depth of a list; raise Wrong where it is not what it claims."""
    head = HEAD.match(text)
    if not head:
        raise Wrong("the first line must be '# NAME: N XORs, depth N'")
    name, claimed = head[1], (int(head[2]), int(head[3]))
    columns, sums, depths, outputs, gates = [], {}, {}, {}, 0
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0] == "column":
            signal = f"x{len(columns)}"
            columns.append(int(words[1], 16))
            digits = 4 * len(words[1])
            sums[signal], depths[signal] = {signal}, 0
            continue
        if len(words) not in (3, 5) or words[1] != "=" or words[0] in sums or words[0] in outputs:
            raise Wrong(f"line {number} must give one new signal: {line!r}")
        operands = words[2::2]
        for operand in operands:
            if operand not in sums:
                raise Wrong(f"line {number} reads {operand}, which no earlier line gives")
        if len(operands) == 1:
            outputs[words[0]] = (sums[operands[0]], depths[operands[0]])
            continue
        a, b = operands
        gates += 1
        sums[words[0]] = sums[a] ^ sums[b]
        depths[words[0]] = 1 + max(depths[a], depths[b])
    if not columns or set(outputs) != {f"y{i}" for i in range(digits)}:
        raise Wrong("there must be columns, and an output for each of their bits")
    for row in range(digits):
        wanted = {f"x{i}" for i, column in enumerate(columns) if column >> (digits - 1 - row) & 1}
        if outputs[f"y{row}"][0] != wanted:
            raise Wrong(f"y{row} must be the sum of {' '.join(sorted(wanted))}")
    found = gates, max(depth for _, depth in outputs.values())
    if found != claimed:
        raise Wrong(f"claims {claimed[0]} XORs at depth {claimed[1]}, has {found[0]} at depth {found[1]}")
    return name, *found


def main():
    """Check files and say what they hold."""
    here = pathlib.Path(__file__).resolve().parent
    paths = [pathlib.Path(word) for word in sys.argv[1:]] or sorted(here.glob("*.txt"))
    wrong = 0
    print("| matrix | XORs | depth |\n|---|---|---|")
    for path in paths:
        try:
            name, gates, depth = check(path.read_text())
        except (Wrong, OSError, ValueError) as error:
            wrong = 1
            print(f"{path}: {error}", file=sys.stderr)
        else:
            print(f"| {name} | {gates} | {depth} |")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
