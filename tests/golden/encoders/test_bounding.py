import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.code.code import Code
from xorweave.golden.encoders.bounding import encode_bounded
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor


@pytest.mark.parametrize("limit", [1, 2])
def test_no_block_needs_more_than_the_bound(limit: int) -> None:
    rng = np.random.default_rng(5)
    mask = rng.random((600, 700)) < 0.25
    weights = rng.integers(-128, 128, mask.shape).astype(np.int8)
    # a few percent over the rate of fewest bits, at which bursts are too many for any bound
    code, scan = Code.uniform(n_in=16, n_out=61, n_s=3), Interleaver(mask.size, 161803)
    free = encode_tensor(
        weights,
        FORMATS["int8"],
        code,
        mask=mask,
        scan=scan,
        options=EncodeOptions(encoder="elimination"),
    )
    bounded = encode_tensor(
        weights,
        FORMATS["int8"],
        code,
        mask=mask,
        scan=scan,
        options=EncodeOptions(encoder="elimination", corrections=f"bounded:{limit}"),
    )
    n_out = code.n_out
    assert np.bincount(free.patches.positions // n_out).max() > limit  # or the bound would be no bound
    assert np.bincount(bounded.patches.positions // n_out).max() <= limit
    assert bounded.correction_format.startswith(f"bounded:{limit}:")
    assert np.array_equal(decode_tensor(bounded), np.where(mask, weights, 0))
    # what is given up early is what would have been lost later: the number hardly changes
    assert bounded.patches.positions.size < 1.2 * free.patches.positions.size + 5


def test_a_bound_that_cannot_be_kept_is_refused() -> None:
    code = Code.uniform(n_in=4, n_out=8, n_s=1)
    weights = np.arange(64, dtype=np.int8).reshape(8, 8) + 1  # twice as many care bits as encoded bits
    with pytest.raises(
        InputError,
        match=r"^at most 1 patches a block cannot be kept at this rate; use a lower rate or a higher bound$",
    ):
        encode_tensor(
            weights,
            FORMATS["int8"],
            code,
            options=EncodeOptions(encoder="elimination", corrections="bounded:1"),
        )


def test_a_round_that_gives_nothing_more_up_is_the_last() -> None:
    rounds: list[int] = []

    def encode(active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rounds.append(int(active.sum()))
        return np.zeros((3, 1), np.uint8), np.arange(12)  # nothing ever matches

    with pytest.raises(InputError, match=r"^at most 1 patches a block cannot be kept"):
        encode_bounded(encode, np.ones(12, bool), 4, 1, 1)
    assert rounds == [12]


def test_give_ups_go_to_the_nearest_blocks_before_a_burst() -> None:
    # an encoder that needs three patches in the third block, less one for every bit given up before it
    mask = np.ones(12, bool)
    asked: list[np.ndarray] = []

    def encode(active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append(active.copy())
        given_up = np.flatnonzero(~active)
        late = np.arange(8, 8 + 3 - given_up.size)
        return np.zeros((3, 1), np.uint8), np.concatenate([given_up, late]).astype(np.int64)

    _symbols, wrong = encode_bounded(encode, mask, 4, 1, 1)
    assert wrong.tolist() == [0, 4, 8]
    assert asked[0].all()
    assert len(asked) == 2
