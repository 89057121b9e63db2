"""Payloads of the streams between the stages: what travels together with a valid/ready handshake."""

from __future__ import annotations

from amaranth.lib import data


def symbol_layout(n_in: int, n_w: int) -> data.StructLayout:
    """One symbol of every plane, bit ``b * n_w + q`` being bit b of plane q, and where the stream starts and ends."""
    return data.StructLayout({"symbol": n_in * n_w, "first": 1, "last": 1})


def block_layout(n_out: int, n_w: int) -> data.StructLayout:
    """One block of n_out words, word r in bits ``r * n_w`` and up, and where the stream starts and ends."""
    return data.StructLayout({"words": n_out * n_w, "first": 1, "last": 1})


def position_bits(n_out: int) -> int:
    """Bits that number the words of a block (at least one, so that the field never vanishes)."""
    return max(1, (n_out - 1).bit_length())


def patch_bits(n_out: int, n_w: int) -> int:
    """Width of one patch: difference (n_w bits, lowest), position, and a valid bit (highest)."""
    return n_w + position_bits(n_out) + 1


def dense_corrections(n_out: int, n_w: int, patches_per_block: int) -> bool:
    """Whether a list of so many patches is no shorter than the difference of every word, without positions."""
    return patches_per_block * patch_bits(n_out, n_w) >= n_out * n_w


def correction_bits(n_out: int, n_w: int, patches_per_block: int) -> int:
    """Width of the correction stage's input: a list of patches, or the differences of all words if that is less."""
    return min(patches_per_block * patch_bits(n_out, n_w), n_out * n_w)


def pack_patch(position: int, difference: int, *, n_out: int, n_w: int) -> int:
    """Return the bits of one valid patch, as the correction stage reads them."""
    return difference | position << n_w | 1 << (n_w + position_bits(n_out))
