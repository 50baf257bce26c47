"""Stretches between resets as matrices, all at once; then the density matrix through them."""
