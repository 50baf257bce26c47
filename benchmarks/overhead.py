"""What the coordinator of a run on a device costs itself: time and memory of a training step.

    python -m benchmarks.overhead [--rows 2500] [--shots 1000]

A training step is planned, submitted, recorded, fetched, decoded and contracted against the
emulated service, with the real client. The service runs in another process and answers with coin
tosses, so that neither its time nor a simulator's counts. Time is CPU time of the coordinator's
process, memory its greatest resident set, the imported libraries included.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from qrnn_qiskit.execution.service import Block
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.reporter import Silent, StepReport

STEPS = 20
DEVICE = "ibm_marrakesh"
JOBS = 10_000


def serve(pipe: Connection) -> None:
    """An emulated service without a simulator, until anything is sent."""
    from qrnn_qiskit.emulator import EmulatedService
    from qrnn_qiskit.emulator.simulate import RunRequest

    def coins(request: RunRequest) -> dict[str, Any]:
        random = np.random.default_rng(request.seed)
        shape = len(request.angles), request.shots
        return {
            register.name: random.random((*shape, register.size)) < 0.3
            for register in request.circuit.cregs
        }

    with EmulatedService([DEVICE], runner=coins) as service:
        pipe.send((service.base_url, service.instance))
        pipe.recv()


class Clock(Silent):
    """Notes when each training step is done."""

    def __init__(self) -> None:
        self.seconds = [time.process_time()]
        self.rows: list[int] = []

    def step(self, report: StepReport) -> None:
        """Note the time."""
        self.seconds.append(time.process_time())
        self.rows.append(report.gradient.rows if report.gradient else 0)


def peak_mb() -> float:
    """The greatest resident set so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def train(rows: int, shots: int, folder: Path) -> None:
    """Three training steps; the first one transpiles."""
    from qrnn_qiskit.emulator import Address
    from qrnn_qiskit.execution.backends import ibm_client
    from qrnn_qiskit.run.jobs import run_job

    per_sequence = 993  # of this cell by parameter shift
    batch = max(1, round(rows / per_sequence))
    random = np.random.default_rng(1)
    data: dict[str, Any] = {
        "features": random.uniform(-0.9, 0.9, (batch, STEPS, 1)),
        "targets": random.uniform(-0.5, 0.5, (batch, STEPS, 1)),
    }
    np.savez(folder / "data.npz", **data)
    job = folder / "job.toml"
    job.write_text(
        f"""
kind = "train"
defaults = ["cell/viqueira_emcz2", "optimizer/adam"]
data = {{ file = "data.npz" }}
backend = {{ name = "{DEVICE}", shots = {shots} }}
gradient = {{ method = "parameter_shift" }}
training = {{ steps = 3 }}
budget = {{ qpu_seconds = 1e9 }}
""",
        encoding="utf-8",
    )
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,))
    process.start()
    address = Address(*mine.recv())
    clock = Clock()
    before = dict(ibm_client.arguments)
    try:
        with address.environment():
            ibm_client.arguments.update(address.client_kwargs())
            run_job(job, run_dir=folder / "run", reporter=clock)
    finally:
        ibm_client.arguments.clear()
        ibm_client.arguments.update(before)
        mine.send(None)
        process.join()
    seconds = np.diff(clock.seconds)
    print(f"{clock.rows[-1]:,} rows × {shots:,} shots × {STEPS} steps")
    print(f"training step after the first: {seconds[-1]:.2f} s of CPU time")
    print(f"first one, transpilation included: {seconds[0]:.2f} s")
    print(f"greatest resident set: {peak_mb():,.0f} MB")


def list_jobs(folder: Path) -> None:
    """How long a ledger of many jobs takes to list."""
    ledger = Ledger(folder)
    block = Block(0, 10, 0, 100)
    with ledger._transaction():
        for number in range(JOBS // 10):
            ledger._insert_request(f"step-{number}/gradient", "digest", 1000, "plan.npz")
            for attempt in range(10):
                ledger._insert_job(
                    f"step-{number}/gradient", block, attempt, f"{number}-{attempt}", DEVICE, 2.0
                )
        ledger._execute("UPDATE job SET state = 'completed', job = 'job-' || number, used = 2.1")
    ledger.close()
    began = time.process_time()
    ledger = Ledger(folder, looking=True)
    count, spent = len(ledger.jobs()), ledger.spending()
    ledger.close()
    listed = time.process_time() - began
    print(f"{count:,} jobs listed in {listed:.3f} s ({spent.charged:,.0f} s charged)")


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--shots", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        list_jobs(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        train(arguments.rows, arguments.shots, Path(folder))


if __name__ == "__main__":
    main()
