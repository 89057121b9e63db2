"""Names as they can be shown: they come from files, and may hold anything."""

from __future__ import annotations

import re
from collections.abc import Sequence

# controls, among them those that turn the direction of text, and halves of characters, which are no text
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return text with everything that a terminal would act upon, or could not write, as an escape (``\\x1b``)."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def listed(names: Sequence[str]) -> str:
    """Return the first four names, and how many more there are."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
