"""Yosys, Liberty, FPGA, timing."""
