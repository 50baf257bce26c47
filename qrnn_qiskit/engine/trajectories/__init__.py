"""Shots of registers too wide for density matrices: one state vector for each, noise by chance."""
