"""Calibrations change from day to day: whether a run's circuit still fits the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from qrnn_qiskit.circuit import UnrolledCircuit
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution.service import Calibration, JobService, Resumable, Unreachable
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.spec.backend import BackendSpec

_ERRORS: Final = "errors at the start on"


@final
class Drift:
    """Looks at a device before each request of a run, and acts as `backend.drift` says."""

    def __init__(
        self,
        spec: BackendSpec,
        unrolled: UnrolledCircuit,
        ledger: Ledger,
        keep: Callable[[Resumable], None],
        notify: Callable[[str], None],
    ) -> None:
        """Make one for a run.

        Args:
            spec: of the job.
            unrolled: the run's circuit.
            ledger: keeps the calibrations, and what was predicted at the start.
            keep: called with a device whose circuit was transpiled again.
            notify: told of that.
        """
        self._spec = spec
        self._unrolled = unrolled
        self._ledger = ledger
        self._keep = keep
        self._notify = notify

    def __call__(self, service: JobService) -> Calibration | None:
        """The device's calibration; None where there is none.

        Raises:
            BackendError: if the circuit does not fit the device any more, and the job does not
                say what then.
            Unreachable: if the service does not answer.
        """
        if not isinstance(service, Resumable):
            return None
        try:
            now = service.calibration(self._unrolled)
            problem = self._problem(service.name, now)
        except Unreachable:
            raise
        except BackendError as error:
            now, problem = None, str(error)
        if problem is not None and self._spec.drift == "retranspile":
            service.transpile_again(self._unrolled)
            self._keep(service)
            now = service.calibration(self._unrolled)
            self._ledger.set_fact(f"{_ERRORS} {service.name}", repr(now.errors))
            self._notify(f"{problem}: transpiled again (backend.drift)")
        elif problem is not None and (now is None or self._spec.drift == "stop"):
            raise BackendError(
                f"{problem}. Continue the run with --set backend.drift=retranspile, which puts "
                "its circuit where the device errs least now, or"
                f"{' with backend.drift=ignore, or' if now else ''} wait for the next calibration"
            )
        if now is not None:
            self._ledger.note_calibration(service.name, now.date, now.content)
        return now

    def _problem(self, device: str, now: Calibration) -> str | None:
        """What is wrong with a calibration, compared with that at the start."""
        fact = f"{_ERRORS} {device}"
        first = self._ledger.fact(fact)
        if first is None:
            self._ledger.set_fact(fact, repr(now.errors))
            return None
        limit = self._spec.drift_factor * float(first)
        if now.errors <= limit:
            return None
        return (
            f"by its calibration of {now.date} {device} makes {now.errors:.3g} errors in an "
            f"execution of the run's circuit, at its start {float(first):.3g}, and at most "
            f"backend.drift_factor = {self._spec.drift_factor:g} times as many are allowed"
        )
