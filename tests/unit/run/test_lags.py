"""How far back outputs depend on angles, from shifted rows and by reverse mode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from qrnn_qiskit import ExactExecutor, ParameterShift, UnrolledCircuit, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit import Cell
from qrnn_qiskit.gradients import GradientProblem
from qrnn_qiskit.run.jobs import run_job, status_run
from qrnn_qiskit.run.measure.evaluator import Call, Evaluator
from qrnn_qiskit.run.measure.health import far, vanishing
from qrnn_qiskit.run.measure.lags import far_over_near, lags_of_last_output, lags_of_rows
from tests.unit.gradients.problems import WEIGHTS, problem_of, small_cell
from tests.unit.run.small import history, write_job

STEPS = 5
UNROLLED = unroll(small_cell(), STEPS)
FEATURES = np.random.default_rng(1).uniform(0.1, 0.9, (2, STEPS, 1))


def by_differences(steps: list[int]) -> Array:
    """Mean squared derivative by lag, from central differences of exact outputs."""
    executor, table = ExactExecutor(), UNROLLED.occurrences
    angles = UNROLLED.angle_map.angles(WEIGHTS, FEATURES)
    # The rows are those of angles that weights set; the encoding's are not among them.
    jacobian = UNROLLED.angle_map.weight_jacobian(WEIGHTS, FEATURES)
    sums, counts = np.zeros(STEPS), np.zeros(STEPS)
    for o in np.unique(jacobian.occurrence[np.any(jacobian.values != 0, axis=0)]):
        move = 1e-5 * (np.arange(angles.shape[1]) == o)
        above, below = (
            executor.forward(UNROLLED, angles + sign * move, "z")[:, :, 0] for sign in (1, -1)
        )
        slope = (above - below) / 2e-5
        for t in steps:
            if table.influence[o, steps].any() and t >= table.step[o]:
                sums[t - table.step[o]] += np.sum(slope[:, t] ** 2)
                counts[t - table.step[o]] += 2
    found: Array = np.divide(sums, counts, out=np.full(STEPS, np.nan), where=counts > 0)
    return found


def test_rows_of_parameter_shift_show_the_derivatives_by_lag() -> None:
    plan = ParameterShift().plan(problem_of(UNROLLED, FEATURES))
    outputs = ExactExecutor().exact_outputs(UNROLLED, plan, "z")
    found = lags_of_rows(plan, outputs, UNROLLED.occurrences)
    assert found is not None
    np.testing.assert_allclose(found[:, 0], by_differences(list(range(STEPS))), atol=1e-9)
    assert np.all(found[:, 1] == 0)


def test_reverse_mode_shows_those_of_the_last_output() -> None:
    executor = ExactExecutor()
    evaluator = Evaluator(UNROLLED, executor)
    found = lags_of_last_output(evaluator, executor, WEIGHTS, FEATURES)
    plan = ParameterShift().plan(problem_of(UNROLLED, FEATURES, last=1))
    outputs = executor.exact_outputs(UNROLLED, plan, "z")
    rows = lags_of_rows(plan, outputs, UNROLLED.occurrences)
    assert rows is not None
    np.testing.assert_allclose(rows[:, 0], by_differences([STEPS - 1]), atol=1e-9)
    # Reverse mode counts the angles of the encoding too.
    assert found.shape == rows.shape
    assert np.all(np.isfinite(found))


@pytest.mark.statistical
def test_with_shots_they_are_unbiased_and_their_errors_right() -> None:
    """200 gradients at 40 shots. Means: 5.1 sigma each.

    Power: with the noise left in, as in the plain square, every lag is too large by many sigma.
    """
    plan = ParameterShift().plan(problem_of(UNROLLED, FEATURES))
    exact = lags_of_rows(
        plan, ExactExecutor().exact_outputs(UNROLLED, plan, "z"), UNROLLED.occurrences
    )
    assert exact is not None
    evaluators = [Evaluator(UNROLLED, ExactExecutor(), seed=seed) for seed in range(200)]
    drawn = []
    for evaluator in evaluators:
        outputs = evaluator.outputs(plan, 40, Call("gradient", (2, 0)))
        found = lags_of_rows(plan, outputs, UNROLLED.occurrences)
        assert found is not None
        drawn.append(found)
    values = np.array(drawn)
    error = np.std(values[:, :, 0], axis=0, ddof=1) / np.sqrt(200)
    away = values[:, :, 0].mean(axis=0) - exact[:, 0]
    assert np.all(np.abs(away) < 5.1 * error + 1e-12)
    noise = 0.5 * 0.5 / 40  # a variance of 1/2 at least, on average, in each of two rows
    assert np.all(np.abs(away + noise) > 5.1 * error)
    claimed = np.sqrt(values[:, :, 1].mean(axis=0))
    assert np.all(np.abs(np.sqrt(200) * error / claimed - 1) < 0.5)


def cell_of(coupling: float) -> Cell:
    """Hidden and io qubit exchange by a fixed angle: 0 keeps nothing of the past."""
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(1, "readout")
    )
    w, v, x = Parameter("w"), Parameter("v"), Parameter("x")
    circuit.ry(x, 0)
    circuit.ry(w, 0)
    circuit.ry(v, 1)
    if coupling < 0:  # the hidden qubit starts anew at each step, in all but the last bit
        circuit.swap(0, 1)
        circuit.ry(v, 0)
    else:
        circuit.cry(coupling, 1, 0)
    circuit.measure(0, 0)
    circuit.reset(0)
    return Cell.from_circuit(circuit, weights=[w, v], features=[x], name="coupled")


def lags_of(unrolled: UnrolledCircuit, shots: int | None) -> Array:
    weights, steps = np.array([0.4, 0.7]), unrolled.num_steps
    features = np.full((1, steps, 1), 0.3)
    problem = GradientProblem(
        unrolled.angle_map, unrolled.occurrences, weights, features, np.ones(steps, dtype=bool)
    )
    plan = ParameterShift().plan(problem)
    evaluator = Evaluator(unrolled, ExactExecutor(), seed=3)
    outputs = evaluator.outputs(plan, shots, Call("gradient", (2, 0)))
    found = lags_of_rows(plan, outputs, unrolled.occurrences)
    assert found is not None
    return found


@pytest.mark.parametrize("shots", [None, 2_000])
def test_what_vanishes_is_named(shots: int | None) -> None:
    """A memory of one step has derivatives at lags 0 and 1 only; a rotating one at all lags."""
    short = {"lags": lags_of(unroll(cell_of(-1.0), 8), shots)}
    kept = {"lags": lags_of(unroll(cell_of(1.5), 8), shots)}
    assert vanishing(short) is True
    assert vanishing(kept) is False
    assert vanishing({}) is None
    found = far(short)
    assert found is not None
    assert abs(found[0]) < 1e-12 if shots is None else abs(found[0]) <= 6 * found[1]


def test_what_noise_hides_is_not_called_vanishing() -> None:
    lags = np.array([[0.1, 1e-6], [0.1, 1e-6], [0.0, 1e-4], [0.0, 1e-4]])
    assert vanishing({"lags": lags}) is False
    assert far_over_near(np.array([[0.1, 1.0], [0.1, 1.0], [0.1, 0.0]])) is None
    assert far_over_near(np.full((4, 2), np.nan)) is None


@pytest.mark.parametrize("method", ["parameter_shift", "adjoint", "finite_difference"])
def test_history_and_status_say_so(tmp_path: Path, method: str) -> None:
    exact = method == "adjoint"
    gradient: dict[str, object] = {"method": method}
    job = write_job(
        tmp_path,
        gradient=gradient if exact else gradient | {"shots_total": 20_000},
        training={"steps": 3, "batch_size": 2, "validate_every": 9},
    )
    result = run_job(job, run_dir=tmp_path / "run")
    lines = [line["gradient"] for line in history(result.run_dir)]
    status = status_run(result.run_dir)
    if method == "finite_difference":  # moves a weight at all steps at once
        assert all(line["far"] is None and line["vanishing"] is None for line in lines)
        assert "vanishing" not in status
        return
    assert [line["far"] is not None for line in lines] == ([True] + [not exact] * 2)
    assert all(isinstance(line["vanishing"], bool) for line in lines)
    assert status["vanishing"] == lines[-1]["vanishing"]
    assert status["far_over_near"] == pytest.approx((lines[0] if exact else lines[-1])["far"][0])
    assert status["far_over_near_error"] >= 0
