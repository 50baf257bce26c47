"""How a job's gradient is measured: its rule and its shots, from the keys of `[gradient]`."""

from __future__ import annotations

from qrnn_qiskit.errors import BackendError, SpecError
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.executor import Executor
from qrnn_qiskit.gradients import RULES, GradientRule
from qrnn_qiskit.run.measure.gradient import Adjoint
from qrnn_qiskit.run.measure.shots import ShotPlan
from qrnn_qiskit.spec.gradient import GradientSpec
from qrnn_qiskit.spec.job import Job
from qrnn_qiskit.spec.messages import nearest


def make_rule(job: Job) -> GradientRule | Adjoint:
    """The gradient rule of a job; "auto" is adjoint without shots, else parameter shift.

    In a training `auto` chooses at each step (`Policy`).

    Raises:
        SpecError: for an unknown method or option.
    """
    spec: GradientSpec = job.gradient
    method = spec.method
    exact = job.backend.name == "exact" and job.backend.shots is None and spec.shots_total is None
    if method == "auto":
        method = "adjoint" if exact else "parameter_shift"
    if method == "adjoint":
        if spec.options:
            raise SpecError(f"gradient.{next(iter(spec.options))} is not a key of method 'adjoint'")
        if not exact:
            raise SpecError(
                "gradient.method = 'adjoint' is exact and needs backend.name = 'exact' without "
                "shots; with shots use 'parameter_shift'"
            )
        return Adjoint()
    known = [*RULES.names(), "adjoint", "auto"]
    if method in ("global_shift", "tied_parameter_shift", "shared_shift"):
        raise SpecError(
            f"gradient.method = {method!r}: shifting a shared weight at all its occurrences at "
            "once by ±π/2 is not its gradient; 'parameter_shift' shifts one occurrence at a time"
        )
    if method not in known:
        raise SpecError(
            f"gradient.method = {method!r} is unknown{nearest(method, known)}; "
            f"known: {', '.join(known)}"
        )
    rule: GradientRule = RULES.build(method, spec.options)
    return rule


def make_shots(job: Job) -> ShotPlan:
    """How many shots a gradient of a job gets, and how they are shared out."""
    spec = job.gradient
    allocation = spec.allocation or ("optimal" if spec.method == "auto" else "uniform")
    return ShotPlan(job.backend.shots, spec.shots_total, spec.forward_shots, allocation)


def method_name(rule: GradientRule | Adjoint) -> str:
    """The name of a rule in a job file."""
    return "adjoint" if isinstance(rule, Adjoint) else type(rule).__module__.rpartition(".")[2]


def check_shots(job: Job, executor: Executor, shots: ShotPlan) -> None:
    """Refuse shots that the backend or the error bars cannot do with.

    Raises:
        BackendError, SpecError: naming the key to set.
    """
    sampled = shots.per_row is not None or shots.total is not None
    if not sampled and not isinstance(executor, ExactExecutor):
        raise BackendError(
            f"backend.name = {job.backend.name!r} only samples: set backend.shots (shots of each "
            "row) or gradient.shots_total (shots of each gradient)"
        )
    if shots.per_row == 1:
        raise SpecError(
            "backend.shots = 1: must be at least 2, since errors are estimated from the scatter of "
            "a row's shots"
        )
    for key in ("forward_shots", "allocation"):
        if getattr(job.gradient, key) is not None and not sampled:
            raise SpecError(f"gradient.{key} is given, but the job is exact: set backend.shots too")
