"""From a tensor as it comes to the weights and the mask that are encoded: cast or quantise, and prune."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import (
    FORMATS,
    NumberFormat,
    from_bfloat16,
    number_format,
    to_bfloat16,
)
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.mask.masks import magnitude_mask, random_mask
from xorweave.golden.values.quantize import quantize

PRUNERS = ("magnitude", "random")
DTYPES = ("int8", "int4", "fp16", "bf16", "fp32")
_BY_SAFETENSORS = {fmt.safetensors: fmt for fmt in FORMATS.values() if fmt.name != "int4"}


def check_dtype(dtype: str | None) -> None:
    """Refuse what is no dtype that weights can be cast to; None stands for their own."""
    if dtype is not None and dtype not in DTYPES:
        raise InputError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")


@dataclass(frozen=True, eq=False)
class Prepared:
    """Weights ready to be encoded.

    Attributes
    ----------
    values : ndarray, dtype ``number_format.storage``
    number_format : NumberFormat
    mask : ndarray of bool, same shape
    scale : ndarray of float32 or None
        The scales of quantising, shape (1,) or (rows,).
    """

    values: NDArray
    number_format: NumberFormat
    mask: NDArray[np.bool_]
    scale: NDArray[np.float32] | None = None


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What to do to every tensor of rank 2 and more before it is encoded.

    Parameters
    ----------
    dtype : str, optional
        ``int8`` or ``int4`` (quantised), ``fp16``, ``bf16`` or ``fp32`` (rounded); a tensor's own by default.
    sparsity : float, optional
        Share to prune. By default a tensor's zeros (all bits zero) are its mask.
    prune : {"magnitude", "random"}
    per_row : bool
        One scale for each row instead of one for the tensor.
    seed : int
        Of random pruning.
    negative_zero : {"kept", "pruned"}
        What -0.0 is where zeros are the mask: a weight to be given back bit for bit, or one more zero.
    masks : dict of str to ndarray of bool
        Masks by tensor name; they take the place of sparsity.
    """

    dtype: str | None = None
    sparsity: float | None = None
    prune: str = "magnitude"
    per_row: bool = False
    seed: int = 0
    negative_zero: str = "kept"
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_dtype(self.dtype)
        if self.prune not in PRUNERS:
            raise InputError(f"prune must be one of {', '.join(PRUNERS)}, not {self.prune!r}")
        if self.negative_zero not in ("kept", "pruned"):
            raise InputError(f"negative_zero must be kept or pruned, not {self.negative_zero!r}")
        if self.sparsity is not None and not 0.0 <= self.sparsity <= 1.0:
            raise InputError(f"sparsity must be between 0 and 1, not {self.sparsity}")
        if self.sparsity is not None and self.masks:
            raise InputError("sparsity and masks must not be given together")


_FLOATS = ("F64", "F32", "F16", "BF16")


def reason_to_carry(tensor: Tensor, *, beside_floats: bool, dtype: str | None = None) -> str | None:
    """Say why a tensor is carried through unchanged, or None where it can be encoded.

    Parameters
    ----------
    beside_floats : bool
        Whether there are floating-point tensors in the same model: integers are buffers then, not weights.
    dtype : str, optional
        What weights are cast to; F64 has no code of its own.
    """
    if tensor.values.size == 0:
        return "it is empty"
    if tensor.values.ndim < 2:
        return "it has fewer than two dimensions"
    if tensor.dtype in _FLOATS and (dtype is not None or tensor.dtype in _BY_SAFETENSORS):
        return None
    if tensor.dtype not in _BY_SAFETENSORS:
        return f"there is no code for {tensor.dtype}"
    return "it holds integers beside floating-point weights" if beside_floats else None


def is_encodable(tensor: Tensor) -> bool:
    """Whether a tensor by itself can be encoded."""
    return reason_to_carry(tensor, beside_floats=False) is None


def _as_float(name: str, tensor: Tensor) -> NDArray[np.floating]:
    if tensor.dtype == "BF16":
        return from_bfloat16(tensor.values)
    if tensor.dtype in ("F64", "F32", "F16"):
        return tensor.values
    raise InputError(
        f"tensor {name} holds {tensor.dtype}, which cannot be cast to a smaller format; leave dtype out"
    )


def _cast(
    name: str, tensor: Tensor, dtype: str | None, per_row: bool
) -> tuple[NDArray, NumberFormat, NDArray | None]:
    own = _BY_SAFETENSORS.get(tensor.dtype)
    if dtype is None:
        if own is None:
            raise InputError(
                f"tensor {name} holds {tensor.dtype}, which has no code of its own; give a dtype ({', '.join(DTYPES)})"
            )
        return np.ascontiguousarray(tensor.values, own.storage), own, None
    wanted = number_format(dtype)
    if own is wanted:
        return np.ascontiguousarray(tensor.values, own.storage), own, None
    if (
        wanted.name == "int4"
        and tensor.dtype == "I8"
        and np.abs(tensor.values.astype(np.int16)).max(initial=0) <= 7
    ):
        return np.ascontiguousarray(tensor.values, np.int8), wanted, None
    values = _as_float(name, tensor)
    if not wanted.is_float:
        integers, scale = quantize(values, dtype, "row" if per_row else "tensor")
        return integers, wanted, scale
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32 if wanted.name == "bf16" else wanted.storage)
        rounded = to_bfloat16(narrow) if wanted.name == "bf16" else narrow
    back = from_bfloat16(rounded) if wanted.name == "bf16" else rounded
    if (np.isinf(back) & np.isfinite(values)).any():
        raise InputError(f"tensor {name} holds values beyond the range of {dtype}")
    return rounded, wanted, None


def prepare(name: str, tensor: Tensor, how: Preparation) -> Prepared:
    """Cast, quantise and prune one tensor.

    Pruning looks at the tensor as it comes, before it is cast, so that quantising does not decide what is kept.

    Raises
    ------
    InputError
        The tensor's dtype cannot be cast as asked, it holds NaN where numbers are needed, or its mask has
        another shape.
    """
    try:
        values, fmt, scale = _cast(name, tensor, how.dtype, how.per_row)
        if how.masks:
            if name not in how.masks:
                raise InputError(f"masks hold no mask of that name, only {', '.join(sorted(how.masks)[:5])}")
            mask = how.masks[name]
            if mask.shape != values.shape:
                raise InputError(f"the mask must have the weights' shape {values.shape}, not {mask.shape}")
        elif how.sparsity is not None:
            if how.prune == "random":
                mask = random_mask(values.shape, how.sparsity, how.seed)
            else:
                source = from_bfloat16(tensor.values) if tensor.dtype == "BF16" else tensor.values
                mask = magnitude_mask(source, how.sparsity)
        else:
            mask = fmt.to_words(values) != 0
            if how.negative_zero == "pruned":
                mask &= ~is_negative_zero(values, fmt)
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith("tensor ") else f"tensor {name}: {text}") from None
    return Prepared(values=values, number_format=fmt, mask=mask, scale=scale)


def is_negative_zero(values: NDArray, fmt: NumberFormat) -> NDArray[np.bool_]:
    """Return where a floating-point weight is -0.0; integers have none. Same shape as `values`."""
    if not fmt.is_float:
        return np.zeros(values.shape, bool)
    return fmt.to_words(values) == 1 << (fmt.n_w - 1)


def synthetic_values(
    mask: NDArray[np.bool_], kind: str, dtype: str, seed: int
) -> tuple[NDArray, NumberFormat]:
    """Make values for a mask without weights.

    Parameters
    ----------
    mask : ndarray of bool
    kind : {"uniform", "normal"}
        Every word equally likely, or a normal distribution (quantised to its largest magnitude for integers).
    dtype : str
    seed : int

    Returns
    -------
    (ndarray, NumberFormat)
        Values of the mask's shape, pruned ones included.
    """
    fmt = number_format(dtype)
    rng = np.random.default_rng(seed)
    if kind == "uniform":
        words = rng.integers(0, 1 << fmt.n_w, mask.shape, np.uint64).astype(fmt.word)
        return fmt.from_words(words), fmt
    if kind != "normal":
        raise InputError(f"values must be uniform or normal, not {kind!r}")
    real = rng.standard_normal(mask.shape, np.float32)
    if fmt.name in ("int8", "int4"):
        return quantize(real, fmt.name)[0], fmt
    if fmt.name == "bf16":
        return to_bfloat16(real), fmt
    return real.astype(fmt.storage), fmt
