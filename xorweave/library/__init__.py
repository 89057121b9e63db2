"""The public library as ``import xorweave as xw`` shows it: encode, open, decode, multiply, generate."""
