"""Re-uploading inside one circuit is not the same as stacking layers.

Three embeddings in one circuit: its output is a Fourier series in the input with frequencies up to
three, whatever the weights (arXiv:2008.08605). Three layers one after the other: between them only
expectation values are handed over, each a function of all inputs before, so that the quantum state
ends at each hand-over, and the output has no highest frequency.

    python -m examples.hybrid.reuploading [--quick]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from examples.hybrid.common import SEEDS, Table, main, mse, spread, train, weights_of
from qrnn_qiskit.torch import QuantumLayer

LAYERS = 3
POINTS = 64


def network(name: str) -> Any:
    """One qubit, three embeddings, a linear head."""
    if name == "in one circuit":
        parts = [QuantumLayer(1, LAYERS, form="reuploaded")]
    elif name == "stacked":
        parts = [QuantumLayer(1, 1, form="reuploaded") for _ in range(LAYERS)]
    else:
        parts = [QuantumLayer(1, LAYERS)]  # three layers, embedded once
    return torch.nn.Sequential(*parts, torch.nn.Linear(1, 1)).double()


def run(quick: bool) -> Table:
    """Highest frequencies before training, and fits of cos 3x and of cos 5x."""
    x = torch.arange(POINTS, dtype=torch.float64)[:, None] * (2 * np.pi / POINTS)
    rows: list[tuple[Any, ...]] = []
    for name in ("in one circuit", "stacked", "embedded once"):
        above, fits, count = list[float](), {3: list[float](), 5: list[float]()}, 0
        for seed in SEEDS[: 1 if quick else 3]:
            torch.manual_seed(seed)
            model = network(name)
            count = weights_of(model)
            power = np.abs(np.fft.rfft(model(x)[:, 0].detach().numpy()) / POINTS) ** 2
            above.append(float(power[LAYERS + 1 :].sum() / power[1:].sum()))
            for frequency, errors in fits.items():
                torch.manual_seed(seed)
                model = network(name)
                wanted = torch.cos(frequency * x)
                train(model, x, wanted, epochs=3 if quick else 300, learning_rate=0.05)
                errors.append(mse(model(x), wanted))
        rows.append((name, count, spread(above), spread(fits[3]), spread(fits[5])))
    above_name = f"power above frequency {LAYERS}"
    return Table(("three layers", "weights", above_name, "MSE, cos 3x", "MSE, cos 5x"), rows)


if __name__ == "__main__":
    main(run)
