"""Orchestration: evaluate, gradient, train; run directories, ledger and checkpoints."""
