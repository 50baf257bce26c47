"""Outputs nearer to the ideal ones, at the price of larger error bars."""
