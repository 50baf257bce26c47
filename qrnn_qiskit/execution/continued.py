"""Sequences in pieces: a circuit that goes on from the memory that another left, exactly.

Axes: B sequences, T steps, K output values, O occurrences, C = 4^hidden Pauli components.
"""

from __future__ import annotations

from typing import final

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit import Cell, UnrolledCircuit
from qrnn_qiskit.circuit.step import step_items
from qrnn_qiskit.engine.continued import Continued
from qrnn_qiskit.engine.program import Reset
from qrnn_qiskit.errors import CellError
from qrnn_qiskit.execution.bits import OutputKind
from qrnn_qiskit.execution.program import compile_unrolled


def hidden_qubits(cell: Cell) -> tuple[int, ...]:
    """Qubits of the register `hidden`, in order."""
    circuit = cell.circuit
    return tuple(
        circuit.find_bit(q).index
        for register in circuit.qregs
        if register.name == "hidden"
        for q in register
    )


def check_continues(cell: Cell) -> None:
    """Refuse a cell whose memory between two steps is more than the state of `hidden`.

    Raises:
        CellError: saying what else it remembers.
    """
    reason = None
    if cell.postselected:
        reason = "it post-selects, so that its states carry the probability of what was kept"
    elif cell.last.data:
        reason = "it has operations that only the last step has"
    elif _reads_step_before(cell):
        reason = "a condition reads a bit of the step before, which is no part of the hidden state"
    elif _overwrites(cell):
        reason = "it measures a hidden qubit into a bit that it measures again"
    if reason is not None:
        raise CellError(f"cell {cell.name!r} cannot be continued in pieces: {reason}")


def _reads_step_before(cell: Cell) -> bool:
    measured: set[int] = set()
    for item in step_items(cell)[0]:
        if item.condition is not None and not measured.issuperset(item.condition.bits):
            return True
        if item.bit >= 0:
            measured.add(item.bit)
    return False


def _overwrites(cell: Cell) -> bool:
    """Whether `unroll` may leave out a measurement of a hidden qubit at the end."""
    hidden = set(hidden_qubits(cell))
    measured = [item for item in step_items(cell)[0] if item.bit >= 0]
    return any(
        not hidden.isdisjoint(item.qubits) and any(item.bit == other.bit for other in later)
        for item, later in ((item, measured[i + 1 :]) for i, item in enumerate(measured))
    )


@final
class ContinuedCircuit:
    """An unrolled circuit without noise that starts from given hidden states.

    Hidden states are Pauli components `[B, C]`: Tr(P rho) over all strings P of the hidden qubits,
    the first qubit's letter most significant, letters in the order I, X, Y, Z. They are those at
    the end of a step, before a permutation gives the qubits other roles.
    """

    def __init__(self, unrolled: UnrolledCircuit, kind: OutputKind = "z") -> None:
        """Make one.

        Raises:
            CellError: as `check_continues`.
        """
        cell = unrolled.cell
        check_continues(cell)
        hidden = hidden_qubits(cell)
        count = cell.circuit.num_qubits
        roles = cell.permutation or tuple(range(count))
        wire = tuple(range(count))  # where each qubit's role stands in the last step
        for _ in range(unrolled.num_steps - 1):
            wire = tuple(wire[i] for i in roles)
        # Left out at the end of a sequence, but not between two steps.
        last = {q: item.name for item in step_items(cell)[0] for q in item.qubits}
        resets = [Reset(wire[q]) for q in hidden if last.get(q) == "reset"]
        traced = next(q for q in range(count) if q not in hidden)
        self._compiled = compile_unrolled(unrolled)
        self._unrolled = unrolled
        self._continued = Continued(
            self._compiled.program,
            starts=[roles.index(q) for q in hidden],
            ends=[wire[q] for q in hidden],
            after=resets,
            traced=wire[traced],
            kind=kind,
        )

    def outputs(self, angles: Array, hidden: Array) -> tuple[Array, Array]:
        """Outputs `[B, T, K]` and the last hidden states `[B, C]`, from the first ones.

        Args:
            angles: `[B, O]` of the occurrences.
            hidden: `[B, C]`.
        """
        return self._continued.forward(self._compiled.angles(angles), hidden)

    def pull_back(
        self, angles: Array, hidden: Array, by_outputs: Array, by_last: Array
    ) -> tuple[Array, Array]:
        """dL/d(angles) `[B, O]` and dL/d(first hidden states) `[B, C]`.

        Args:
            angles: `[B, O]`.
            hidden: `[B, C]` the first ones.
            by_outputs: `[B, T, K]`.
            by_last: `[B, C]` dL/d(last hidden states).
        """
        by_angles, by_hidden = self._continued.pull_back(
            self._compiled.angles(angles), hidden, by_outputs, by_last
        )
        return self._compiled.pull_back(by_angles, angles.shape[1]), by_hidden
