"""The exact engine under noise against Aer's density matrices, to 1e-9; and Aer's shots.

The reference schedules with Qiskit's pass and takes its errors from Aer's own functions; nothing of
the package's noise is in it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Delay, Parameter
from qiskit.circuit.library import CZGate, Measure, Reset, RXGate, RZGate, RZZGate, SXGate, XGate
from qiskit.transpiler import InstructionProperties, Target
from qiskit_aer.noise import (
    NoiseModel,
    coherent_unitary_error,
    depolarizing_error,
    pauli_error,
    thermal_relaxation_error,
)
from qiskit_aer.noise.device import basic_device_gate_errors
from scipy import stats

from qrnn_qiskit import AerExecutor, ExactExecutor, UnrolledCircuit, build_cell, unroll
from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.execution.backends.ibm import fake_device
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.gradients.plan import EvaluationPlan, forward_plan
from qrnn_qiskit.spec.noise import PRESETS, NoiseSpec
from tests.unit.execution.aer_reference import aer_outputs

CELLS: dict[str, dict[str, Any]] = {
    "parity2": {},
    "viqueira_emcz2": {"layers": 1, "reuploads": 1},
}
DEVICES = ("fake_manila", "fake_boston", "fake_marrakesh", "fake_torino")


@cache
def unrolled(cell: str) -> UnrolledCircuit:
    return unroll(build_cell(cell, CELLS[cell]), 3)


def angles_of(circuit: UnrolledCircuit, seed: int) -> Array:
    return np.random.default_rng(seed).uniform(-3, 3, (1, len(circuit.occurrences)))


def values_of(executor: ExactExecutor, circuit: UnrolledCircuit, angles: Array) -> Any:
    isa = executor.isa(circuit)
    return dict(zip(isa.circuit.parameters, isa.parameter_values(angles)[0], strict=True))


def reference_of_device(
    executor: ExactExecutor, circuit: UnrolledCircuit, angles: Array, device: str, idle: bool
) -> Array:
    isa, target = executor.isa(circuit), fake_device(device).target
    cut = Target(qubit_properties=target.qubit_properties)
    for name in target.operation_names:
        if name in ("sx", "x", "cz", "cx", "reset"):
            of_used = {q: p for q, p in target[name].items() if set(q) <= set(isa.qubits)}
            cut.add_instruction(target.operation_from_name(name), of_used)
    model = NoiseModel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Aer's own deprecations
        for name, qubits, error in basic_device_gate_errors(target=cut):
            model.add_quantum_error(error, name, [isa.qubits.index(q) for q in qubits])
    kind = "measure_2" if "measure_2" in isa.circuit.count_ops() else "measure"
    flips = {q: (target[kind][(q,)].error,) * 2 for q in isa.qubits}
    return aer_outputs(
        isa.circuit,
        values_of(executor, circuit, angles),
        model=model,
        flips=flips.__getitem__,
        target=target if idle else None,
        t1_t2=[(q.t1, min(q.t2, 2 * q.t1)) for q in target.qubit_properties],
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("device", DEVICES)
def test_noise_of_a_device(device: str, cell: str) -> None:
    circuit = unrolled(cell)
    angles = angles_of(circuit, 1)
    seen = {}
    for idle in (True, False):
        executor = ExactExecutor(make_noise(NoiseSpec(device=device, idle=idle)))
        seen[idle] = executor.forward(circuit, angles, "z")[0]
        expected = reference_of_device(executor, circuit, angles, device, idle)
        assert seen[idle] == pytest.approx(expected, abs=1e-9)
    # Power: idle times matter far more than the tolerance.
    assert np.max(np.abs(seen[True] - seen[False])) > 1e-6


def timed_target(values: dict[str, Any], num_qubits: int) -> Target:
    target = Target(num_qubits=num_qubits, dt=1e-9)
    angle = Parameter("a")
    for gate, key in (
        (RZGate(angle), None),
        (SXGate(), "gate_1q_ns"),
        (XGate(), "gate_1q_ns"),
        (CZGate(), "gate_2q_ns"),
        (Measure(), "measure_ns"),
        (Reset(), "reset_ns"),
    ):
        duration = 0.0 if key is None else values[key] * 1e-9
        places = (
            [(a, b) for a in range(num_qubits) for b in range(num_qubits) if a != b]
            if gate.num_qubits == 2
            else [(q,) for q in range(num_qubits)]
        )
        target.add_instruction(gate, {q: InstructionProperties(duration) for q in places})
    target.add_instruction(Delay(Parameter("t")), {(q,): None for q in range(num_qubits)})
    return target


def per_qubit(value: Any, qubit: int) -> float:
    return float(value[qubit] if isinstance(value, tuple) else value)


def reference_of_values(
    executor: ExactExecutor, circuit: UnrolledCircuit, angles: Array, values: dict[str, Any]
) -> Array:
    """From the definitions of the keys, with Aer's errors."""
    count = circuit.circuit.num_qubits
    t1_t2 = [
        (per_qubit(values["t1_us"], q) * 1e-6, per_qubit(values["t2_us"], q) * 1e-6)
        for q in range(count)
    ]
    fixed = values.get("over_rotation", 0.0)
    relative = values.get("over_rotation_proportional", 0.0)
    model = NoiseModel()
    for name, turn in (("sx", np.pi / 2), ("x", np.pi)):
        for q in range(count):
            error = coherent_unitary_error(RXGate(fixed + relative * turn).to_matrix())
            error = error.compose(depolarizing_error(values["depolarizing_1q"], 1))
            decay = thermal_relaxation_error(*t1_t2[q], values["gate_1q_ns"] * 1e-9)
            model.add_quantum_error(error.compose(decay), name, [q])
    for a in range(count):
        for b in range(count):
            if a == b:
                continue
            time = values["gate_2q_ns"] * 1e-9
            decay = thermal_relaxation_error(*t1_t2[b], time).tensor(
                thermal_relaxation_error(*t1_t2[a], time)
            )
            error = coherent_unitary_error(RZZGate(fixed + relative * np.pi / 2).to_matrix())
            error = error.compose(depolarizing_error(values["depolarizing_2q"], 2))
            model.add_quantum_error(error.compose(decay), "cz", [a, b])
    wrong = values.get("reset_error", 0.0)
    if wrong:
        model.add_all_qubit_quantum_error(pauli_error([("X", wrong), ("I", 1 - wrong)]), "reset")
    dephasing = values.get("measurement_dephasing", 0.0)
    disturbance = pauli_error([("Z", dephasing), ("I", 1 - dephasing)]).compose(
        depolarizing_error(values.get("measurement_disturbance", 0.0), 1)
    )
    readout = values["readout"]
    pair = readout if isinstance(readout, tuple) else (readout, readout)
    return aer_outputs(
        executor.isa(circuit).circuit,
        values_of(executor, circuit, angles),
        model=model,
        flips=lambda qubit: pair,
        target=timed_target(values, count),
        t1_t2=t1_t2,
        by_measurement=disturbance,
    )


SPECS: dict[str, Callable[[], NoiseSpec]] = {
    "good": lambda: NoiseSpec(preset="good"),
    "typical": lambda: NoiseSpec(preset="typical"),
    "bad": lambda: NoiseSpec(preset="bad"),
    "bad, scaled": lambda: NoiseSpec(preset="bad", scale=2.5),
    "turned too far": lambda: NoiseSpec(
        preset="typical", over_rotation=0.03, over_rotation_proportional=0.02
    ),
    "asymmetric": lambda: NoiseSpec(
        preset="typical", readout=(0.01, 0.06), reset_error=0.03, measurement_dephasing=0.04
    ),
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", SPECS)
def test_noise_by_keys(name: str, cell: str) -> None:
    circuit, spec = unrolled(cell), SPECS[name]()
    angles = angles_of(circuit, 2)
    executor = ExactExecutor(make_noise(spec))
    seen = executor.forward(circuit, angles, "z")[0]
    expected = reference_of_values(executor, circuit, angles, spec.scaled())
    assert seen == pytest.approx(expected, abs=1e-9)
    # Power: the noise changes the outputs far beyond the tolerance.
    assert np.max(np.abs(seen - ExactExecutor().forward(circuit, angles, "z")[0])) > 1e-4


def test_a_value_for_each_qubit() -> None:
    circuit = unrolled("viqueira_emcz2")
    spec = NoiseSpec(preset="typical", t1_us=(100.0, 30.0, 250.0), t2_us=(90.0, 60.0, 200.0))
    executor = ExactExecutor(make_noise(spec))
    angles = angles_of(circuit, 3)
    seen = executor.forward(circuit, angles, "z")[0]
    expected = reference_of_values(executor, circuit, angles, spec.scaled())
    assert seen == pytest.approx(expected, abs=1e-9)


def test_scale_zero_is_no_noise() -> None:
    circuit = unrolled("viqueira_emcz2")
    angles = angles_of(circuit, 4)
    ideal = ExactExecutor().forward(circuit, angles, "z")
    for spec in (NoiseSpec(device="fake_boston", scale=0.0), NoiseSpec(preset="bad", scale=0.0)):
        noisy = ExactExecutor(make_noise(spec)).forward(circuit, angles, "z")
        assert noisy == pytest.approx(ideal, abs=1e-12)


def test_scale_one_half_and_two_of_a_device() -> None:
    """Between no noise and the device's, and beyond: errors grow by about the scale."""
    circuit = unrolled("viqueira_emcz2")
    angles = angles_of(circuit, 5)
    ideal = ExactExecutor().forward(circuit, angles, "z")

    def distance(scale: float) -> float:
        noise = make_noise(NoiseSpec(device="fake_boston", scale=scale))
        return float(np.linalg.norm(ExactExecutor(noise).forward(circuit, angles, "z") - ideal))

    assert distance(0.5) / distance(1) == pytest.approx(0.5, rel=0.05)
    assert distance(2) / distance(1) == pytest.approx(2, rel=0.1)


SHOTS = 6000
FALSE_ALARM = 1e-6


def surprise(outputs: Array, counts: Any, shots: int) -> float:
    """Least two-sided binomial tail of all bits, times their number."""
    chance = stats.binom(shots, (1 - outputs) / 2)
    tails = 2 * np.minimum(chance.cdf(counts), chance.sf(counts - 1))
    return float(tails.min() * tails.size)


@pytest.mark.statistical
@pytest.mark.parametrize(
    "spec",
    [NoiseSpec(preset="bad", over_rotation=0.05), NoiseSpec(device="fake_marrakesh", scale=3.0)],
)
def test_shots_of_aer_have_the_exact_outputs(spec: NoiseSpec, seed: int) -> None:
    """False alarm 1e-6. Power: the same counts are refused without idle times."""
    circuit = unrolled("viqueira_emcz2")
    noise = make_noise(spec)
    random = np.random.default_rng(6)
    plan: EvaluationPlan = forward_plan(
        random.uniform(-3, 3, circuit.cell.num_weights), random.uniform(-1, 1, (1, 3, 1))
    )
    aer = AerExecutor(noise)
    bits = aer.fetch(aer.submit(circuit, EvaluationRequest(plan, SHOTS, seed)))
    counts = bits.unpack(slice(0, SHOTS)).reshape(SHOTS, 3, -1).sum(axis=0)
    angles = plan.angles(circuit.angle_map, slice(0, 1))
    exact = ExactExecutor(noise).forward(circuit, angles, "z")[0]
    assert surprise(exact, counts, SHOTS) > FALSE_ALARM
    no_idle = make_noise(spec.model_copy(update={"idle": False}))
    without = ExactExecutor(no_idle).forward(circuit, angles, "z")[0]
    assert surprise(without, counts, SHOTS) < FALSE_ALARM


def test_presets_grow_worse() -> None:
    for key in ("depolarizing_1q", "depolarizing_2q", "readout", "measure_ns", "reset_ns"):
        assert PRESETS["good"][key] < PRESETS["typical"][key] < PRESETS["bad"][key]
    for key in ("t1_us", "t2_us"):
        assert PRESETS["good"][key] > PRESETS["typical"][key] > PRESETS["bad"][key]
