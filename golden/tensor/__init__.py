"""The stored tensor: encoded, decoded, patched and counted."""
