"""Neurons whose success is amplified, and words that are given, against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from qrnn_qiskit import Adjoint, ExactExecutor, ParameterShift, build_cell, gradient, unroll
from qrnn_qiskit.circuit import FAMILIES
from qrnn_qiskit.circuit.families._amplify import fixed_point_angles
from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.run.setup import make_setup
from qrnn_qiskit.spec import job_from_dict
from tests.reference import sixth_order_difference
from tests.unit.circuit.test_families import Array, Wires, bausch_step


def amplitude(success: float, rounds: int, tolerance: float) -> complex:
    """Of success after the rounds, in the plane of failure and success."""
    start = np.array([np.sqrt(1.0 - success), np.sqrt(success)], dtype=np.complex128)
    state = start
    for alpha, beta in fixed_point_angles(rounds, tolerance):
        state = state * np.array([1.0, np.exp(1j * beta)])
        state = state - (1.0 - np.exp(-1j * alpha)) * start * np.vdot(start, state)
    return complex(state[1])


@pytest.mark.parametrize("rounds", [1, 2, 4])
@pytest.mark.parametrize("tolerance", [0.05, 0.3])
def test_success_of_amplification(rounds: int, tolerance: float) -> None:
    """The closed form of Yoder, Low and Chuang, with T of a fraction as a hyperbolic cosine."""
    length = 2 * rounds + 1
    widened = np.cosh(np.arccosh(1.0 / tolerance) / length)
    polynomial = np.eye(length + 1)[length]
    for success in np.linspace(0.01, 0.99, 30):
        value = chebyshev.chebval(widened * np.sqrt(1.0 - success), polynomial)
        found = abs(amplitude(success, rounds, tolerance)) ** 2
        assert found == pytest.approx(1.0 - tolerance**2 * value**2, abs=1e-12)


@pytest.mark.parametrize(
    ("shape", "rounds"),
    [
        ({"n_io": 1, "n_hidden": 1, "stages": 1, "order": 1, "degree": 1}, 1),
        ({"n_io": 1, "n_hidden": 2, "stages": 0, "order": 1, "degree": 2}, 2),
        ({"n_io": 1, "n_hidden": 1, "stages": 0, "order": 2, "degree": 1}, 2),
    ],
    ids=str,
)
def test_amplified_neurons(shape: dict[str, int], rounds: int) -> None:
    """Each branch of the controls is multiplied by its own amplitude, phase included."""
    tolerance = 0.2
    options: dict[str, Any] = {"neuron": "amplify", "rounds": rounds, "tolerance": tolerance}
    cell = build_cell("bausch", {**shape, **options})
    weights = np.random.default_rng(2).normal(0.0, 0.7, cell.num_weights)
    bits = np.array([[1.0], [0.0]])
    power = 2 ** shape["order"]

    def factor(eta: float) -> complex:
        success = np.cos(eta) ** (2 * power) + np.sin(eta) ** (2 * power)
        return amplitude(success, rounds, tolerance) / complex(np.sqrt(success))

    wires = Wires(1 + shape["n_hidden"])
    steps = [bausch_step(wires, shape, weights, word, factor) for word in bits]
    unrolled = unroll(cell, 2)
    found = ExactExecutor().forward(unrolled, unrolled.angle_map.angles(weights, bits[None]), "z")
    np.testing.assert_allclose(found[0, :, :-1], wires.outputs(steps, [0]), atol=1e-12)
    np.testing.assert_allclose(found[0, :, -1], wires.traces(steps, [0]), atol=1e-12)


def test_amplification_keeps_more_shots() -> None:
    """With weights near 0 each neuron of order 2 keeps 1/8; after 4 rounds nearly all."""
    kept = {}
    for neuron in ("postselect", "amplify"):
        more = {"rounds": 4} if neuron == "amplify" else {}
        shape = {"n_hidden": 1, "stages": 0, "order": 2, "neuron": neuron, **more}
        unrolled = unroll(build_cell("bausch", shape), 1)
        angles = unrolled.angle_map.angles(np.full(4, 0.05), np.ones((1, 1, 1)))
        kept[neuron] = ExactExecutor().forward(unrolled, angles, "z")[0, 0, -1]
    assert kept["postselect"] < 0.02
    assert kept["amplify"] > 0.97


SHAPE = {"n_io": 2, "n_hidden": 1, "stages": 1, "order": 1, "degree": 2}
BITS = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
GIVEN = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def given_outputs(
    weights: Array,
    shape: dict[str, int] = SHAPE,
    words: tuple[Array, Array] = (BITS, GIVEN),
    *,
    kept: bool = False,
) -> Array:
    """<Z> `[T, n_io]` of the words, given the words before, by state vectors; or what is kept.

    Args:
        weights: of the cell.
        shape: its options.
        words: `[T, n_io]` written at each step, and read at the one before.
        kept: return the probability `[T, 1]` of what is kept.
    """
    wires, inputs = Wires(shape["n_io"] + shape["n_hidden"]), range(shape["n_io"])
    state = np.eye(2**wires.count)[0].astype(np.complex128)
    results = []
    for bits, given in zip(*words, strict=True):
        for q in inputs:
            projector = np.diag([1.0 - given[q], given[q]]).astype(np.complex128)
            state = wires.on(**{f"q{q}": projector}) @ state
            if given[q]:
                state = wires.pauli("x", q) @ state
        state = bausch_step(wires, shape, weights, bits) @ state
        norm = np.vdot(state, state).real
        values = [np.vdot(state, wires.pauli("z", q) @ state).real / norm for q in inputs]
        results.append([norm] if kept else values)
    return np.array(results)


def test_given_words() -> None:
    """The output of a step is conditioned on the words that the next steps are given."""
    cell = build_cell("bausch", {**SHAPE, "words": "given"})
    assert cell.feature_names == ("bit_0", "bit_1", "given_0", "given_1")
    weights = np.random.default_rng(6).normal(0.0, 0.6, cell.num_weights)
    unrolled = unroll(cell, 3)
    features = np.concatenate([BITS, GIVEN], axis=1)[None]
    raw = ExactExecutor().forward(unrolled, unrolled.angle_map.angles(weights, features), "z")[0]
    np.testing.assert_allclose(raw[:, 2:], given_outputs(weights, kept=True), atol=1e-12)
    np.testing.assert_allclose(raw[:, :2] / raw[:, 2:], given_outputs(weights), atol=1e-12)


@pytest.mark.parametrize("variant", ["given", "amplify"])
def test_gradients(variant: str) -> None:
    """The quotient rule through post-selected words and through amplification."""
    if variant == "given":
        cell = build_cell("bausch", {**SHAPE, "words": "given"})
        features = np.concatenate([BITS, GIVEN], axis=1)[None]
        rules: tuple[Any, ...] = (Adjoint(),)
    else:
        options = {"n_hidden": 1, "stages": 0, "neuron": "amplify", "rounds": 1}
        cell = build_cell("bausch", options)
        features, rules = np.array([[[1.0], [0.0]]]), (Adjoint(), ParameterShift())
    steps = features.shape[1]
    unrolled = unroll(cell, steps)
    weights = np.random.default_rng(7).normal(0.0, 0.6, cell.num_weights)
    targets = np.random.default_rng(8).uniform(-1.0, 1.0, (1, steps, cell.num_bits))

    def loss(point: Array) -> float:
        if variant == "given":
            return float(np.mean((given_outputs(point) - targets[0]) ** 2))
        angles = unrolled.angle_map.angles(point, features)
        raw = ExactExecutor().forward(unrolled, angles, "z")
        return float(np.mean((raw[:, :, :-1] / raw[:, :, -1:] - targets) ** 2))

    expected = sixth_order_difference(loss, weights)
    for rule in rules:
        found = gradient(
            unrolled, weights, features, targets, executor=ExactExecutor(), rule=rule
        ).gradient.mean
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_what_a_device_would_need() -> None:
    """Order 2: gates counted in the cell, and 1/8 for each of 6 neurons."""
    options = {"n_io": 1, "n_hidden": 2, "stages": 1, "order": 2, "degree": 2}
    family = FAMILIES.build("bausch", options)
    circuit = build_cell("bausch", options).circuit
    gates = sum(len(item.qubits) == 2 for item in circuit.data)
    problem = family.device_problem()
    assert f"{gates} two-qubit gates" in problem
    assert "3.1e-05 of the shots" in problem
    assert FAMILIES.build("bausch", {}).device_problem() is None


def test_refused_for_a_device_before_anything_is_made() -> None:
    job = job_from_dict(
        {
            "name": "too_much",
            "cell": {"name": "bausch", "order": 2},
            "data": {"name": "elman_xor"},
            "backend": {"name": "ibm_somewhere", "shots": 100},
        }
    )
    with pytest.raises(SpecError, match=r"cell\.order = 2: a step has \d+ two-qubit gates"):
        make_setup(job)
