"""Encoders: the exact trellis, elimination, elimination with a list, bounded corrections."""
