"""Hypothesis strategies: random recurrent cells, and weights and features for them.

A cell is drawn as a list of operations on its io and hidden qubits and then built; it ends with
the measurement and the reset of every io qubit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

Array = NDArray[np.float64]

ROTATIONS = {1: ("rx", "ry", "rz"), 2: ("rzz", "rxx", "crx", "cry", "crz", "cp")}
CONSTANTS = {1: ("h", "s", "t", "sx"), 2: ("cx", "cz")}

# Angles as cells have them, of two weights w and b and a feature x.
ANGLES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "w": lambda w, b, x: w,
    "-w": lambda w, b, x: -w,
    "2 w": lambda w, b, x: 2 * w,
    "w/2 - pi/4": lambda w, b, x: w / 2 - np.pi / 4,
    "w x": lambda w, b, x: w * x,
    "w x + b": lambda w, b, x: w * x + b,
    "w b": lambda w, b, x: w * b,
    "x": lambda w, b, x: x,
    "0.7": lambda w, b, x: 0.7,
}
TRAINED = tuple(name for name in ANGLES if "w" in name)


@dataclass(frozen=True, slots=True)
class DrawnOperation:
    """A gate, its qubits (io first, then hidden) and what its angle is made of."""

    gate: str  # also "reset", or "measure" into a post-selected bit
    qubits: tuple[int, ...]
    angle: str | None = None
    w: int = 0
    b: int = 0
    x: int = 0
    bit: int = 0


@dataclass(frozen=True, slots=True)
class DrawnCell:
    """A cell with the names of its parameters in declaration order, and a number of steps.

    Weights are named from 9 upwards: their lexical order is not their declaration order.
    """

    circuit: QuantumCircuit
    weights: tuple[Parameter, ...]
    features: tuple[Parameter, ...]
    num_steps: int
    postselected: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"{self.num_steps} steps of\n{self.circuit.draw('text', fold=200)}"


def build(
    num_io: int,
    num_hidden: int,
    operations: list[DrawnOperation],
    num_steps: int,
    num_flags: int = 0,
) -> DrawnCell:
    """The circuit of a list of operations; only parameters that are used are declared."""
    weights = [Parameter(f"weight_{i}") for i in range(9, 13)]
    features = [Parameter(f"feature_{i}") for i in range(9, 11)]
    circuit = QuantumCircuit(
        QuantumRegister(num_io, "io"),
        QuantumRegister(num_hidden, "hidden"),
        *([ClassicalRegister(num_flags, "flags")] if num_flags else []),
        ClassicalRegister(num_io, "readout"),
    )
    readout = [circuit.find_bit(bit).index for bit in circuit.cregs[-1]]
    for operation in operations:
        if operation.gate == "measure":
            circuit.measure(operation.qubits[0], operation.bit)
            continue
        arguments = []
        if operation.angle is not None:
            angle = ANGLES[operation.angle]
            arguments = [angle(weights[operation.w], weights[operation.b], features[operation.x])]
        getattr(circuit, operation.gate)(*arguments, *operation.qubits)
    circuit.measure(range(num_io), readout)
    circuit.reset(range(num_io))
    used = circuit.parameters
    return DrawnCell(
        circuit,
        tuple(weight for weight in weights if weight in used),
        tuple(feature for feature in features if feature in used),
        num_steps,
        ("flags",) if num_flags else (),
    )


@st.composite
def _operation(
    draw: st.DrawFn, num_qubits: int, angles: tuple[str, ...], constants: bool
) -> DrawnOperation:
    arity = draw(st.sampled_from([1, 2]))
    qubits = tuple(draw(st.permutations(range(num_qubits)))[:arity])
    if constants and draw(st.sampled_from([False, False, True])):
        return DrawnOperation(draw(st.sampled_from(CONSTANTS[arity])), qubits)
    return DrawnOperation(
        draw(st.sampled_from(ROTATIONS[arity])),
        qubits,
        draw(st.sampled_from(angles)),
        w=draw(st.integers(0, 3)),
        b=draw(st.integers(0, 3)),
        x=draw(st.integers(0, 1)),
    )


@st.composite
def cells(draw: st.DrawFn, max_steps: int = 5, max_operations: int = 8) -> DrawnCell:
    """Cells of 1 or 2 io and 1 or 2 hidden qubits with at least one weight, for 1 … max_steps."""
    num_io, num_hidden = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    num_qubits = num_io + num_hidden
    operations = draw(
        st.lists(_operation(num_qubits, tuple(ANGLES), True), max_size=max_operations - 1)
    )
    place = draw(st.integers(0, len(operations)))
    operations.insert(place, draw(_operation(num_qubits, TRAINED, False)))
    return build(num_io, num_hidden, operations, draw(st.integers(1, max_steps)))


@st.composite
def postselected_cells(draw: st.DrawFn, max_steps: int = 3, max_operations: int = 7) -> DrawnCell:
    """Cells with 1 or 2 post-selected bits, measured anywhere, and resets of any qubit."""
    num_io, num_hidden = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    num_qubits = num_io + num_hidden
    operations = draw(
        st.lists(_operation(num_qubits, tuple(ANGLES), True), max_size=max_operations - 1)
    )
    operations.insert(0, draw(_operation(num_qubits, TRAINED, False)))
    num_flags = draw(st.integers(1, 2)) if num_io == 1 else 1
    kinds = [("measure", bit) for bit in range(num_flags)]
    kinds += [("reset", 0)] * draw(st.integers(0, 1))
    for kind, bit in kinds:
        qubit = draw(st.integers(0, num_qubits - 1))
        place = draw(st.integers(0, len(operations)))
        operations.insert(place, DrawnOperation(kind, (qubit,), bit=bit))
    return build(num_io, num_hidden, operations, draw(st.integers(1, max_steps)), num_flags)


def _array(shape: tuple[int, ...], low: float, high: float) -> st.SearchStrategy[Array]:
    """Arrays of multiples of 1/64: no subnormal numbers, and readable when shrunk."""
    numbers = st.integers(int(low * 64), int(high * 64)).map(lambda n: n / 64)
    size = int(np.prod(shape))
    return st.lists(numbers, min_size=size, max_size=size).map(
        lambda entries: np.array(entries, dtype=np.float64).reshape(shape)
    )


def weights_of(cell: DrawnCell) -> st.SearchStrategy[Array]:
    """Weights `[P]` in rad, between -pi and pi."""
    return _array((len(cell.weights),), -np.pi, np.pi)


def features_of(cell: DrawnCell, num_sequences: int) -> st.SearchStrategy[Array]:
    """Features `[B, T, F]` in [-1, 1]."""
    return _array((num_sequences, cell.num_steps, len(cell.features)), -1.0, 1.0)
