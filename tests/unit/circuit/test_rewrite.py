"""Every rewriting into Pauli rotations equals its gate up to a global phase, through `unroll`."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import ControlledGate, Gate, Parameter
from qiskit.circuit.library import (
    CPhaseGate,
    CRXGate,
    CRYGate,
    CRZGate,
    CU1Gate,
    CU3Gate,
    CUGate,
    MCPhaseGate,
    PhaseGate,
    RGate,
    RXGate,
    RXXGate,
    RYGate,
    RYYGate,
    RZGate,
    RZXGate,
    RZZGate,
    U1Gate,
    U2Gate,
    U3Gate,
    UGate,
    XXMinusYYGate,
    XXPlusYYGate,
)
from qiskit.quantum_info import Operator

from qrnn_qiskit.circuit import Cell, unroll
from qrnn_qiskit.circuit.gate_angles import gate_angles
from qrnn_qiskit.circuit.rewrite import Constant, Rotation, is_parametrized, pauli_rotations
from qrnn_qiskit.errors import CellError

A, B, C, D = (Parameter(name) for name in "abcd")
VALUES = {A: 0.83, B: -1.27, C: 2.41, D: 0.36}

GATES: list[Gate] = [
    RXGate(A),
    RYGate(A),
    RZGate(A),
    PhaseGate(A),
    U1Gate(A),
    RXXGate(A),
    RYYGate(A),
    RZZGate(A),
    RZXGate(A),
    CRXGate(A),
    CRYGate(A),
    CRZGate(A),
    CPhaseGate(A),
    CU1Gate(A),
    CRXGate(A, ctrl_state=0),
    CRYGate(A, ctrl_state=0),
    CRZGate(A, ctrl_state=0),
    CPhaseGate(A, ctrl_state=0),
    CU1Gate(A, ctrl_state=0),
    XXPlusYYGate(A, B),
    XXMinusYYGate(A, B),
    UGate(A, B, C),
    U3Gate(A, B, C),
    U2Gate(A, B),
    RGate(A, B),
    CUGate(A, B, C, D),
    CUGate(A, B, C, D, ctrl_state=0),
    CU3Gate(A, B, C),
    MCPhaseGate(A, 2),
    RXGate(A).control(2, annotated=False),
    RXGate(A).control(2, ctrl_state=1, annotated=False),
    RZZGate(A).control(1, annotated=False),
    # Some angles are numbers, or the same parameter twice.
    UGate(A, 0.4, -1.1),
    UGate(0.9, A, 0.0),
    RGate(0.4, A),
    XXPlusYYGate(A, 0.7),
    XXMinusYYGate(0.7, A),
    CUGate(0.3, A, 0.1, -A),
    UGate(A, -A, 2 * A),
]


def label(gate: Gate) -> str:
    return f"{gate.name}({', '.join(str(angle) for angle in gate.params)})"


def cell_of(gate: Gate, qubits: list[int] | None = None) -> Cell:
    """A cell with hidden qubits, on which the gate stands between fixed rotations, and an io."""
    io, hidden = QuantumRegister(1, "io"), QuantumRegister(gate.num_qubits, "hidden")
    circuit = QuantumCircuit(io, hidden, ClassicalRegister(1, "readout"), name="one_gate")
    circuit.append(gate, qubits or list(hidden))
    circuit.measure(io, 0)
    return Cell.from_circuit(circuit, weights=list(circuit.parameters), features=[])


def rewritten(cell: Cell) -> Operator:
    """What the unrolled gate does at the values above, as an operator."""
    unrolled = unroll(cell, 1)
    weights = np.array([VALUES[p] for p in cell.weights])
    angles = unrolled.angle_map.angles(weights, np.zeros((1, 0)))
    by_name = dict(zip(unrolled.occurrences.names, angles, strict=True))
    circuit = unrolled.circuit
    bound = circuit.assign_parameters({p: by_name[p.name] for p in circuit.parameters})
    bound.remove_final_measurements()
    return Operator(bound)


def expected(cell: Cell) -> Operator:
    circuit = cell.circuit.assign_parameters({p: VALUES[p] for p in cell.weights})
    circuit.remove_final_measurements()
    return Operator(circuit)


@pytest.mark.parametrize("gate", GATES, ids=label)
def test_gate_equals_its_rotations(gate: Gate) -> None:
    cell = cell_of(gate)
    assert rewritten(cell).equiv(expected(cell), rtol=0, atol=1e-12)


@pytest.mark.parametrize("gate", [g for g in GATES if g.num_qubits == 2], ids=lambda g: g.name)
def test_qubits_keep_their_order(gate: Gate) -> None:
    cell = cell_of(gate, [2, 1])
    assert rewritten(cell).equiv(expected(cell), rtol=0, atol=1e-12)


@pytest.mark.parametrize("gate", GATES, ids=label)
def test_every_parametrized_piece_is_a_rotation(gate: Gate) -> None:
    pieces = list(pauli_rotations(gate, "cell"))
    assert any(isinstance(piece, Rotation) for piece in pieces)
    for piece in pieces:
        if isinstance(piece, Constant):
            assert not is_parametrized(piece.operation)
        else:
            assert set(piece.generator) <= set("XYZ")
            assert len(piece.generator) == len(piece.qubits) == len(set(piece.qubits))
            assert piece.angle.parameters


@pytest.mark.parametrize(
    ("gate", "count"),
    [
        (CRXGate(A), 2),
        (CPhaseGate(A), 3),
        (RXXGate(A), 1),
        (XXPlusYYGate(A, 0.3), 2),
        (UGate(A, B, 0.1), 2),
        (UGate(A, B, C), 3),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_number_of_occurrences(gate: Gate, count: int) -> None:
    assert len(unroll(cell_of(gate), 1).occurrences) == count


def test_rewriting_adds_no_two_qubit_gates_beyond_those_of_the_gate() -> None:
    """A CRX costs two CZ on a device, its RX and RZX likewise."""
    from qiskit import transpile

    for gate in (
        CRXGate(A),
        CRYGate(A),
        CRZGate(A),
        CPhaseGate(A),
        XXPlusYYGate(A, B),
        XXMinusYYGate(A, B),
    ):
        unrolled = unroll(cell_of(gate), 1).circuit
        counts = [
            transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=2)
            .count_ops()
            .get("cz", 0)
            for circuit in (cell_of(gate).circuit, unrolled)
        ]
        assert counts[1] <= counts[0], gate.name


def swap_like(name: str, parameter: Parameter) -> Gate:
    """A user's gate: a rotation on each qubit in turn, with a fixed gate and a nested gate."""
    inner = QuantumCircuit(1, name="inner")
    inner.rz(parameter / 2, 0)
    inner.h(0)
    circuit = QuantumCircuit(2, name=name)
    circuit.append(inner.to_gate(), [1])
    circuit.ry(-parameter, 0)
    circuit.cx(1, 0)
    circuit.rzx(parameter + 0.2, 1, 0)
    return circuit.to_gate()


@pytest.mark.parametrize("name", ["mine", "rxx", "crx"])
def test_users_gate_is_read_by_its_definition_whatever_its_name(name: str) -> None:
    cell = cell_of(swap_like(name, A), [2, 1])
    assert rewritten(cell).equiv(expected(cell), rtol=0, atol=1e-12)


def test_users_controlled_gate() -> None:
    gate = swap_like("mine", A).control(1, annotated=False)
    assert isinstance(gate, ControlledGate)
    cell = cell_of(gate)
    assert rewritten(cell).equiv(expected(cell), rtol=0, atol=1e-9)


def test_gate_without_a_rule_or_definition_is_refused_by_name() -> None:
    with pytest.raises(CellError, match="'mystery' has parameters, but no rewriting") as error:
        unroll(cell_of(Gate("mystery", 1, [A])), 2)
    assert "write it with rx, ry, rz" in str(error.value)
    assert "\n" not in str(error.value)


def test_gate_inside_a_users_gate_is_refused_by_name() -> None:
    inner = QuantumCircuit(1, name="outer")
    inner.append(Gate("mystery", 1, [A]), [0])
    with pytest.raises(CellError, match="'mystery'"):
        unroll(cell_of(inner.to_gate()), 1)


@pytest.mark.parametrize(
    ("gate", "factors", "frequencies"),
    [
        (RXGate(A), [1.0], [(1.0,)]),
        (CRXGate(2 * A + B), [0.5, -0.5], [(0.5, 1.0)] * 2),
        (CRZGate(A, ctrl_state=0), [0.5, 0.5], [(0.5, 1.0)] * 2),
        (CPhaseGate(A), [0.5, 0.5, -0.5], [(1.0,)] * 3),
        (XXPlusYYGate(A, 0.3), [-0.5, -0.5], [(0.5, 1.0)] * 2),
        (XXPlusYYGate(A, B), [1.0, -0.5, -0.5, -1.0], [(1.0, 2.0), *[(0.5, 1.0)] * 2, (1.0, 2.0)]),
        (UGate(A, B, C), [1.0] * 3, [(1.0,)] * 3),
        (CUGate(A, B, C, D), [1.0] * 7, [(1.0,)] * 7),  # of sums of its angles: one by one
    ],
)
def test_gate_angles(
    gate: Gate, factors: list[float], frequencies: list[tuple[float, ...]]
) -> None:
    found = gate_angles(gate, "cell")
    assert [angle.factor for angle in found] == factors
    assert [angle.frequencies for angle in found] == frequencies


def test_gates_within_a_gate_of_the_user_keep_their_angles() -> None:
    inner = QuantumCircuit(2, name="mine")
    inner.crx(2 * A, 0, 1)
    inner.h(0)
    inner.p(B, 1)
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(1, "bit")
    )
    circuit.append(inner.to_gate(), [1, 0])
    circuit.cry(A, 0, 1)
    circuit.measure(0, 0)
    table = unroll(Cell.from_circuit(circuit, weights=[A, B], features=[]), 2).occurrences
    assert table.generator == ("X", "ZX", "Z", "Y", "ZY") * 2
    assert table.source.tolist() == [0, 0, 1, 2, 2, 3, 3, 4, 5, 5]
    assert table.factor.tolist() == [0.5, -0.5, 1.0, 0.5, -0.5] * 2
    assert table.frequencies == ((0.5, 1.0), (1.0,), (0.5, 1.0)) * 2
