"""What everything stands on: errors, number formats, bit packing, bit sources, files that appear whole."""
