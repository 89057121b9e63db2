"""Masks: pruning to masks, and the shaped code with its search."""
