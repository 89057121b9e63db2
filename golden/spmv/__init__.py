"""Sparse matrix times vector in software: the paper's Algorithm 1 (CSR) and Algorithm 2 (encoded), and their rivals."""
