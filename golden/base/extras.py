"""The sentence that says how to install what is missing."""

from __future__ import annotations


def install_advice(extra: str) -> str:
    """Return how to install an extra of this project, which is on no package index.

    Parameters
    ----------
    extra : str
        A name of ``[project.optional-dependencies]`` in pyproject.toml.
    """
    return f"pip install '.[{extra}]' in a checkout of xorweave"
