"""Forecasts that a trained network must beat, one file each."""
