"""Exact outputs of a circuit by dense density matrices, written from the definitions alone.

Nothing of the package under test and no simulator is used here: everything else is measured
against these functions. Slow and simple on purpose; meant for a handful of qubits.

Axes: T steps (one `ClassicalRegister` each, in the order of the registers), K bits of a step,
P weights. Bits of a joint outcome are ordered by step, then by their place in the register.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Barrier, Clbit, Delay, Gate, IfElseOp, Measure, Parameter, Reset
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import Operator

Array = NDArray[np.float64]
Matrix = NDArray[np.complex128]
Bits = tuple[int, ...]

Noise = Callable[[str, tuple[int, ...]], Sequence[Matrix]]
"""Kraus operators of an instruction, given its name and its qubits (the first one least
significant, as in Qiskit). They act right after a gate, a reset or a delay, and right before a
measurement, as Aer has it. An empty sequence means no noise."""

Flips = Callable[[int], tuple[float, float]]
"""Readout errors of a qubit: probability of reading 1 in state 0, and of reading 0 in state 1."""

PAULIS = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.diag([1, -1]).astype(np.complex128),
}
_PROJECTORS = (np.diag([1, 0]).astype(np.complex128), np.diag([0, 1]).astype(np.complex128))
_LOWERING = np.array([[0, 1], [0, 0]], dtype=np.complex128)


def reference_outputs(
    circuit: QuantumCircuit,
    values: Mapping[Parameter, float],
    *,
    noise: Noise | None = None,
    flips: Flips | None = None,
) -> Array:
    """<Z> of every classical bit, `[T, K]`.

    A measurement whose outcome nobody looks at only dephases what comes after it, so one density
    matrix is enough. A bit that is measured twice keeps its later value; one never measured is 0.
    """
    state, outputs = _start(circuit), np.ones(circuit.num_clbits)
    for event in _events(circuit, values, noise):
        if isinstance(event, _Channel):
            if event.bits:
                raise ValueError("with feed-forward, take `reference_joint`")
            state = _apply(event.kraus, state)
            continue
        outputs[event.bit] = sum(
            (1 - 2 * reading) * chance * np.trace(_apply([event.projectors[outcome]], state)).real
            for outcome in (0, 1)
            for reading, chance in _readings(flips, event.qubit, outcome)
        )
        state = _apply(event.projectors, state)
    return outputs[_bit_order(circuit)]


def reference_joint(
    circuit: QuantumCircuit,
    values: Mapping[Parameter, float],
    *,
    noise: Noise | None = None,
    flips: Flips | None = None,
) -> dict[Bits, float]:
    """Probability of every joint outcome, keyed by its T*K bits.

    Every reading of every measurement opens a branch with its own unnormalised state; branches
    that read the same bits are one mixture.
    """
    branches: dict[Bits, Matrix] = {(0,) * circuit.num_clbits: _start(circuit)}
    for event in _events(circuit, values, noise):
        branches = _split(branches, event, flips)
    order = _bit_order(circuit).ravel()
    return {
        tuple(bits[i] for i in order): float(np.trace(state).real)
        for bits, state in branches.items()
    }


def reference_cell_joint(
    cell: QuantumCircuit,
    weights: Mapping[Parameter, float],
    features: Sequence[Mapping[Parameter, float]],
    permutation: Sequence[int] | None = None,
) -> dict[Bits, float]:
    """The same for T steps of a cell, whose classical bits keep their values between the steps.

    Args:
        cell: one step.
        weights: values of the parameters that all steps share.
        features: values of the others, step by step.
        permutation: at the end of a step, qubit i becomes what qubit permutation[i] was.
    """
    size = cell.num_clbits
    moved = cell.copy()
    if permutation is not None:
        moved.append(_permuting(permutation), range(cell.num_qubits))
    branches: dict[Bits, Matrix] = {(0,) * size: _start(moved)}
    for step in features:
        for event in _events(moved, {**weights, **step}, None):
            branches = _split(branches, event, None)
        # The record of all steps comes after the bits themselves.
        branches = {(*bits, *bits[:size]): state for bits, state in branches.items()}
    return {bits[size:]: float(np.trace(state).real) for bits, state in branches.items()}


def _permuting(permutation: Sequence[int]) -> UnitaryGate:
    count = len(permutation)
    matrix = np.zeros((2**count, 2**count))
    for before in range(2**count):
        after = sum(((before >> q) & 1) << i for i, q in enumerate(permutation))
        matrix[after, before] = 1.0
    return UnitaryGate(matrix)


def _split(
    branches: dict[Bits, Matrix], event: _Channel | _Measurement, flips: Flips | None
) -> dict[Bits, Matrix]:
    """The branches after an event; a branch without probability is dropped."""
    if isinstance(event, _Channel):
        return {
            bits: _apply(event.kraus, state) if event.acts(bits) else state
            for bits, state in branches.items()
        }
    split: dict[Bits, Matrix] = {}
    for (bits, state), outcome in product(branches.items(), (0, 1)):
        projected = _apply([event.projectors[outcome]], state)
        for reading, chance in _readings(flips, event.qubit, outcome):
            key = (*bits[: event.bit], reading, *bits[event.bit + 1 :])
            if chance * np.trace(projected).real > 0.0:
                split[key] = split.get(key, 0.0) + chance * projected
    return split


def raw_values(
    joint: Mapping[Bits, float],
    shape: tuple[int, int],
    postselected: Sequence[int],
    kind: str = "z",
) -> Array:
    """Post-selected outputs `[T, K+1]` or `[T, 2^K+1]` from the joint distribution of all bits.

    Each value times kept, then kept: whether the post-selected bits of this and all earlier steps
    are 0. Without post-selected bits, the outputs alone.

    Args:
        joint: probability of each outcome.
        shape: T and the number of bits of a step.
        postselected: which of these are post-selected.
        kind: "z", or "probabilities" of the joint outcomes of a step's other bits.
    """
    rows = []
    for bits in joint:
        steps = np.array(bits).reshape(shape)
        kept, row = 1, []
        for step in steps:
            kept *= int(not any(step[k] for k in postselected))
            read = [bit for k, bit in enumerate(step) if k not in postselected]
            if kind == "z":
                values = [1 - 2 * bit for bit in read]
            else:
                outcome = sum(bit << k for k, bit in enumerate(read))
                values = [int(outcome == j) for j in range(2 ** len(read))]
            row.append([value * kept for value in values] + ([kept] if postselected else []))
        rows.append(row)
    mean: Array = np.tensordot(np.array(list(joint.values())), np.array(rows, dtype=float), 1)
    return mean


def joint_moments(joint: Mapping[Bits, float]) -> tuple[Array, Array]:
    """Mean `[T*K]` and single-shot covariance `[T*K, T*K]` of Z = 1 - 2*bit."""
    z = 1.0 - 2.0 * np.array(list(joint), dtype=np.float64)
    probability = np.array(list(joint.values()))
    mean = probability @ z
    return mean, (z * probability[:, None]).T @ z - np.outer(mean, mean)


def repeat_cell(
    cell: QuantumCircuit,
    weights: Mapping[Parameter, float],
    features: Sequence[Mapping[Parameter, float]],
) -> QuantumCircuit:
    """T bound copies of a cell in a row, one for each entry of `features`, each with a register."""
    repeated = QuantumCircuit(*cell.qregs)
    for t, step in enumerate(features):
        register = ClassicalRegister(cell.num_clbits, f"step_{t}")
        repeated.add_register(register)
        bound = cell.assign_parameters({**weights, **step}, strict=False)
        repeated.compose(bound, repeated.qubits, list(register), inplace=True)
    return repeated


def sixth_order_difference(
    function: Callable[[Array], NDArray[np.float64] | float], x: Array, h: float = 2e-3
) -> Array:
    """Derivatives of `function` by all P entries of x, `[..., P]`, by central differences.

    The truncation error is h^6/140 times the seventh derivative. The default keeps it and the
    rounding of values of order one below 1e-11 for the frequencies of short sequences.
    """
    columns = []
    for unit in np.eye(x.size):
        total = np.zeros(np.shape(function(x)))
        for steps, coefficient in ((1, 45.0), (2, -9.0), (3, 1.0)):
            ahead, behind = function(x + steps * h * unit), function(x - steps * h * unit)
            total += coefficient / (60.0 * h) * (np.asarray(ahead) - np.asarray(behind))
        columns.append(total)
    return np.stack(columns, axis=-1)


def depolarizing(probability: float, num_qubits: int) -> list[Matrix]:
    """Kraus operators of (1-p) rho + p I/2^n, the convention of Aer's `depolarizing_error`."""
    weight = probability / 4**num_qubits
    kraus = []
    for labels in product("IXYZ", repeat=num_qubits):
        pauli = np.ones((1, 1), dtype=np.complex128)
        for label in labels:
            pauli = np.kron(pauli, PAULIS[label]).astype(np.complex128)
        identity = set(labels) == {"I"}
        kraus.append(np.sqrt(1.0 - probability + weight if identity else weight) * pauli)
    return kraus


def amplitude_damping(probability: float) -> list[Matrix]:
    """Kraus operators of the decay |1> to |0> with a probability."""
    stay = np.diag([1.0, np.sqrt(1.0 - probability)]).astype(np.complex128)
    return [stay, np.sqrt(probability) * _LOWERING]


@dataclass(frozen=True, slots=True)
class _Channel:
    kraus: list[Matrix]
    bits: tuple[int, ...] = ()  # of the condition, the least significant first
    value: int = 0
    otherwise: bool = False

    def acts(self, bits: Bits) -> bool:
        number = sum(bits[b] << i for i, b in enumerate(self.bits))
        return not self.bits or (number == self.value) != self.otherwise


@dataclass(frozen=True, slots=True)
class _Measurement:
    projectors: list[Matrix]
    qubit: int
    bit: int


def _events(
    circuit: QuantumCircuit, values: Mapping[Parameter, float], noise: Noise | None
) -> Iterator[_Channel | _Measurement]:
    bound = circuit.assign_parameters(values, strict=False)
    if bound.parameters:
        raise ValueError(f"no value for {sorted(p.name for p in bound.parameters)}")
    place = _places(circuit)
    for item, qubits, condition in _flat(bound):
        operation = item.operation
        if isinstance(operation, Barrier):
            continue

        def full(kraus: Sequence[Matrix], qubits: tuple[int, ...] = qubits) -> list[Matrix]:
            return [_embed(k, [place[qubit] for qubit in qubits], len(place)) for k in kraus]

        extra = full(noise(operation.name, qubits)) if noise is not None else []
        # Devices have quicker kinds for the middle of a circuit, `measure_2` and `reset_2`.
        if isinstance(operation, Measure) or operation.name == "measure_2":
            if extra:
                yield _Channel(extra)
            bit = bound.find_bit(item.clbits[0]).index
            yield _Measurement(full(_PROJECTORS), qubits[0], bit)
            continue
        if isinstance(operation, Reset) or operation.name == "reset_2":
            yield _Channel(full([_PROJECTORS[0], _LOWERING]))
        elif isinstance(operation, Gate):
            yield _Channel(full([Operator(operation).data]), *condition)
        elif not isinstance(operation, Delay):
            raise ValueError(f"the reference does not know the instruction {operation.name!r}")
        if extra:
            yield _Channel(extra, *condition)


def _flat(bound: QuantumCircuit) -> Iterator[tuple[Any, tuple[int, ...], tuple[Any, ...]]]:
    """Instructions, their qubits, and the bits, value and side of the `if` around them."""
    for item in bound.data:
        qubits = tuple(bound.find_bit(qubit).index for qubit in item.qubits)
        if not isinstance(item.operation, IfElseOp):
            yield item, qubits, ()
            continue
        asked, value = item.operation.condition
        bits = [asked] if isinstance(asked, Clbit) else list(asked)
        indices = tuple(bound.find_bit(bit).index for bit in bits)
        for block, otherwise in zip(item.operation.blocks, (False, True), strict=False):
            for inner in block.data:
                where = tuple(qubits[block.find_bit(qubit).index] for qubit in inner.qubits)
                yield inner, where, (indices, int(value), otherwise)


def _places(circuit: QuantumCircuit) -> dict[int, int]:
    """Place in the density matrix of each qubit in use: a device has many idle ones."""
    used = {
        qubit
        for item, qubits, _ in _flat(circuit)
        if not isinstance(item.operation, Barrier)
        for qubit in qubits
    }
    return {qubit: place for place, qubit in enumerate(sorted(used))}


def _start(circuit: QuantumCircuit) -> Matrix:
    size = 2 ** len(_places(circuit))
    state = np.zeros((size, size), dtype=np.complex128)
    state[0, 0] = 1.0
    return state


def _apply(kraus: Sequence[Matrix], state: Matrix) -> Matrix:
    moved: Matrix = sum((k @ state @ k.conj().T for k in kraus), np.zeros_like(state))
    return moved


def _embed(matrix: Matrix, places: Sequence[int], num_qubits: int) -> Matrix:
    """`matrix` on some qubits, identity on the rest; bit q of an index is the value of qubit q."""
    column = np.arange(2**num_qubits)
    inner = sum(((column >> place) & 1) << i for i, place in enumerate(places))
    others = column & ~sum(1 << place for place in places)
    full = np.zeros((column.size, column.size), dtype=np.complex128)
    for row in range(matrix.shape[0]):
        spread = sum(((row >> i) & 1) << place for i, place in enumerate(places))
        full[others | spread, column] = matrix[row, inner]
    return full


def _readings(flips: Flips | None, qubit: int, outcome: int) -> list[tuple[int, float]]:
    """What may be read when the qubit is found in `outcome`, and with which probability."""
    if flips is None:
        return [(outcome, 1.0)]
    wrong = flips(qubit)[outcome]
    return [(outcome, 1.0 - wrong), (1 - outcome, wrong)]


def _bit_order(circuit: QuantumCircuit) -> NDArray[np.intp]:
    """Index in the circuit of bit k of register t, `[T, K]`."""
    if len({register.size for register in circuit.cregs}) != 1:
        raise ValueError("every step needs a classical register, all of one size")
    return np.array(
        [[circuit.find_bit(bit).index for bit in register] for register in circuit.cregs]
    )
