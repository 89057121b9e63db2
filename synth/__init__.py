"""Gate counts, area, timing and equivalence proofs of the generated hardware."""
