"""Pulses on qubits that wait: where they are, that they change nothing ideal, what they undo."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qrnn_qiskit import ExactExecutor, UnrolledCircuit, build_cell, unroll
from qrnn_qiskit.errors import SpecError
from qrnn_qiskit.execution.backends.ibm import fake_device
from qrnn_qiskit.execution.isa import ISACircuit, TranspileOptions, stated_seconds, to_isa
from qrnn_qiskit.execution.make import make_noise
from qrnn_qiskit.execution.noise.insert import noisy_circuit
from qrnn_qiskit.execution.timetable import femtoseconds, timetable
from qrnn_qiskit.spec.backend import Decoupling
from qrnn_qiskit.spec.noise import NoiseSpec
from tests.integration.test_noise_with_feed_forward import deferred_outputs, feed_forward_cell

Array = np.ndarray
SEQUENCES: tuple[Decoupling, ...] = ("xx", "xy4")


@cache
def circuits() -> dict[str, UnrolledCircuit]:
    return {
        "viqueira": unroll(build_cell("viqueira_emcz2", {"layers": 1, "reuploads": 1}), 3),
        "feed-forward": unroll(feed_forward_cell(), 3),
    }


def angles_of(circuit: UnrolledCircuit) -> Array:
    return np.random.default_rng(1).uniform(-3, 3, (3, len(circuit.occurrences)))


def outputs(circuit: UnrolledCircuit, spec: NoiseSpec, sequence: Decoupling = "none") -> Array:
    executor = ExactExecutor(make_noise(spec), TranspileOptions(decoupling=sequence))
    return executor.forward(circuit, angles_of(circuit), "z")


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("name", ["viqueira", "feed-forward"])
@pytest.mark.parametrize("device", ["fake_boston", "fake_marrakesh"])
def test_nothing_starts_later_and_nothing_ideal_changes(
    device: str, name: str, sequence: Decoupling
) -> None:
    circuit, target = circuits()[name], fake_device(device).target
    seconds = stated_seconds(target)

    def length(kind: Decoupling) -> tuple[int, int]:
        isa = to_isa(circuit, target, TranspileOptions(decoupling=kind))
        table = timetable(
            isa.circuit, lambda n, q: femtoseconds(seconds(n, q)), femtoseconds(6e-7), target.dt
        )
        return table.length, isa.circuit.count_ops().get("delay", 0)

    plain, pulsed = length("none"), length(sequence)
    assert pulsed[0] == plain[0]
    assert pulsed[1] > plain[1] == 0
    without = NoiseSpec(device=device, scale=0.0)
    assert outputs(circuit, without, sequence) == pytest.approx(
        outputs(circuit, without), abs=1e-12
    )


@pytest.mark.parametrize("microseconds", [1.0, 7.5])
def test_detuning_turns_the_phase_by_the_time_of_waiting(microseconds: float) -> None:
    """In a closed form, a Ramsey experiment: <Z> = -cos(2 pi f t)."""
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.barrier()
    circuit.measure(1, 1)
    circuit.barrier()
    circuit.sx(0)
    circuit.measure(0, 0)
    noise = make_noise(NoiseSpec(detuning_khz=30.0, measure_ns=1000 * microseconds))
    assert noise is not None
    isa = ISACircuit(circuit, np.array([], dtype=np.intp), (0, 1))
    seen = deferred_outputs(noisy_circuit(isa, noise), {0: (0.0, 0.0), 1: (0.0, 0.0)})
    assert seen == pytest.approx([-np.cos(2 * np.pi * 0.03 * microseconds), 1.0], abs=1e-9)


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_engine_and_aer_agree_on_pulses_in_feed_forward_circuits(sequence: Decoupling) -> None:
    made = circuits()["feed-forward"]
    noise = make_noise(NoiseSpec(preset="bad", detuning_khz=20.0))
    assert noise is not None
    executor = ExactExecutor(noise, TranspileOptions(decoupling=sequence))
    isa = executor.isa(made)
    angles = angles_of(made)[:1]
    values = dict(zip(isa.circuit.parameters, isa.parameter_values(angles)[0], strict=True))
    circuit = noisy_circuit(isa, noise).assign_parameters(values)
    assert circuit.count_ops()["x"] >= len(_pulses(sequence))
    flips = {i: noise.flips(q) for i, q in enumerate(isa.qubits)}
    places = [circuit.find_bit(r[0]).index for r in circuit.cregs]
    expected = deferred_outputs(circuit, flips)[places]
    assert executor.forward(made, angles, "z")[0, :, 0] == pytest.approx(expected, abs=1e-9)


def _pulses(sequence: Decoupling) -> str:
    return {"none": "", "xx": "XX", "xy4": "XYXY"}[sequence]


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("name", ["viqueira", "feed-forward"])
def test_pulses_undo_a_constant_detuning(name: str, sequence: Decoupling) -> None:
    circuit = circuits()[name]
    detuned = NoiseSpec(detuning_khz=50.0)
    ideal = ExactExecutor().forward(circuit, angles_of(circuit), "z")
    without = np.linalg.norm(outputs(circuit, detuned) - ideal)
    pulsed = np.linalg.norm(outputs(circuit, detuned, sequence) - ideal)
    assert without > 0.05
    assert pulsed < 0.1 * without


def test_pulses_do_nothing_for_markovian_dephasing() -> None:
    """It has no memory: pulses cost their own errors. The pull of T1 to |0> they even out."""
    circuit = circuits()["viqueira"]
    ideal = ExactExecutor().forward(circuit, angles_of(circuit), "z")

    def errors(spec: NoiseSpec) -> list[float]:
        return [
            float(np.linalg.norm(outputs(circuit, spec, sequence) - ideal))
            for sequence in ("none", "xx")
        ]

    plain, pulsed = errors(NoiseSpec(t1_us=1e6, t2_us=50.0))
    assert pulsed == pytest.approx(plain, rel=0.01)
    plain, pulsed = errors(NoiseSpec(t1_us=1e6, t2_us=50.0, depolarizing_1q=0.005))
    assert pulsed > 1.05 * plain
    plain, pulsed = errors(NoiseSpec(t1_us=50.0, t2_us=100.0))
    assert pulsed < 0.8 * plain


def test_gradients_under_detuning_are_those_of_reverse_mode() -> None:
    """The influence mask leaves nothing out: all shift rows against reverse mode."""
    circuit = circuits()["viqueira"]
    noise = make_noise(NoiseSpec(detuning_khz=30.0))
    executor = ExactExecutor(noise)
    influence = executor.occurrences(circuit).influence
    angles = angles_of(circuit)[:1]
    shifted = np.repeat(angles, 2 * len(influence), axis=0)
    index = np.arange(len(influence))
    shifted[2 * index, index] += np.pi / 2
    shifted[2 * index + 1, index] -= np.pi / 2
    values = executor.forward(circuit, shifted, "z")
    slopes = (values[::2] - values[1::2]).sum(axis=2) / 2  # [O, T]
    assert np.max(np.abs(slopes[~influence]), initial=0.0) < 1e-12


def test_one_detuning_for_the_qubits_of_a_device() -> None:
    with pytest.raises(SpecError, match="noise.detuning_khz: give one number"):
        make_noise(NoiseSpec(device="fake_boston", detuning_khz=(1.0, 2.0)))
