"""The emulated service as a whole: starts, says how to reach it, counts, stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, final

from qrnn_qiskit.emulator.address import Reachable
from qrnn_qiskit.emulator.devices import Device, DeviceState
from qrnn_qiskit.emulator.exact import DeviceRunner
from qrnn_qiskit.emulator.faults import Fault, FaultTable
from qrnn_qiskit.emulator.handling import Parts
from qrnn_qiskit.emulator.instances import Instances
from qrnn_qiskit.emulator.jobs import Job
from qrnn_qiskit.emulator.server import RequestLog, Seen, Server
from qrnn_qiskit.emulator.simulate import Runner
from qrnn_qiskit.emulator.state import State
from qrnn_qiskit.emulator.tokens import Tokens
from qrnn_qiskit.emulator.worker import Worker


@final
class EmulatedService(Reachable):
    """An IBM Quantum service on loopback; a context manager.

    with EmulatedService() as service, service.environment():
        client = QiskitRuntimeService(**service.client_kwargs())
    """

    def __init__(
        self,
        devices: Sequence[Device | str] = ("ibm_marrakesh",),
        *,
        seed: int = 0,
        runner: Runner | None = None,
        faults: Sequence[Fault] = (),
        state_dir: Path | None = None,
        port: int = 0,
        instances: Sequence[str] = ("rehearsal",),
        queue_seconds: float = 0.0,
        run_seconds: float = 0.0,
        token_seconds: float = 3600.0,
        usage_limit: float | None = None,
        usage_delay: float = 0.0,
        charge_factor: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a service; it listens from `start`, or inside a `with`.

        Args:
            devices: by name or in full.
            seed: with the content of a job it gives the job's shots.
            runner: what executes circuits; None takes `DeviceRunner`, under the device's noise.
            faults: that requests meet.
            state_dir: keeps jobs and sessions; a service started there again goes on with them.
            port: of loopback; 0 takes a free one.
            instances: names of the account's instances, the first the one that clients get.
            queue_seconds: how long each job is queued.
            run_seconds: how long each job runs at least.
            token_seconds: lifetime of an access token.
            usage_limit: QPU seconds of each instance; None for no limit.
            usage_delay: seconds from a job's end until its usage is known.
            charge_factor: QPU seconds charged over those estimated.
            clock: seconds since the epoch.

        Raises:
            BackendError: if there is no snapshot of a device.
        """
        known = [Device(d) if isinstance(d, str) else d for d in devices]
        self.faults = FaultTable(faults)
        self._state = State(known, clock, state_dir, queue_seconds, usage_limit, usage_delay)
        self._tokens = Tokens(token_seconds, clock)
        self._instances = Instances(instances)
        self._runner = runner or DeviceRunner()
        self._seed = seed
        self._run_seconds = run_seconds
        self._charge_factor = charge_factor
        self._port = port
        self._log = RequestLog()
        self._server: Server | None = None
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Listen, and run jobs."""
        parts = Parts(self._state, self._tokens, self._instances)
        self._server = Server(parts, self.faults, self._log, self._port)
        self._port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="emulated service", daemon=True
        )
        self._thread.start()
        self._worker = Worker(
            self._state, self._runner, self._seed, self._run_seconds, self._charge_factor
        )
        self._worker.start()
        return self

    def stop(self) -> None:
        """Stop listening; the state stays, and `start` goes on with it on the same port."""
        if self._server is None or self._thread is None or self._worker is None:
            return
        self._server.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._worker.stop()
        self._server = self._worker = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """Where the service listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def instance(self) -> str:
        """Resource name of the first instance."""
        return next(iter(self._instances.crns.values()))

    @property
    def requests(self) -> list[Seen]:
        """All requests so far."""
        return self._log.all()

    def count(self, route: str) -> int:
        """Requests of a route so far, such as `POST /jobs`; also those that met a fault."""
        return sum(seen.route == route for seen in self.requests)

    @property
    def jobs(self) -> list[Job]:
        """Copies of all jobs, oldest first."""
        with self._state.changed:
            return [job.model_copy(deep=True) for job in self._state.jobs()]

    def consumed_seconds(self, instance: str | None = None) -> float:
        """QPU seconds charged so far to an instance, by default the first."""
        return self._state.consumed(instance or self.instance)

    def cancel_job(self, job_id: str) -> None:
        """Cancel a job from outside, as its owner could on the web page.

        Raises:
            Refusal: if it is unknown or has ended.
        """
        self._state.cancel(job_id)

    def lose_results(self, job_id: str) -> None:
        """Throw the results of a job away.

        Raises:
            Refusal: if it is unknown.
        """
        with self._state.changed:
            job = self._state.job(job_id)
            job.results = None
            self._state.save(job)

    def close_session(self, session_id: str) -> None:
        """Close a session from outside.

        Raises:
            Refusal: if it is unknown.
        """
        self._state.close_session(session_id)

    def set_device_state(self, name: str, state: DeviceState) -> None:
        """Take a device offline, pause it, retire it, or bring it back.

        Raises:
            KeyError: if there is no such device.
        """
        self._state.set_device_state(name, state)

    def recalibrate(
        self,
        name: str,
        date: str,
        error_scale: float = 1.0,
        faulty: Sequence[int] = (),
    ) -> None:
        """Let a device state another calibration; the noise of its shots stays.

        Args:
            name: of the device.
            date: of the calibration, ISO 8601.
            error_scale: errors over those of the snapshot.
            faulty: qubits out of service.

        Raises:
            KeyError: if there is no such device.
        """
        with self._state.changed:
            self._state.devices.recalibrate(name, date, error_scale, tuple(faulty))

    def expire_tokens(self) -> None:
        """Let all tokens issued so far be out of date."""
        self._tokens.expire()

    def hold(self) -> None:
        """Start no queued job until `release`."""
        self._state.hold(True)

    def release(self) -> None:
        """Let queued jobs start again."""
        self._state.hold(False)

    def wait_until_idle(self, timeout: float = 60.0) -> None:
        """Wait until no job is queued or running.

        Raises:
            TimeoutError: if one still is.
        """
        with self._state.changed:
            idle = self._state.changed.wait_for(
                lambda: all(job.is_final for job in self._state.jobs()), timeout
            )
        if not idle:
            raise TimeoutError(f"jobs still run after {timeout:g} s")
