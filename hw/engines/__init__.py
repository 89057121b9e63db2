"""Engines: sparse products, address generator."""
