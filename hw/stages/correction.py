"""The correction stage: repairs unmatched bits with the patches of each block."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.hw.stages.fields import dense_corrections, patch_bits, position_bits
from xorweave.hw.stages.layouts import block_layout


class CorrectionStage(wiring.Component):
    """Correction: exclusive-or of up to `patches_per_block` words of a block with their differences.

    A list that would be no shorter than the differences of all n_out words is replaced by those
    (see `dense_corrections`): word r of the input then belongs to word r of the block.

    Takes one list of patches with every block, so it never holds a block back for want of a cycle: whatever the
    number of patches, a block passes in each cycle in which both streams are valid. Combinational.

    Parameters
    ----------
    n_out, n_w : int
        Words of a block, bits of a word.
    patches_per_block : int
        Slots of a list (P), at least 1. Positions in one list must differ.
    lists : bool
        Take lists of patches even where the differences of all words would be shorter.
    lanes : bool
        Slot p repairs words p, p + P, p + 2 P ... only, and its position counts those: P patches a block for the gates
        of one, if no two of them meet in a lane.

    Members
    -------
    i : In(stream.Signature(block_layout(n_out, n_w)))
    patches : In(stream.Signature(correction_bits(n_out, n_w, P)))
        Slot p from bit ``p * patch_bits``: difference (n_w bits), position, valid (highest bit). Or, dense,
        difference r from bit ``r * n_w``.
    o : Out(stream.Signature(block_layout(n_out, n_w)))
    """

    def __init__(
        self, n_out: int, n_w: int, patches_per_block: int, *, lists: bool = False, lanes: bool = False
    ) -> None:
        if patches_per_block < 1:
            raise InputError(f"patches_per_block must be at least 1, not {patches_per_block}")
        self.n_out = n_out
        self.n_w = n_w
        self.patches_per_block = patches_per_block
        self.lanes = patches_per_block if lanes else 1
        self.dense = dense_corrections(n_out, n_w, patches_per_block) and not lists and not lanes
        rows = -(-n_out // self.lanes)
        width = n_out * n_w if self.dense else patches_per_block * patch_bits(rows, n_w)
        super().__init__(
            {
                "i": In(stream.Signature(block_layout(n_out, n_w))),
                "patches": In(stream.Signature(width)),
                "o": Out(stream.Signature(block_layout(n_out, n_w))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows = -(-self.n_out // self.lanes)
        width, address = patch_bits(rows, self.n_w), position_bits(rows)
        slots = []
        for p in range(0 if self.dense else self.patches_per_block):
            slot = self.patches.payload[p * width : (p + 1) * width]
            difference = Signal(self.n_w, name=f"difference{p}")
            position = Signal(address, name=f"position{p}")
            valid = Signal(name=f"valid{p}")
            m.d.comb += Cat(difference, position, valid).eq(slot)
            slots.append((difference, position, valid))
        words = []
        for r in range(self.n_out):
            repaired = self.i.p.words[r * self.n_w : (r + 1) * self.n_w]
            if self.dense:
                repaired ^= self.patches.payload[r * self.n_w : (r + 1) * self.n_w]
            for difference, position, valid in slots if self.lanes == 1 else [slots[r % self.lanes]]:
                repaired ^= difference & (valid & (position == r // self.lanes)).replicate(self.n_w)
            word = Signal(self.n_w, name=f"w{r}")
            m.d.comb += word.eq(repaired)
            words.append(word)
        m.d.comb += [
            self.o.p.words.eq(Cat(words)),
            self.o.p.first.eq(self.i.p.first),
            self.o.p.last.eq(self.i.p.last),
            self.o.valid.eq(self.i.valid & self.patches.valid),
            self.i.ready.eq(self.o.ready & self.patches.valid),
            self.patches.ready.eq(self.o.ready & self.i.valid),
        ]
        return m
