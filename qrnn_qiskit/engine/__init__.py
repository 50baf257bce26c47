"""Exact propagation of density matrices through an unrolled circuit: outputs, gradients, shots."""
