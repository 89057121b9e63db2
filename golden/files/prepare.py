"""From a tensor as it comes to the weights and the mask that are encoded: cast or quantise, and prune."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

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
from xorweave.golden.choose.arrangement import Arrangement
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.mask.masks import magnitude_mask, random_mask
from xorweave.golden.values.quantize import quantize, quantize_to

PRUNERS = ("magnitude", "random")
DTYPES = ("int8", "int4", "fp16", "bf16", "fp32")
_BY_SAFETENSORS = {fmt.safetensors: fmt for fmt in FORMATS.values() if fmt.name != "int4"}
_FLOATS = ("F64", "F32", "F16", "BF16")


def check_dtype(dtype: str | None) -> None:
    """Refuse what is no dtype that weights can be cast to; None stands for their own.

    Raises
    ------
    InputError
        It is none of `DTYPES`.
    """
    if dtype is not None and dtype not in DTYPES:
        raise InputError(f"the dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")


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
    arranged : Arrangement or None
        What pruning has arranged for the encoder.
    """

    values: NDArray
    number_format: NumberFormat
    mask: NDArray[np.bool_]
    scale: NDArray[np.float32] | None = None
    arranged: Arrangement | None = None


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
        Masks by tensor name; they take the place of sparsity. Of a tensor without one the zeros are the mask.
    arranged : dict of str to Arrangement
        What pruning has arranged, by tensor name: integers get its scales if they are those it was made for.
    include, exclude : tuple of str
        Patterns of names (``*`` and ``?``): only tensors that match one of the first, where there are any, and none of
        the second are encoded.
    """

    dtype: str | None = None
    sparsity: float | None = None
    prune: str = "magnitude"
    per_row: bool = False
    seed: int = 0
    negative_zero: str = "kept"
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    arranged: dict[str, Arrangement] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Whether a tensor of this name is to be encoded."""
        included = not self.include or any(fnmatchcase(name, glob) for glob in self.include)
        return included and not any(fnmatchcase(name, glob) for glob in self.exclude)

    def __post_init__(self) -> None:
        check_dtype(self.dtype)
        if self.prune not in PRUNERS:
            raise InputError(f"the way to prune must be one of {', '.join(PRUNERS)}, not {self.prune!r}")
        if self.negative_zero not in ("kept", "pruned"):
            raise InputError(f"the negative zero must be kept or pruned, not {self.negative_zero!r}")
        if self.sparsity is not None and not 0.0 <= self.sparsity <= 1.0:
            raise InputError(f"the sparsity must be between 0 and 1, not {self.sparsity}")
        if self.sparsity is not None and self.masks:
            raise InputError("a sparsity and masks must not be given together")


def is_encodable(tensor: Tensor) -> bool:
    """Tensors of rank below 2 and empty ones are carried through unchanged."""
    return tensor.values.ndim >= 2 and tensor.values.size > 0


def sort_tensors(
    tensors: Mapping[str, Tensor],
    how: Preparation,
    own: Mapping[str, Preparation] | None = None,
    beside: Mapping[str, str] | None = None,
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tell the tensors that are encoded from those that are carried through unchanged.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Everything a file holds.
    how : Preparation
        Its dtype decides what can be encoded.
    own : mapping of str to Preparation, optional
        Of tensors that are prepared in another way.
    beside : mapping of str to str, optional
        Tensors that are no weights, and why.

    Returns
    -------
    (dict of str to Tensor, dict of str to str)
        What `prepare` takes; and for every other tensor why it is carried: rank below 2, empty, an integer or boolean
        buffer beside float weights, a type without a code. INT8 beside floats is taken for weights that someone
        quantised, not for a buffer.

    Raises
    ------
    InputError
        There are tensors of rank 2 and more, but none of them can be encoded this way.
    """
    large = {name: tensor for name, tensor in tensors.items() if is_encodable(tensor)}
    floats = any(tensor.dtype in _FLOATS for tensor in large.values())
    encoded: dict[str, Tensor] = {}
    carried: dict[str, str] = {}
    refusals: list[str] = []
    for name, tensor in tensors.items():
        if name not in large:
            carried[name] = "empty" if tensor.values.size == 0 else f"rank {tensor.values.ndim}"
            continue
        mine = own.get(name, how) if own else how
        if not mine.takes(name):
            carried[name] = "left out by name"
            continue
        if beside and name in beside:
            carried[name] = beside[name]
            continue
        reason = _reason_to_carry(tensor, mine.dtype, floats)
        if reason is None:
            encoded[name] = tensor
        else:
            carried[name] = reason
            refusals.append(f"tensor {name} holds {tensor.dtype}: {reason}")
    if refusals and not encoded:
        raise InputError(refusals[0])
    if large and not encoded:
        raise InputError(
            f"include and exclude must leave a tensor to encode, of {', '.join(list(large)[:5])}"
        )
    return encoded, carried


def _reason_to_carry(tensor: Tensor, dtype: str | None, beside_floats: bool) -> str | None:
    own = _BY_SAFETENSORS.get(tensor.dtype)
    if tensor.dtype in _FLOATS:
        if dtype is None and own is None:
            return f"{tensor.dtype} has no code of its own; give a dtype ({', '.join(DTYPES)})"
        return None
    if beside_floats and tensor.dtype != "I8":
        return f"a buffer of {tensor.dtype} beside float weights"
    if own is None:
        return f"{tensor.dtype} has no code"
    fits = dtype is None or own.name == dtype or (dtype == "int4" and _is_int4(tensor))
    return None if fits else f"{tensor.dtype} cannot be cast to {dtype}"


def _is_int4(tensor: Tensor) -> bool:
    return (
        tensor.dtype == "I8"
        and int(tensor.values.min(initial=0)) >= -8
        and int(tensor.values.max(initial=0)) <= 7
    )


def scale_names(encoded: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Return under which name the scale of each quantised tensor is stored: ``NAME.scale``, or the first free one.

    Parameters
    ----------
    encoded : iterable of str
        The quantised tensors.
    taken : iterable of str
        All names of the file.
    """
    used = set(taken)
    names: dict[str, str] = {}
    for name in encoded:
        own, number = f"{name}.scale", 1
        while own in used:
            own, number = f"{name}.scale.{number}", number + 1
        used.add(own)
        names[name] = own
    return names


def _as_float(name: str, tensor: Tensor) -> NDArray[np.floating]:
    if tensor.dtype == "BF16":
        return from_bfloat16(tensor.values)
    if tensor.dtype in ("F64", "F32", "F16"):
        return tensor.values
    raise InputError(
        f"tensor {name} holds {tensor.dtype}, which cannot be cast to a smaller format; give no dtype"
    )


def _cast(
    name: str, tensor: Tensor, dtype: str | None, per_row: bool, arranged: Arrangement | None
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
    if wanted.name == "int4" and _is_int4(tensor):
        return np.ascontiguousarray(tensor.values, np.int8), wanted, None
    values = _as_float(name, tensor)
    if not wanted.is_float:
        if arranged is not None and arranged.dtype == dtype and arranged.scale is not None:
            integers = quantize_to(values, dtype, arranged.scale)
            if integers is not None:
                return integers, wanted, arranged.scale
        integers, scale = quantize(values, dtype, "row" if per_row else "tensor")
        return integers, wanted, scale
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32 if wanted.name == "bf16" else wanted.storage)
        rounded = to_bfloat16(narrow) if wanted.name == "bf16" else narrow
    back = from_bfloat16(rounded) if wanted.name == "bf16" else rounded
    if (np.isinf(back) & np.isfinite(values)).any():
        raise InputError(f"tensor {name} holds values beyond the range of {dtype}")
    return rounded, wanted, None


def is_quantised(tensor: Tensor, dtype: str | None) -> bool:
    """Whether casting to `dtype` quantises this tensor, so that it has scales."""
    if dtype is None or number_format(dtype).is_float:
        return False
    wanted = number_format(dtype)
    return _BY_SAFETENSORS.get(tensor.dtype) is not wanted and not (dtype == "int4" and _is_int4(tensor))


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
        arranged = how.arranged.get(name)
        values, fmt, scale = _cast(name, tensor, how.dtype, how.per_row, arranged)
        if name in how.masks:
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
    return Prepared(values=values, number_format=fmt, mask=mask, scale=scale, arranged=arranged)


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

    Raises
    ------
    InputError
        There is no such kind or dtype.
    """
    fmt = number_format(dtype)
    rng = np.random.default_rng(seed)
    if kind == "uniform":
        words = rng.integers(0, 1 << fmt.n_w, mask.shape, np.uint64).astype(fmt.word)
        return fmt.from_words(words), fmt
    if kind != "normal":
        raise InputError(f"the values must be uniform or normal, not {kind!r}")
    real = rng.standard_normal(mask.shape, np.float32)
    if fmt.name in ("int8", "int4"):
        return quantize(real, fmt.name)[0], fmt
    if fmt.name == "bf16":
        return to_bfloat16(real), fmt
    return real.astype(fmt.storage), fmt
