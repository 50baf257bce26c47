"""Runnable examples; each takes `--quick`."""
