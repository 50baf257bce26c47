"""Requests to several devices at once, each in a thread; the ledger is all that they share."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from qrnn_qiskit.execution.bits import PackedBits
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.execution.service import JobService
from qrnn_qiskit.run.service.standing import left_behind
from qrnn_qiskit.run.service.submission import Submission

Part = tuple[JobService, str, str, EvaluationRequest]
"""Service, address, digest and request."""


def bits_of_all(submission: Submission, parts: Sequence[Part]) -> list[PackedBits]:
    """The outcomes of several requests, each on a device of its own.

    Raises:
        QRNNError: as `Submission.bits`; of several the first, after all others have come as far as
            they can.
        KeyboardInterrupt: if the run was interrupted; saying what is under way.
    """
    halt = threading.Event()

    def bits(part: Part) -> PackedBits:
        service, address, digest, request = part
        try:
            return submission.in_thread(service, halt).bits(address, digest, request)
        except KeyboardInterrupt:
            halt.set()
            raise

    with ThreadPoolExecutor(len(parts)) as pool:
        futures = [pool.submit(bits, part) for part in parts]
        try:
            wait(futures)
        except KeyboardInterrupt:
            halt.set()
            wait(futures)
    if halt.is_set():
        raise KeyboardInterrupt(left_behind(submission.ledger))
    return [future.result() for future in futures]
