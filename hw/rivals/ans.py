"""Baseline decoder: tabled asymmetric numeral systems (tANS), one word a cycle a lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.hw.rivals.bit_buffer import BitBuffer


def normalised(counts: Mapping[int, int], total: int) -> dict[int, int]:
    """Scale counts to a sum, none below 1: what is over or missing goes where it costs the fewest bits.

    Raises
    ------
    InputError
        There is no symbol, a count is below 1, or there are more symbols than `total`.
    """
    if not counts or min(counts.values()) < 1 or len(counts) > total:
        raise InputError(f"an ANS code needs 1 to {total} symbols, each counted at least once")
    whole = sum(counts.values())
    shares = {symbol: max(1, round(count * total / whole)) for symbol, count in sorted(counts.items())}
    while (missing := total - sum(shares.values())) != 0:
        step = 1 if missing > 0 else -1
        # one more (or fewer) of total: the symbol whose code length, count log2(share), gains most or loses least
        movable = [symbol for symbol in shares if shares[symbol] + step >= 1]
        chosen = max(movable, key=lambda symbol: step * counts[symbol] / shares[symbol])
        shares[chosen] += step
    return shares


@dataclass(frozen=True)
class AnsTable:
    """A tANS code: for each state the word it stands for, and where to go from it.

    Attributes
    ----------
    state_bits : int
        There are 2^state_bits states.
    words, lengths, bases : tuple of int
        Of each state: its word; the next state is its base and so many bits of the stream.
    """

    state_bits: int
    words: tuple[int, ...]
    lengths: tuple[int, ...]
    bases: tuple[int, ...]

    @classmethod
    def make(cls, counts: Mapping[int, int], state_bits: int) -> AnsTable:
        """Make the table for words that occur so often."""
        states = 1 << state_bits
        shares = normalised(counts, states)
        # spread each word over all states: a step that meets every one of them
        step, place = (states >> 1) + (states >> 3) + 3 | 1, 0
        words = [0] * states
        for word, share in shares.items():
            for _ in range(share):
                words[place] = word
                place = (place + step) % states
        nth = dict(shares)
        lengths, bases = [], []
        for word in words:
            number = nth[word]
            nth[word] += 1
            length = state_bits + 1 - number.bit_length()
            lengths.append(length)
            bases.append((number << length) - states)
        return cls(state_bits, tuple(words), tuple(lengths), tuple(bases))

    def encode(self, words: Sequence[int]) -> str:
        """Return the bits of a stream, the first one to decode first: the first state, then what each word needs.

        Raises
        ------
        InputError
            A word has no code.
        """
        places: dict[int, list[int]] = {}
        for state, word in enumerate(self.words):
            places.setdefault(word, []).append(state)
        states = 1 << self.state_bits
        state, said = 0, []
        for word in reversed(words):
            if word not in places:
                raise InputError(f"the word {word} has no code")
            own = places[word]
            # of the word's states, the one whose base reaches the state after it
            length = max(0, self.state_bits - len(own).bit_length())
            while (state + states) >> length >= 2 * len(own):
                length += 1
            number = (state + states) >> length
            said.append(f"{(state + states) & ((1 << length) - 1):0{length}b}" if length else "")
            state = own[number - len(own)]
        return f"{state:0{self.state_bits}b}" + "".join(reversed(said))


class AnsLane(wiring.Component):
    """tANS decoder (baseline): one word a cycle from one stream of bits; n_out lanes make a block.

    The table is a memory: a block memory of an FPGA holds it, and its output is the state's row.

    Parameters
    ----------
    table : AnsTable
    n_w : int
        Bits of a word.

    Members
    -------
    i : In(stream.Signature(table.state_bits))
        Bits, the first one to decode highest; the last beat is filled up with any bits. Who reads knows how many
        words there are.
    o : Out(stream.Signature(n_w))
    restart : In(1)
        Drops what is left of the last stream; the next begins with its first state.
    """

    def __init__(self, table: AnsTable, n_w: int) -> None:
        self.table, self.n_w = table, n_w
        super().__init__(
            {
                "i": In(stream.Signature(table.state_bits)),
                "o": Out(stream.Signature(n_w)),
                "restart": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size, n_w = self.table.state_bits, self.n_w
        count = size.bit_length()
        rows = [
            word | length << n_w | base << n_w + count
            for word, length, base in zip(self.table.words, self.table.lengths, self.table.bases, strict=True)
        ]
        m.submodules.table = table = memory.Memory(shape=n_w + count + size, depth=1 << size, init=rows)
        port = table.read_port()
        buffer = BitBuffer(size)
        length, base = Signal(count), Signal(size)
        m.d.comb += Cat(self.o.payload, length, base).eq(port.data)
        begun = Signal()
        head = Signal(size)
        step = Signal()
        enough = Signal()
        m.d.comb += [
            head.eq(buffer.head),
            enough.eq(buffer.level >= Mux(begun, length, size)),
            self.o.valid.eq(begun & ~self.restart & enough),
            step.eq(~self.restart & enough & (self.o.ready | ~begun)),
        ]
        # the first `length` bits of the head, lowest last
        taken = Signal(size)
        shifted = head
        short = Signal(count)
        m.d.comb += short.eq((Const(size, count) - length)[:count])
        for stage in range(count):
            shifted = Mux(short[stage], shifted >> (1 << stage), shifted)
        m.d.comb += [
            taken.eq(shifted),
            port.addr.eq(Mux(begun, (base + taken)[:size], head)),
            port.en.eq(step),
        ]
        with m.If(self.restart):
            m.d.sync += begun.eq(0)
        with m.Elif(step):
            m.d.sync += begun.eq(1)
        buffer.refill(m, self.i, Mux(step, Mux(begun, length, size), 0), self.restart)
        return m
