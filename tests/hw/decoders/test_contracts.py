"""Full rate, proved: one word a cycle under any pattern of stalls, nothing lost, doubled or wrong."""

from collections.abc import Callable

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.code.code import Code
from xorweave.hw.decoders.contracts import StreamContract, decoded_by, decoder_contract, passes_on
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.hw.stages.register_slice import OutputRegister, SkidBuffer
from xorweave.hw.stages.xor_decoder import XorDecoder

Never = Callable[[str, str], bool]


@pytest.mark.parametrize("n_s", [0, 1, 2])
@pytest.mark.parametrize("input_register", [True, False])
def test_decoder(never: Never, n_s: int, input_register: bool) -> None:
    code = Code.uniform(n_in=2, n_out=3, n_s=n_s, seed=4)
    assert never(
        amaranth_verilog(decoder_contract(code, 1, input_register=input_register), "contract"), "contract"
    )


def test_pipelined_decoder(never: Never) -> None:
    code = Code.uniform(n_in=3, n_out=3, n_s=1, seed=4)
    contract = decoder_contract(code, 1, max_depth=1)
    assert contract.latency > 1
    assert never(amaranth_verilog(contract, "contract"), "contract")


def test_slices(never: Never) -> None:
    register = StreamContract(OutputRegister(2), passes_on, capacity=1, latency=1)
    assert never(amaranth_verilog(register, "contract"), "contract")
    skid = StreamContract(SkidBuffer(2), passes_on, capacity=1, latency=1)
    assert never(amaranth_verilog(skid, "contract"), "contract")


def test_another_matrix_is_refuted(never: Never) -> None:
    code = Code.uniform(n_in=2, n_out=3, n_s=1, seed=4)
    flipped = code.generator.copy()
    flipped[1, 2] ^= 1
    other = Code(n_in=2, n_out=3, n_s=1, generator=flipped)
    contract = StreamContract(XorDecoder(other, 1), decoded_by(code, 1), capacity=1, latency=1)
    assert not never(amaranth_verilog(contract, "contract"), "contract")


class _HalfRate(wiring.Component):
    """A register that rests after each word: right, but slow."""

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(2)), "o": Out(stream.Signature(2))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full = Signal()
        m.d.comb += [self.i.ready.eq(~full), self.o.valid.eq(full)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [full.eq(1), self.o.payload.eq(self.i.payload)]
        with m.Elif(self.o.ready):
            m.d.sync += full.eq(0)
        return m


class _Doubling(_HalfRate):
    """A register that offers a word again when nothing new has come."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full = Signal()
        m.d.comb += [self.i.ready.eq(~full | self.o.ready), self.o.valid.eq(full)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [full.eq(1), self.o.payload.eq(self.i.payload)]
        return m


class _Waiting(_HalfRate):
    """A register that shows its word only to who is ready."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full = Signal()
        m.d.comb += [self.i.ready.eq(~full | self.o.ready), self.o.valid.eq(full & self.o.ready)]
        with m.If(self.i.ready):
            m.d.sync += [full.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        return m


@pytest.mark.parametrize("make", [_HalfRate, _Doubling, _Waiting])
def test_slow_doubling_and_waiting_components_are_refuted(never: Never, make: type[_HalfRate]) -> None:
    contract = StreamContract(make(), passes_on, capacity=1, latency=1)
    assert not never(amaranth_verilog(contract, "contract"), "contract")
