"""Evaluates plans on an executor, through the ledger where there is one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.bits import OutputKind, PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest, Executor, SupportsExact
from qrnn_qiskit.execution.service import JobService
from qrnn_qiskit.gradients.plan import EvaluationPlan

if TYPE_CHECKING:
    from qrnn_qiskit.run.submission import Submission


@final
@dataclass(frozen=True, slots=True)
class Call:
    """One evaluation's place in a run.

    Attributes:
        address: its name in the ledger, such as `"step-12/gradient"`.
        spawn_key: of its random stream, under the run's seed.
    """

    address: str
    spawn_key: tuple[int, ...]


@final
class Evaluator:
    """One unrolled circuit on one executor."""

    def __init__(
        self,
        unrolled: UnrolledCircuit,
        executor: Executor,
        *,
        kind: OutputKind = "z",
        seed: int = 0,
        submission: Submission | None = None,
        charge: Callable[[int], None] | None = None,
    ) -> None:
        """Make an evaluator.

        Args:
            unrolled: the circuit.
            executor: where rows are measured.
            kind: of the outputs.
            seed: of all random streams.
            submission: records and replays evaluations with shots; None records nothing.
            charge: told the shots of each evaluation before it is submitted; may refuse.
        """
        self.unrolled = unrolled
        self.executor = executor
        self.kind = kind
        self.seed = seed
        self._submission = submission
        self._charge = charge

    def outputs(self, plan: EvaluationPlan, shots: int | None, call: Call) -> Outputs:
        """Outputs `[R, T, K]` of a plan's rows.

        Args:
            plan: the rows.
            shots: of each row; None for exact values.
            call: the place in the run.

        Raises:
            BackendError: where exact values are asked of a backend that only samples.
            BudgetError: if the evaluation would exceed the budget.
            PendingError: if a job is not done and nobody waits.
            RunError: if the ledger holds other work at this place.
            JobError: if a job failed for good.
        """
        if shots is None:
            if not isinstance(self.executor, SupportsExact):
                raise BackendError(
                    f"backend {self.executor.name!r} only samples: set backend.shots, or "
                    "gradient.shots_total for a gradient"
                )
            return self.executor.exact_outputs(self.unrolled, plan, self.kind)
        if self._charge is not None:
            self._charge(plan.total_repeats * shots)
        return self._bits(plan, shots, call).outputs(self.kind)

    def _bits(self, plan: EvaluationPlan, shots: int, call: Call) -> PackedBits:
        request = EvaluationRequest(plan, shots, stream_seed(self.seed, call.spawn_key))
        if self._submission is not None:
            digest = hashlib.sha256(
                f"{plan.digest}/{shots}/{request.seed}/{self.executor.name}".encode()
            ).hexdigest()
            return self._submission.bits(call.address, digest, request)
        if isinstance(self.executor, JobService):
            raise BackendError(
                f"{self.executor.name} is a real device: what is paid for must be recorded; use "
                "qrnn run, which keeps a ledger in its run directory"
            )
        return self.executor.fetch(self.executor.submit(self.unrolled, request))


def stream_seed(seed: int, spawn_key: tuple[int, ...]) -> int:
    """Seed of one evaluation: far from all others, and from the identity of the work alone."""
    state = np.random.SeedSequence(seed, spawn_key=spawn_key).generate_state(1, np.uint64)
    return int(state[0]) >> 2  # leaves room for what executors add to it
