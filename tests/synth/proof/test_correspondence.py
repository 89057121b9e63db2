"""What is guessed of registers, on circuits small enough to say what is right."""

from xorweave.synth.proof.aiger import Circuit
from xorweave.synth.proof.correspondence import Sum, guess


def shifting(names: tuple[str, ...], *, inverted: bool = False) -> Circuit:
    """Two registers in a row behind the input a; the second may hold its inverse."""
    # inputs a rst: nodes 1 2; registers: 3 4
    return Circuit(("a", "rst"), names, (2, 6 ^ inverted), {"y": 8 ^ inverted}, [])


def test_registers_are_paired_by_what_they_hold_and_inverses_are_seen() -> None:
    found = guess(shifting(("p", "q")), shifting(("n1", "n2"), inverted=True))
    assert found.pairs == {0: (0, False), 1: (1, True)} and not found.same and not found.sums


def test_a_register_of_its_own_has_no_partner() -> None:
    extra = Circuit(("a", "rst"), ("n1", "n2", "dead"), (2, 6, 10), {"y": 8}, [])
    assert set(guess(shifting(("p", "q")), extra).pairs) == {0, 1}


def test_twins_share_a_partner() -> None:
    twins = Circuit(("a", "rst"), ("n1", "n2", "n3"), (2, 6, 6), {"y": 8}, [])
    found = guess(shifting(("p", "q")), twins)
    assert found.pairs == {0: (0, False), 1: (1, False), 2: (1, False)}
    assert found.shared == {1}


def test_sums_of_delayed_registers_are_found_while_their_guard_is_1() -> None:
    # inputs a b rst: 1 2 3; registers full, delayed[0], delayed[1]: 4 5 6; all take over their inputs
    gold = Circuit(("a", "b", "rst"), ("full", "delayed[0]", "delayed[1]"), (7, 2, 4), {"y": 10}, [])
    # netlist: full 4, one register 5 that holds a ^ b
    gates = [(2, 4), (3, 5), (13, 15)]
    gate = Circuit(("a", "b", "rst"), ("f", "s"), (7, 16), {"y": 10}, gates)
    found = guess(gold, gate, (("delayed", "full"),))
    assert found.pairs == {0: (0, False)} and found.sums == {1: Sum(0, (1, 2))}
