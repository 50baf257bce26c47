"""The 95 % intervals of loss, gradient and readout gradient hold the truth 93 to 97 % of the time.

4000 independent repetitions each. An interval that covers 95 % is outside [0.93, 0.97] with
probability 7e-9: the 50 comparisons together with less than 1e-6. That needs many shots, which cost
nothing here: with 3000 the intervals cover 94.7 to 95.3 % (40,000 repetitions, each ± 0.1 %), with
600 the worst of them, next to a minimum, 94.1 %.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from qrnn_qiskit import Cell
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.gradients import EvaluationPlan
from qrnn_qiskit.learning.plugins import LOSSES
from qrnn_qiskit.learning.readout import Head, Readout
from qrnn_qiskit.run.measure.objective import Objective
from tests.statistical.repeated import Found, Repeated, Values

REPETITIONS = 4000
SHOTS = 10_000
LOW, HIGH = 0.93, 0.97
SIGMA = 6.0  # 50 comparisons of a mean: 1e-7 together


def memory_cell() -> Cell:
    """The hidden qubit is read out again and again: steps are strongly correlated."""
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(1, "c")
    )
    a, b, c, x = (Parameter(name) for name in "abcx")
    circuit.rx(a, 1)
    circuit.ry(x, 1)
    circuit.cx(1, 0)
    circuit.ry(b, 0)
    circuit.rxx(c, 0, 1)
    circuit.measure(0, 0)
    circuit.reset(0)
    return Cell.from_circuit(circuit, weights=[a, b, c], features=[x])


def flagged_cell() -> Cell:
    """Two bits a step, the second the one that must be 0."""
    circuit = QuantumCircuit(
        QuantumRegister(2, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(2, "c")
    )
    a, b, c, x = (Parameter(name) for name in "abcx")
    circuit.ry(x, 0)
    circuit.rx(a, 2)
    circuit.cx(2, 0)
    circuit.rxx(c, 0, 2)
    circuit.ry(b, 1)
    circuit.cry(0.7, 2, 1)
    circuit.cry(0.5, 0, 2)
    circuit.measure([0, 1], [0, 1])
    circuit.reset([0, 1])
    return Cell.from_circuit(circuit, weights=[a, b, c], features=[x])


def z_of(bits: NDArray[np.int64]) -> Array:
    return np.asarray(1.0 - 2.0 * bits)


def outcomes_of(bits: NDArray[np.int64]) -> Array:
    return np.stack([1.0 - bits[:, :, 0], bits[:, :, 0]], axis=2)


def kept(values: Values) -> Values:
    """Raw values of a post-selected circuit, the last bit of a step being the flag."""

    def raw(bits: NDArray[np.int64]) -> Array:
        survives = np.cumprod(1.0 - bits[:, :, -1], axis=1)[:, :, None]
        return np.concatenate([values(bits[:, :, :-1]) * survives, survives], axis=2)

    return raw


def make(
    loss: str,
    head: Head,
    readout: list[float],
    targets: list[float],
    *,
    postselected: bool = False,
    **options: Any,
) -> Repeated:
    steps = len(targets)
    values: Values = outcomes_of if loss == "nll" else z_of
    width, predictions = (2 if loss == "nll" else 1), (1 if loss == "mse" else 2)
    return Repeated(
        flagged_cell() if postselected else memory_cell(),
        np.array([0.7, 0.5, 0.6]),
        np.array([0.4, 1.2, -0.5])[:steps, None],
        np.array(targets)[:, None],
        Objective(
            Readout(head, width, predictions),
            LOSSES.build(loss, options),
            np.ones(steps, dtype=bool),
            postselected,
        ),
        np.array(readout),
        kept(values) if postselected else values,
    )


LINEAR = [1.5, -0.8, 0.1, 0.3]
CASES = {
    "squared error": make("mse", "scale", [1.5, 0.1], [-0.3, 0.9, 0.4]),
    "likelihood": make("nll", "identity", [], [0.0, 1.0, 1.0]),
    "cross-entropy": make("cross_entropy", "linear", LINEAR, [1.0, 0.0, 0.0], classes=2),
    "cross-entropy of the mean": make(
        "cross_entropy", "linear", LINEAR, [1.0, 1.0, 1.0], classes=2, pool="mean"
    ),
    "post-selected squared error": make("mse", "scale", [1.5, 0.1], [-0.9, 0.9], postselected=True),
    "post-selected likelihood": make("nll", "identity", [], [1.0, 1.0], postselected=True),
    "post-selected cross-entropy": make(
        "cross_entropy", "linear", LINEAR, [0.0, 1.0], postselected=True, classes=2
    ),
}


# The hidden qubit hardly moves: all steps of a shot read the same bit.
CORRELATED = replace(
    CASES["squared error"],
    weights=np.array([0.9, 0.1, 0.1]),
    features=np.zeros((3, 1)),
    targets=np.full((3, 1), -0.9),
)


def off(found: Found) -> Array:
    """How far the mean over repetitions is from the truth, in its standard errors, `[G]`."""
    scatter = found.mean.std(axis=1) / np.sqrt(found.mean.shape[1])
    return np.asarray((found.mean.mean(axis=1) - found.truth) / scatter)


def holds(coverage: Array) -> bool:
    return bool(np.all((coverage > LOW) & (coverage < HIGH)))


@pytest.mark.statistical
@pytest.mark.parametrize("name", CASES)
def test_intervals_hold_the_truth(name: str, seed: int) -> None:
    found = CASES[name].measure(REPETITIONS, SHOTS, SHOTS, seed)
    for quantity, each in found.items():
        assert holds(each.coverage), (quantity, each.coverage)
        assert np.all(np.abs(off(each)) < SIGMA), quantity


@pytest.mark.statistical
def test_forgetting_the_cotangents_error_is_noticed(seed: int) -> None:
    """Power: the gradient's intervals become too short."""
    for name in ("squared error", "post-selected squared error", "post-selected likelihood"):
        found = CASES[name].measure(REPETITIONS, SHOTS, SHOTS, seed, forward=False)
        assert not holds(found["gradient"].coverage), name


@pytest.mark.statistical
def test_taking_steps_as_independent_is_noticed(seed: int) -> None:
    """Power: without the covariance of the steps of a shot, of all rows or of the base rows."""

    def without(outputs: Outputs, rows: slice) -> Outputs:
        assert outputs.covariance is not None
        covariance = outputs.covariance.copy()
        covariance[rows] *= np.eye(covariance.shape[1])
        return Outputs(outputs.mean, outputs.count, covariance)

    def measured(change: Callable[[Outputs], Outputs]) -> dict[str, Found]:
        return CORRELATED.measure(REPETITIONS, SHOTS, SHOTS, seed, change=change)

    for each in measured(lambda outputs: outputs).values():
        assert holds(each.coverage)
    for each in measured(lambda outputs: without(outputs, slice(None))).values():
        assert not holds(each.coverage)
    base = slice(0, REPETITIONS)
    for each in measured(lambda outputs: without(outputs, base)).values():
        assert not holds(each.coverage)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["squared error", "post-selected likelihood"])
def test_wrong_plans_are_noticed(name: str, seed: int) -> None:
    """Power: a coefficient that is 10 % off, and a dropped occurrence, are biases far outside."""

    def scaled(plan: EvaluationPlan) -> EvaluationPlan:
        factor = np.where(plan.term_weight == 0, 1.1, 1.0)
        return replace(plan, term_coefficient=plan.term_coefficient * factor)

    def dropped(plan: EvaluationPlan) -> EvaluationPlan:
        kept = plan.occurrence[plan.term_row] != plan.occurrence[plan.term_row].min()
        return replace(plan, term_coefficient=plan.term_coefficient * kept)

    for fault in (scaled, dropped):
        found = CASES[name].measure(REPETITIONS, SHOTS, SHOTS, seed, change_plan=fault)
        assert np.max(np.abs(off(found["gradient"]))) > 2 * SIGMA, fault


@pytest.mark.statistical
def test_plug_in_values_are_biased(seed: int) -> None:
    """Power: what `correction = "none"` leaves is what the corrections take away."""
    for name in ("squared error", "likelihood", "cross-entropy"):
        case = CASES[name]
        plain = replace(case, objective=replace(case.objective, correction="none"))
        assert np.abs(off(plain.losses(2 * REPETITIONS, 20, seed))).max() > 1.5 * SIGMA, name
        assert np.abs(off(case.losses(2 * REPETITIONS, 20, seed))).max() < SIGMA, name


@pytest.mark.statistical
def test_the_readouts_error_at_a_minimum(seed: int) -> None:
    """There the second order is all there is; a first-order error would be 20 to 40 % too large."""
    case = CASES["squared error"]
    probabilities, values = case.distributions()
    mean = np.einsum("s,stw->tw", probabilities[0], values)[None]
    at_minimum = replace(case, targets=case.objective.readout.predict(case.readout, mean)[0])
    readout = at_minimum.measure(REPETITIONS, 100, 2, seed)["readout"]
    # The scatter is known to 1/sqrt(2 N), some more for its longer tails: 6 sigma are 8 %.
    assert np.all(np.abs(readout.ratio - 1.0) < 0.08), readout.ratio
