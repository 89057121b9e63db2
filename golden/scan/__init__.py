"""Scan orders: which weight meets which output of which block."""
