"""How a device measures and resets in mid-circuit: chosen from what its target offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from qiskit.circuit import Instruction, Measure, QuantumCircuit, QuantumRegister, Qubit, Reset
from qiskit.transpiler import Target

from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.spec.backend import ResetChoice

Strategy = Literal["measure_reset", "reset", "conditional_x", "fresh_qubits"]
_MEASURE_RESET: Final = "measure_reset"
# Kinds of measurement and reset of the same effect, the quickest first.
_MEASUREMENTS: Final = ("measure_2", "measure")
_RESETS: Final = ("reset_2", "reset")


def reset_strategy(circuit: QuantumCircuit, target: Target, wanted: ResetChoice) -> Strategy:
    """What takes the place of the resets of a circuit.

    One instruction for measurement and reset, or a reset instruction, where the device has one;
    else X on the condition that the qubit was just measured in 1; else, on a device with neither, a
    fresh qubit for all that comes after.

    Args:
        circuit: before it is transpiled.
        target: of the device.
        wanted: "auto", or one of the strategies.

    Raises:
        BackendError: where the device cannot do it, with the reason.
    """
    if not circuit.count_ops().get("reset"):
        return "reset"
    has_reset = any(target.instruction_supported(name) for name in _RESETS)
    has_branches = "if_else" in target.operation_names
    if wanted == "reset" and not has_reset:
        raise BackendError(
            "backend.reset = 'reset': the backend has no reset instruction; "
            + ("'conditional_x'" if has_branches else "'fresh_qubits'")
            + " would do"
        )
    if wanted == "conditional_x" and not has_branches:
        raise BackendError(
            "backend.reset = 'conditional_x': the backend has no if_else; "
            + ("'reset'" if has_reset else "'fresh_qubits'")
            + " would do"
        )
    both = has_reset and _MEASURE_RESET in target.operation_names
    if wanted == "measure_reset" and not both:
        raise BackendError(
            "backend.reset = 'measure_reset': the backend has no such instruction; leave "
            "backend.reset out to take what it has"
        )
    if wanted != "auto":
        return wanted
    if both:
        return "measure_reset"
    return "reset" if has_reset else "conditional_x" if has_branches else "fresh_qubits"


def before_transpiling(
    circuit: QuantumCircuit, strategy: Strategy, num_qubits: int | None
) -> QuantumCircuit:
    """The circuit with its resets replaced.

    Args:
        circuit: to change; it stays as it is.
        strategy: what takes their place.
        num_qubits: of the device; None for any number.

    Raises:
        BackendError: if a reset has no measurement before it whose outcome could serve, or the
            device has too few qubits.
    """
    if strategy == "conditional_x":
        return _with_conditional_x(circuit)
    if strategy == "fresh_qubits":
        return _with_fresh_qubits(circuit, num_qubits)
    return circuit


def after_transpiling(
    circuit: QuantumCircuit, target: Target, repeats: int, wanted: ResetChoice = "auto"
) -> QuantumCircuit:
    """The circuit with the quickest kinds of measurement and reset that its qubits have.

    All measurements are of one kind, so that each bit has one calibration at all steps.

    Args:
        circuit: transpiled.
        target: of the device.
        repeats: resets in the place of each.
        wanted: as for `reset_strategy`.

    Raises:
        BackendError: if the one instruction for measurement and reset is asked for, but cannot
            be taken.
    """
    if wanted in ("auto", _MEASURE_RESET) and _MEASURE_RESET in target.operation_names:
        joined = _joined(circuit, target) if repeats == 1 else None
        if joined is not None and (wanted != "auto" or _is_quick(joined, target)):
            return joined
        if wanted != "auto":
            raise BackendError(
                "backend.reset = 'measure_reset': not every measured qubit has the instruction, is "
                "reset right after each measurement but the last, and just once"
            )
    measure, reset = (_quickest(circuit, target, kinds) for kinds in (_MEASUREMENTS, _RESETS))
    if measure is None and reset is None and repeats == 1:
        return circuit
    changed = circuit.copy_empty_like()
    for item in circuit.data:
        kind = {"measure": measure, "reset": reset}.get(item.operation.name)
        for _ in range(repeats if item.operation.name == "reset" else 1):
            changed.append(kind or item.operation, item.qubits, item.clbits)
    return changed


def with_plain_names(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with a device's own kinds of measurement and reset as those that Aer knows."""
    plain = circuit.copy_empty_like()
    for item in circuit.data:
        name = item.operation.name
        if name in (*_MEASUREMENTS, _MEASURE_RESET):
            plain.append(Measure(), item.qubits, item.clbits)
        if name in (*_RESETS, _MEASURE_RESET):
            plain.append(Reset(), item.qubits, ())
        if name not in (*_MEASUREMENTS, *_RESETS, _MEASURE_RESET):
            plain.append(item.operation, item.qubits, item.clbits)
    return plain


def describe_reset(
    unrolled: QuantumCircuit,
    isa: QuantumCircuit,
    qubits: tuple[int, ...],
    target: Target,
    *,
    latency: float = 0.0,
    repeats: int = 1,
) -> dict[str, str | float | None]:
    """What a transpiled circuit measures and resets with, and how long that takes.

    Args:
        unrolled: before it was transpiled.
        isa: after.
        qubits: in use there.
        target: of the device.
        latency: s from a measurement to X on its condition.
        repeats: resets in the place of each.

    Returns:
        `measurement`, `reset`; `measure_us`, `reset_us` the longest, and `t1_us` the shortest of
        the qubits in use, None where the target does not say. A reset that is part of the
        measurement takes no time of its own.
    """
    counts = isa.count_ops()
    kinds = (_MEASURE_RESET, *_MEASUREMENTS)
    measure = next((name for name in kinds if counts.get(name)), "measure")
    reset = next((name for name in _RESETS if counts.get(name)), None)
    if reset is None and unrolled.count_ops().get("reset"):
        reset = "conditional_x" if counts.get("if_else") else "fresh_qubits"
    reset_us = _longest(target, reset, qubits) if reset in _RESETS else None
    if reset_us is not None:
        reset_us = round(repeats * reset_us, 3)
    if measure == _MEASURE_RESET:
        reset, reset_us = _MEASURE_RESET, 0.0
    elif reset == "conditional_x":
        reset_us = round((_longest(target, "x", qubits) or 0.0) + latency * 1e6, 3)
    properties = target.qubit_properties or []
    t1 = [properties[q].t1 for q in qubits if q < len(properties) and properties[q].t1]
    return {
        "measurement": measure,
        "reset": reset,
        "measure_us": _longest(target, measure, qubits),
        "reset_us": reset_us,
        "t1_us": round(min(t1) * 1e6, 1) if t1 else None,
    }


def _longest(target: Target, name: str | None, qubits: tuple[int, ...]) -> float | None:
    places = target[name] if name in target.operation_names else {}
    found = [(places or {}).get((q,)) for q in qubits]
    durations = [each.duration for each in found if each is not None and each.duration]
    return round(max(durations) * 1e6, 3) if durations else None


def _joined(circuit: QuantumCircuit, target: Target) -> QuantumCircuit | None:
    """The circuit with each measurement and the reset after it as one; None if that is not so."""
    items = list(circuit.data)
    measures = {i for i, item in enumerate(items) if item.operation.name == "measure"}
    after: dict[int, int] = {}  # what follows a measurement on its qubit
    last: dict[Qubit, int] = {}
    for i, item in enumerate(items):
        if item.operation.name in ("barrier", "delay"):
            continue
        for qubit in item.qubits:
            if last.get(qubit, -1) in measures:
                after[last[qubit]] = i
            last[qubit] = i
    resets = set(after.values())
    places = {(circuit.find_bit(items[i].qubits[0]).index,) for i in measures}
    if (
        any(items[i].operation.name != "reset" for i in resets)
        or any(item.operation.name == "reset" and i not in resets for i, item in enumerate(items))
        or not all(target.instruction_supported(_MEASURE_RESET, place) for place in places)
    ):
        return None
    joined = circuit.copy_empty_like()
    both = target.operation_from_name(_MEASURE_RESET)
    for i, item in enumerate(items):
        if i not in resets:
            operation = both if i in measures else item.operation
            joined.append(operation, item.qubits, item.clbits)
    return joined


def _is_quick(joined: QuantumCircuit, target: Target) -> bool:
    """Whether the one instruction takes no longer than the quickest two, where that is known."""
    for item in joined.data:
        if item.operation.name == _MEASURE_RESET:
            qubits = (joined.find_bit(item.qubits[0]).index,)
            one = _longest(target, _MEASURE_RESET, qubits)
            two = [
                min(known)
                for kinds in (_MEASUREMENTS, _RESETS)
                if (known := [t for name in kinds if (t := _longest(target, name, qubits))])
            ]
            if one is not None and len(two) == 2 and one > sum(two):
                return False
    return True


def _quickest(
    circuit: QuantumCircuit, target: Target, kinds: tuple[str, str]
) -> Instruction | None:
    """The device's own kind, if all qubits in question have it; None to keep the plain one."""
    quick, plain = kinds
    places = {
        (circuit.find_bit(item.qubits[0]).index,)
        for item in circuit.data
        if item.operation.name == plain
    }
    if not places or not all(target.instruction_supported(quick, place) for place in places):
        return None
    instruction: Instruction = target.operation_from_name(quick)
    return instruction


def _with_conditional_x(circuit: QuantumCircuit) -> QuantumCircuit:
    changed = circuit.copy_empty_like()
    outcome: dict[Qubit, object] = {}
    for item in circuit.data:
        name = item.operation.name
        if name == "reset":
            (qubit,) = item.qubits
            if qubit not in outcome:
                raise BackendError(
                    "a reset without a measurement just before it: X on a condition cannot take "
                    "its place; measure the qubit, or choose a backend with reset"
                )
            with changed.if_test((outcome.pop(qubit), 1)):
                changed.x(qubit)
            continue
        changed.append(item)
        for qubit in item.qubits if name != "barrier" else ():
            outcome.pop(qubit, None)
        if name == "measure":
            outcome[item.qubits[0]] = item.clbits[0]
    return changed


def _with_fresh_qubits(circuit: QuantumCircuit, num_qubits: int | None) -> QuantumCircuit:
    needed = circuit.num_qubits + sum(item.operation.name == "reset" for item in circuit.data)
    if num_qubits is not None and needed > num_qubits:
        raise BackendError(
            f"the backend has neither reset nor control flow, and a fresh qubit in the place of "
            f"each reset makes {needed} qubits, but it has {num_qubits}: take shorter sequences, "
            "or a backend with reset such as fake_marrakesh"
        )
    changed = circuit.copy_empty_like()
    fresh = QuantumRegister(needed - circuit.num_qubits, "fresh")
    changed.add_register(fresh)
    unused = iter(fresh)
    place: Mapping[Qubit, Qubit] = {q: q for q in circuit.qubits}
    for item in circuit.data:
        if item.operation.name == "reset":
            place = {**place, item.qubits[0]: next(unused)}
        else:
            changed.append(item.operation, [place[q] for q in item.qubits], item.clbits)
    return changed
