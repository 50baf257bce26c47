"""Cells from circuits: roles of parameters and registers, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Gate, Parameter, ParameterVector, Qubit
from qiskit.circuit.classical import expr
from qiskit.circuit.library import Initialize

from qrnn_qiskit.circuit import Cell, build_cell, load_cell, unroll
from qrnn_qiskit.errors import CellError, SpecError

A, B, X = Parameter("a"), Parameter("b"), Parameter("x")


def circuit_of(*registers: str, bits: int = 1) -> QuantumCircuit:
    """One qubit in each register, RX(a) RY(b x) on the first, measured."""
    circuit = QuantumCircuit(
        *(QuantumRegister(1, name) for name in registers), ClassicalRegister(bits, "readout")
    )
    circuit.rx(A, 0)
    circuit.ry(B * X, 0)
    circuit.measure(0, 0)
    return circuit


def test_roles_by_parameter_or_by_name_in_the_order_given() -> None:
    circuit = circuit_of("io", "hidden")
    cell = Cell.from_circuit(circuit, weights=[B, "a"], features=["x"], name="mine")
    assert cell.weight_names == ("b", "a")
    assert cell.weights == (B, A)
    assert cell.feature_names == ("x",)
    assert (cell.name, cell.num_weights, cell.num_features, cell.num_bits) == ("mine", 2, 1, 1)
    assert load_cell(circuit, weights=[B, A], features=[X], name="mine").digest == cell.digest


def test_roles_in_the_metadata() -> None:
    circuit = circuit_of("io")
    circuit.metadata = {
        "weights": ["b", "a", "unused"],
        "features": ["x"],
        "encodings": {"x": "arccos"},
    }
    cell = Cell.from_circuit(circuit)
    assert cell.weight_names == ("b", "a", "unused")
    assert cell.encodings == {"x": "arccos"}
    assert Cell.from_circuit(circuit, weights=["a", "b"]).weight_names == ("a", "b")


def test_vectors_of_parameters() -> None:
    theta = ParameterVector("theta", 12)
    circuit = QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(1, "readout"))
    for element in theta:
        circuit.rx(element, 0)
    circuit.measure(0, 0)
    cell = Cell.from_circuit(circuit, weights=list(theta), features=[])
    assert cell.weight_names == tuple(f"theta[{i}]" for i in range(12))
    assert unroll(cell, 1).angle_map.num_weights == 12


def with_loop(circuit: QuantumCircuit) -> None:
    with circuit.for_loop(range(2)):
        circuit.x(0)


def with_if_in_if(circuit: QuantumCircuit) -> None:
    with circuit.if_test((0, 1)), circuit.if_test((0, 1)):
        circuit.x(0)


def with_reset_in_if(circuit: QuantumCircuit) -> None:
    with circuit.if_test((0, 1)):
        circuit.reset(0)


def with_expression(circuit: QuantumCircuit) -> None:
    with circuit.if_test(expr.logic_or(circuit.clbits[0], circuit.clbits[0])):
        circuit.x(0)


CIRCUITS: dict[str, tuple[Callable[[], QuantumCircuit], str]] = {
    "role of a register": (
        lambda: circuit_of("data"),
        "quantum register 'data' has no role; use io (measured), hidden (memory)",
    ),
    "no io": (lambda: circuit_of("hidden"), "there is no quantum register io"),
    "loose qubit": (
        lambda: QuantumCircuit(QuantumRegister(1, "io"), [Qubit()], ClassicalRegister(1, "c")),
        "1 qubit(s) are in no register; declare them as",
    ),
    "nothing measured": (
        lambda: QuantumCircuit(QuantumRegister(1, "io"), ClassicalRegister(1, "c")),
        "measures nothing, so it has no output",
    ),
    "a bit too many": (lambda: circuit_of("io", bits=2), "classical bit 1 is never measured"),
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_refused_registers(name: str) -> None:
    build, message = CIRCUITS[name]
    with pytest.raises(CellError) as error:
        Cell.from_circuit(build(), weights=[A, B], features=[X])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


OPERATIONS: dict[str, tuple[Callable[[QuantumCircuit], Any], str]] = {
    "loop": (with_loop, "'for_loop' is not supported in a cell: hardware runs if and else only"),
    "if in if": (with_if_in_if, "'if_else' within an if is not supported by hardware"),
    "reset in if": (with_reset_in_if, "'reset' within an if is not supported by hardware"),
    "expression": (with_expression, "compare one bit, as in if (readout[0]), or one register"),
    "initialize": (
        lambda circuit: circuit.append(Initialize("1"), [0]),
        "'initialize' is not supported in a cell; use gates",
    ),
    "opaque gate": (
        lambda circuit: circuit.append(Gate("mystery", 1, []), [0]),
        "gate 'mystery' has neither a definition nor a matrix",
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_refused_operation(name: str) -> None:
    add, message = OPERATIONS[name]
    circuit = circuit_of("io")
    add(circuit)
    with pytest.raises(CellError) as error:
        Cell.from_circuit(circuit, weights=[A, B], features=[X])
    assert message in str(error.value)


ROLES: list[tuple[dict[str, Any], str]] = [
    ({}, "say which parameters are weights"),
    ({"weights": [A, B]}, "say which parameters are features"),
    ({"weights": [A, B, X], "features": [X]}, "'x' is named twice as weight or feature"),
    ({"weights": [A, A, B], "features": [X]}, "'a' is named twice"),
    ({"weights": [A], "features": [X]}, "'b' is neither a weight nor a feature"),
    (
        {"weights": [A, B], "features": [X], "encodings": {"x": "sqrt"}},
        "encoding 'sqrt' of 'x' is unknown; known: arccos",
    ),
    (
        {"weights": [A, B], "features": [X], "encodings": {"a": "arccos"}},
        "encoding of 'a', which is not a feature",
    ),
    (
        {"weights": [A, B], "features": [X], "last": circuit_of("io", "hidden")},
        "the operations of the last step must use the cell's own registers",
    ),
]


@pytest.mark.parametrize(("roles", "message"), ROLES, ids=[message for _, message in ROLES])
def test_refused_roles(roles: dict[str, Any], message: str) -> None:
    with pytest.raises(CellError) as error:
        Cell.from_circuit(circuit_of("io"), **roles)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_parity2_is_the_papers_cell() -> None:
    cell = build_cell("parity2")
    assert (cell.num_weights, cell.num_features, cell.num_bits) == (4, 1, 1)
    assert cell.weight_names == ("theta_0", "theta_1", "theta_2", "theta_3")
    shown = [item.operation.name for item in cell.circuit.data]
    assert shown == ["rx", "ry", "ry", "cx", "rz", "rz", "measure", "reset"]


def test_viqueira_is_the_papers_cell() -> None:
    """Re-uploading RY (RX RZ RY)^3 on the exchange qubit, three layers, a last RX."""
    cell = build_cell("viqueira_emcz2")
    assert (cell.num_weights, cell.num_features, cell.num_bits) == (25, 1, 1)
    shown = [
        (item.operation.name, *(cell.circuit.find_bit(q).index for q in item.qubits))
        for item in cell.circuit.data
    ]
    upload = [("rx", 0), ("rz", 0), ("ry", 0)]
    layer = [(name, q) for q in range(3) for name in ("rx", "rz")]
    ladder = [("cz", 0, 1), ("cz", 1, 2)]
    readout = [("rx", 0), ("measure", 0), ("reset", 0)]
    assert shown == [("ry", 0), *3 * upload, *3 * [*layer, *ladder], *readout]


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("parity3", {}),
        ("viqueira_emcz2", {"layers": 0}),
        ("viqueira_emcz2", {"layers": "three"}),
        ("viqueira_emcz2", {"layer": 3}),
        ("parity2", {"layers": 1}),
    ],
)
def test_refused_families(family: str, options: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as error:
        build_cell(family, options)
    assert "\n" not in str(error.value)
