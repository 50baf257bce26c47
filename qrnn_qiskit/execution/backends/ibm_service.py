"""Real devices: blocks of rows as QPU jobs of IBM's service, through the client-side Sampler."""

from __future__ import annotations

import copy
import datetime
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np

from qrnn_qiskit.circuit.unroll import UnrolledCircuit
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.backends import ibm_checks
from qrnn_qiskit.execution.backends.ibm_calibration import calibration_of
from qrnn_qiskit.execution.backends.ibm_checks import (
    Limits,
    check_angles,
    check_circuit,
    check_options,
    limits_of,
    sampler_options,
)
from qrnn_qiskit.execution.backends.ibm_client import Client, says_too_large
from qrnn_qiskit.execution.backends.ibm_mode import OpenMode
from qrnn_qiskit.execution.backends.ibm_options import ServiceOptions
from qrnn_qiskit.execution.backends.ibm_results import packed_bits, registers_of
from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.blocks import block_angles, cut
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.influence import noisy_occurrences
from qrnn_qiskit.execution.isa import ISACircuit, TranspileOptions, device_duration, to_isa
from qrnn_qiskit.execution.per_circuit import PerCircuit
from qrnn_qiskit.execution.service import (
    REP_DELAY_S,
    SECONDS_PER_JOB,
    BadResult,
    Block,
    Calibration,
    JobReport,
    Listed,
    NotSent,
    ResultsGone,
    Ticket,
)
from qrnn_qiskit.execution.tiles import suffix, whole_shots
from qrnn_qiskit.occurrence import OccurrenceTable

if TYPE_CHECKING:
    from qiskit_ibm_runtime import RuntimeJobV2

REFRESH_S = 3600.0  # a device's calibration is not asked for more often
_MAX_LISTED: Final = 200
_MISSING_ASKED: Final = 3
_FINAL: Final = ("DONE", "ERROR", "CANCELLED")


@final
class ServiceExecutor:
    """A device of IBM's service; implements `JobService`."""

    outlives = True

    def __init__(self, service: ServiceOptions, transpile: TranspileOptions | None = None) -> None:
        """Connect and choose the device.

        Args:
            service: account, device and options.
            transpile: how circuits are transpiled.

        Raises:
            BackendError: if account, device or options do not serve.
            Unreachable: if the service does not answer.
        """
        self._options = sampler_options(service.options)
        self._given = service.options
        self._client = Client(service.account, service.instance)
        self._backend = self._choose(service.backend)
        self._client.keep(self._backend)
        self._mode = OpenMode(self._client, self._backend, service.mode)
        self._transpile = transpile or TranspileOptions()
        self._asked = time.monotonic()  # when the device said last what it is
        self._isas = PerCircuit(
            lambda unrolled: self._checked(to_isa(unrolled, self.target, self._transpile))
        )
        self._tables = PerCircuit(lambda unrolled: noisy_occurrences(unrolled, self.isa(unrolled)))
        self._durations = PerCircuit(self._duration)
        self._limits = PerCircuit(self._make_limits)
        self._stated = PerCircuit(self._state)
        self._jobs: dict[str, RuntimeJobV2] = {}

    def single(self) -> ServiceExecutor:
        """The same device, with one copy where this one has tiles; see `SupportsSingle`."""
        alone = copy.copy(self)
        alone._isas = PerCircuit(lambda unrolled: self.isa(unrolled).tile(0))
        alone._durations = PerCircuit(alone._duration)
        alone._limits = PerCircuit(alone._make_limits)
        alone._stated = PerCircuit(alone._state)
        return alone

    def sibling(self, transpile: TranspileOptions) -> ServiceExecutor:
        """The same device and session, for circuits transpiled in another way.

        What the device states is shared: it is that of the first one's circuits.
        """
        other = copy.copy(self)
        other._isas = PerCircuit(
            lambda unrolled: other._checked(to_isa(unrolled, other.target, transpile))
        )
        other._tables = PerCircuit(
            lambda unrolled: noisy_occurrences(unrolled, other.isa(unrolled))
        )
        other._durations = PerCircuit(other._duration)
        other._limits = PerCircuit(other._make_limits)
        return other

    def _state(self, unrolled: UnrolledCircuit) -> Calibration:
        properties = self._client.ask(self._backend.properties)
        return calibration_of(self._checked(self.isa(unrolled)), self.target, properties)

    def _duration(self, unrolled: UnrolledCircuit) -> float:
        return device_duration(self.isa(unrolled), self.target) or 0.0

    @property
    def name(self) -> str:
        """The device's name."""
        return str(self._backend.name)

    @property
    def target(self) -> Any:
        """The device's `Target`."""
        return self._backend.target

    @property
    def rep_delay_s(self) -> float:
        """Seconds between two executions."""
        chosen = self._options.execution.rep_delay
        if chosen is not None:
            return float(chosen)
        return float(getattr(self._backend, "default_rep_delay", None) or REP_DELAY_S)

    @property
    def least_rep_delay_s(self) -> float | None:
        """The smallest time between two executions that the device allows; None if fixed."""
        allowed = getattr(self._backend, "rep_delay_range", None)
        dynamic = getattr(self._backend, "dynamic_reprate_enabled", False)
        return float(allowed[0]) if allowed and dynamic else None

    def seconds_left(self) -> float | None:
        """QPU seconds that the instance has left; None where it has no limit."""
        usage = self._client.ask(self._client.service.usage)
        left = usage.get("usage_remaining_seconds")
        return None if left is None else float(left)

    def isa(self, unrolled: UnrolledCircuit) -> ISACircuit:
        """The circuit transpiled for the device, or the one that a run keeps."""
        return self._isas(unrolled)

    def use_isa(self, unrolled: UnrolledCircuit, isa: ISACircuit) -> None:
        """Use a circuit that was transpiled before; see `Resumable`."""
        self._isas.put(unrolled, isa)  # checked by `calibration` before it is submitted
        self._limits.clear()
        self._stated.clear()

    def occurrences(self, unrolled: UnrolledCircuit) -> OccurrenceTable:
        """The circuit's occurrences, their influence as a device's noise leaves it."""
        return self._tables(unrolled)

    def calibration(self, unrolled: UnrolledCircuit) -> Calibration:
        """What the device states of the circuit's qubits; see `Resumable`."""
        if time.monotonic() - self._asked > REFRESH_S:
            self._client.ask(self._backend.refresh)
            self._asked = time.monotonic()
            self._stated.clear()
        return self._stated(unrolled)

    def transpile_again(self, unrolled: UnrolledCircuit) -> ISACircuit:
        """Transpile for the device as it is now; see `Resumable`."""
        kept = self.isa(unrolled)
        options = replace(self._transpile, tiles=kept.num_tiles)
        isa = self._checked(to_isa(unrolled, self.target, options))
        self._isas.put(unrolled, isa)
        self._stated.clear()
        self._durations.put(unrolled, self._duration(unrolled))
        self._limits.clear()
        return isa

    def keep_session(
        self, recorded: str | None, save: Callable[[str], None], sharing: int = 1
    ) -> None:
        """Go on in a recorded session or batch, and tell the id of a new one."""
        self._mode.keep(recorded, save, sharing)

    def blocks(self, unrolled: UnrolledCircuit, rows: int, shots: int) -> list[Block]:
        """Rows and shots cut by what one job may hold; see `limits_of`."""
        isa = self.isa(unrolled)
        limits = self._limits(unrolled)
        return cut(
            rows,
            whole_shots(shots, isa.num_tiles) // isa.num_tiles,
            max_rows=limits.rows,
            max_shots=limits.shots,
            max_executions=limits.executions,
        )

    def seconds(self, unrolled: UnrolledCircuit, block: Block) -> float:
        """Predicted QPU seconds of a block, by IBM's formula."""
        each = self.rep_delay_s + self._durations(unrolled)
        return SECONDS_PER_JOB + each * block.executions

    def submit_block(
        self, unrolled: UnrolledCircuit, request: EvaluationRequest, block: Block, ticket: Ticket
    ) -> str:
        """Hand in a block as one PUB, once."""
        from qiskit_ibm_runtime.executor_sampler import Sampler

        isa = self.isa(unrolled)
        values = block_angles(unrolled, request.plan, isa.columns, block)
        check_angles(isa.circuit, values, self.name)
        status = self._client.ask(self._backend.status)
        if not status.operational:
            raise NotSent(f"{self.name} is not in operation now ({status.status_msg})")
        options = self._options.model_copy(deep=True)
        options.environment.job_tags = list(ticket.tags)
        longest = ibm_checks.MAX_SECONDS
        options.max_execution_time = min(longest, ticket.max_seconds or longest)
        mode = self._mode.open(ticket.session_seconds)
        with self._client.submitting(ticket.sending):
            sampler = Sampler(mode=mode, options=options)
            job = sampler.run([(isa.executed, values)], shots=block.shots)
            return self._remember(job)

    def listing(self, tag: str, since: float) -> list[Listed]:
        """The service's list of jobs with a tag."""
        start = datetime.datetime.fromtimestamp(since, datetime.UTC)
        # Not through `service.jobs`, which makes an object with its backend of each entry.
        client = self._client.service._active_api_client
        jobs = self._client.ask(
            lambda: client.jobs_get(limit=_MAX_LISTED, job_tags=[tag], created_after=start)["jobs"]
        )
        # Not every server filters: an entry without the tag must never be adopted.
        return [
            Listed(str(job["id"]), tuple(job.get("tags") or ()))
            for job in reversed(jobs)  # it lists the newest first
            if tag in (job.get("tags") or ())
        ]

    def tags(self, job: str) -> tuple[str, ...]:
        """Tags of a job."""
        return tuple(self._client.ask(lambda: self._client.service.job(job)).tags or ())

    def report(self, job: str) -> JobReport:
        """How a job stands, as the service sees it."""
        for _ in range(_MISSING_ASKED - 1):
            try:
                return self._report(job)
            except LookupError:  # it may come too early after a submission
                time.sleep(1.0)
        try:
            return self._report(job)
        except LookupError:
            return JobReport("gone", "the service does not know the job")

    def _report(self, job: str) -> JobReport:
        found = self._client.ask(lambda: self._job(job))
        try:
            status = self._client.ask(found.status)
        except LookupError:  # of the error's text, which the client takes for the job's
            status = self._client.ask(found.status)
        if status == "DONE":
            return JobReport("done")
        if status == "CANCELLED":
            return JobReport("cancelled", str(found._reason or "cancelled"))
        if status == "ERROR":
            reason = self._client.clean(found._reason or found._error_message or "no reason given")
            return JobReport("failed", reason, says_too_large(reason))
        return JobReport("running" if status == "RUNNING" else "queued")

    def fetch_block(self, unrolled: UnrolledCircuit, job: str, block: Block) -> PackedBits:
        """The outcomes of a job that is done."""
        found = self._client.ask(lambda: self._job(job))
        rows = block.stop - block.start
        tiles = self.isa(unrolled).tiles
        suffixes = [suffix(tile) for tile in range(len(tiles))] or [""]
        shape = unrolled.num_steps, unrolled.num_clbits
        try:
            registers = self._client.ask(lambda: registers_of(found))
        except LookupError:
            raise ResultsGone("the service has dropped the results") from None
        if registers is None:
            raise BadResult("the service sent empty results", empty=True)
        packed = packed_bits(registers, shape, suffixes, rows, block.shots)
        count = np.full(rows, len(suffixes) * block.shots, dtype=np.int64)
        return PackedBits(packed, count, *shape, unrolled.cell.postselected)

    def usage(self, job: str) -> float | None:
        """QPU seconds that the service charges for a job."""
        try:
            found = self._client.ask(lambda: self._job(job))
            usage = self._client.ask(found.metrics).get("usage") or {}
        except LookupError:
            return None
        seconds = usage.get("qpu_charge_time_seconds")
        if usage.get("status", "pending") == "pending" or seconds is None:
            return None
        return float(seconds)

    def cancel(self, job: str) -> bool:
        """Cancel a job that has not ended."""
        from qiskit_ibm_runtime import RuntimeInvalidStateError

        def stop() -> bool:
            try:
                found.cancel()
            except RuntimeInvalidStateError:
                return False
            return True

        try:
            found = self._client.ask(lambda: self._client.service.job(job))
            return self._client.ask(stop)
        except LookupError:
            return False

    def _choose(self, name: str) -> Any:
        from qiskit.providers.exceptions import QiskitBackendNotFoundError

        service = self._client.service

        def choose() -> Any:
            if name == "least_busy":
                return service.least_busy(
                    filters=lambda backend: _serves(backend.target), simulator=False
                )
            return service.backend(name)

        def attempt() -> Any:
            try:
                return choose()
            except QiskitBackendNotFoundError:
                return None

        found = self._client.ask(attempt)
        if found is None and name == "least_busy":
            raise BackendError(
                "no device that is online has measurement and reset in the middle of a circuit: "
                "see qrnn devices"
            )
        if found is None:
            names = self._client.ask(lambda: sorted(b.name for b in service.backends()))
            raise BackendError(
                f"backend.name = {name!r}: the account has no such device (any more); it has "
                f"{', '.join(names) or 'none'}"
            )
        return found

    def _checked(self, isa: ISACircuit) -> ISACircuit:
        check_circuit(isa.executed, self.target, self.name)
        check_options(self._given, isa.circuit, self._backend)
        return isa

    def _make_limits(self, unrolled: UnrolledCircuit) -> Limits:
        shots = getattr(self._backend, "max_shots", None)
        each = self.rep_delay_s + self._durations(unrolled)
        executed = self.isa(unrolled).executed
        return limits_of(executed, int(shots or ibm_checks.MAX_EXECUTIONS), each)

    def session_seconds(self) -> tuple[str, float] | None:
        """Id and cost of the open session; see `Resumable`."""
        return self._mode.seconds()

    def close_session(self) -> None:
        """Tell the service that no more jobs come; see `Resumable`."""
        self._mode.close()

    def _job(self, job: str) -> RuntimeJobV2:
        if job not in self._jobs:
            self._jobs[job] = self._client.service.job(job)
        return self._jobs[job]

    def _remember(self, job: RuntimeJobV2) -> str:
        name = str(job.job_id())
        self._jobs.setdefault(name, job)
        return name


def _serves(target: Any) -> bool:
    return all(target.instruction_supported(name) for name in ("measure", "reset"))
