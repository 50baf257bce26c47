"""Hidden states: the density matrix that one piece of a sequence hands to the next.

Axes: B sequences, T steps, F features, K output values, P weights, D = 2^hidden dimensions,
C = D^2 Pauli components.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, final

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from qrnn_qiskit.angle_map import AngleMap
from qrnn_qiskit.circuit import Cell
from qrnn_qiskit.engine.pauli import MATRICES
from qrnn_qiskit.errors import BackendError, DataError
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.continued import ContinuedCircuit, check_continues, hidden_qubits
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.run.measure.gradient import check_slopes
from qrnn_qiskit.torch.measured import to_array

_TOLERANCE: Final = 1e-6


def check_hidden(cell: Cell, executor: Executor, shots: int | None) -> None:
    """Refuse hidden states where there are none to hand out.

    Raises:
        BackendError: on anything but the exact engine without noise and shots.
        CellError: for a cell whose memory is more than its hidden qubits.
    """
    why = None
    if not isinstance(executor, ExactExecutor):
        why = (
            f"on {executor.name} the hidden state is a quantum state inside the device: it ends "
            "with the shot, cannot be copied, and to measure it would destroy it"
        )
    elif shots is not None:
        why = "with shots a layer gives what a device gives, and a device keeps its quantum state"
    elif executor.noise is not None:
        why = "with noise a sequence is transpiled as a whole: there is no place between two steps"
    if why is not None:
        raise BackendError(
            f"no hidden state: {why}. Give whole sequences, or train on ExactExecutor() first and "
            "load its state_dict"
        )
    check_continues(cell)


def ground_state(cell: Cell, batch: int) -> Any:
    """All hidden qubits in state 0: `[B, D, D]`."""
    size = 2 ** len(hidden_qubits(cell))
    state = torch.zeros(batch, size, size, dtype=torch.complex128)
    state[:, 0, 0] = 1.0
    return state


def checked(hidden: Any, cell: Cell, batch: int) -> Any:
    """Density matrices `[B, D, D]`.

    Raises:
        DataError: for other shapes and types, or a trace that is not 1.
    """
    size = 2 ** len(hidden_qubits(cell))
    if not isinstance(hidden, torch.Tensor) or tuple(hidden.shape) != (batch, size, size):
        found = tuple(hidden.shape) if isinstance(hidden, torch.Tensor) else type(hidden).__name__
        raise DataError(
            f"hidden is {found}: a density matrix [{size}, {size}] for each of {batch} sequences "
            "is needed, such as a call of the layer or initial_hidden(B) gives"
        )
    if not hidden.is_complex():
        raise DataError(f"hidden is {hidden.dtype}: a complex density matrix is needed")
    trace = hidden.detach().diagonal(dim1=1, dim2=2).sum(dim=1)
    if not torch.allclose(trace, torch.ones_like(trace), rtol=0.0, atol=_TOLERANCE):
        raise DataError("hidden is no density matrix: its trace must be 1")
    return hidden.to("cpu", torch.complex128)


@final
@dataclass(frozen=True, slots=True)
class Piece:
    """A circuit of one length, and the angles it is given."""

    circuit: ContinuedCircuit
    angle_map: AngleMap

    def outputs(self, weights: Any, features: Any, hidden: Any) -> tuple[Any, Any]:
        """Differentiable outputs `[B, T, K]` and last hidden states `[B, D, D]`.

        Args:
            weights: tensor `[P]`.
            features: tensor `[B, T, F]`.
            hidden: first hidden states `[B, D, D]`.
        """
        strings = _pauli_strings(hidden.shape[1])
        first = torch.einsum("bij,cji->bc", hidden, strings).real
        outputs, last = _Piece.apply(weights, features, first, self)
        return outputs, torch.einsum("bc,cij->bij", last.to(strings), strings) / hidden.shape[1]


@lru_cache(maxsize=8)
def _pauli_strings(size: int) -> Any:
    """All Pauli strings `[C, D, D]`.

    The first hidden qubit is the most significant in the index of a string and of a row.
    """
    count = size.bit_length() - 1
    strings: Any = np.ones((1, 1, 1), dtype=np.complex128)
    for _ in range(count):
        strings = np.kron(strings, MATRICES)
    return torch.from_numpy(strings)


class _Piece(torch.autograd.Function):
    """Outputs and last Pauli components of weights, features and first Pauli components."""

    @staticmethod
    def forward(ctx: Any, weights: Any, features: Any, first: Any, piece: Piece) -> Any:
        ctx.save_for_backward(weights, features, first)
        ctx.piece = piece
        angles = piece.angle_map.angles(to_array(weights), to_array(features))
        outputs, last = piece.circuit.outputs(angles, to_array(first))
        return torch.from_numpy(np.ascontiguousarray(outputs)).to(features), torch.from_numpy(last)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_outputs: Any, by_last: Any) -> Any:
        weights, features, first = ctx.saved_tensors
        piece: Piece = ctx.piece
        point, sequences = to_array(weights), to_array(features)
        by_angles, by_first = piece.circuit.pull_back(
            piece.angle_map.angles(point, sequences),
            to_array(first),
            to_array(by_outputs),
            to_array(by_last),
        )
        by_weights = piece.angle_map.pull_back_weights(point, sequences, by_angles)
        by_features = None
        if ctx.needs_input_grad[1]:
            check_slopes(piece.angle_map.feature_jacobian(point, sequences).values)
            found = piece.angle_map.pull_back_features(point, sequences, by_angles)
            by_features = torch.from_numpy(found).to(features)
        return (
            torch.from_numpy(by_weights).to(weights),
            by_features,
            torch.from_numpy(by_first).to(first),
            None,
        )
