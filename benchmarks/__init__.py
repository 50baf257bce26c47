"""Timings of the engine and of other tools."""
