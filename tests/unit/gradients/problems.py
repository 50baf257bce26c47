"""A small cell whose rows can be counted by hand, and a plan's outputs made up at random."""

from __future__ import annotations

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit import Cell, UnrolledCircuit, unroll
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients import EvaluationPlan, GradientProblem

WEIGHTS = np.array([0.3, -0.7, 1.1, 0.5])


def small_cell() -> Cell:
    """Weights w, b, v, dead; feature x; one io and one hidden qubit.

    Occurrences of a step: 0 RY(x) io, 1 RX(w x + b) io, 2 RZ(v x) hidden, 3 RY(w) hidden,
    4 RXX(2 b) io and hidden, 5 RZ(dead) io.
    """
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(1, "readout")
    )
    w, b, v, dead, x = (Parameter(name) for name in ("w", "b", "v", "dead", "x"))
    circuit.ry(x, 0)
    circuit.rx(w * x + b, 0)
    circuit.h(1)
    circuit.rz(v * x, 1)
    circuit.ry(w, 1)
    circuit.rxx(2 * b, 0, 1)
    circuit.rz(dead, 0)
    circuit.measure(0, 0)
    circuit.reset(0)
    return Cell.from_circuit(circuit, weights=[w, b, v, dead], features=[x], name="small")


def problem_of(
    unrolled: UnrolledCircuit,
    features: Array,
    *,
    last: int | None = None,
    shots: int | None = None,
    shots_total: int | None = None,
) -> GradientProblem:
    """The gradient at `WEIGHTS`; the loss reads the last steps only if `last` is given."""
    steps = np.arange(unrolled.num_steps) >= unrolled.num_steps - (last or unrolled.num_steps)
    return GradientProblem(
        unrolled.angle_map, unrolled.occurrences, WEIGHTS, features, steps, shots, shots_total
    )


def small_problem(num_steps: int = 3, num_sequences: int = 2, **options: int) -> GradientProblem:
    unrolled = unroll(small_cell(), num_steps)
    features = np.random.default_rng(1).uniform(0.1, 0.9, (num_sequences, num_steps, 1))
    return problem_of(unrolled, features, **options)


def random_outputs(plan: EvaluationPlan, num_values: int, *, shots: int = 50) -> Outputs:
    """Means in [-1, 1] and covariances of full rank for all rows of a plan."""
    random = np.random.default_rng(2)
    size = plan.features.shape[1] * num_values
    root = random.normal(size=(plan.num_rows, size, size))
    return Outputs(
        random.uniform(-1, 1, (plan.num_rows, plan.features.shape[1], num_values)),
        plan.repeats * shots,
        root @ root.transpose(0, 2, 1) / size,
    )
