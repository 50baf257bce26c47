"""Exact outputs by Aer's density matrices: Qiskit schedules, Aer adds its own noise.

Nothing of the package's noise or timetable is used: Qiskit's pass finds the idle times, Aer's pass
turns them into relaxation, and Aer's noise model brings the errors of gates and resets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, QuantumRegister
from qiskit.circuit import Barrier, CircuitInstruction, Delay, Parameter
from qiskit.quantum_info import Kraus, SuperOp
from qiskit.transpiler import PassManager, Target
from qiskit.transpiler.passes import ASAPScheduleAnalysis, PadDelay
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, QuantumError, RelaxationNoisePass

DEPHASE = SuperOp(Kraus([np.diag([1, 0]), np.diag([0, 1])])).to_instruction()


def aer_outputs(
    circuit: QuantumCircuit,
    values: Mapping[Parameter, float],
    *,
    model: NoiseModel,
    flips: Callable[[int], tuple[float, float]],
    target: Target | None = None,
    t1_t2: Sequence[tuple[float, float]] = (),
    by_measurement: QuantumError | None = None,
) -> NDArray[np.float64]:
    """<Z> of every classical bit `[T, K]`.

    Args:
        circuit: physical; measurements become saved probabilities and a dephasing channel.
        values: of its parameters.
        model: Aer's noise model, the qubits in use numbered 0, 1, …; without readout errors.
        flips: readout errors by physical qubit.
        target: durations; None for no idle decay.
        t1_t2: in s by physical qubit.
        by_measurement: on each other qubit in use at each measurement.
    """
    bound = QuantumCircuit(QuantumRegister(circuit.num_qubits, "q"), *circuit.cregs)
    bound.compose(circuit.assign_parameters(values), bound.qubits, bound.clbits, inplace=True)
    used = sorted(
        {
            bound.find_bit(q).index
            for item in bound.data
            if item.operation.name not in ("barrier", "delay")
            for q in item.qubits
        }
    )
    if target is not None:
        schedule = PassManager([ASAPScheduleAnalysis(target=target), PadDelay(target=target)])
        bound = schedule.run(bound)
    measured: dict[str, int] = {}
    deterministic = QuantumCircuit(bound.num_qubits)
    for item, qubits in _in_time(bound, target, used):
        name = item.operation.name
        if item.clbits and by_measurement and name == "barrier":
            for other in used:
                if other != qubits[0]:
                    deterministic.append(by_measurement.to_instruction(), [other])
        if name == "barrier":
            continue
        if name == "reset_2":  # Aer knows the plain one only
            deterministic.reset(qubits)
            continue
        if name not in ("measure", "measure_2"):
            deterministic.append(item.operation, qubits)
            continue
        label = f"bit {bound.find_bit(item.clbits[0]).index}"
        measured[label] = qubits[0]
        deterministic.save_probabilities(qubits, label=label)
        deterministic.append(DEPHASE, qubits)
        if target is not None:
            deterministic.append(Delay(target[name][tuple(qubits)].duration, "s"), qubits)
    if target is not None:
        one, two = (list(times) for times in zip(*t1_t2, strict=True))
        relax = RelaxationNoisePass(one, two, dt=target.dt, op_types=Delay)
        deterministic = relax(deterministic)
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    data = simulator.run(_on(deterministic, used), shots=1).result().data()
    outputs = np.ones(circuit.num_clbits)
    for label, qubit in measured.items():
        up, down = flips(qubit)
        zero, one_ = data[label]
        outputs[int(label.removeprefix("bit "))] = zero * (1 - 2 * up) - one_ * (1 - 2 * down)
    order = [[circuit.find_bit(bit).index for bit in register] for register in circuit.cregs]
    return outputs[np.array(order)]


def _in_time(
    circuit: QuantumCircuit, target: Target | None, used: Sequence[int]
) -> list[tuple[CircuitInstruction, list[int]]]:
    """Instructions on the used qubits by start, delays split where a measurement begins.

    A barrier with a bit marks that moment, before all that begins then.
    """
    items = [
        (item, [circuit.find_bit(q).index for q in item.qubits])
        for item in circuit.data
        if item.operation.name != "barrier"
        and {circuit.find_bit(q).index for q in item.qubits} <= set(used)
    ]
    if target is None:
        return items
    clock = dict.fromkeys(used, 0)
    timed = []
    for item, qubits in items:
        operation = item.operation
        start = clock[qubits[0]]
        if isinstance(operation, Delay):
            length = operation.duration
        else:
            length = round((target[operation.name][tuple(qubits)].duration or 0) / target.dt)
        timed.append((start, item, qubits))
        clock.update(dict.fromkeys(qubits, start + length))
    moments = sorted({start for start, item, _ in timed if item.clbits})
    pieces = []
    for place, (start, item, qubits) in enumerate(timed):
        if item.clbits:
            mark = item.replace(operation=Barrier(1))
            pieces.append((start, -1, mark, qubits))
        if not isinstance(item.operation, Delay):
            pieces.append((start, place, item, qubits))
            continue
        end = start + item.operation.duration
        cuts = [start, *(m for m in moments if start < m < end), end]
        for low, high in pairwise(cuts):
            piece = item.replace(operation=Delay(high - low, "dt"))
            pieces.append((low, place, piece, qubits))
    pieces.sort(key=lambda piece: piece[:2])
    return [(item, qubits) for _, _, item, qubits in pieces]


def _on(circuit: QuantumCircuit, used: Sequence[int]) -> QuantumCircuit:
    place = {q: i for i, q in enumerate(used)}
    compact = QuantumCircuit(len(used))
    for item in circuit.data:
        compact.append(item.operation, [place[circuit.find_bit(q).index] for q in item.qubits])
    return compact
