"""The golden model: everything that is true of the code without any hardware."""
