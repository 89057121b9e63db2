"""Other ways to store the same tensor, on one interface: the answer to "compared with what"."""
