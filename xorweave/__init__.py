"""Lossless fixed-to-fixed XOR codes for pruned neural-network weights, from encoder to gates."""

__version__ = "0.1.0"
