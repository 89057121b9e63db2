"""Weightless (Reagen et al., ICML 2018): pruned weights in a Bloomier filter. Lossy."""
