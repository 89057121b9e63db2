"""From a stored tensor to the decoder that decodes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.gate_estimate import patch_gates
from xorweave.hw.stages.layouts import patch_bits
from xorweave.hw.stages.mask_kinds import BitmapWords, MaskKind, ShapedWords
from xorweave.hw.stages.patch_kinds import BoundedPatches, GapPatches, LanePatches, ListPatches, PatchKind
from xorweave.hw.stages.word_kinds import PrefixWords, RawWords
from xorweave.hw.stages.xor_decoder import XorGroup
from xorweave.hw.xor.network import XorNetwork
from xorweave.hw.xor.paired import shared_network
from xorweave.hw.xor.pairs import greedy_pairs

PATCHES = ("auto", "list", "lanes", "gap", "bounded")


def config_for(
    tensor: Any,
    *,
    patches: str = "auto",
    gap_bits: int | None = None,
    patches_per_block: int | None = None,
    mask: bool = True,
    inversion_port: bool = False,
    network_of: Callable[[Code], XorNetwork | None] = shared_network,
    **options: Any,
) -> DecoderConfig:
    """Return the configuration that decodes a stored tensor.

    Parameters
    ----------
    tensor : EncodedTensor
    patches : {"auto", "list", "lanes", "gap", "bounded"}
        How patches come to the decoder; no stage where the tensor has none. ``auto``: with every block, as a list or by
        lane, whichever takes fewer gates; a list where `patches_per_block` is given.
    gap_bits : int, optional
        For ``gap``; by default that of the tensor's correction format.
    patches_per_block : int, optional
        Slots of the correction stage; by default as many as the fullest block needs.
    mask : bool
        Whether there is a mask stage.
    inversion_port : bool
        Raw planes: take the inversion word from a port instead of fixing it.
    network_of : callable
        Makes the gates of each code; groups of the same code share what it makes.
    **options
        Further fields of `DecoderConfig`.

    Raises
    ------
    InputError
        The tensor has no block, or the options do not go with it.
    """
    if tensor.values.kind == "packed":
        raise InputError(
            "a decoder must be made for planes, but the words are stored packed, at no fixed rate, as every code takes "
            "more bits: encode for hardware, or with raw values"
        )
    if not tensor.groups or tensor.blocks == 0:
        raise InputError("a decoder must be made for a tensor of at least one block of stored planes")
    made: dict[str, XorNetwork | None] = {}

    def network(code: Code) -> XorNetwork | None:
        if code.check_value not in made:
            made[code.check_value] = network_of(code)
        return made[code.check_value]

    n_out = tensor.n_out
    words = word_kind(tensor.values, inversion_port=inversion_port)
    groups = tuple(XorGroup(g.end - g.first, g.code, network(g.code)) for g in tensor.groups)
    if isinstance(words, RawWords):
        groups = (XorGroup(len(words.stored_planes), groups[0].code, groups[0].network),)
    return DecoderConfig(
        groups=groups,
        kind_of_words=words,
        kind_of_mask=mask_kind(tensor.mask_coder) if mask else None,
        kind_of_patches=_patches(tensor, patches, gap_bits, patches_per_block, n_out),
        **options,
    )


def word_kind(values: Any, *, inversion_port: bool = False) -> RawWords | PrefixWords:
    """Return the hardware of a value coder."""
    if isinstance(values, PrefixCode):
        if inversion_port:
            raise InputError("an inversion port must belong to raw planes, not to prefix-coded words")
        return PrefixWords(values)
    constant = values.constant_planes
    if constant == (1 << values.n_w) - 1:
        constant &= ~1  # one plane stays in any case
    return RawWords(values.n_w, None if inversion_port else values.inversion, constant, values.transform)


def mask_kind(coder: Any) -> MaskKind | None:
    """Return the hardware of a mask coder; None for a dense one."""
    if coder.kind == "none":
        return None
    if coder.kind == "bitmap":
        return BitmapWords()
    code = coder.code
    if code.sums:  # they bring a network of their own
        return ShapedWords(code)
    return ShapedWords(code, greedy_pairs(code.generator.reshape(code.n_out * code.parities, -1)))


def _patches(tensor: Any, kind: str, gap_bits: int | None, limit: int | None, n_out: int) -> PatchKind | None:
    """Return the kind of patches with as many slots as the tensor needs."""
    if kind not in PATCHES:
        raise InputError(f"the kind of patches must be one of {', '.join(PATCHES)}, not {kind!r}")
    stored = tensor.patches
    if limit == 0 or (limit is None and not stored.positions.size):
        if stored.positions.size:
            raise InputError("patches_per_block must be above 0 for a tensor with patches")
        return None
    if kind == "auto" and limit is None:
        return _fewest_gates(tensor, n_out)
    if kind == "gap":
        if gap_bits is None:
            name, *numbers = tensor.correction_format.split(":")
            if name not in ("joint", "bounded"):
                raise InputError(
                    f"gap_bits must be given for patches of the format {tensor.correction_format!r}"
                )
            gap_bits = int(numbers[-1])
        needed = GapPatches(1, gap_bits).needed(stored, n_out, tensor.blocks)
    elif kind == "lanes":
        needed = LanePatches(1).needed(stored, n_out, tensor.blocks)
        if limit is not None and limit % needed and limit < n_out:
            raise InputError(
                f"the lanes of patches must be a multiple of {needed} for this tensor, not {limit}"
            )
    else:
        needed = ListPatches(1).needed(stored, n_out, tensor.blocks)
    slots = max(1, needed if limit is None else limit)
    if slots < needed:
        raise InputError(f"patches_per_block must be at least {needed} for this tensor, not {slots}")
    if kind == "gap":
        assert gap_bits is not None
        return GapPatches(slots, gap_bits)
    if kind == "lanes":
        return LanePatches(slots)
    return BoundedPatches(slots) if kind == "bounded" else ListPatches(slots)


def _fewest_gates(tensor: Any, n_out: int) -> PatchKind:
    """Return lists or lanes; the differences of all words only where lanes would be as wide."""
    n_w = tensor.number_format.n_w
    lists, lanes = (
        kind(1).needed(tensor.patches, n_out, tensor.blocks) for kind in (ListPatches, LanePatches)
    )
    narrow = lanes * patch_bits(-(-n_out // lanes), n_w) < n_out * n_w
    kinds = ListPatches(lists), LanePatches(lanes) if narrow else ListPatches(n_out)
    return min(kinds, key=lambda kind: patch_gates(kind, n_out, n_w))
