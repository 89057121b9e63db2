"""What an effective mask saves over the direct one, measured by encoding with both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from numpy.typing import NDArray

from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.files.prepare import Preparation, prepare
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.tensor.figures import Figures, figures_of


@dataclass(frozen=True)
class Saving:
    """Stored bits of the same tensors under two masks; the mask itself takes one bit a weight either way.

    Attributes
    ----------
    direct, effective : Figures
    """

    direct: Figures
    effective: Figures

    @property
    def share_saved(self) -> float:
        """Payload and corrections saved, as a share of those with the direct mask; below 0 is a loss."""
        before, after = self.direct.stored_bits, self.effective.stored_bits
        return (before - after) / before if before else 0.0

    def to_dict(self) -> dict[str, object]:
        """Return bits a weight without and with the mask, and the share saved."""
        return {
            mask: {
                "stored_bits": figures.stored_bits,
                "bits_per_weight": figures.stored_bits / figures.weights,
                "bits_per_weight_with_mask": (figures.stored_bits + figures.mask_bits) / figures.weights,
            }
            for mask, figures in (("direct", self.direct), ("effective", self.effective))
        } | {"share_saved": self.share_saved}


def measure_saving(
    tensors: Mapping[str, NDArray],
    direct: Mapping[str, NDArray],
    effective: Mapping[str, NDArray],
    *,
    dtype: str = "int8",
    code: str = "auto",
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Saving]:
    """Encode every masked tensor twice, with the code chosen anew for each mask.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        The weights, in their own dtype.
    direct, effective : mapping of str to ndarray of bool
        Masks by tensor name.
    dtype : str
        Number format to encode in (quantised or rounded first).
    code : str
        As for `CodeChoice.parse`.
    seed : int
        Of the generator and of the strides tried.
    progress : callable, optional
        Called with a tensor's name before it is encoded.

    Returns
    -------
    dict of str to Saving
    """
    choice = CodeChoice.parse(code, seed=seed)
    found: dict[str, Saving] = {}
    for name in direct:
        if progress:
            progress(name)
        counted = []
        for masks in (direct, effective):
            item = prepare(
                name, Tensor.of(tensors[name]), Preparation(dtype=dtype, masks={name: masks[name]})
            )
            counted.append(figures_of(choice.encode(item.values, item.number_format, item.mask)))
        found[name] = Saving(*counted)
    return found
