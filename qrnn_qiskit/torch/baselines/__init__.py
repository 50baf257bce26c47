"""Forecasts by classical recurrent networks of PyTorch, one file each."""
