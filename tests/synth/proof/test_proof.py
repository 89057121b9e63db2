"""The proofs must hold for right decoders and must catch every kind of wrong one."""

from dataclasses import replace

import numpy as np
import pytest

from xorweave.golden.code.code import Code
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_design import decoder_verilog
from xorweave.hw.stages.fields import dense_corrections
from xorweave.synth.flow.liberty import GATES_LIB
from xorweave.synth.flow.synthesis import map_to_cells
from xorweave.synth.proof import induction
from xorweave.synth.proof.proof import judge_equivalence, prove_contract, prove_contract_of, prove_equivalent
from xorweave.synth.proof.reference import reference_verilog
from xorweave.synth.proof.shape import DecoderShape

CODE = Code.uniform(n_in=4, n_out=12, n_s=2, seed=3)
EVERYTHING = {"n_w": 2, "patches_per_block": 2, "inversion": None, "mask": True}


def mapped(text, directory):
    """Map Verilog with the generic library; return the netlist."""
    source = directory / "decoder.v"
    source.write_text(text)
    map_to_cells([source], "top", directory)
    return directory / "netlist.v"


@pytest.mark.parametrize(
    "options",
    [
        {"input_register": False},
        {"input_register": True},
        {**EVERYTHING, "input_register": True, "output_register": True},
        {**EVERYTHING, "inversion": 2, "input_register": True, "skid_buffers": True},
    ],
)
def test_mapped_decoder_equals_its_matrix_and_protocol(options, tmp_path):
    options = {"mask": False, **options}
    n_w = options.pop("n_w", 1)
    netlist = mapped(decoder_verilog(DecoderConfig.raw(code=CODE, n_w=n_w, **options), "top"), tmp_path)
    shape = DecoderShape(code=CODE, n_w=n_w, **options)
    assert prove_equivalent(netlist, "top", shape, liberty=GATES_LIB) == "proved"


@pytest.mark.parametrize("row, column", [(0, 0), (5, 7), (11, 11)])
def test_one_flipped_tap_is_caught(row, column, tmp_path):
    wrong = CODE.generator.copy()
    wrong[row, column] ^= 1
    other = Code(n_in=4, n_out=12, n_s=2, generator=wrong)
    netlist = mapped(decoder_verilog(DecoderConfig.raw(code=other, n_w=2), "top"), tmp_path)
    shape = DecoderShape(code=CODE, n_w=2, mask=True, input_register=True)
    assert prove_equivalent(netlist, "top", shape, liberty=GATES_LIB) == "failed"
    assert prove_equivalent(netlist, "top", replace(shape, code=other), liberty=GATES_LIB) == "proved"


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_a_fault_in_any_plane_is_caught_without_simulation_too(plane, tmp_path, monkeypatch):
    shape = DecoderShape(code=CODE, n_w=3, mask=True)
    text = reference_verilog(shape, "top")
    right = f"assign decoded[{5 * 3 + plane}] = window["
    assert right in text
    netlist = mapped(text.replace(right, right.replace("window", "~window")), tmp_path)
    run_abc = induction.run_abc
    monkeypatch.setattr(induction, "run_abc", lambda c, *a, **k: "" if "sim3" in c else run_abc(c, *a, **k))
    assert prove_equivalent(netlist, "top", shape, liberty=GATES_LIB) == "failed"


STAGES = [
    {"n_w": 3, "transform": "difference", "inversion": 5},
    {"n_w": 4, "transform": "sign-magnitude"},
    {"n_w": 1, "transform": "sign-magnitude"},
    {"n_w": 2, "patches_per_block": 7, "output_register": True},
]


def stages(options):
    """Configuration and shape of a decoder with these stages; seven patches of twelve words are a dense list."""
    config = DecoderConfig.raw(code=CODE, **options)
    dense = dense_corrections(CODE.n_out, config.n_w, config.patches_per_block)
    assert dense == bool(config.patches_per_block)
    shape = DecoderShape(code=CODE, mask=True, input_register=True, dense_corrections=dense, **options)
    return config, shape


@pytest.mark.parametrize("options", STAGES)
def test_transforms_and_dense_corrections_are_proved(options, tmp_path):
    config, shape = stages(options)
    netlist = mapped(decoder_verilog(config, "top"), tmp_path)
    assert prove_equivalent(netlist, "top", shape, liberty=GATES_LIB) == "proved"
    assert prove_contract(shape) == "proved"


@pytest.mark.parametrize(
    "options, right, wrong",
    [
        (STAGES[0], "w4_by1 =", "w4_by1 = 3'd1 ^"),  # one bit of one word
        (STAGES[1], "w7_negated =", "w7_negated = 3'd4 |"),  # wrong only where a word is negative
        (STAGES[3], "w11 =", "w11 = 2'd2 &"),
    ],
)
def test_a_fault_in_these_stages_is_caught(options, right, wrong, tmp_path):
    config, shape = stages(options)
    text = decoder_verilog(config, "top")
    assert text.count(right) == 1
    netlist = mapped(text.replace(right, wrong), tmp_path)
    assert prove_equivalent(netlist, "top", shape, liberty=GATES_LIB) == "failed"


def test_another_transform_is_caught(tmp_path):
    config, shape = stages(STAGES[0])
    netlist = mapped(decoder_verilog(config, "top"), tmp_path)
    assert prove_equivalent(netlist, "top", replace(shape, transform="none"), liberty=GATES_LIB) == "failed"


@pytest.mark.parametrize("option", ["output_register"])  # the others take pdr minutes to refute
def test_decoder_of_another_shape_is_caught(option, tmp_path):
    netlist = mapped(
        decoder_verilog(DecoderConfig.raw(code=CODE, n_w=1, input_register=True), "top"), tmp_path
    )
    shape = DecoderShape(code=CODE, n_w=1, mask=True, input_register=True)
    assert prove_equivalent(netlist, "top", shape, liberty=GATES_LIB) == "proved"
    changed = replace(shape, **{option: not getattr(shape, option)})
    assert prove_equivalent(netlist, "top", changed, liberty=GATES_LIB) == "failed"


def test_wide_dense_matrix_is_proved(tmp_path):
    code = Code.uniform(n_in=32, n_out=40, n_s=3, seed=1)
    netlist = mapped(reference_verilog(DecoderShape(code=code), "top"), tmp_path)
    assert prove_equivalent(netlist, "top", DecoderShape(code=code), liberty=GATES_LIB) == "proved"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"input_register": True},
        {"input_register": True, "output_register": True},
        {"input_register": True, "mask": True, "patches_per_block": 3, "inversion": None},
        {"skid_buffers": True, "mask": True},
    ],
)
def test_reference_honours_the_contract(options):
    assert prove_contract(DecoderShape(code=CODE, n_w=8, **options)) == "proved"


REGISTERED = DecoderShape(
    code=CODE, input_register=True, output_register=True, mask=True, patches_per_block=1
).with_identity(n_in=1)
PLAIN = DecoderShape(code=CODE, input_register=True).with_identity(n_in=1)
SKID = DecoderShape(code=CODE, input_register=True, skid_buffers=True).with_identity(n_in=1)


DENSE = DecoderShape(code=CODE, patches_per_block=1, dense_corrections=True).with_identity(n_in=1)


@pytest.mark.parametrize(
    "shape, right, wrong",
    [
        (REGISTERED, "start ? 0 : x", "x"),  # history not cleared
        (REGISTERED, "running <= !last", "running <= 1"),  # a start after tlast forgotten
        (REGISTERED, "full <= given_v", "full <= given_v | full"),  # a block given out twice
        (REGISTERED, "= !full | block_r", "= 1'b1"),  # a symbol overwritten in a stall
        (REGISTERED, "given_r = !full | block_r", "given_r = !full"),  # half rate
        (REGISTERED, "out_r = !held | m_axis_tready", "out_r = !held"),  # half rate at the output
        (REGISTERED, "held <= out_v", "held <= out_v & !held"),  # a block lost
        (
            REGISTERED,
            "out_v = block_v & s_axis_mask_v & patch_v",
            "out_v = block_v & s_axis_mask_v",
        ),  # patches not waited for
        (REGISTERED, "if (rst) held <= 0; else if", "if"),  # a block survives reset
        (REGISTERED, "decoded & {", "decoded | {"),
        (REGISTERED, "held_last <= block_last", "held_last <= block_first"),
        (DENSE, "decoded ^ patch_d", "decoded"),  # differences left out
        (DENSE, "out_v = block_v & patch_v", "out_v = block_v"),
        # valid waits for ready, valid shows only to who is ready, every second block waits
        (PLAIN, "m_axis_tvalid = out_v", "m_axis_tvalid = out_v & m_axis_tready"),
        (PLAIN, "m_axis_tvalid = out_v", "m_axis_tvalid = out_v & !stalled"),
        (PLAIN, "out_v = block_v", "out_v = block_v & odd"),
        (REGISTERED, "assign decoded[1] = window[1]", "assign decoded[1] = window[0]"),
        (SKID, "s_axis_aside ? s_axis_held", "1'b0 ? s_axis_held"),  # the word set aside is lost
        (SKID, "s_axis_v = s_axis_tvalid | s_axis_aside", "s_axis_v = s_axis_tvalid"),
    ],
)
def test_contract_catches_every_broken_decoder(shape, right, wrong):
    text = reference_verilog(shape)
    right = right if right in text else right.replace("decoded", "repaired")
    assert right in text
    broken = text.replace(right, wrong).replace(
        "endmodule",
        "reg stalled, odd; always @(posedge clk) begin\n"
        "stalled <= out_v & !m_axis_tready; odd <= rst ? 0 : !odd; end\nendmodule",
    )
    assert prove_contract_of(broken, "reference", shape) == "failed"


@pytest.mark.parametrize("shape", [REGISTERED, SKID, DENSE])
def test_contract_holds_for_the_decoders_that_are_broken_above(shape):
    assert prove_contract_of(reference_verilog(shape), "reference", shape) == "proved"


def test_reference_computes_the_matrix_with_an_empty_row(tmp_path):
    generator = np.zeros((3, 4), np.uint8)
    generator[0, 0] = generator[2, 3] = 1
    code = Code(n_in=2, n_out=3, n_s=1, generator=generator)
    netlist = mapped(decoder_verilog(DecoderConfig.raw(code=code, n_w=1, mask=False), "top"), tmp_path)
    shape = DecoderShape(code=code, input_register=True)
    assert prove_equivalent(netlist, "top", shape, liberty=GATES_LIB) == "proved"


SEEN = DecoderShape(
    code=CODE, n_w=2, patches_per_block=1, mask=True, input_register=True, output_register=True, inversion=1
)


@pytest.mark.parametrize(
    "right, wrong, outcome, reason",
    [
        ("posedge clk", "negedge clk", "failed", "on the falling edge"),
        ("always @(posedge clk) if (rst) running", "always @(posedge rst) if (rst) running", "failed", "than clk"),
        ("posedge clk", "posedge s_axis_tdata[0]", "failed", "than clk"),
        ("always @(posedge clk) if (rst) running", "always @(posedge clk, posedge rst) if (rst) running", "failed",
         "asynchronous"),
        # a register without reset that wakes as 1 and never falls
        ("m_axis_tvalid = held", "m_axis_tvalid = held & !dead", "failed", "something else"),
        ("held_data <= repaired", "held_data <= repaired ^ {24{&wheel}}", "failed", "something else"),
        ("input clk,", "input clk, input test_mode,", "proved", ""),
        ("m_axis_tvalid = held", "m_axis_tvalid = held & !test_mode", "failed", "something else"),
        ("masked = upright", "masked = upright & nothing", "failed", "something else"),
        ("m_axis_tvalid = held", "m_axis_tvalid = 1'b0", "failed", "something else"),
        ("m_axis_tuser = held_first", "m_axis_tuser = 1'bz", "failed", "z"),
        ("held_data <= repaired", "held_data <= repaired ^ {24{&age}}", "not run", "age"),
    ],
)  # fmt: skip
def test_what_an_and_inverter_graph_forgets_is_seen(right, wrong, outcome, reason, tmp_path):
    text = reference_verilog(SEEN, "top")
    assert right in text
    text = text.replace(right, wrong)
    if "test_mode" in wrong and "input test_mode" not in text:
        text = text.replace("input clk,", "input clk, input test_mode,")
    more = {
        "dead": "reg dead; always @(posedge clk) dead <= dead & s_axis_tdata != 8'h2a;",
        "wheel": "reg [3:0] wheel; always @(posedge clk) wheel <= {wheel[2:0], wheel[3] ^ wheel[2]};",
        "nothing": "wire [23:0] nothing;",
        "age": "reg [29:0] age; always @(posedge clk) age <= rst ? 0 : age + !(&age);",
    }
    for name, line in more.items():
        if name in text:
            text = text.replace("endmodule", f"{line}\nendmodule")
    (tmp_path / "netlist.v").write_text(text)
    # what is not found out takes all the time there is
    patience = 5 if outcome == "not run" else 20
    verdict = judge_equivalence(tmp_path / "netlist.v", "top", SEEN, timeout_s=patience)
    assert verdict.outcome == outcome and reason in verdict.reason


@pytest.mark.parametrize(
    ("kind", "reset", "faults"),
    [
        ("$_DFF_PN0_", "1'1", []),  # tied to what leaves it alone: the only registers of some libraries
        ("$_DFFE_PP1P_", "1'0", []),
        ("$_DFF_PN0_", "1'0", ["1 registers are with an asynchronous input"]),
        ("$_DFF_PN0_", "\\\\rst", ["1 registers are with an asynchronous input"]),
        ("$_DFF_NN0_", "1'1", ["1 registers are on the falling edge"]),
    ],
)
def test_a_reset_that_never_comes_is_none(kind, reset, faults):
    dump = f"cell {kind} $1\n  connect \\C \\clk\n  connect \\R {reset}\nend\n"
    assert induction.register_faults(dump) == faults
