"""Optimizers, one file each; `PROVIDES` is the options class."""
