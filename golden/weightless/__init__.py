"""Weightless (Reagen et al., ICML 2018): pruned weights in a static map, banded or a Bloomier filter. Lossy."""
