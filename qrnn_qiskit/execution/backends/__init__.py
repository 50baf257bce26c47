"""Executors, one backend a file."""
