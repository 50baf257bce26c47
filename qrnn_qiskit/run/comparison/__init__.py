"""Gradient methods side by side at equal total shots."""
