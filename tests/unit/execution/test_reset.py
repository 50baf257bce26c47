"""Reset and measurement in a device's own way: the choice, and that it changes no ideal output."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import IfElseOp
from qiskit.transpiler import InstructionProperties, Target
from qiskit_ibm_runtime.circuit import MeasureReset

from qrnn_qiskit import ExactExecutor, build_cell, unroll
from qrnn_qiskit.engine.forward import outputs
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.backends.ibm import fake_device
from qrnn_qiskit.execution.isa import ISACircuit, TranspileOptions, to_isa
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.execution.noise import device_noise
from qrnn_qiskit.execution.program import compile_isa
from qrnn_qiskit.execution.reset import (
    before_transpiling,
    describe_reset,
    reset_strategy,
    with_plain_names,
)
from qrnn_qiskit.spec.noise import NoiseSpec

UNROLLED = unroll(build_cell("parity2"), 3)


@pytest.mark.parametrize(
    ("device", "measurement", "reset"),
    [
        ("fake_boston", "measure_2", "reset_2"),
        ("fake_kingston", "measure_2", "reset"),
        ("fake_marrakesh", "measure", "reset"),
        ("fake_miami", "measure", "fresh_qubits"),
        ("fake_berlin", "measure", "fresh_qubits"),
    ],
)
def test_choice_by_device_and_no_change_of_ideal_outputs(
    device: str, measurement: str, reset: str
) -> None:
    target = fake_device(device).target
    executor = ExactExecutor(make_noise(NoiseSpec(device=device, scale=0.0)))
    isa = executor.isa(UNROLLED)
    told = describe_reset(UNROLLED.circuit, isa.circuit, isa.qubits, target)
    assert (told["measurement"], told["reset"]) == (measurement, reset)
    assert 1 < float(told["measure_us"] or 0) < 4
    assert (told["reset_us"] is None) == (reset == "fresh_qubits")
    assert float(told["t1_us"] or 0) > 10
    for item in isa.circuit.data:
        qubits = tuple(isa.circuit.find_bit(q).index for q in item.qubits)
        assert item.operation.name == "barrier" or target.instruction_supported(
            item.operation.name, qubits
        )
    angles = np.random.default_rng(0).uniform(-3, 3, (5, len(UNROLLED.occurrences)))
    seen = executor.forward(UNROLLED, angles, "z")
    assert seen == pytest.approx(ExactExecutor().forward(UNROLLED, angles, "z"), abs=1e-12)


def test_all_measurements_are_of_one_kind() -> None:
    counts = ExactExecutor(make_noise(NoiseSpec(device="fake_boston"))).isa(UNROLLED).circuit
    assert counts.count_ops().get("measure") is None
    assert counts.count_ops()["measure_2"] == 3


def test_readout_errors_are_those_of_the_measurement_in_use() -> None:
    target = fake_device("fake_boston").target
    noise = make_noise(NoiseSpec(device="fake_boston"))
    assert noise is not None
    quick, plain = (target[name][(7,)].error for name in ("measure_2", "measure"))
    assert noise.flips(7) == (quick, quick) != (plain, plain)


def test_conditional_x() -> None:
    circuit = before_transpiling(UNROLLED.circuit, "conditional_x", None)
    assert circuit.count_ops().get("reset") is None
    assert circuit.count_ops()["if_else"] == 2
    for before, item in zip(circuit.data, circuit.data[1:], strict=False):
        if isinstance(item.operation, IfElseOp):
            assert before.operation.name == "measure"
            assert item.operation.condition == (before.clbits[0], 1)
            assert item.qubits == before.qubits


def test_fresh_qubits() -> None:
    circuit = before_transpiling(UNROLLED.circuit, "fresh_qubits", 4)
    assert circuit.num_qubits == UNROLLED.circuit.num_qubits + 2
    assert circuit.count_ops().get("reset") is None


def test_repeated_reset() -> None:
    target = fake_device("fake_boston").target
    once, thrice = (
        to_isa(UNROLLED, target, TranspileOptions(reset_repeats=n)).circuit.count_ops()["reset_2"]
        for n in (1, 3)
    )
    assert thrice == 3 * once


@pytest.mark.parametrize(
    ("device", "wanted", "message"),
    [
        ("fake_miami", "reset", "backend.reset = 'reset': the backend has no reset instruction"),
        ("fake_miami", "conditional_x", "the backend has no if_else; 'fresh_qubits' would do"),
    ],
)
def test_refusals(device: str, wanted: Any, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        reset_strategy(UNROLLED.circuit, fake_device(device).target, wanted)


def test_too_many_fresh_qubits() -> None:
    with pytest.raises(BackendError, match="makes 141 qubits, but it has 120: take shorter"):
        to_isa(
            unroll(build_cell("parity2"), 140), fake_device("fake_miami").target, TranspileOptions()
        )


def test_reset_without_a_measurement_has_no_condition() -> None:
    circuit = UNROLLED.circuit.copy()
    circuit.x(0)
    circuit.reset(0)
    with pytest.raises(BackendError, match="a reset without a measurement just before it"):
        before_transpiling(circuit, "conditional_x", None)


def with_measure_reset(microseconds: float, qubits: range | None = None) -> Target:
    """FakeMarrakesh, as if it had the client's measurement with reset."""
    target = copy.deepcopy(fake_device("fake_marrakesh").target)
    properties = InstructionProperties(microseconds * 1e-6, 0.01)
    every = range(target.num_qubits or 0) if qubits is None else qubits
    target.add_instruction(MeasureReset(), {(q,): properties for q in every})
    return target


def test_measurement_and_reset_in_one_instruction() -> None:
    target = with_measure_reset(2.0)
    noise = device_noise(target, scale=0.0)
    executor = ExactExecutor(noise)
    isa = executor.isa(UNROLLED)
    assert isa.circuit.count_ops()["measure_reset"] == 3
    assert not {"measure", "reset"} & set(isa.circuit.count_ops())
    told = describe_reset(UNROLLED.circuit, isa.circuit, isa.qubits, target)
    assert told["measurement"] == told["reset"] == "measure_reset"
    assert (told["measure_us"], told["reset_us"]) == (2.0, 0.0)
    angles = np.random.default_rng(0).uniform(-3, 3, (5, len(UNROLLED.occurrences)))
    ideal = ExactExecutor().forward(UNROLLED, angles, "z")
    assert executor.forward(UNROLLED, angles, "z") == pytest.approx(ideal, abs=1e-12)


def test_noise_of_measurement_with_reset_is_that_of_both_in_its_time() -> None:
    """As a measurement of no length and a reset that takes all of its time."""
    target = with_measure_reset(2.0)
    noise = device_noise(target)
    one = ExactExecutor(noise)
    isa = one.isa(UNROLLED)
    apart = with_plain_names(isa.circuit)
    same = replace(
        noise,
        durations={
            key: 2e-6 if key[0] == "reset" else 0.0 if key[0] == "measure" else seconds
            for key, seconds in noise.durations.items()
        },
    )
    assert noise.flips(isa.qubits[0]) == (0.01, 0.01)
    angles = np.random.default_rng(0).uniform(-3, 3, (5, len(UNROLLED.occurrences)))
    compiled = compile_isa(UNROLLED, ISACircuit(apart, isa.columns, isa.qubits), same)
    expected = outputs(compiled.program, compiled.angles(angles), kind="z")
    # A measurement without a length is taken as 1 fs; the last one here has no reset.
    assert one.forward(UNROLLED, angles, "z") == pytest.approx(expected, abs=1e-8)


def test_the_slower_instruction_is_not_taken_unless_asked_for() -> None:
    target = with_measure_reset(50.0)
    chosen = to_isa(UNROLLED, target, TranspileOptions()).circuit.count_ops()
    assert "measure_reset" not in chosen
    asked = to_isa(UNROLLED, target, TranspileOptions(reset="measure_reset")).circuit.count_ops()
    assert asked["measure_reset"] == 3


def test_measurement_with_reset_is_refused_where_it_cannot_be() -> None:
    with pytest.raises(BackendError, match="has no such instruction"):
        to_isa(
            UNROLLED, fake_device("fake_marrakesh").target, TranspileOptions(reset="measure_reset")
        )
    with pytest.raises(BackendError, match="not every measured qubit"):
        to_isa(
            UNROLLED,
            with_measure_reset(2.0, range(2, 3)),
            TranspileOptions(reset="measure_reset", initial_layout=(0, 1)),
        )


def test_conditional_x_costs_its_latency() -> None:
    target = fake_device("fake_marrakesh").target
    isa = to_isa(UNROLLED, target, TranspileOptions(reset="conditional_x"))
    told = describe_reset(UNROLLED.circuit, isa.circuit, isa.qubits, target, latency=600e-9)
    assert float(told["reset_us"] or 0) == pytest.approx(0.636, abs=0.02)
