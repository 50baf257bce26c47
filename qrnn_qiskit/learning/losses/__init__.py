"""Losses, one file each; `PROVIDES` is the options class."""
