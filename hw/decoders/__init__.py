"""Decoders composed of stages."""
