"""Executors: one protocol, seeds, chunks and jobs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit_aer import AerSimulator

from qrnn_qiskit import (
    AerExecutor,
    ExactExecutor,
    IBMExecutor,
    build_cell,
    evaluate,
    named_device_noise,
    simple_noise,
    unroll,
)
from qrnn_qiskit.errors import BackendError
from qrnn_qiskit.execution import aer_run
from qrnn_qiskit.execution.backends import exact
from qrnn_qiskit.execution.backends.aer import AerRun
from qrnn_qiskit.execution.executor import EvaluationRequest, Executor, SupportsExact, stream_seed
from qrnn_qiskit.gradients import EvaluationPlan, forward_plan

WEIGHTS = np.array([0.7, 1.9, 0.4, 2.3])
UNROLLED = unroll(build_cell("parity2"), 3)
EXECUTORS: dict[str, Callable[[], Executor]] = {
    "exact": ExactExecutor,
    "exact, noise": lambda: ExactExecutor(simple_noise(0.01, 0.02, 0.03)),
    "aer": AerExecutor,
    "aer, noise": lambda: AerExecutor(simple_noise(0.01, 0.02, 0.03)),
    "fake_marrakesh": lambda: IBMExecutor("fake_marrakesh"),
}


def plan_of(rows: int) -> EvaluationPlan:
    bits = np.random.default_rng(0).integers(0, 2, (rows, 3, 1)).astype(np.float64)
    return forward_plan(WEIGHTS, bits)


def sampled(executor: Executor, plan: EvaluationPlan, shots: int, seed: int) -> NDArray[np.uint8]:
    job = executor.submit(UNROLLED, EvaluationRequest(plan, shots, seed))
    assert executor.poll(job)
    return executor.fetch(job).packed


@pytest.mark.parametrize("name", EXECUTORS)
def test_bits_of_every_row_with_its_repeats(name: str) -> None:
    executor = EXECUTORS[name]()
    plan = plan_of(3).with_repeats(np.array([1, 3, 2]))
    bits = executor.fetch(executor.submit(UNROLLED, EvaluationRequest(plan, 20, 4)))
    assert bits.count.tolist() == [20, 60, 40]
    assert (bits.num_steps, bits.num_bits, len(bits.packed)) == (3, 1, 120)
    assert executor.name == ("fake_marrakesh" if "fake" in name else name.split(",")[0])


@pytest.mark.parametrize("name", EXECUTORS)
def test_same_seed_same_bits_on_a_new_executor(name: str) -> None:
    plan = plan_of(4)
    first = sampled(EXECUTORS[name](), plan, 50, 123)
    assert np.array_equal(sampled(EXECUTORS[name](), plan, 50, 123), first)
    other = sampled(EXECUTORS[name](), plan, 50, stream_seed(123, (1,)))
    # Equal by chance with probability below 2^-50.
    assert not np.array_equal(other, first)


@pytest.mark.parametrize("name", EXECUTORS)
def test_chunks_change_no_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(7).with_repeats(np.array([1, 2, 1, 3, 1, 1, 2]))
    whole = sampled(EXECUTORS[name](), plan, 30, 9)
    monkeypatch.setattr(aer_run, "CHUNK_SHOTS", 70)
    monkeypatch.setattr(exact, "CHUNK_SHOTS", 100)
    assert np.array_equal(sampled(EXECUTORS[name](), plan, 30, 9), whole)


def test_chunks_with_split_rows_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """5000 shots are measured as 1666 + 1667 + 1667, whatever the chunks."""
    plan = plan_of(3)
    whole = sampled(AerExecutor(), plan, 5000, 9)
    monkeypatch.setattr(aer_run, "CHUNK_SHOTS", 3400)
    assert np.array_equal(sampled(AerExecutor(), plan, 5000, 9), whole)


def windows(bits: NDArray[np.uint8], length: int) -> set[bytes]:
    """All runs of so many consecutive shots."""
    return {bits[i : i + length].tobytes() for i in range(len(bits) - length + 1)}


@pytest.mark.parametrize("name", ["exact", "aer"])
def test_equal_rows_repeats_and_requests_share_no_run_of_shots(name: str) -> None:
    """Three fair bits a shot: of all runs of thirty shots none agree by chance (below 1e-18)."""
    plan = forward_plan(np.array([np.pi / 2, 0.0, 0.0, 0.0]), np.zeros((2, 3, 1)))
    executor = EXECUTORS[name]()
    pieces = []
    for seed in (stream_seed(7, (0,)), stream_seed(7, (1,))):
        repeated = plan.with_repeats(np.array([1, 2]))
        job = executor.submit(UNROLLED, EvaluationRequest(repeated, 2500, seed))
        bits = executor.fetch(job).unpack(slice(None))
        pieces += [bits[:2500], bits[2500:5000], bits[5000:]]
    found = [windows(piece, 30) for piece in pieces]
    for i, first in enumerate(found):
        assert len(first) == 2500 - 29
        assert all(first.isdisjoint(second) for second in found[:i])


def test_rows_of_a_naive_run_are_copies() -> None:
    """Power of the test above: 2500 shots of two equal rows in one run of Aer."""
    isa = AerExecutor().isa(UNROLLED)
    angles = UNROLLED.angle_map.angles(np.array([np.pi / 2, 0, 0, 0]), np.zeros((2, 3, 1)))
    run = AerRun(AerSimulator(), isa.compact)
    first, second = run.bits(isa.parameter_values(angles), 2500, 7, (3, 1))
    assert not windows(first, 30).isdisjoint(windows(second, 30))


def test_a_job_is_handed_out_once() -> None:
    executor = ExactExecutor()
    job = executor.submit(UNROLLED, EvaluationRequest(plan_of(1), 5, 0))
    other = executor.submit(UNROLLED, EvaluationRequest(plan_of(1), 5, 0))
    assert job != other
    assert executor.poll(job)
    executor.fetch(job)
    assert not executor.poll(job)
    assert executor.poll(other)


@pytest.mark.parametrize("name", EXECUTORS)
def test_who_has_exact_values(name: str) -> None:
    executor = EXECUTORS[name]()
    assert isinstance(executor, SupportsExact) == name.startswith("exact")
    if not name.startswith("exact"):
        with pytest.raises(BackendError, match="only samples: set"):
            evaluate(UNROLLED, WEIGHTS, np.zeros((1, 3, 1)), executor=executor)


def test_exact_rows_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(20)
    whole = ExactExecutor().exact_outputs(UNROLLED, plan, "z").mean
    monkeypatch.setattr(exact, "CHUNK_ROWS", 3)
    pieces = ExactExecutor().exact_outputs(UNROLLED, plan, "z").mean
    assert pieces == pytest.approx(whole, abs=1e-15)


def test_device_noise_on_aer_is_of_the_circuit_that_the_fake_device_runs() -> None:
    """That their outcomes agree is shown with shots, against one reference."""
    aer = AerExecutor(named_device_noise("fake_marrakesh", idle=False))
    assert aer.isa(UNROLLED).circuit == IBMExecutor("fake_marrakesh").isa(UNROLLED).circuit


def test_the_local_mode_of_the_client_rounds_no_angle(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself it rounds to 1.6e-5, more than the steps of a finite difference can be."""
    from qiskit_ibm_runtime.fake_provider.executor import run_quantum_program as local

    usual = local._round_to_clifford
    changes = []

    def rounded(values: NDArray[np.float64], decimals: int) -> NDArray[np.float64]:
        found: NDArray[np.float64] = usual(values, decimals)
        changes.append((np.abs(usual(values, 5) - values).max(), np.abs(found - values).max()))
        return found

    monkeypatch.setattr(local, "_round_to_clifford", rounded)
    sampled(IBMExecutor("fake_marrakesh"), plan_of(2), 5, 1)
    assert changes
    assert max(by_default for by_default, _ in changes) > 1e-7, "no angle that shows it"
    assert max(by_us for _, by_us in changes) < 1e-14


def test_refused_devices() -> None:
    with pytest.raises(BackendError, match="a real one is for job files, or DeviceExecutor"):
        IBMExecutor("ibm_marrakesh")
    with pytest.raises(BackendError, match="device 'fake_mars' is unknown"):
        IBMExecutor("fake_mars")
