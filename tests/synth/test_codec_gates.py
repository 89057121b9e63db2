from __future__ import annotations

import json
from importlib import resources

import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.codecs.comparison import all_codecs
from xorweave.synth.codec_gates import BUILDERS, measure_gates, sample_tensor
from xorweave.synth.flow.yosys import tool_versions

STORED = json.loads(resources.files("xorweave.pages").joinpath("decoder_gates.json").read_text("utf-8"))


def test_the_stored_table_can_be_made_again() -> None:
    """One of its lines, the quickest to make; the others by the command that it names."""
    if STORED["tools"] != tool_versions():
        pytest.skip(f"the table was made with {STORED['tools']}, here is {tool_versions()}")
    made = measure_gates("xor-paper", sample_tensor())
    kept = STORED["decoders"]["xor-paper"]
    assert {part: round(value) for part, value in made.parts.items()} == kept["parts"]
    assert round(made.gate_equivalents) == kept["gate_equivalents"]
    assert (made.weights_per_cycle, made.memory_bits, made.note) == (
        kept["weights_per_cycle"],
        kept["memory_bits"],
        kept["note"],
    )
    assert made.per_weight == pytest.approx(kept["gate_equivalents"] / kept["weights_per_cycle"], rel=1e-3)


def test_the_stored_table_has_every_decoder_there_is() -> None:
    assert set(STORED["decoders"]) == set(BUILDERS) <= {codec.name for codec in all_codecs()}
    for found in STORED["decoders"].values():
        assert abs(sum(found["parts"].values()) - found["gate_equivalents"]) <= len(found["parts"])


def test_formats_without_a_decoder_are_named() -> None:
    with pytest.raises(InputError, match=r"a decoder in RTL must be one of bitmap, eie, .* not 'zstd'"):
        measure_gates("zstd")
