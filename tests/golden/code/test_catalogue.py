from __future__ import annotations

import galois
import numpy as np

from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.code.catalogue import CATALOGUE
from xorweave.golden.code.code import Code


def test_every_named_code_is_what_it_was_and_says_why() -> None:
    for name, entry in CATALOGUE.items():
        code = Code.from_spec(entry.spec)
        assert code.check_value == entry.check_value, name
        assert code.spec == entry.spec, f"{name}: the words must be complete"
        assert entry.why.strip(), name
        assert "=" not in name and "," not in name and name not in ("auto", "paper"), name


def test_every_named_code_has_full_rank_in_the_columns_it_uses() -> None:
    for name, entry in CATALOGUE.items():
        code = Code.from_spec(entry.spec)
        rank = np.linalg.matrix_rank(galois.GF2(code.generator))
        assert rank == min(code.n_out, np.count_nonzero(code.generator.any(axis=0))), name


def test_every_name_is_taken_on_the_command_line() -> None:
    for name, entry in CATALOGUE.items():
        assert CodeChoice.parse(name).code == Code.from_spec(entry.spec)
