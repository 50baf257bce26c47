"""Functions of a notebook on a device of the service: recorded, replayed, never paid twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qrnn_qiskit import (
    DeviceExecutor,
    ParameterShift,
    ScriptRun,
    build_cell,
    evaluate,
    gradient,
    unroll,
)
from qrnn_qiskit.emulator import EmulatedService
from qrnn_qiskit.errors import BudgetError, PendingError, RunError
from tests.integration.service_harness import DEVICE, ideal_service
from tests.integration.test_service_commands import point_at

UNROLLED = unroll(build_cell("parity2"), 2)
WEIGHTS = np.linspace(0.1, 0.7, 4)
X = np.full((1, 2, 1), 0.4)
Y = np.zeros((1, 2, 1))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedService]:
    with ideal_service() as running:
        point_at(running, monkeypatch)
        yield running


def notebook(run: ScriptRun, weights: np.ndarray = WEIGHTS) -> tuple[np.ndarray, np.ndarray]:
    """Two cells of a notebook."""
    executor = DeviceExecutor(DEVICE, run)
    outputs = evaluate(UNROLLED, weights, X, executor=executor, shots=16, seed=1)
    found = gradient(
        UNROLLED, weights, X, Y, executor=executor, rule=ParameterShift(), shots=8, seed=2
    )
    return outputs.mean, found.gradient.mean


def test_a_notebook_that_is_started_again_pays_nothing(
    service: EmulatedService, tmp_path: Path
) -> None:
    place = tmp_path / "run"
    with ScriptRun(place) as run, pytest.raises(BudgetError, match="the run has no budget"):
        notebook(run)
    assert service.jobs == []
    service.hold()
    with ScriptRun(place, qpu_seconds=60.0, wait=False) as run, pytest.raises(PendingError):
        notebook(run)
    service.release()
    with ScriptRun(place, qpu_seconds=60.0) as run:
        first = notebook(run)
        assert run.qpu_jobs == len(service.jobs) == 2
    with ScriptRun(place, qpu_seconds=60.0) as run:
        again = notebook(run)
    assert len(service.jobs) == 2
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    with (
        ScriptRun(place, qpu_seconds=60.0) as run,
        pytest.raises(RunError, match="holds other work at layer-1/call-0"),
    ):
        notebook(run, WEIGHTS + 0.1)
    assert len(service.jobs) == 2
