"""What the SpMV engine may be asked for; tests/sim/test_spmv_run.py runs it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from amaranth.hdl import Fragment

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.engines.spmv_engine import SpmvConfig, SpmvEngine


def _config(**options: object) -> SpmvConfig:
    code = Code.uniform(n_in=2, n_out=4, n_s=1)
    layout = LaneLayout.fitting(16, 3, 4, interleave=2)
    fields = {
        "layout": layout,
        "decoder": DecoderConfig.raw(code=code, n_w=8),
        "load_words": 2,
        "result_words": 2,
        **options,
    }
    return SpmvConfig(**fields)  # type: ignore[arg-type]


def test_sizes_are_checked() -> None:
    with pytest.raises(InputError, match="one weight a lane, 4, not 5"):
        _config(decoder=DecoderConfig.raw(code=Code.uniform(n_in=2, n_out=5, n_s=0), n_w=8))
    with pytest.raises(InputError, match="INT4 and INT8 weights, not 16 bits"):
        _config(decoder=DecoderConfig.raw(code=_config().decoder.code, n_w=16))
    with pytest.raises(InputError, match="batch must be at least 1, not 0"):
        _config(batch=0)
    with pytest.raises(InputError, match="between 1 and 4, not 5"):
        _config(load_words=5)
    # four lanes and three columns: one result a cycle is too slow
    with pytest.raises(InputError, match=r"must be between 2, .* and 4, not 1"):
        _config(result_words=1)


def test_ports_and_memories() -> None:
    config = _config(batch=3)
    engine = SpmvEngine(config)
    Fragment.get(engine, None)
    names = set(engine.signature.members)
    assert {"s_axis_tdata", "s_axis_mask_tdata", "s_axis_x_tdata", "m_axis_tdata"} <= names
    assert not any(name.startswith("trace") for name in names)
    assert len(engine.m_axis_tdata) == 2 * 3 * 32 and len(engine.s_axis_x_tdata) == 2 * 3 * 8
    traced = SpmvEngine(replace(config, trace=True))
    Fragment.get(traced, None)
    assert "trace_sums" in traced.signature.members
    assert config.memory_bits == {
        "activations": 3 * 3 * 8,
        "accumulators": 4 * 2 * 3 * 32,
        "results": 4 * 2 * 3 * 32,
    }
