"""What a plan says of the device, simulated or not, of mitigation there, and of the price."""

from __future__ import annotations

from typing import Any

from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.devices import members_of
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.execution.layout import predicted_error
from qrnn_qiskit.execution.reset import describe_reset
from qrnn_qiskit.execution.step_time import step_time
from qrnn_qiskit.run.setup import Setup
from qrnn_qiskit.spec.backend import BudgetSpec
from qrnn_qiskit.spec.noise import DURATIONS_NS


def of_the_target(setup: Setup) -> dict[str, Any]:
    """How the device, simulated or not, measures and resets, and what the circuit loses there."""
    executor = members_of(setup.executor)[0]
    noise = getattr(executor, "noise", None)
    target = getattr(executor, "target", None) or (noise.target if noise else None)
    if target is None:
        return {}
    isa = executor.isa(setup.unrolled)
    step = step_time(executor, setup.unrolled)
    return {
        "step_us": None if step is None else round(step.seconds * 1e6, 3),
        "step_over_t1": None if step is None or not step.t1 else round(step.fraction, 4),
        **describe_reset(
            setup.unrolled.circuit,
            isa.circuit,
            isa.qubits,
            target,
            latency=noise.latency if noise else DURATIONS_NS["feedforward_ns"] * 1e-9,
            repeats=setup.job.backend.reset_repeats,
        ),
        "predicted_error": round(predicted_error(isa.circuit, target), 4),
    }


def of_mitigation(setup: Setup, rows: int, shots: int) -> dict[str, Any]:
    """What mitigation adds, and from how many shots a row extrapolation pays."""
    if setup.mitigation is None:
        return {}
    found: dict[str, Any] = {"mitigation_rows": rows, "mitigation_shots": shots}
    if setup.mitigation.extrapolation is not None:
        weights, _ = setup.split_parameters(setup.initial)
        found["extrapolation_pays_from_shots"] = setup.mitigation.pays_from(weights)
    return found


def simulation(setup: Setup, shots: int) -> dict[str, Any]:
    """What the exact engine simulates, and whether Aer draws its shots."""
    if not isinstance(setup.executor, ExactExecutor):
        return {}
    return {"simulation": setup.executor.simulation(setup.unrolled, shots=shots > 0)}


def shares(setup: Setup, member: Executor, shots: int) -> list[tuple[Executor, int]]:
    """Where the shots of a row are taken: at several noise factors, where there are such."""
    over = None if setup.mitigation is None else setup.mitigation.extrapolation
    if over is None:
        return [(member, shots)]
    shares = over.shots(shots)
    return [(e, s) for e, s in zip(over.executors, shares, strict=True) if s is not None]


def money(budget: BudgetSpec, seconds: float) -> dict[str, Any]:
    """The price, where the job says what a QPU second costs."""
    if budget.money_per_second is None:
        return {}
    return {"money": round(seconds * budget.money_per_second, 2), "budget_money": budget.money}
