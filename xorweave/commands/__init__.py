"""The commands, one file each. They parse, call and print; what is true is decided in the rooms."""
