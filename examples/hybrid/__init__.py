"""Hybrid networks: quantum layers between, before and inside classical ones."""
