"""Codes for matrices on lanes: lossless, free of corrections where asked, near the limit that whole N_in allow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.lane_code import encode_on_lanes, rank_lane_plans
from xorweave.golden.files.weight_files import read_smtx
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.figures import figures_of


@pytest.mark.parametrize("error_free", [True, False])
@pytest.mark.parametrize("shape", [(200, 96), (37, 5), (1, 40), (40, 1)])
@pytest.mark.parametrize("sparsity", [0.5, 0.9, 0.0, 1.0])
def test_lossless(shape: tuple[int, int], sparsity: float, error_free: bool) -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(-128, 128, shape).astype(np.int8)
    mask = rng.random(shape) >= sparsity
    layout = LaneLayout.fitting(*shape, 16)
    encoded = encode_on_lanes(values, number_format("int8"), mask, layout, max_k=64, error_free=error_free)
    back = decode_tensor(encoded)
    assert np.array_equal(back, np.where(mask, values, 0))
    assert encoded.code.n_out == 16
    assert encoded.code.constraint_length <= 64
    if error_free:
        assert encoded.patches.positions.size == 0


def test_lead_takes_away_the_loss_at_the_start() -> None:
    rng = np.random.default_rng(2)
    mask = rng.random((256, 256)) < 0.1
    values = rng.integers(-128, 128, mask.shape).astype(np.int8)
    layout = LaneLayout.fitting(256, 256, 64)
    encoded = encode_on_lanes(values, number_format("int8"), mask, layout)
    assert encoded.scan.lead == encoded.code.n_s > 0  # type: ignore[attr-defined]
    # nothing is unmatched at the first whole N_in above the mean of a block
    assert encoded.code.n_in == int(np.ceil(mask.sum() / (256 * 256 / 64)))


def test_real_mask_is_free_of_corrections(data_dir: Path) -> None:
    name = "body_encoder_layer_0_self_attention_multihead_attention_v.smtx"
    mask = read_smtx(data_dir / "dlmc" / "transformer" / "variational_dropout" / "0.9" / name)
    values = np.random.default_rng(0).integers(-128, 128, mask.shape).astype(np.int8)
    encoded = encode_on_lanes(values, number_format("int8"), mask, LaneLayout.fitting(*mask.shape, 64))
    overhead = figures_of(encoded).ratios()["overhead"]
    assert overhead is not None
    # 13.02 care bits a block: 14 is the least N_in, 7.5 % over
    assert encoded.code.n_in == 14
    assert overhead < 0.09
    assert encoded.patches.positions.size == 0


def test_the_last_plan_never_fails() -> None:
    plans = rank_lane_plans(np.ones((8, 8), bool), LaneLayout.fitting(8, 8, 4), 8)
    assert [plan.code.family for plan in plans] == ["identity"]
    with pytest.raises(InputError, match="at least 4, not 3"):
        rank_lane_plans(np.ones((8, 8), bool), LaneLayout.fitting(8, 8, 4), 8, max_k=3)
