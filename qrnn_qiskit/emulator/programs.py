"""The programs that the service runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from qrnn_qiskit.emulator.executor_program import read_executor
from qrnn_qiskit.emulator.program import Program
from qrnn_qiskit.emulator.sampler_program import read_sampler


def read_program(program_id: Literal["executor", "sampler"], params: Mapping[str, Any]) -> Program:
    """The work of a job.

    Raises:
        Refusal: status 400 if the params do not fit the client's models.
    """
    return read_executor(params) if program_id == "executor" else read_sampler(params)
