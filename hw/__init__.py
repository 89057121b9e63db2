"""Amaranth descriptions of the decoder and its stages, derived from the golden model's generator matrix."""
