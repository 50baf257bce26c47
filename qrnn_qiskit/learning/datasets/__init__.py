"""Data sets that are part of the library, one file each; `PROVIDES` is the options class."""
