"""Payloads of the streams between the stages: what travels together with a valid/ready handshake."""

from __future__ import annotations

from amaranth.lib import data


def symbol_layout(n_in: int, n_w: int) -> data.StructLayout:
    """One symbol of every plane, bit ``b * n_w + q`` being bit b of plane q, and where the stream starts and ends."""
    return data.StructLayout({"symbol": n_in * n_w, "first": 1, "last": 1})


def block_layout(n_out: int, n_w: int) -> data.StructLayout:
    """One block of n_out words, word r in bits ``r * n_w`` and up, and where the stream starts and ends."""
    return data.StructLayout({"words": n_out * n_w, "first": 1, "last": 1})
