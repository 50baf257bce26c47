"""Shots of every backend against the independent reference: outcomes, and gradients made of them.

Each test raises a false alarm with probability 1e-6 at most. The outcomes are held against exact
binomial tails, the gradients against Hoeffding's bound, both divided by the number of comparisons:
no normal approximation and no estimated error is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from scipy import stats

from qrnn_qiskit import (
    AerExecutor,
    Cell,
    ExactExecutor,
    IBMExecutor,
    ParameterShift,
    named_device_noise,
    simple_noise,
    unroll,
)
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest, Executor
from qrnn_qiskit.gradients import EvaluationPlan, GradientProblem
from qrnn_qiskit.gradients.plan import Rows, build_plan
from tests.reference import (
    joint_moments,
    reference_joint,
    reference_outputs,
    sixth_order_difference,
)
from tests.unit.execution.reference_noise import device_kraus, simple_kraus

FALSE_ALARM = 1e-6
SHOTS = 700
STRENGTH = (0.01, 0.03, 0.04)
WEIGHTS = np.array([0.6, -1.3, 2.2])
FEATURES = np.array([[[0.4], [-0.9]]])
COTANGENT = np.array([[[0.7], [1.0]]])

Made = tuple[Executor, dict[str, Any]]


def device() -> dict[str, Any]:
    noise, flips = device_kraus(named_device_noise("fake_marrakesh", idle=False))
    return {"noise": noise, "flips": flips}


def simple() -> dict[str, Any]:
    noise, flips = simple_kraus(*STRENGTH)
    return {"noise": noise, "flips": flips}


BACKENDS: dict[str, Callable[[], Made]] = {
    "exact": lambda: (ExactExecutor(), {}),
    "exact, noise": lambda: (ExactExecutor(simple_noise(*STRENGTH)), simple()),
    "aer": lambda: (AerExecutor(), {}),
    "aer, noise": lambda: (AerExecutor(simple_noise(*STRENGTH)), simple()),
    "aer, device": lambda: (
        AerExecutor(named_device_noise("fake_marrakesh", idle=False)),
        device(),
    ),
    "fake_marrakesh": lambda: (IBMExecutor("fake_marrakesh"), device()),
}


def build_cell() -> Cell:
    """RX, CRX, RZZ and RY; the first weight twice in a step."""
    circuit = QuantumCircuit(
        QuantumRegister(1, "io"), QuantumRegister(1, "hidden"), ClassicalRegister(1, "readout")
    )
    a, b, c, x = (Parameter(name) for name in "abcx")
    circuit.ry(x, 0)
    circuit.rx(a, 0)
    circuit.ry(b, 1)
    circuit.crx(c, 1, 0)
    circuit.rx(2 * a, 1)
    circuit.rzz(b, 0, 1)
    circuit.ry(c, 0)
    circuit.measure(0, 0)
    circuit.reset(0)
    return Cell.from_circuit(circuit, weights=[a, b, c], features=[x], name="sampled")


UNROLLED = unroll(build_cell(), 2)


def shift_plan(executor: Executor) -> EvaluationPlan:
    return ParameterShift().plan(
        GradientProblem(
            UNROLLED.angle_map,
            executor.occurrences(UNROLLED),
            WEIGHTS,
            FEATURES,
            np.ones(2, dtype=bool),
        )
    )


def global_shift_plan() -> EvaluationPlan:
    """The mistake: ±pi/2 on each weight at all its occurrences at once, as one two-term rule."""
    count = len(WEIGHTS)
    points = np.repeat(WEIGHTS[None], 2 * count + 1, axis=0)
    signs = np.tile([1.0, -1.0], count)
    points[np.arange(1, 2 * count + 1), np.repeat(np.arange(count), 2)] += signs * np.pi / 2
    rows = np.arange(2 * count)
    zeros = np.zeros_like(rows)
    return build_plan(
        points,
        FEATURES,
        rows=Rows(rows + 1, zeros, zeros - 1, np.zeros(2 * count), zeros),
        masks=np.ones((1, 2), dtype=bool),
        terms=(rows, np.repeat(np.arange(count), 2), signs / 2),
    )


def measure(executor: Executor, plan: EvaluationPlan, shots: int, seed: int) -> PackedBits:
    return executor.fetch(executor.submit(UNROLLED, EvaluationRequest(plan, shots, seed)))


def values_of(executor: Executor, angles: Array) -> dict[Parameter, float]:
    of = dict(zip(UNROLLED.occurrences.names, angles, strict=True))
    return {p: of[p.name] for p in executor.isa(UNROLLED).circuit.parameters}


def surprise(
    executor: Executor, noise: dict[str, Any], plan: EvaluationPlan, bits: PackedBits
) -> float:
    """Least two-sided tail probability of any mean or product of bits, times their number.

    Below FALSE_ALARM only with that probability if the reference is right.
    """
    circuit = executor.isa(UNROLLED).circuit
    angles = plan.angles(UNROLLED.angle_map, slice(0, plan.num_rows))
    tails = []
    start = 0
    for row, shots in enumerate(bits.count.tolist()):
        joint = reference_joint(circuit, values_of(executor, angles[row]), **noise)
        mean, covariance = joint_moments(joint)
        z = 1.0 - 2.0 * bits.unpack(slice(start, start + shots)).reshape(shots, -1)
        start += shots
        product = covariance[0, 1] + mean[0] * mean[1]
        for expected, seen in (
            (mean[0], z[:, 0]),
            (mean[1], z[:, 1]),
            (product, z[:, 0] * z[:, 1]),
        ):
            ones = stats.binom(shots, (1 - expected) / 2)
            count = int(np.sum(seen < 0))
            tails.append(2 * min(ones.cdf(count), ones.sf(count - 1)))
    return float(min(tails)) * len(tails)


@pytest.mark.statistical
@pytest.mark.parametrize("name", BACKENDS)
def test_outcomes_of_every_row(name: str, seed: int) -> None:
    """Both bits and their product, of shifted rows and the unshifted one."""
    executor, noise = BACKENDS[name]()
    plan = shift_plan(executor)
    assert plan.num_rows >= 25
    bits = measure(executor, plan, SHOTS, seed)
    assert surprise(executor, noise, plan, bits) > FALSE_ALARM


@pytest.mark.statistical
@pytest.mark.parametrize("wrong", ["an angle off by 0.4", "no noise", "rows in another order"])
def test_wrong_outcomes_are_noticed(wrong: str, seed: int) -> None:
    executor, noise = BACKENDS["exact, noise"]()
    plan = shift_plan(executor)
    bits = measure(executor, plan, SHOTS, seed)
    if wrong == "no noise":
        assert surprise(executor, {}, plan, bits) < FALSE_ALARM
    elif wrong == "an angle off by 0.4":
        assert surprise(executor, noise, moved(plan), bits) < FALSE_ALARM
    else:
        order = np.roll(np.arange(len(bits.packed)), SHOTS)
        other = PackedBits(bits.packed[order], bits.count, 2, 1)
        assert surprise(executor, noise, plan, other) < FALSE_ALARM


def moved(plan: EvaluationPlan) -> EvaluationPlan:
    """The plan with the first weight off by 0.4."""
    return build_plan(
        plan.weights + 0.4 * np.eye(3)[:1],
        plan.features,
        rows=Rows(
            *(getattr(plan, n)[1:] for n in ("point", "sequence", "occurrence", "shift", "mask"))
        ),
        masks=plan.masks,
        terms=(plan.term_row - 1, plan.term_weight, plan.term_coefficient),
    )


def exact_loss(executor: Executor, noise: dict[str, Any], weights: Array) -> float:
    """sum_t COTANGENT_t y_t by the reference."""
    angles = UNROLLED.angle_map.angles(weights, FEATURES[0])
    circuit = executor.isa(UNROLLED).circuit
    outputs = reference_outputs(circuit, values_of(executor, angles), **noise)
    return float(np.sum(COTANGENT[0] * outputs))


def hoeffding(plan: EvaluationPlan, shots: int) -> Array:
    """Radius `[P]` around the expectation that all components keep to but for FALSE_ALARM.

    One shot of a row is worth between -W and W, W = sum_t |w_t| over the row's mask.
    """
    reach = np.abs(COTANGENT[plan.sequence] * plan.masks[plan.mask][:, :, None]).sum(axis=(1, 2))
    terms = (plan.term_coefficient * reach[plan.term_row]) ** 2
    squares = np.bincount(plan.term_weight, terms, len(WEIGHTS))
    radius: Array = np.sqrt(2 * np.log(2 * len(WEIGHTS) / FALSE_ALARM) * squares / shots)
    return radius


@pytest.mark.statistical
@pytest.mark.parametrize("name", BACKENDS)
def test_gradient_from_shots(name: str, seed: int) -> None:
    """And its power: the global shift, with as many shots in all, is caught by the same bound."""
    executor, noise = BACKENDS[name]()

    def loss(weights: Array) -> float:
        return exact_loss(executor, noise, weights)

    exact = sixth_order_difference(loss, WEIGHTS)
    plan = shift_plan(executor)
    outputs = measure(executor, plan, SHOTS, seed).outputs()
    radius = hoeffding(plan, SHOTS)
    assert np.all(np.abs(plan.contract(outputs, COTANGENT).mean - exact) < radius)

    wrong = global_shift_plan()
    shots = SHOTS * plan.num_rows // wrong.num_rows
    expected = np.array([loss(up) - loss(down) for up, down in wrong.weights[1:].reshape(3, 2, 3)])
    # So far off that shots hide it with a probability below FALSE_ALARM only.
    assert np.any(np.abs(expected / 2 - exact) > radius + hoeffding(wrong, shots))
    if name.startswith("exact"):  # that shots do so need not be seen on slow samplers, too
        outputs = measure(executor, wrong, shots, seed + (1 << 50)).outputs()
        assert np.any(np.abs(wrong.contract(outputs, COTANGENT).mean - exact) > radius)
