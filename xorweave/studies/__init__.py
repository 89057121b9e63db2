"""Studies: what commands run beyond one call of the library."""
