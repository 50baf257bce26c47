"""Evaluates plans on an executor, through the ledger where there is one."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, final

import numpy as np

from qrnn_qiskit.angle_map import Array
from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.estimate import Outputs
from qrnn_qiskit.execution.backends.exact import ExactExecutor
from qrnn_qiskit.execution.bits import OutputKind, PackedBits
from qrnn_qiskit.execution.devices import Devices, joined, members_of
from qrnn_qiskit.execution.executor import EvaluationRequest, Executor, SupportsExact, stream_seed
from qrnn_qiskit.execution.mitigation.affine import AffineCorrection
from qrnn_qiskit.execution.mitigation.joint import JointReadout
from qrnn_qiskit.execution.mitigation.zero_noise import extrapolate
from qrnn_qiskit.execution.service import JobService, as_service
from qrnn_qiskit.execution.tiles import whole_shots
from qrnn_qiskit.gradients.plan import EvaluationPlan
from qrnn_qiskit.occurrence import OccurrenceTable
from qrnn_qiskit.run.service.together import bits_of_all

if TYPE_CHECKING:
    from qrnn_qiskit.run.measure.extrapolate import Extrapolation
    from qrnn_qiskit.run.service.submission import Submission

Made = TypeVar("Made")


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
        self._extrapolation: Extrapolation | None = None
        self._read: Callable[[Evaluator], JointReadout] | None = None
        self._without_readout: dict[ExactExecutor, ExactExecutor] = {}

    def read_by(self, make: Callable[[Evaluator], JointReadout]) -> None:
        """Undo readout errors in every shot from now on; `make` is called once, when needed."""
        self._read = _once(make)

    def extrapolate_by(self, extrapolation: Extrapolation) -> None:
        """Extrapolate all outputs to no noise from now on."""
        self._extrapolation = extrapolation

    @property
    def occurrences(self) -> OccurrenceTable:
        """The circuit's occurrences, their influence as the noise leaves it."""
        if self._extrapolation is None:
            return self.executor.occurrences(self.unrolled)
        return self._extrapolation.occurrences()

    def correct_by(self, make: Callable[[Evaluator], AffineCorrection]) -> None:
        """Correct all outputs from now on; `make` is called once, when it is first needed."""
        self._correct = _once(make)

    @property
    def correction(self) -> AffineCorrection | None:
        """The correction of outputs; None if they are left as they are."""
        return None if self._correct is None else self._correct(self)

    @property
    def may_join(self) -> bool:
        """Whether several evaluations may be one request: all of it in one circuit, recorded."""
        return self._submission is not None and self._extrapolation is None

    def knows(self, call: Call) -> bool:
        """Whether the run has asked for an evaluation at this place before."""
        if self._submission is None:
            return False
        ledger, addresses = self._submission.ledger, [call.address]
        if isinstance(self.executor, Devices):
            addresses = [f"{call.address}@{one.name}" for one in self.executor.members]
        return any(ledger.find(address) is not None for address in addresses)

    def on(self, unrolled: UnrolledCircuit, executor: Executor) -> Evaluator:
        """An evaluator of another circuit in the same run, its outputs left as they are."""
        other = copy.copy(self)
        other.unrolled, other.executor = unrolled, executor
        other._correct = other._extrapolation = other._read = None
        if self._submission is not None:
            other._submission = self._submission.on(as_service(executor), unrolled)
        return other

    def outputs(self, plan: EvaluationPlan, shots: int | None, call: Call) -> Outputs:
        """`raw_outputs`, corrected where the job has `[mitigation]`."""
        raw = self.raw_outputs(plan, shots, call)
        correction = self.correction
        return raw if correction is None else correction.apply(raw)

    def raw_outputs(self, plan: EvaluationPlan, shots: int | None, call: Call) -> Outputs:
        """Outputs `[R, T, K]` of a plan's rows, extrapolated to no noise where the job says so.

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
        over = self._extrapolation
        if over is None:
            return self._measured(plan, shots, call)
        shares = over.shots(shots)
        parts = []
        for number, (factor, share) in enumerate(zip(over.factors, shares, strict=True)):
            at, place = self, call
            if factor > 1:
                # Asked for anew: the factor before may have moved the circuit on the device.
                at = self.on(self.unrolled, over.executors[number])
                at._read = self._read
                place = Call(f"{call.address}/noise-{factor}", (*call.spawn_key, factor))
            parts.append(at._measured(plan, share, place))
        return extrapolate(parts, over.factors, over.order)

    def value_and_vjp(
        self, angles: Array, cotangent_of: Callable[[Array], Array]
    ) -> tuple[Array, Array]:
        """Exact outputs `[B, T, K]` as `outputs` has them, and dL/d(angles) `[B, O]`.

        Args:
            angles: `[B, O]`.
            cotangent_of: outputs to dL/d(outputs), both `[B, T, K]`.

        Raises:
            BackendError: on anything but the exact engine.
        """
        correction, over = self.correction, self._extrapolation

        def corrected(raw: Array) -> Array:
            return raw if correction is None else correction.values(raw)

        def cotangent(raw: Array) -> Array:
            found = cotangent_of(corrected(raw))
            return found if correction is None else found * correction.slope

        first, *others = [self.executor] if over is None else over.executors
        executors = [self._unread(exact_executor(each)) for each in (first, *others)]
        if over is None:
            raw, slope = executors[0].value_and_vjp(self.unrolled, angles, cotangent, self.kind)
            return corrected(raw), slope
        parts = [each.forward(self.unrolled, angles, self.kind) for each in executors]
        raw = np.tensordot(over.coefficients, parts, axes=1)
        pulled = cotangent(raw)
        slopes = [
            each.value_and_vjp(self.unrolled, angles, lambda _: pulled, self.kind)[1]
            for each in executors
        ]
        return corrected(raw), np.tensordot(over.coefficients, slopes, axes=1)

    def _measured(self, plan: EvaluationPlan, shots: int | None, call: Call) -> Outputs:
        """Outputs of one circuit, as they are."""
        if shots is None:
            if not isinstance(self.executor, SupportsExact):
                raise BackendError(
                    f"backend {self.executor.name!r} only samples: set backend.shots, or "
                    "gradient.shots_total for a gradient"
                )
            executor: SupportsExact = self.executor
            if isinstance(executor, ExactExecutor):
                executor = self._unread(executor)
            return executor.exact_outputs(self.unrolled, plan, self.kind)
        bits = self.bits(plan, shots, call)
        if self._read is None:
            return bits.outputs(self.kind)
        return self._read(self).outputs(bits, self.kind)

    def _unread(self, executor: ExactExecutor) -> ExactExecutor:
        """The engine with its readout errors undone where the job says so."""
        if self._read is None or executor.noise is None:
            return executor
        if executor not in self._without_readout:
            left = self._read(self).left_over(executor.noise.flips)
            self._without_readout[executor] = executor.with_readout(left)
        return self._without_readout[executor]

    def bits(self, plan: EvaluationPlan, shots: int, call: Call) -> PackedBits:
        """Outcomes of a plan's rows, as `raw_outputs` measures those of one circuit."""
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


def _once(make: Callable[[Evaluator], Made]) -> Callable[[Evaluator], Made]:
    made: list[Made] = []

    def once(evaluator: Evaluator) -> Made:
        if not made:
            made.append(make(evaluator))
        return made[0]

    return once


def exact_executor(executor: Executor) -> ExactExecutor:
    """The executor, which reverse mode needs to be the exact engine.

    Raises:
        BackendError: if it is another.
    """
    if not isinstance(executor, ExactExecutor):
        raise BackendError(
            f"gradient.method = 'adjoint' needs backend.name = 'exact', not {executor.name!r}: "
            "use parameter_shift there"
        )
    return executor
