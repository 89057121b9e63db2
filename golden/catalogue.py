"""Named codes, each with a frozen check value: the same name means the same gates for ever."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CatalogueEntry:
    """One named code.

    Attributes
    ----------
    spec : str
        The code in words (``Code.from_spec``).
    check_value : str
        ``Code.check_value`` of the matrix, frozen.
    why : str
        What the code is good for.
    """

    spec: str
    check_value: str
    why: str


CATALOGUE: dict[str, CatalogueEntry] = {}
