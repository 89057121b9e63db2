"""Simulation of the hardware against the golden model, cycle for cycle."""
