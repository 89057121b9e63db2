"""Networks as graphs of layers: which connections of a pruned one lie on a live path."""
