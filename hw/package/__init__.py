"""Packages: Verilog, vectors, test bench, FuseSoC core, manifest."""
