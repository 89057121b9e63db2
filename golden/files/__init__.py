"""Files: the container, and the weight files that are read."""
