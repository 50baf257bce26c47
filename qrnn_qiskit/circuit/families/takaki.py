"""The cell of Takaki, Mitarai, Negoro, Fujii and Kitagawa, PRA 103, 052414 (arXiv:2012.11242)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Annotated, Final, Literal, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from qiskit.circuit import ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import SparsePauliOp

from qrnn_qiskit.circuit.cell import Cell
from qrnn_qiskit.circuit.families._parts import Natural, Positive, Weights, rotate
from qrnn_qiskit.spec.messages import key_problem

_MOST_EXACT_QUBITS: Final = 8


@final
@dataclass(frozen=True, slots=True)
class Takaki:
    """Copies of RY(arccos x), then D times RX RZ RX on every qubit and the evolution under H.

    H = sum_j a_j X_j + sum_{j<k} J_jk Z_j Z_k with a_j and J_jk drawn once from [-1, 1]. Qubits
    are numbered along the line: `io` first, then `hidden`.

    Attributes:
        n_io: qubits that all carry the same feature, in [-1, 1].
        n_hidden: memory qubits.
        depth: D.
        tau: duration of an evolution, in units of the inverse of the largest coupling.
        coupling: `all` pairs of qubits, or neighbours on a `line`.
        evolution: exp(-i H tau) as one `exact` unitary, or in symmetric `trotter` steps
            exp(-i X tau / 2r) exp(-i Z tau / r) exp(-i X tau / 2r).
        trotter_steps: r.
        hamiltonian_seed: of a_j and J_jk.
    """

    n_io: Positive = 3
    n_hidden: Positive = 3
    depth: Positive = 3
    tau: Annotated[float, Field(gt=0.0)] = 0.2
    coupling: Literal["all", "line"] = "all"
    evolution: Literal["trotter", "exact"] = "trotter"
    trotter_steps: Positive = 1
    hamiltonian_seed: Natural = 0

    def __post_init__(self) -> None:
        if self.evolution == "exact" and self.n_io + self.n_hidden > _MOST_EXACT_QUBITS:
            raise key_problem(
                "evolution",
                self.evolution,
                f"is one matrix, for at most {_MOST_EXACT_QUBITS} qubits, but there are "
                f"{self.n_io + self.n_hidden}: use evolution = 'trotter'",
            )
        if self.evolution == "exact" and self.trotter_steps != 1:
            raise key_problem("trotter_steps", self.trotter_steps, "is for evolution = 'trotter'")

    def build(self) -> Cell:
        """The cell: P = 3 (n_io + n_hidden) D weights; all `io` qubits are measured.

        Order of the weights: layer by layer and qubit by qubit the angles of RX, RZ, RX.
        """
        io, hidden = QuantumRegister(self.n_io, "io"), QuantumRegister(self.n_hidden, "hidden")
        readout = ClassicalRegister(self.n_io, "readout")
        circuit = QuantumCircuit(io, hidden, readout, name="takaki")
        feature, weights = Parameter("signal"), Weights()
        circuit.ry(feature, io)
        for _ in range(self.depth):
            for qubit in circuit.qubits:
                rotate(circuit, qubit, "xzx", weights)
            self._evolve(circuit)
        circuit.measure(io, readout)
        circuit.reset(io)
        return Cell.from_circuit(
            circuit, weights=weights, features=[feature], encodings={"signal": "arccos"}
        )

    def _evolve(self, circuit: QuantumCircuit) -> None:
        field, pairs, strength = self._hamiltonian()
        if self.evolution == "exact":
            circuit.append(UnitaryGate(self._unitary(), label="exp(-iH tau)"), circuit.qubits)
            return
        duration = self.tau / self.trotter_steps
        for _ in range(self.trotter_steps):
            for qubit, a in enumerate(field):
                circuit.rx(a * duration, qubit)
            for (j, k), coupling in zip(pairs, strength, strict=True):
                circuit.rzz(2.0 * coupling * duration, j, k)
            for qubit, a in enumerate(field):
                circuit.rx(a * duration, qubit)

    def _hamiltonian(self) -> tuple[list[float], list[tuple[int, int]], list[float]]:
        """The a_j, and pairs (j, k) with their J_jk."""
        size = self.n_io + self.n_hidden
        pairs = list(
            combinations(range(size), 2) if self.coupling == "all" else pairwise(range(size))
        )
        random = np.random.default_rng(self.hamiltonian_seed)
        field = random.uniform(-1.0, 1.0, size).tolist()
        return field, pairs, random.uniform(-1.0, 1.0, len(pairs)).tolist()

    def _unitary(self) -> NDArray[np.complex128]:
        field, pairs, strength = self._hamiltonian()
        terms = [("X", [j], a) for j, a in enumerate(field)]
        terms += [("ZZ", list(p), c) for p, c in zip(pairs, strength, strict=True)]
        matrix = SparsePauliOp.from_sparse_list(terms, num_qubits=len(field)).to_matrix()
        energies, states = np.linalg.eigh(matrix)
        unitary: NDArray[np.complex128] = (states * np.exp(-1j * energies * self.tau)) @ (
            states.conj().T
        )
        return unitary


PROVIDES = Takaki
