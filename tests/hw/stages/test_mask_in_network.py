"""The mask folded into the last exclusive-or: the same decoder, in fewer gates."""

from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.code.code import Code
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_design import decoder_verilog
from xorweave.hw.xor.network import XorNetwork
from xorweave.hw.xor.paired import paired_network
from xorweave.synth.flow.liberty import GATES_LIB
from xorweave.synth.flow.synthesis import map_to_cells
from xorweave.synth.proof.proof import prove_equivalent
from xorweave.synth.proof.shape import DecoderShape

GRAPH = Code.from_family("graph", n_in=8, n_out=60, n_s=1, pool=32)


def area_and_proof(config: DecoderConfig, directory: Path) -> tuple[float, str]:
    source = directory / "decoder.v"
    source.write_text(decoder_verilog(config, "top"))
    result, _ = map_to_cells([source], "top", directory)
    shape = DecoderShape(
        code=config.code, n_w=config.n_w, mask=config.mask, input_register=config.input_register
    )
    assert result.gate_equivalents is not None
    verdict = prove_equivalent(directory / "netlist.v", "top", shape, liberty=GATES_LIB)
    return result.gate_equivalents, verdict


def test_a_bit_takes_two_complex_gates(tmp_path: Path) -> None:
    n_w = 2
    config = DecoderConfig.raw(code=GRAPH, n_w=n_w, input_register=False, network=paired_network(GRAPH))
    assert config.mask_in_network
    area, verdict = area_and_proof(config, tmp_path)
    assert verdict == "proved"
    # two gates of 1.25 a bit instead of 2 + 1.5; what remains is sums, registers and handshake
    bare = DecoderConfig.raw(
        code=GRAPH, n_w=n_w, input_register=False, network=paired_network(GRAPH), mask=False
    )
    source = tmp_path / "bare.v"
    source.write_text(decoder_verilog(bare, "top"))
    without = map_to_cells([source], "top", tmp_path)[0].gate_equivalents
    assert without is not None and area - without <= 0.55 * GRAPH.n_out * n_w


def test_outputs_that_others_read_that_repeat_or_are_zero_are_masked_too(tmp_path: Path) -> None:
    rows = [[1, 1, 0], [1, 1, 1], [1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 1]]
    code = Code(n_in=3, n_out=6, n_s=0, generator=np.array(rows))
    # output 0 is read by the gate of output 1, and given out twice; output 4 is an input; output 5 is folded
    network = XorNetwork(3, ((0, 1), (3, 2), (1, 2)), (3, 4, 3, None, 0, 5))
    config = DecoderConfig.raw(code=code, n_w=2, input_register=True, network=network)
    assert area_and_proof(config, tmp_path)[1] == "proved"


@pytest.mark.parametrize(
    "options",
    [
        {"inversion": 1},
        {"inversion": None},
        {"transform": "difference"},
        {"max_depth": 2},
    ],
)
def test_a_stage_between_network_and_mask_keeps_them_apart(options: dict[str, object]) -> None:
    assert not DecoderConfig.raw(code=GRAPH, n_w=2, **options).mask_in_network  # type: ignore[arg-type]


def test_patches_come_after_the_mask_and_leave_it_in_the_network() -> None:
    assert DecoderConfig.raw(code=GRAPH, n_w=2, patches_per_block=1).mask_in_network
