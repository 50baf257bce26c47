"""Classical half of the training: data, readout, losses, optimizers, baselines, metrics."""
