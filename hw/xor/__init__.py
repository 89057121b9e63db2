"""XOR networks as plain lists of gates; nothing here knows Amaranth."""
