"""The cell of Bausch, Recurrent Quantum Neural Networks, NeurIPS 2020 (arXiv:2006.14619)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Final, Literal, final

from pydantic import Field
from qiskit.circuit import (
    ClassicalRegister,
    Clbit,
    Gate,
    Parameter,
    ParameterExpression,
    QuantumCircuit,
    QuantumRegister,
    Qubit,
)

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._amplify import amplify
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

    Its training post-selects each output on the word that follows in the data (`words = "given"`):
    the word is then a feature of the next step, and exact outputs need only a state vector. On a
    device, and to go on by itself, the network measures its words.

    Attributes:
        n_io: bits of a word, in and out; features are 0 or 1.
        n_hidden: memory qubits.
        stages: S.
        order: ord; each neuron uses so many ancillas.
        degree: of the polynomial, at most the number of controls.
        neuron: `postselect`; or `rus`, repeat until success: a neuron of order 1 whose ancilla
            reads 1 is undone and tried again, and post-selected only after its last attempt; or
            `amplify`: its success is amplified without being looked at (fixed-point oblivious
            amplitude amplification), then post-selected. The three differ where the controls are
            in superposition, since the chance of success depends on their state.
        attempts: of a `rus` neuron.
        rounds: of amplification, each with two more uses of the neuron.
        tolerance: a neuron that is likely enough to succeed fails with at most the square of it.
        words: `measured`; or `given`: the output of a step is post-selected at the next one on the
            word in the features `given_i`, which are 0 at the first step.
    """

    n_io: Positive = 1
    n_hidden: Positive = 2
    stages: Natural = 1
    order: Positive = 1
    degree: Positive = 1
    neuron: Literal["postselect", "rus", "amplify"] = "postselect"
    attempts: Positive = 2
    rounds: Positive = 2
    tolerance: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    words: Literal["measured", "given"] = "measured"

    def __post_init__(self) -> None:
        if self.degree > self._controls:
            raise key_problem(
                "degree", self.degree, f"must be at most {self._controls}, the number of controls"
            )
        if self.neuron == "rus" and self.order > 1:
            raise key_problem("order", self.order, "must be 1 with neuron = 'rus'")
        for key, usual, neuron in (
            ("attempts", 2, "rus"),
            ("rounds", 2, "amplify"),
            ("tolerance", 0.1, "amplify"),
        ):
            if self.neuron != neuron and getattr(self, key) != usual:
                raise key_problem(key, getattr(self, key), f"is for neuron = {neuron!r}")
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
        # The shift of an absurd order would take all memory before it is refused.
        return self._neurons * ((1 << min(self.order, 60)) - 1)

    @property
    def _neurons(self) -> int:
        return (1 + self.stages) * self.n_hidden + self.n_io

    def device_problem(self) -> str | None:
        """Why no device should be asked to run this; None if it may be worth a try."""
        if self.order == 1:
            return None
        cell = self.build()
        gates = sum(
            len(item.qubits) == 2 and isinstance(item.operation, Gate) for item in cell.circuit.data
        )
        kept = 0.5 ** ((2**self.order - 1) * self._neurons)
        return (
            f"cell.order = {self.order}: a step has {gates:,} two-qubit gates before routing "
            f"and, with the weights near 0, keeps a fraction of {kept:.1e} of the shots; "
            "order = 1 is what fits a device"
        )

    def build(self) -> Cell:
        """The cell: P = (H + S H + I) (1 + sum_{k=1..d} C(H + I - 1, k)) + S H weights.

        Order of the weights: stage by stage; in a work stage first the H angles of RY; neuron by
        neuron its phi_S, by size of S and then in the order of the controls, then its theta. The
        order of qubits is `io`, then `hidden`.
        """
        given = self.n_io if self.words == "given" else 0
        io, hidden = (
            QuantumRegister(self.n_io, "io"),
            QuantumRegister(self.n_hidden + given, "hidden"),
        )
        coherent = self.neuron == "amplify"
        ancilla = QuantumRegister(2**self.order - 1 if coherent else self.order, "ancilla")
        readout = ClassicalRegister(self.n_io, "readout")
        flags = ClassicalRegister(self._measurements, "flags")
        circuit = QuantumCircuit(io, hidden, ancilla, readout, flags, name="bausch")
        features, weights = [Parameter(f"bit_{i}") for i in range(self.n_io)], Weights()
        memory, words = hidden[: self.n_hidden], hidden[self.n_hidden :]
        if words:
            chosen = ClassicalRegister(self.n_io, "words")
            circuit.add_register(chosen)
            features += [Parameter(f"given_{i}") for i in range(self.n_io)]
            for word, bit, feature in zip(words, chosen, features[self.n_io :], strict=True):
                circuit.ry(-math.pi * feature, word)
                circuit.measure(word, bit)
        neuron = _Neuron(circuit, list(ancilla), self, weights)
        for qubit, feature in zip(io, features, strict=False):
            circuit.ry(math.pi * feature, qubit)
        for stage in range(1 + self.stages):
            if stage > 0:
                for qubit in memory:
                    circuit.ry(weights.new(), qubit)
            for qubit in memory:
                neuron.act([q for q in (*io, *memory) if q != qubit], qubit)
        for qubit, feature in zip(io, features, strict=False):
            circuit.ry(-math.pi * feature, qubit)
        for qubit in io:
            neuron.act([q for q in (*io, *memory) if q != qubit], qubit)
        circuit.measure(io, readout)
        for qubit, word in zip(io, words, strict=False):
            circuit.swap(qubit, word)
        circuit.reset(io)
        return Cell.from_circuit(
            circuit,
            weights=weights,
            features=features,
            postselected=["flags", *(["words"] if words else [])],
        )


class _Neuron:
    """Appends neurons to a circuit."""

    def __init__(
        self, circuit: QuantumCircuit, ancillas: list[Qubit], shape: Bausch, weights: Weights
    ) -> None:
        self._circuit = circuit
        self._ancillas = ancillas
        self._shape = shape
        self._weights = weights
        self._flags = iter(circuit.cregs[1])

    def act(self, controls: Sequence[Qubit], target: Qubit) -> None:
        """One neuron, with weights of its own."""
        phi = {
            subset: self._weights.new()
            for size in range(1, self._shape.degree + 1)
            for subset in combinations(range(len(controls)), size)
        }
        angles = _z_angles(phi, len(controls), self._shape.degree)
        angles[()] = angles[()] + self._weights.new() + math.pi / 2
        if self._shape.neuron == "amplify":
            self._amplified(controls, target, angles)
            return
        flag = self._layer(self._ancillas, target, controls, angles, sign=1)
        for _ in range(1, self._shape.attempts if self._shape.neuron == "rus" else 1):
            ancilla = self._ancillas[0]
            with self._circuit.if_test((flag, 1)):
                # The other outcome has applied RY(3 pi / 2), whatever the angle.
                self._circuit.ry(-1.5 * math.pi, target)
                self._circuit.x(ancilla)
                self._rotate(ancilla, controls, angles, 1)
                self._flip(ancilla, target, 1)
                self._rotate(ancilla, controls, angles, -1)
            self._circuit.measure(ancilla, flag)

    def _amplified(
        self,
        controls: Sequence[Qubit],
        target: Qubit,
        angles: dict[Subset, ParameterExpression],
    ) -> None:
        """The neuron without its measurements, each ancilla used once; then all of them read."""
        whole = self._circuit
        operation = self._circuit = QuantumCircuit(whole.qubits)
        self._coherent(iter(self._ancillas), self._shape.order, target, controls, angles, 1)
        self._circuit = whole
        amplify(whole, operation, self._ancillas, self._shape.rounds, self._shape.tolerance)
        for ancilla in self._ancillas:
            whole.measure(ancilla, next(self._flags))

    def _coherent(
        self,
        fresh: Iterator[Qubit],
        order: int,
        target: Qubit,
        controls: Sequence[Qubit],
        angles: dict[Subset, ParameterExpression],
        sign: int,
    ) -> None:
        """As `_layer`, but with ancillas that nobody has used before in place of measurements."""
        last = next(fresh)
        for direction in (1, -1):
            if order > 1:
                self._coherent(fresh, order - 1, last, controls, angles, direction)
            else:
                self._rotate(last, controls, angles, direction)
            if direction == 1:
                self._flip(last, target, sign)

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
