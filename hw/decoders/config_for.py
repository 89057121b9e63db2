"""From stored tensors to the decoder that decodes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.raw_planes import RawPlanes
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.first_outputs import patches_in, takes_first_outputs
from xorweave.hw.decoders.gate_estimate import patch_gates
from xorweave.hw.stages.fields import patch_bits
from xorweave.hw.stages.mask_kinds import BitmapWords, BookWords, MaskKind, ShapedWords
from xorweave.hw.stages.patch_kinds import BoundedPatches, GapPatches, LanePatches, ListPatches, PatchKind
from xorweave.hw.stages.word_kinds import WORD_KINDS, RawWords, WordKind
from xorweave.hw.xor.group import XorGroup
from xorweave.hw.xor.network import XorNetwork
from xorweave.hw.xor.paired import shared_network
from xorweave.hw.xor.pairs import greedy_pairs

PATCHES = ("auto", "list", "lanes", "gap", "bounded")


def config_for(tensor: Any, **options: Any) -> DecoderConfig:
    """Return the configuration that decodes a stored tensor: `config_for_all` of one.

    Raises
    ------
    InputError
        The tensor has no block, or the options do not go with it.
    """
    return config_for_all({"the tensor": tensor}, **options)


def config_for_all(
    tensors: Mapping[str, Any],
    *,
    patches: str = "auto",
    gap_bits: int | None = None,
    patches_per_block: int | None = None,
    mask: bool = True,
    inversion_port: bool = False,
    network_of: Callable[[Code], XorNetwork | None] = shared_network,
    **options: Any,
) -> DecoderConfig:
    """Return the configuration of the one decoder that decodes stored tensors, stream after stream.

    Where they differ in the outputs of a block, each must be stored with the first outputs of one code, and the decoder
    has block lengths. Where they differ in the inversion word, that comes with each stream, or stands at a port.

    Parameters
    ----------
    tensors : mapping of str to EncodedTensor
    patches : {"auto", "list", "lanes", "gap", "bounded"}
        How patches come to the decoder; no stage where no tensor has any. ``auto``: with every block, as a list or by
        lane, whichever takes fewer gates; a list where `patches_per_block` is given.
    gap_bits : int, optional
        For ``gap``; by default that of the tensors' correction format.
    patches_per_block : int, optional
        Slots of the correction stage; by default as many as the fullest block needs.
    mask : bool
        Whether there is a mask stage. Without it there are no block lengths either: what lies beyond a tensor's own
        outputs of a block leaves as the code makes it.
    inversion_port : bool
        Raw planes: take the inversion word from a port instead of fixing it.
    network_of : callable
        Makes the gates of each code; groups of the same code share what it makes.
    **options
        Further fields of `DecoderConfig`.

    Raises
    ------
    InputError
        No one decoder serves all of them (the line names two that differ), a tensor has no block, or the options do not
        go with them.
    """
    if not tensors:
        raise InputError("a decoder must be made for at least one stored tensor")
    packed = [name for name, tensor in tensors.items() if tensor.values.kind == "packed"]
    if packed:
        raise InputError(
            f"a decoder must be made for planes, but the words of {packed[0]} are stored packed, at no fixed rate, as "
            "every code takes more bits: encode for hardware, or with raw values"
        )
    if any(not tensor.groups or tensor.blocks == 0 for tensor in tensors.values()):
        raise InputError("a decoder must be made for a tensor of at least one block of stored planes")
    why = why_apart(tensors)
    if why:
        raise InputError(f"{why} (encode for hardware, or take one tensor)")
    several = list(tensors.values())
    one = max(several, key=lambda tensor: tensor.n_out)
    words = _words_for(several, inversion_port)
    made: dict[str, XorNetwork | None] = {}

    def network(code: Code) -> XorNetwork | None:
        if code.check_value not in made:
            made[code.check_value] = network_of(code)
        return made[code.check_value]

    groups = tuple(XorGroup(g.end - g.first, g.code, network(g.code)) for g in one.groups)
    if isinstance(words, RawWords):
        groups = (XorGroup(len(words.stored_planes), groups[0].code, groups[0].network),)
    masks = [kind for tensor in several if (kind := mask_kind(tensor.mask_coder, network)) is not None]
    lengths = any(tensor.n_out != one.n_out for tensor in several)
    return DecoderConfig(
        groups=groups,
        kind_of_words=words,
        kind_of_mask=(masks[0] if masks else BitmapWords() if lengths else None) if mask else None,
        kind_of_patches=_patches(several, patches, gap_bits, patches_per_block, one.n_out),
        block_lengths=lengths and mask,
        **options,
    )


def why_apart(tensors: Mapping[str, Any]) -> str:
    """Say why no one decoder serves these tensors, naming two that differ; nothing if one does."""
    widest = max(tensors, key=lambda name: tensors[name].n_out)
    for name, tensor in tensors.items():
        why = _apart(tensors[widest], tensor)
        if why:
            return f"no one decoder serves {widest} and {name}: {why}"
    return ""


def _apart(one: Any, other: Any) -> str:
    """Say why one decoder does not serve two tensors, the first the one of more outputs; nothing if it does."""
    if one is other:
        return ""
    if one.number_format.n_w != other.number_format.n_w:
        return f"their words have {one.number_format.n_w} and {other.number_format.n_w} bits"
    if isinstance(one.values, RawPlanes) and isinstance(other.values, RawPlanes):
        if one.values.transform != other.values.transform:
            return f"their transforms are {one.values.transform} and {other.values.transform}"
    elif one.values is not other.values:
        return "their words are coded in different ways"
    if any(tensor.mask_coder.kind not in ("none", "bitmap") for tensor in (one, other)):
        return "their masks are coded in different ways"
    if one.n_out != other.n_out and not takes_first_outputs(other, one.groups[0].code):
        return "neither code is the first outputs of the other"
    if one.n_out == other.n_out and [g.code for g in one.groups] != [g.code for g in other.groups]:
        return "their codes differ"
    return ""


def _words_for(tensors: Sequence[Any], inversion_port: bool) -> WordKind:
    """Return the hardware of words that `_apart` found alike."""
    values = tensors[0].values
    if not isinstance(values, RawPlanes):
        return word_kind(values, inversion_port=inversion_port)
    constant = values.constant_planes
    for tensor in tensors:
        constant &= tensor.values.constant_planes
    different = len({tensor.values.inversion for tensor in tensors}) > 1
    return word_kind(replace(values, constant_planes=constant), inversion_port=inversion_port or different)


def word_kind(values: ValueCoder, *, inversion_port: bool = False) -> WordKind:
    """Return the hardware of a value coder.

    Raises
    ------
    InputError
        There is none, or it takes no inversion word.
    """
    if values.kind not in WORD_KINDS:
        raise InputError(
            f"a decoder must be made for values coded as {' or '.join(WORD_KINDS)}, not {values.kind}"
        )
    words = WORD_KINDS[values.kind](values)
    if not inversion_port:
        return words
    if not isinstance(words, RawWords):
        raise InputError(f"an inversion port must belong to raw planes, not to {values.kind}-coded words")
    return replace(words, inversion=None)


def mask_kind(
    coder: Any, network_of: Callable[[Code], XorNetwork | None] = shared_network
) -> MaskKind | None:
    """Return the hardware of a mask coder; None for a dense one. `network_of` makes the gates of a book's codes."""
    if coder.kind == "none":
        return None
    if coder.kind == "bitmap":
        return BitmapWords()
    if coder.kind == "book":
        # the identity has no gates that could be searched for
        made = [None if g.code.family == "identity" else network_of(g.code) for g in coder.groups]
        groups = (XorGroup(g.planes, g.code, net) for g, net in zip(coder.groups, made, strict=True))
        return BookWords(coder.book, tuple(groups))
    code = coder.code
    if code.sums:  # they bring a network of their own
        return ShapedWords(code)
    return ShapedWords(code, greedy_pairs(code.generator.reshape(code.n_out * code.parities, -1)))


def _patches(
    tensors: Sequence[Any], kind: str, gap_bits: int | None, limit: int | None, n_out: int
) -> PatchKind | None:
    """Return the kind of patches with as many slots as the tensors need."""
    if kind not in PATCHES:
        raise InputError(f"the kind of patches must be one of {', '.join(PATCHES)}, not {kind!r}")
    patched = [tensor for tensor in tensors if tensor.patches.positions.size]
    if limit == 0 or (limit is None and not patched):
        if patched:
            raise InputError("patches_per_block must be above 0 for a tensor with patches")
        return None

    def needed(kind: PatchKind) -> int:
        return max((kind.needed(patches_in(t, n_out), n_out, t.blocks) for t in tensors), default=0)

    if kind == "auto" and limit is None:
        return _fewest_gates(needed, n_out, tensors[0].number_format.n_w)
    if kind == "gap":
        if gap_bits is None:
            name, *numbers = tensors[0].correction_format.split(":")
            if name not in ("joint", "bounded"):
                raise InputError(
                    f"gap_bits must be given for patches of the format {tensors[0].correction_format!r}"
                )
            gap_bits = int(numbers[-1])
        least = needed(GapPatches(1, gap_bits))
    elif kind == "lanes":
        least = needed(LanePatches(1))
        if limit is not None and limit % least and limit < n_out:
            raise InputError(
                f"the lanes of patches must be a multiple of {least} for this tensor, not {limit}"
            )
    else:
        least = needed(ListPatches(1))
    slots = max(1, least if limit is None else limit)
    if slots < least:
        raise InputError(f"patches_per_block must be at least {least} for this tensor, not {slots}")
    if kind == "gap":
        assert gap_bits is not None
        return GapPatches(slots, gap_bits)
    if kind == "lanes":
        return LanePatches(slots)
    return BoundedPatches(slots) if kind == "bounded" else ListPatches(slots)


def _fewest_gates(needed: Callable[[PatchKind], int], n_out: int, n_w: int) -> PatchKind:
    """Return lists or lanes; the differences of all words only where lanes would be half as wide or wider."""
    lists, lanes = needed(ListPatches(1)), needed(LanePatches(1))
    narrow = 2 * lanes * patch_bits(-(-n_out // lanes), n_w) < n_out * n_w
    kinds = ListPatches(lists), LanePatches(lanes) if narrow else ListPatches(n_out)
    return min(kinds, key=lambda kind: patch_gates(kind, n_out, n_w))
