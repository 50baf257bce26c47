"""Quantum layers without memory: vectors in, <Z> of every qubit out.

Axes: G circuits, N vectors, F inputs, K qubits, P weights of one circuit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from qrnn_qiskit.circuit.variational import FORMS
from qrnn_qiskit.errors import DataError
from qrnn_qiskit.spec.messages import nearest
from qrnn_qiskit.torch.layer import QRNN


class QuantumLayer(torch.nn.Module):
    """Circuits of one form on vectors, in the place of `torch.nn.Linear` and an activation.

    Several circuits with weights of their own are one batch: one run of the engine, one job on a
    device, forward and backward alike. Forms: "strongly_entangling" (angle embedding, then
    strongly entangling layers, arXiv:1804.00633), "reuploaded" (embedded again before every layer)
    and "chen" (arXiv:2009.01783, which encodes arctan(x) and arctan(x^2)).

    Attributes:
        weights: `[G, P]`, `[P]` for one circuit.
        circuit: the layer that measures; it has errors, shots and the run.
    """

    def __init__(
        self,
        qubits: int,
        layers: int = 2,
        *,
        form: str = "strongly_entangling",
        circuits: int | None = None,
        **options: Any,
    ) -> None:
        """Make a layer.

        Args:
            qubits: K; as many inputs are read.
            layers: of each circuit.
            form: see above.
            circuits: G, with an axis in the output; None for one without.
            options: of `QRNN`: `executor`, `shots`, `seed`, `rule`, `run`.

        Raises:
            QRNNError: saying what does not fit.
        """
        super().__init__()
        if form not in FORMS:
            raise DataError(
                f"form = {form!r} is unknown{nearest(form, list(FORMS))}; known: {', '.join(FORMS)}"
            )
        if min(qubits, layers, 1 if circuits is None else circuits) < 1:
            raise DataError(f"{qubits} qubits, {layers} layers, {circuits} circuits: at least 1")
        self.qubits, self.form, self.circuits = qubits, form, circuits
        self.circuit = QRNN(FORMS[form](qubits, layers), batch_first=True, **options)
        self.circuit.weights.requires_grad_(False)  # there are none: rows bring their own
        count = 3 * qubits * layers
        shape = (count,) if circuits is None else (circuits, count)
        self.weights = torch.nn.Parameter(torch.empty(shape, dtype=torch.float64))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights evenly from 0 to 2 pi, by PyTorch's random numbers."""
        torch.nn.init.uniform_(self.weights, 0.0, 2 * math.pi)

    def forward(self, input: Any) -> Any:
        """<Z> of every qubit, between -1 and 1.

        Args:
            input: `[..., K]`; with `circuits` also `[..., G, K]`, an input for each circuit.

        Returns:
            `[..., K]`; with `circuits` `[..., G, K]`.

        Raises:
            QRNNError: saying what does not fit.
        """
        if input.shape[-1] != self.qubits:
            raise DataError(f"inputs have {input.shape[-1]} values for {self.qubits} qubits")
        own = self.weights
        if self.circuits is not None:
            if input.ndim < 3 or input.shape[-2] != self.circuits:
                input = input.unsqueeze(-2)
            input = input.expand(*input.shape[:-2], self.circuits, self.qubits)
        if self.form == "chen":
            input = torch.cat([torch.atan(input), torch.atan(input**2)], dim=-1)
        # In double precision here, so that weights are not rounded to the inputs' type.
        both = torch.cat([input.double(), own.expand(*input.shape[:-1], own.shape[-1])], dim=-1)
        rows = both.reshape(-1, 1, both.shape[-1])
        # What is frozen, or comes from the data, is not measured.
        learned = np.repeat(
            [input.requires_grad, own.requires_grad], [input.shape[-1], own.shape[-1]]
        )
        self.circuit.learned = learned
        outputs = self.circuit(rows)[:, 0]
        return outputs.reshape(*input.shape[:-1], self.qubits).to(input.dtype)

    def extra_repr(self) -> str:
        """One line for `print`."""
        bank = "" if self.circuits is None else f", circuits={self.circuits}"
        return f"{self.qubits} -> {self.qubits}, form={self.form!r}{bank}"
