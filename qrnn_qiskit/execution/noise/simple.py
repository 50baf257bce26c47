"""Noise given by error rates: the same for all qubits, or a value for each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import permutations
from typing import TYPE_CHECKING, Any

from qiskit.circuit import Delay, Gate, IfElseOp, Parameter
from qiskit.circuit.library import (
    CZGate,
    Measure,
    Reset,
    RXGate,
    RZGate,
    RZZGate,
    SXGate,
    XGate,
)
from qiskit.transpiler import Target

from qrnn_qiskit.execution.noise.model import (
    MEASUREMENTS,
    ONE_QUBIT,
    RESETS,
    TWO_QUBIT,
    GateOnQubits,
    Noise,
)
from qrnn_qiskit.spec.noise import DURATIONS_NS

if TYPE_CHECKING:
    from qiskit_aer.noise import QuantumError

# Angle by which a gate turns about X, or about ZZ, up to what RZ can add.
_ANGLES: Mapping[str, float] = {"sx": 0.5, "x": 1.0, "cz": 0.5}  # in pi


def simple_noise(depolarizing_1q: float, depolarizing_2q: float, readout: float) -> Noise:
    """Depolarising noise after every SX, X and CZ, and symmetric readout flips.

    RZ is virtual on IBM devices and has none.

    Args:
        depolarizing_1q: depolarising probability of one-qubit gates.
        depolarizing_2q: depolarising probability of two-qubit gates.
        readout: probability that a measured bit is read wrong.
    """
    return noise_of_values(
        {
            "depolarizing_1q": depolarizing_1q,
            "depolarizing_2q": depolarizing_2q,
            "readout": readout,
        }
    )


def noise_of_values(values: Mapping[str, Any], *, idle: bool = True) -> Noise:
    """Noise from the keys of a job's `[noise]`, scaled already.

    After each SX, X and CZ come the over-rotation, the depolarizing channel and the relaxation of
    its duration, in this order.

    Args:
        values: by key, such as `NoiseSpec.scaled` gives them; missing ones mean no such error.
        idle: let qubits decay while others are at work, measured or reset.
    """
    lists = {key: len(value) for key, value in values.items() if _is_list(key, value)}
    qubits: list[int | None] = [*range(max(lists.values()))] if lists else [None]
    seconds = {key: values.get(key, ns) * 1e-9 for key, ns in DURATIONS_NS.items()}
    relaxation = {q: times for q in qubits if (times := _decay(values, q)) is not None}
    durations: dict[GateOnQubits, float] = {
        (name, ()): seconds[key]
        for names, key in (
            (ONE_QUBIT, "gate_1q_ns"),
            (TWO_QUBIT, "gate_2q_ns"),
            (MEASUREMENTS, "measure_ns"),
            (RESETS, "reset_ns"),
        )
        for name in names
    }
    return Noise(
        _target(),
        _gate_errors(values, relaxation, seconds),
        {q: _flips(values, q) for q in qubits},
        relaxation=relaxation if idle else {},
        detuning={q: _value(values, "detuning_khz", q) * 1e3 for q in qubits} if idle else {},
        durations=durations,
        latency=seconds["feedforward_ns"],
        reset_error={q: _value(values, "reset_error", q) for q in qubits},
        depolarizing_by_measurement=values.get("measurement_disturbance", 0.0),
        dephasing_by_measurement=values.get("measurement_dephasing", 0.0),
        over_rotations=over_rotations(values),
        listed=lists,
    )


def over_rotations(values: Mapping[str, Any]) -> dict[str, Gate]:
    """The gates that follow SX, X and CZ each time when these turn too far.

    All angles of the circuit are in RZ, which is virtual and exact. So an angle in proportion is a
    fixed one too, and changes no frequency.
    """
    fixed = values.get("over_rotation", 0.0)
    relative = values.get("over_rotation_proportional", 0.0)
    if not fixed and not relative:
        return {}
    angles = {name: fixed + relative * turn * math.pi for name, turn in _ANGLES.items()}
    return {
        name: RZZGate(angle) if name == "cz" else RXGate(angle) for name, angle in angles.items()
    }


def _target() -> Target:
    target = Target(num_qubits=None)
    angle = Parameter("angle")
    for gate in (RZGate(angle), SXGate(), XGate(), CZGate(), Measure(), Reset()):
        target.add_instruction(gate)
    target.add_instruction(Delay(Parameter("duration")))
    target.add_instruction(IfElseOp, name="if_else")
    return target


def _gate_errors(
    values: Mapping[str, Any],
    relaxation: Mapping[int | None, tuple[float, float]],
    seconds: Mapping[str, float],
) -> dict[GateOnQubits, QuantumError]:
    from qiskit_aer.noise import depolarizing_error, thermal_relaxation_error

    errors: dict[GateOnQubits, QuantumError] = {}
    for names, arity in ((ONE_QUBIT, 1), (TWO_QUBIT, 2)):
        probability = values.get(f"depolarizing_{arity}q", 0.0)
        duration = seconds[f"gate_{arity}q_ns"]
        groups = permutations(relaxation, arity) if None not in relaxation else [(None,) * arity]
        for group in groups if relaxation else [()]:
            error = depolarizing_error(probability, arity) if probability else None
            if group and duration:
                decay = thermal_relaxation_error(*relaxation[group[0]], duration)
                for q in group[1:]:
                    # The first qubit is the least significant one.
                    decay = decay.expand(thermal_relaxation_error(*relaxation[q], duration))
                error = decay if error is None else error.compose(decay)
            if error is not None:
                on = tuple(q for q in group if q is not None)
                errors |= {(name, on): error for name in names}
    return errors


def _decay(values: Mapping[str, Any], qubit: int | None) -> tuple[float, float] | None:
    if "t1_us" not in values:
        return None
    t1 = _value(values, "t1_us", qubit) * 1e-6
    return t1, _value(values, "t2_us", qubit) * 1e-6 if "t2_us" in values else 2 * t1


def _flips(values: Mapping[str, Any], qubit: int | None) -> tuple[float, float]:
    readout = _value(values, "readout", qubit)
    return readout if isinstance(readout, tuple) else (readout, readout)


def _value(values: Mapping[str, Any], key: str, qubit: int | None) -> Any:
    value = values.get(key, 0.0)
    return value[qubit] if qubit is not None and _is_list(key, value) else value


def _is_list(key: str, value: Any) -> bool:
    """Whether there is a value for each qubit; two numbers of a readout are one value."""
    return isinstance(value, tuple) and not (key == "readout" and not isinstance(value[0], tuple))
