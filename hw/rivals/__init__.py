"""Decoders of other formats, behind the same ports."""
