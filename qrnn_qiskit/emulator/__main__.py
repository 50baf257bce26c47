"""`python -m qrnn_qiskit.emulator`: the service as a process of its own.

Prints one line of JSON, `{"base_url": …, "instance": …}`, once it listens, and runs until it is
interrupted.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from qrnn_qiskit.emulator.exact import DeviceRunner
from qrnn_qiskit.emulator.faults import read_faults
from qrnn_qiskit.emulator.service import EmulatedService
from qrnn_qiskit.errors import QRNNError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the service until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m qrnn_qiskit.emulator", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="of loopback; 0 takes a free one")
    add("--backend", action="append", help="such as ibm_marrakesh; may be repeated")
    add("--state", type=Path, help="directory that keeps jobs and sessions")
    add("--faults", type=Path, help="JSON file with a list of faults")
    add("--seed", type=int, default=0, help="of all shots")
    add("--ideal", action="store_true", help="run circuits without the device's noise")
    add("--queue-seconds", type=float, default=0.0, help="how long each job is queued")
    add("--usage-limit", type=float, help="QPU seconds of the instance")
    given = parser.parse_args(arguments)
    try:
        service = EmulatedService(
            given.backend or ["ibm_marrakesh"],
            seed=given.seed,
            runner=DeviceRunner(noise=not given.ideal),
            faults=read_faults(given.faults) if given.faults else (),
            state_dir=given.state,
            port=given.port,
            queue_seconds=given.queue_seconds,
            usage_limit=given.usage_limit,
        )
    except QRNNError as error:
        parser.error(str(error))
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before any thread, so that all inherit it
    with service:
        line = {"base_url": service.base_url, "instance": service.instance}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        signal.sigwait(signals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
