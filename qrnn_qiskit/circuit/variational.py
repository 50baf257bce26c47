"""Circuits without memory, for quantum layers between and inside classical ones.

All their parameters are features, in two groups: the encoded values, then the weights. A batch can
so hold several circuits of one form, each row with weights of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any, Final

from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister

from qrnn_qiskit.circuit.cell import Cell

Form = Callable[[int, int], Cell]
"""From qubits and layers to a circuit; its features are inputs of the form, then weights."""


def strongly_entangling(qubits: int, layers: int) -> Cell:
    """Angle embedding RX(x_i), then strongly entangling layers of Schuld et al. (arXiv:1804.00633).

    A layer is RZ RY RZ on each qubit, then CNOTs from qubit i to i + r along the ring, with range
    r = 1 + (layer mod (n - 1)). n inputs, 3 n weights a layer; <Z> of every qubit.
    """
    inputs, weights = _names("x", qubits), _names("w", 3 * qubits * layers)
    circuit = _empty(qubits, "strongly_entangling")
    for qubit in range(qubits):
        circuit.rx(inputs[qubit], qubit)
    free = iter(weights)
    for layer in range(layers):
        _turn_all(circuit, "zyz", free)
        distance = 1 + layer % max(1, qubits - 1)
        for qubit in range(qubits if qubits > 1 else 0):
            circuit.cx(qubit, (qubit + distance) % qubits)
    return _measured(circuit, [*inputs, *weights])


def reuploaded(qubits: int, layers: int) -> Cell:
    """The same with the inputs embedded again before every layer (arXiv:1907.02085)."""
    inputs, weights = _names("x", qubits), _names("w", 3 * qubits * layers)
    circuit = _empty(qubits, "reuploaded")
    free = iter(weights)
    for layer in range(layers):
        for qubit in range(qubits):
            circuit.rx(inputs[qubit], qubit)
        _turn_all(circuit, "zyz", free)
        distance = 1 + layer % max(1, qubits - 1)
        for qubit in range(qubits if qubits > 1 else 0):
            circuit.cx(qubit, (qubit + distance) % qubits)
    return _measured(circuit, [*inputs, *weights])


def chen(qubits: int, layers: int) -> Cell:
    """The circuit of Chen et al., arXiv:2009.01783, Fig. 5.

    H, RY(y_i), RZ(z_i) on each qubit, with y = arctan(x) and z = arctan(x^2) worked out before the
    circuit; a layer is CNOTs from i to i + 1 and from i to i + 2 around the ring, then a general
    rotation R = RZ RY RZ on each qubit. 2 n inputs (y_0 ... z_0 ...), 3 n weights a layer.
    """
    inputs, weights = _names("x", 2 * qubits), _names("w", 3 * qubits * layers)
    circuit = _empty(qubits, "chen")
    for qubit in range(qubits):
        # H turns |0> into the state that RY(pi/2) does, and is so merged with the RY.
        circuit.ry(inputs[qubit] + pi / 2, qubit)
        circuit.rz(inputs[qubits + qubit], qubit)
    free = iter(weights)
    for _ in range(layers):
        for distance in (1, 2):
            for qubit in range(qubits if qubits > distance else 0):
                circuit.cx(qubit, (qubit + distance) % qubits)
        _turn_all(circuit, "zyz", free)
    return _measured(circuit, [*inputs, *weights])


FORMS: Final[dict[str, Form]] = {
    "strongly_entangling": strongly_entangling,
    "reuploaded": reuploaded,
    "chen": chen,
}


def _names(letter: str, count: int) -> list[Parameter]:
    return [Parameter(f"{letter}_{i}") for i in range(count)]


def _empty(qubits: int, name: str) -> QuantumCircuit:
    io, readout = QuantumRegister(qubits, "io"), ClassicalRegister(qubits, "readout")
    return QuantumCircuit(io, readout, name=name)


def _turn_all(circuit: QuantumCircuit, axes: str, weights: Any) -> None:
    for qubit in range(circuit.num_qubits):
        for axis in axes:
            getattr(circuit, f"r{axis}")(next(weights), qubit)


def _measured(circuit: QuantumCircuit, features: list[Parameter]) -> Cell:
    circuit.measure(circuit.qubits, circuit.clbits)
    circuit.reset(circuit.qubits)
    return Cell.from_circuit(circuit, weights=[], features=features)
