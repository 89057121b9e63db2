"""The code: generator matrices, their families, the catalogue, limits and the software decoder."""
