"""Names as they can be shown: they come from files, and may hold anything."""

from __future__ import annotations

import re
from collections.abc import Sequence

# controls, among them those that turn the direction of text; what takes no room, so that two names look alike; and
# halves of characters, which are no text
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff"
    "\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)


#: Names longer than this lose their middle where they are shown.
LONGEST_NAME = 100


def printable(text: str) -> str:
    """Return text with everything that a terminal would act upon, or could not write, as an escape (``\\x1b``)."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def sheet_cell(text: str) -> str:
    """Return a text as a cell of a CSV: names come from files, and spreadsheets run what looks like a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def shortened(text: str, longest: int) -> str:
    """Return a text of at most so many characters: a longer one loses its middle."""
    if len(text) <= longest:
        return text
    half = longest // 2 - 2
    return f"{text[:half]}...{text[-half:]}"


def listed(names: Sequence[str]) -> str:
    """Return the first four names, each of bounded length, and how many more there are."""
    return ", ".join(shortened(name, LONGEST_NAME) for name in names[:4]) + (
        f" and {len(names) - 4} more" if len(names) > 4 else ""
    )
