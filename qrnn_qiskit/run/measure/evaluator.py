"""Evaluates plans on an executor, through the ledger where there is one."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.bits import OutputKind, PackedBits
from qrnn_qiskit.execution.devices import Devices, joined, members_of
from qrnn_qiskit.execution.executor import EvaluationRequest, Executor, SupportsExact, stream_seed
from qrnn_qiskit.execution.mitigation.affine import AffineCorrection
from qrnn_qiskit.execution.service import JobService, as_service
from qrnn_qiskit.execution.tiles import whole_shots
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.run.service.together import bits_of_all

if TYPE_CHECKING:
    from qrnn_qiskit.run.service.submission import Submission


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
        self._correct: Callable[[Evaluator], AffineCorrection] | None = None

    def correct_by(self, make: Callable[[Evaluator], AffineCorrection]) -> None:
        """Correct all outputs from now on; `make` is called once, when it is first needed."""
        made: list[AffineCorrection] = []

        def once(evaluator: Evaluator) -> AffineCorrection:
            if not made:
                made.append(make(evaluator))
            return made[0]

        self._correct = once

    @property
    def correction(self) -> AffineCorrection | None:
        """The correction of outputs; None if they are left as they are."""
        return None if self._correct is None else self._correct(self)

    def on(self, unrolled: UnrolledCircuit, executor: Executor) -> Evaluator:
        """An evaluator of another circuit in the same run, its outputs left as they are."""
        other = copy.copy(self)
        other.unrolled, other.executor, other._correct = unrolled, executor, None
        if self._submission is not None:
            other._submission = self._submission.on(as_service(executor), unrolled)
        return other

    def outputs(self, plan: EvaluationPlan, shots: int | None, call: Call) -> Outputs:
        """`raw_outputs`, corrected where the job has `[mitigation]`."""
        raw = self.raw_outputs(plan, shots, call)
        correction = self.correction
        return raw if correction is None else correction.apply(raw)

    def raw_outputs(self, plan: EvaluationPlan, shots: int | None, call: Call) -> Outputs:
        """Outputs `[R, T, K]` of a plan's rows.

        Args:
            plan: the rows.
            shots: of each row, rounded up to a multiple of the tiles; None for exact values.
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
        return self.bits(plan, shots, call).outputs(self.kind)

    def bits(self, plan: EvaluationPlan, shots: int, call: Call) -> PackedBits:
        """Outcomes of a plan's rows, as `raw_outputs`."""
        shots = whole_shots(shots, self.executor.isa(self.unrolled).num_tiles)
        if self._charge is not None:
            self._charge(plan.total_repeats * shots)
        return self._bits(plan, shots, call)

    def _bits(self, plan: EvaluationPlan, shots: int, call: Call) -> PackedBits:
        seed = stream_seed(self.seed, call.spawn_key)
        if self._submission is None:
            if any(isinstance(one, JobService) for one in members_of(self.executor)):
                raise BackendError(
                    f"{self.executor.name} is a real device: what is paid for must be recorded; "
                    "use qrnn run, which keeps a ledger in its run directory"
                )
            request = EvaluationRequest(plan, shots, seed)
            return self.executor.fetch(self.executor.submit(self.unrolled, request))
        if not isinstance(self.executor, Devices):
            return self._submission.bits(
                *_asked(self.executor, EvaluationRequest(plan, shots, seed), call.address)
            )
        shares = self.executor.shares(plan)
        parts = [
            (
                as_service(share.executor),
                *_asked(
                    share.executor,
                    EvaluationRequest(share.plan, shots, stream_seed(seed, (number,))),
                    f"{call.address}@{share.executor.name}",
                ),
            )
            for number, share in enumerate(shares)
        ]
        found = bits_of_all(self._submission, parts)
        return joined(plan, shots, list(zip(shares, found, strict=True)))


def _asked(
    executor: Executor, request: EvaluationRequest, address: str
) -> tuple[str, str, EvaluationRequest]:
    """Address, digest and request of the work that one executor is asked for."""
    identity = f"{request.plan.digest}/{request.shots}/{request.seed}/{executor.name}"
    return address, hashlib.sha256(identity.encode()).hexdigest(), request
