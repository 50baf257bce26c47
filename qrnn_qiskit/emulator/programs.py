"""The programs that the service runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from qrnn_qiskit.emulator.executor_program import read_executor
from qrnn_qiskit.emulator.program import Program
from qrnn_qiskit.emulator.replies import Refusal
from qrnn_qiskit.emulator.sampler_program import read_sampler


def read_program(program_id: Literal["executor", "sampler"], params: Mapping[str, Any]) -> Program:
    """The work of a job.

    Raises:
        Refusal: status 400 if the params do not fit the client's models.
    """
    read = read_executor if program_id == "executor" else read_sampler
    try:
        return read(params)
    except Refusal:
        raise
    except Exception as error:  # the decoders raise whatever broken data makes them raise
        raise Refusal(400, f"params cannot be decoded: {error}") from error
