"""Circuits inside recurrent cells: QLSTM and QGRU.

Axes: B sequences, T steps, F features, H hidden values, K qubits.
"""

from __future__ import annotations

from typing import Any

import torch

from qrnn_qiskit.errors import DataError
from qrnn_qiskit.run.script import executor_of
from qrnn_qiskit.torch.variational import QuantumLayer


class _Gated(torch.nn.Module):
    """What both share: the walk over the steps, and circuits between two linear layers."""

    batch_first: bool
    output_size: int

    def _steps(self, input: Any) -> Any:
        if input.ndim != 3:
            raise DataError(f"features have shape {tuple(input.shape)}: [T, B, F] is needed")
        return (input.transpose(0, 1) if self.batch_first else input).unbind(0)

    def _stacked(self, outputs: list[Any]) -> Any:
        return torch.stack(outputs, dim=1 if self.batch_first else 0)


class _Circuits(torch.nn.Module):
    """G gates: one linear layer to K qubits, G circuits, a linear layer for each to H values."""

    def __init__(
        self, inputs: int, hidden: int, qubits: int, layers: int, gates: int, options: Any
    ) -> None:
        super().__init__()
        self.enter = torch.nn.Linear(inputs, qubits)
        self.circuits = QuantumLayer(qubits, layers, form="chen", circuits=gates, **options)
        self.leave = torch.nn.ModuleList(torch.nn.Linear(qubits, hidden) for _ in range(gates))

    def forward(self, values: Any) -> list[Any]:
        measured = self.circuits(self.enter(values))
        return [layer(measured[..., g, :]) for g, layer in enumerate(self.leave)]


class QLSTM(_Gated):
    """An LSTM whose gates are circuits, Chen et al., arXiv:2009.01783.

    With 6 circuits as in the paper: K = F + H qubits read [h, x]; the cell's state has K values, a
    fifth circuit makes H hidden values of it and a sixth the outputs. With 4, as in later work:
    linear layers between values and K qubits, and outputs h as in an LSTM.

    All gates of a step that read the same values are one batch of the engine, or one job.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        circuits: int = 6,
        qubits: int | None = None,
        layers: int = 2,
        batch_first: bool = False,
        **options: Any,
    ) -> None:
        """Make a layer.

        Args:
            input_size: F.
            hidden_size: H.
            circuits: 6 or 4.
            qubits: K with 4 circuits; F + H if None.
            layers: of each circuit.
            batch_first: take `[B, T, F]` instead of `[T, B, F]`.
            options: of `QRNN`: `executor`, `shots`, `seed`, `rule`, `run`.

        Raises:
            QRNNError: saying what does not fit.
        """
        super().__init__()
        width = input_size + hidden_size
        if circuits not in (4, 6) or (circuits == 6 and qubits not in (None, width)):
            raise DataError(
                f"circuits = {circuits}, qubits = {qubits}: a QLSTM has 6 circuits of {width} = F "
                "+ H qubits, or 4 of any number"
            )
        options = _shared(options)
        self.batch_first, self.hidden_size, self.circuits = batch_first, hidden_size, circuits
        if circuits == 6:
            self.gates: Any = QuantumLayer(width, layers, form="chen", circuits=4, **options)
            # A second stream of random numbers: both banks measure the same places.
            self.last = QuantumLayer(width, layers, form="chen", circuits=2, **_other(options))
            self.state_size = self.output_size = width
        else:
            self.gates = _Circuits(width, hidden_size, qubits or width, layers, 4, options)
            self.state_size = self.output_size = hidden_size

    def forward(self, input: Any, state: Any = None) -> tuple[Any, tuple[Any, Any]]:
        """Outputs of every step and the last state.

        Args:
            input: `[T, B, F]`, `[B, T, F]` if `batch_first`.
            state: a pair of hidden values `[B, H]` and cell values `[B, K or H]`; zeros if None.

        Returns:
            Outputs in the form of the input, and the pair after the last step.
        """
        steps, outputs = self._steps(input), []
        if state is None:
            hidden = steps[0].new_zeros(len(steps[0]), self.hidden_size)
            cell = steps[0].new_zeros(len(steps[0]), self.state_size)
        else:
            hidden, cell = state
        for x in steps:
            values = self.gates(torch.cat([hidden, x], dim=-1))
            forget, update, candidate, out = values.unbind(-2) if self.circuits == 6 else values
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(update) * torch.tanh(candidate)
            hidden = torch.sigmoid(out) * torch.tanh(cell)
            if self.circuits == 6:
                made, output = self.last(hidden).unbind(-2)
                hidden = made[:, : self.hidden_size]
            else:
                output = hidden
            outputs.append(output)
        return self._stacked(outputs), (hidden, cell)


class QGRU(_Gated):
    """A GRU whose three gates are circuits, as arXiv:2009.01783 does with the LSTM.

    r, z = sigmoid(gates[h, x]), n = tanh(gate[r h, x]), h' = (1 - z) n + z h, each gate a circuit
    between two linear layers.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        qubits: int | None = None,
        layers: int = 2,
        batch_first: bool = False,
        **options: Any,
    ) -> None:
        """Make a layer.

        Args:
            input_size: F.
            hidden_size: H.
            qubits: K; F + H if None.
            layers: of each circuit.
            batch_first: take `[B, T, F]` instead of `[T, B, F]`.
            options: of `QRNN`: `executor`, `shots`, `seed`, `rule`, `run`.
        """
        super().__init__()
        width, options = input_size + hidden_size, _shared(options)
        self.batch_first, self.hidden_size, self.output_size = batch_first, hidden_size, hidden_size
        self.gates = _Circuits(width, hidden_size, qubits or width, layers, 2, options)
        self.candidate = _Circuits(width, hidden_size, qubits or width, layers, 1, _other(options))

    def forward(self, input: Any, hidden: Any = None) -> tuple[Any, Any]:
        """Outputs of every step and the last hidden values.

        Args:
            input: `[T, B, F]`, `[B, T, F]` if `batch_first`.
            hidden: `[B, H]`; zeros if None.
        """
        steps, outputs = self._steps(input), []
        if hidden is None:
            hidden = steps[0].new_zeros(len(steps[0]), self.hidden_size)
        for x in steps:
            reset, update = self.gates(torch.cat([hidden, x], dim=-1))
            reset, update = torch.sigmoid(reset), torch.sigmoid(update)
            (candidate,) = self.candidate(torch.cat([reset * hidden, x], dim=-1))
            hidden = (1 - update) * torch.tanh(candidate) + update * hidden
            outputs.append(hidden)
        return self._stacked(outputs), hidden


def _shared(options: dict[str, Any]) -> dict[str, Any]:
    """The same options with one executor for all circuits: one connection, one session."""
    backend = options.get("executor")
    return options if backend is None else {**options, "executor": executor_of(backend)}


def _other(options: dict[str, Any]) -> dict[str, Any]:
    """The same options with another seed."""
    seed = options.get("seed")
    return options if seed is None else {**options, "seed": seed + 1}
