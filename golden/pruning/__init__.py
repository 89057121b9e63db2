"""Pruners: which weights to keep, by layer quotas, scores and searches."""
