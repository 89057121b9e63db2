"""What every scan order is: which weight meets which output of which block, there and back."""

from __future__ import annotations

from typing import Protocol

from numpy.typing import NDArray


class Scan(Protocol):
    """An order of a tensor's n weights in `length` scan positions; positions without a weight are padding.

    Block t of a code holds scan positions t * n_out .. (t + 1) * n_out - 1. `spec` names the scan as the command line
    and the manifest do; ``parse_scan`` makes it again from the shape of the tensor.
    """

    @property
    def n(self) -> int:
        """Weights of the tensor."""
        ...

    @property
    def length(self) -> int:
        """Scan positions, padding included: at least n, or fewer where some weights have none and read back as 0."""
        ...

    @property
    def spec(self) -> str:
        """The scan in words: its kind, then KEY=VALUE items."""
        ...

    def to_scan(self, flat: NDArray) -> NDArray:
        """Put a flattened tensor, shape (n,), into scan order, shape (length,); padding is 0 (False)."""
        ...

    def from_scan(self, scanned: NDArray) -> NDArray:
        """Put scan-ordered values, shape (length,), back into tensor order, shape (n,): undoes `to_scan`."""
        ...

    def positions(self, start: int = 0, stop: int | None = None) -> NDArray:
        """Return the elements at scan positions start .. stop - 1 (int64); -1 is padding."""
        ...

    def places(self, elements: NDArray) -> NDArray:
        """Return the scan positions (int64) of elements of the flattened tensor, any shape: undoes `positions`.

        -1 where an element has none.
        """
        ...
