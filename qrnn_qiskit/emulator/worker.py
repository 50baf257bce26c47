"""The thread that runs queued jobs, one after the other."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import final

import numpy as np

from qrnn_qiskit.emulator.cost import not_isa
from qrnn_qiskit.emulator.jobs import RAN_TOO_LONG, Job
from qrnn_qiskit.emulator.program import Arrays, Program, content_seed
from qrnn_qiskit.emulator.programs import read_program
from qrnn_qiskit.emulator.simulate import Runner, RunRequest
from qrnn_qiskit.emulator.state import State


@final
class Worker:
    """Runs the jobs of a service."""

    def __init__(self, state: State, runner: Runner, seed: int, run_seconds: float) -> None:
        """Make a worker; `start` lets it work.

        Args:
            state: of the service.
            runner: what executes circuits.
            seed: of the service.
            run_seconds: how long a job is shown as running at least.
        """
        self._state = state
        self._runner = runner
        self._seed = seed
        self._run_seconds = run_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="emulated QPU", daemon=True)

    def start(self) -> None:
        """Begin to run jobs."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the present job."""
        self._stopped.set()
        with self._state.changed:
            self._state.changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.is_set():
            with self._state.changed:
                job = self._state.start_next()
                if job is None:
                    self._state.changed.wait(self._state.seconds_to_next())
                    continue
            self._run(job)

    def _run(self, job: Job) -> None:
        fault, results = self._execute(job)
        self._stopped.wait(self._run_seconds)
        with self._state.changed:
            if job.is_final:  # cancelled meanwhile
                return
            self._finish(job, fault, results)
            self._state.save(job)

    def _execute(self, job: Job) -> tuple[str | None, str | None]:
        """Why a job fails, or the text of its results."""
        if job.fate.end in ("fail_job", "cancel_job"):
            return job.fate.reason, None
        program = read_program(job.request.program_id, job.request.params)
        device = self._state.devices.known(job.request.backend)
        foreign = not_isa(program, device.target)
        if foreign is not None:
            return foreign, None
        try:
            return None, self._results(job, program, device.fake_name)
        except Exception:  # the job fails, the service lives on
            return traceback.format_exc(limit=-3), None

    def _finish(self, job: Job, fault: str | None, results: str | None) -> None:
        now, limit = self._state.now(), job.request.cost
        if job.fate.end == "cancel_job":
            job.end("Cancelled", now)
        elif fault is not None:
            job.end("Failed", now, fault, job.fate.code)
        elif limit is not None and job.estimated_seconds > limit:
            job.charged_seconds = float(limit)
            job.end("Cancelled", now, "the job ran too long", RAN_TOO_LONG)
        else:
            job.charged_seconds = job.estimated_seconds
            job.results = None if job.fate.end == "lose_results" else results
            job.end("Completed", now)

    def _results(self, job: Job, program: Program, fake_name: str) -> str:
        if job.fate.end == "empty_results":
            return ""
        seed = content_seed(program, job.request.backend, self._seed)
        arrays: Sequence[Arrays] = [
            self._item(program, index, fake_name, seed) for index in range(len(program.items))
        ]
        if job.fate.end == "wrong_shape":
            arrays = _misshapen(arrays)
        start = datetime.fromtimestamp(job.started or 0.0, UTC)
        stop = datetime.fromtimestamp(self._state.now(), UTC)
        return program.encode(arrays, start, stop)

    def _item(self, program: Program, index: int, fake_name: str, seed: int) -> Arrays:
        item = program.items[index]
        streams = np.random.SeedSequence(seed, spawn_key=(index,))
        draw, run = streams.generate_state(2, np.uint64) >> np.uint64(2)
        values = item.values(np.random.default_rng(int(draw)))
        rows = values.angles.reshape(int(np.prod(item.shape, dtype=int)), -1)
        request = RunRequest(item.circuit, rows, item.shots, int(run), fake_name)
        bits = self._runner(request)
        shaped = {name: a.reshape(*item.shape, *a.shape[1:]) for name, a in bits.items()}
        return {**shaped, **values.extra}


def _misshapen(arrays: Sequence[Arrays]) -> list[Arrays]:
    """Results that lack the last shot."""
    return [{name: a[..., :-1, :] for name, a in item.items()} for item in arrays]
