"""Words and bits: quantising, reversible transforms, prefix books."""
