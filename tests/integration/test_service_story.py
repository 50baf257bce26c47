"""Any order of misfortunes over HTTP, with the real client: paid once, nothing lost, same bits.

A state machine of hypothesis: processes that come as far as they can and crash at any point of the
ledger, a service that meets them with any of the faults, an owner who cancels and deletes, a device
that goes and comes back. When the story ends everything is well again, and the run finishes.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from qrnn_qiskit import UnrolledCircuit, build_cell, unroll
from qrnn_qiskit.emulator import EmulatedService
from qrnn_qiskit.errors import BackendError, JobError, PendingError
from qrnn_qiskit.execution.backends import ibm_client
from qrnn_qiskit.execution.backends.ibm_options import ServiceOptions
from qrnn_qiskit.execution.backends.ibm_service import ServiceExecutor
from qrnn_qiskit.execution.executor import EvaluationRequest
from qrnn_qiskit.gradients.plan import forward_plan
from qrnn_qiskit.run.record import ledger as ledger_module
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.ledger_format import ENDED
from qrnn_qiskit.run.service import submission as submission_module
from qrnn_qiskit.run.service import waiting
from qrnn_qiskit.run.service.submission import Submission
from tests.emulated import coins
from tests.integration.service_harness import DEVICE
from tests.integration.test_service_faults import FAULTS

UNROLLED: UnrolledCircuit = unroll(build_cell("parity2"), 2)
SHOTS = 8
ADDRESSES = ("first", "second")
# Two halves have other shots than the whole, and a fault that waits costs seconds.
USED = sorted(
    name
    for name, faults in FAULTS.items()
    if name != "job failed for its size" and not any("hang" in fault.action for fault in faults)
)


class Crash(BaseException):
    """Where a process ends; nothing catches it."""


def request(address: str) -> EvaluationRequest:
    features = np.full((2, 2, 1), 0.3 + ADDRESSES.index(address))
    return EvaluationRequest(forward_plan(np.linspace(0.1, 0.4, 4), features), SHOTS, 1)


@pytest.fixture(autouse=True, scope="module")
def hurried() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "FIRST_POLL_S", 0.0)
        patch.setattr(submission_module, "GRACE_S", 0.02)
        patch.setattr("qrnn_qiskit.execution.backends.ibm_service._MISSING_ASKED", 1)
        yield


class Story(RuleBasedStateMachine):
    """One run of two requests, and all that may befall it."""

    undisturbed: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.service = EmulatedService([DEVICE], runner=coins, seed=5).start()
        self.patch = pytest.MonkeyPatch()
        for name, value in self.service.client_environment.items():
            self.patch.setenv(name, value)
        self.patch.setattr(ibm_client, "arguments", self.service.client_kwargs())
        self.executor: ServiceExecutor | None = None
        self.lost: set[str] = set()

    # -- what happens

    @rule(name=st.sampled_from(USED))
    def misfortune(self, name: str) -> None:
        for fault in FAULTS[name]:
            self.service.faults.add(fault)
            if fault.action == "lose_results":
                self.lost.add(name)

    @rule(crash=st.integers(0, 12))
    def process(self, crash: int) -> None:
        """One that comes as far as it can, or to its crash."""
        self.work(crash)

    @rule()
    def patient_process(self) -> None:
        """One that nothing befalls."""
        self.service.wait_until_idle() if self.moves else None
        self.work(-1)

    @rule(state=st.sampled_from(["online", "paused", "offline"]))
    def device(self, state: Any) -> None:
        self.service.set_device_state(DEVICE, state)

    @rule()
    def owner_cancels(self) -> None:
        for job in self.service.jobs:
            if not job.is_final:
                self.service.cancel_job(job.id)
                return

    @rule()
    def tokens_expire(self) -> None:
        self.service.expire_tokens()

    @invariant()
    def nothing_is_accepted_twice(self) -> None:
        tags = Counter(job.tags[0] for job in self.service.jobs)
        assert max(tags.values(), default=0) <= 1

    @property
    def moves(self) -> bool:
        return self.service._state.devices.is_online(DEVICE)

    # -- processes

    def work(self, crash: int) -> dict[str, Any] | None:
        left = crash

        def reached(point: str) -> None:
            nonlocal left
            left -= 1
            if left == -1:
                raise Crash

        ledger = Ledger(Path(self.folder.name))
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ledger_module, "reached", reached if crash >= 0 else lambda p: None)
                if self.executor is None:
                    self.executor = ServiceExecutor(ServiceOptions(DEVICE))
                run = Submission(ledger, self.executor, UNROLLED, wait=False)
                return {
                    address: run.bits(address, "digest", request(address)).packed.tobytes()
                    for address in ADDRESSES
                }
        except Crash:
            self.executor = None
        except PendingError as pending:
            if "qrnn resolve" in str(pending):
                self.decide(ledger)
        except JobError:
            for row in ledger.jobs(states=ENDED):  # the person consents to pay again
                if not row.replaced:
                    ledger.ended(row, row.state, row.reason, [(row.block, row.predicted)])
        except BackendError:  # no connection, or no access token for now
            self.executor = None
        finally:
            ledger.close()
        return None

    def decide(self, ledger: Ledger) -> None:
        """The person looks at the service's page."""
        for row in ledger.jobs(states=["sending"]):
            found = [job.id for job in self.service.jobs if row.tag in job.tags]
            if found:
                ledger.submitted(row.number, found[0])
            else:
                ledger.not_sent(row.number, "decided")

    # -- the end

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            self.patch.undo()
            self.service.stop()
            self.folder.cleanup()

    def finish(self) -> None:
        self.service.faults.clear()
        self.service.set_device_state(DEVICE, "online")
        for _ in range(40):
            self.service.wait_until_idle()
            if (found := self.work(-1)) is not None:
                break
        else:
            raise AssertionError("the run does not end")
        assert found == self.undisturbed, "other bits than those of the undisturbed run"
        ledger = Ledger(Path(self.folder.name), looking=True)
        rows = {row.job: row for row in ledger.jobs()}
        ledger.close()
        assert {job.id for job in self.service.jobs} == set(rows)
        for job in self.service.jobs:
            whole = job.status == "Completed" and job.fate.end == ""
            state = rows[job.id].state
            assert state == "completed" if whole else state in ENDED, "a paid result was lost"
        self.nothing_is_accepted_twice()


@pytest.fixture(scope="module")
def undisturbed() -> None:
    story = Story()
    for _ in range(20):
        story.service.wait_until_idle()
        if (found := story.work(-1)) is not None:
            Story.undisturbed = found
    story.teardown()
    assert len(Story.undisturbed) == len(ADDRESSES)


COMMON: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "print_blob": True,
}


def play(examples: int, steps: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    chosen = settings(max_examples=examples, stateful_step_count=steps, **COMMON)
    run_state_machine_as_test(Story, settings=chosen)


@pytest.mark.usefixtures("undisturbed")
def test_a_few_stories() -> None:
    play(4, 8)


@pytest.mark.slow
@pytest.mark.usefixtures("undisturbed")
def test_many_stories() -> None:
    play(150, 20)
