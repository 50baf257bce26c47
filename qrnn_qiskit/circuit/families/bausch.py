"""The cell of Bausch, Recurrent Quantum Neural Networks, NeurIPS 2020 (arXiv:2006.14619)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal, final

from qiskit.circuit import (
    ClassicalRegister,
    Clbit,
    Parameter,
    ParameterExpression,
    QuantumCircuit,
    QuantumRegister,
    Qubit,
)

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._parts import Natural, Positive, Weights
from qrnn_qiskit.spec.messages import key_problem

_MOST_MEASUREMENTS: Final = 200
Subset = tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class Bausch:
    """Quantum neurons that rotate one qubit by a polynomial of the others, post-selected.

    With eta(x) = (sum_S phi_S prod_{i in S} x_i + theta + pi/2) / 2 over all sets S of at most
    `degree` controls, a neuron applies cos^n(eta) + sin^n(eta) RY(pi), n = 2^order, to its target
    where the controls are in state x, given that each of its 2^order - 1 measurements of ancillas
    reads 0. A step writes the word's bits to `io`; lets each hidden qubit be the target of a
    neuron; does `stages` times RY on every hidden qubit and again such neurons; takes the word
    back; and lets each `io` qubit be the target of a neuron, to be measured. All qubits but the
    target and the ancillas are a neuron's controls.

    The paper's code also post-selects the outputs on the target word in training; here they are
    measured.

    Attributes:
        n_io: bits of a word, in and out; features are 0 or 1.
        n_hidden: memory qubits.
        stages: S.
        order: ord; each neuron uses so many ancillas.
        degree: of the polynomial, at most the number of controls.
        neuron: `postselect`; or `rus`, repeat until success: a neuron of order 1 whose ancilla
            reads 1 is undone and tried again, and post-selected only after its last attempt. The
            two differ where the controls are in superposition, since the chance of success
            depends on their state.
        attempts: of a `rus` neuron.
    """

    n_io: Positive = 1
    n_hidden: Positive = 2
    stages: Natural = 1
    order: Positive = 1
    degree: Positive = 1
    neuron: Literal["postselect", "rus"] = "postselect"
    attempts: Positive = 2

    def __post_init__(self) -> None:
        if self.degree > self._controls:
            raise key_problem(
                "degree", self.degree, f"must be at most {self._controls}, the number of controls"
            )
        if self.neuron == "rus" and self.order > 1:
            raise key_problem("order", self.order, "must be 1 with neuron = 'rus'")
        if self.neuron == "postselect" and self.attempts != 2:
            raise key_problem("attempts", self.attempts, "is for neuron = 'rus'")
        if self._measurements > _MOST_MEASUREMENTS:
            raise key_problem(
                "order",
                self.order,
                f"makes {self._measurements:,} post-selected measurements in each step, where "
                f"{_MOST_MEASUREMENTS} are allowed",
            )

    @property
    def _controls(self) -> int:
        return self.n_io + self.n_hidden - 1

    @property
    def _measurements(self) -> int:
        neurons = (1 + self.stages) * self.n_hidden + self.n_io
        # The shift of an absurd order would take all memory before it is refused.
        return neurons * ((1 << min(self.order, 60)) - 1)

    def build(self) -> Cell:
        """The cell: P = (H + S H + I) (1 + sum_{k=1..d} C(H + I - 1, k)) + S H weights.

        Order of the weights: stage by stage; in a work stage first the H angles of RY; neuron by
        neuron its phi_S, by size of S and then in the order of the controls, then its theta. The
        order of qubits is `io`, then `hidden`.
        """
        io, hidden = QuantumRegister(self.n_io, "io"), QuantumRegister(self.n_hidden, "hidden")
        ancilla = QuantumRegister(self.order, "ancilla")
        readout = ClassicalRegister(self.n_io, "readout")
        flags = ClassicalRegister(self._measurements, "flags")
        circuit = QuantumCircuit(io, hidden, ancilla, readout, flags, name="bausch")
        features, weights = [Parameter(f"bit_{i}") for i in range(self.n_io)], Weights()
        attempts = self.attempts if self.neuron == "rus" else 1
        neuron = _Neuron(circuit, list(ancilla), self.degree, weights, attempts)
        for qubit, feature in zip(io, features, strict=True):
            circuit.ry(math.pi * feature, qubit)
        for stage in range(1 + self.stages):
            if stage > 0:
                for qubit in hidden:
                    circuit.ry(weights.new(), qubit)
            for qubit in hidden:
                neuron.act([q for q in (*io, *hidden) if q != qubit], qubit)
        for qubit, feature in zip(io, features, strict=True):
            circuit.ry(-math.pi * feature, qubit)
        for qubit in io:
            neuron.act([q for q in (*io, *hidden) if q != qubit], qubit)
        circuit.measure(io, readout)
        circuit.reset(io)
        return Cell.from_circuit(
            circuit, weights=weights, features=features, postselected=["flags"]
        )


class _Neuron:
    """Appends neurons to a circuit."""

    def __init__(
        self,
        circuit: QuantumCircuit,
        ancillas: list[Qubit],
        degree: int,
        weights: Weights,
        attempts: int,
    ) -> None:
        self._circuit = circuit
        self._ancillas = ancillas
        self._degree = degree
        self._weights = weights
        self._attempts = attempts
        self._flags = iter(circuit.cregs[1])

    def act(self, controls: Sequence[Qubit], target: Qubit) -> None:
        """One neuron, with weights of its own."""
        phi = {
            subset: self._weights.new()
            for size in range(1, self._degree + 1)
            for subset in combinations(range(len(controls)), size)
        }
        angles = _z_angles(phi, len(controls), self._degree)
        angles[()] = angles[()] + self._weights.new() + math.pi / 2
        flag = self._layer(self._ancillas, target, controls, angles, sign=1)
        for _ in range(1, self._attempts):
            ancilla = self._ancillas[0]
            with self._circuit.if_test((flag, 1)):
                # The other outcome has applied RY(3 pi / 2), whatever the angle.
                self._circuit.ry(-1.5 * math.pi, target)
                self._circuit.x(ancilla)
                self._rotate(ancilla, controls, angles, 1)
                self._flip(ancilla, target, 1)
                self._rotate(ancilla, controls, angles, -1)
            self._circuit.measure(ancilla, flag)

    def _layer(
        self,
        ancillas: list[Qubit],
        target: Qubit,
        controls: Sequence[Qubit],
        angles: dict[Subset, ParameterExpression],
        sign: int,
    ) -> Clbit:
        """Rotate the last ancilla, let it flip the target, rotate it back, measure; its bit."""
        *inner, last = ancillas
        for direction in (1, -1):
            if inner:
                self._layer(inner, last, controls, angles, direction)
            else:
                self._rotate(last, controls, angles, direction)
            if direction == 1:
                self._flip(last, target, sign)
        flag = next(self._flags)
        self._circuit.measure(last, flag)
        return flag

    def _flip(self, ancilla: Qubit, target: Qubit, sign: int) -> None:
        """RY(pi) or RY(-pi) controlled: CY, and the phase -i or i that it lacks."""
        self._circuit.cy(ancilla, target)
        (self._circuit.sdg if sign == 1 else self._circuit.s)(ancilla)

    def _rotate(
        self,
        ancilla: Qubit,
        controls: Sequence[Qubit],
        angles: dict[Subset, ParameterExpression],
        sign: int,
    ) -> None:
        """RY by 2 eta or -2 eta: a CX from a control turns the Y of a rotation into Z Y."""
        reached: set[int] = set()
        for subset, angle in [*angles.items(), ((), None)]:
            for control in sorted(reached.symmetric_difference(subset)):
                self._circuit.cx(controls[control], ancilla)
            reached = set(subset)
            if angle is not None:
                self._circuit.ry(sign * angle, ancilla)


def _z_angles(
    phi: dict[Subset, Parameter], num_controls: int, degree: int
) -> dict[Subset, ParameterExpression]:
    """Angles of the rotations about Z_U Y that make RY(sum_S phi_S prod_{i in S} x_i).

    With x = (1 - Z)/2 the angle of U is (-1)^|U| sum over S that hold U of phi_S / 2^|S|. The
    subsets are in the order of a Gray code, so that few CX lie between two of them.
    """
    angles: dict[Subset, ParameterExpression] = {}
    for number in range(1 << num_controls):
        code = number ^ (number >> 1)
        subset = tuple(i for i in range(num_controls) if code >> i & 1)
        if len(subset) > degree:
            continue
        terms = [
            weight * ((-1) ** len(subset) / 2 ** len(members))
            for members, weight in phi.items()
            if set(subset) <= set(members)
        ]
        angles[subset] = sum(terms[1:], start=terms[0])
    return angles


PROVIDES = Bausch
