"""Evaluates plans on an executor, through the ledger where there is one."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError, PendingError, RunError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.bits import OutputKind, PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest, Executor, SupportsExact
from qrnn_qiskit.execution.mitigation.affine import AffineCorrection
from qrnn_qiskit.gradients.plan import EvaluationPlan

if TYPE_CHECKING:
    from qrnn_qiskit.run.ledger import Ledger

POLL_SECONDS = 0.5


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
        ledger: Ledger | None = None,
        wait: bool = True,
        charge: Callable[[int], None] | None = None,
    ) -> None:
        """Make an evaluator.

        Args:
            unrolled: the circuit.
            executor: where rows are measured.
            kind: of the outputs.
            seed: of all random streams.
            ledger: records and replays evaluations with shots; None records nothing.
            wait: wait for pending jobs; otherwise raise `PendingError`.
            charge: told the shots of each evaluation before it is submitted; may refuse.
        """
        self.unrolled = unrolled
        self.executor = executor
        self.kind = kind
        self.seed = seed
        self._ledger = ledger
        self._wait = wait
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
            shots: of each row; None for exact values.
            call: the place in the run.

        Raises:
            BackendError: where exact values are asked of a backend that only samples.
            BudgetError: if the evaluation would exceed the budget.
            PendingError: if the job is not done and nobody waits.
            RunError: if the ledger holds other work at this place.
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
        if self._ledger is None:
            return self._finish(self.executor.submit(self.unrolled, request))
        digest = hashlib.sha256(
            f"{plan.digest}/{shots}/{request.seed}/{self.executor.name}".encode()
        ).hexdigest()
        entry = self._ledger.find(call.address)
        if entry is None:
            self._ledger.plan(call.address, digest, plan.total_repeats * shots, plan.to_bytes())
        elif entry.digest != digest:
            raise RunError(
                f"the ledger holds other work at {call.address} than this run asks for: cell, "
                "data, job and versions must be those the run was started with"
            )
        elif entry.state == "completed":
            return PackedBits.from_bytes(self._ledger.load(entry))
        job = self.executor.submit(self.unrolled, request)
        self._ledger.submit(call.address, job)
        bits = self._finish(job)
        self._ledger.complete(call.address, bits.to_bytes())
        return bits

    def _finish(self, job: str) -> PackedBits:
        while not self.executor.poll(job):
            if not self._wait:
                raise PendingError(f"job {job} is not done yet")
            time.sleep(POLL_SECONDS)
        return self.executor.fetch(job)


def stream_seed(seed: int, spawn_key: tuple[int, ...]) -> int:
    """Seed of one evaluation: far from all others, and from the identity of the work alone."""
    state = np.random.SeedSequence(seed, spawn_key=spawn_key).generate_state(1, np.uint64)
    return int(state[0]) >> 2  # leaves room for what executors add to it
