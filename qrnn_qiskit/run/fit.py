"""A training without a run directory of its own, for doors that keep its result themselves."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.plugins import OPTIMIZERS
from qrnn_qiskit.run.cost.account import Account
from qrnn_qiskit.run.cost.plan import check_budget
from qrnn_qiskit.run.record.checkpoint import TrainingState
from qrnn_qiskit.run.record.directory import RunDirectory
from qrnn_qiskit.run.reporter import Reporter
from qrnn_qiskit.run.setup import make_evaluator, make_setup
from qrnn_qiskit.run.train import Training
from qrnn_qiskit.spec.job import Job


def fit(job: Job, splits: Splits, reporter: Reporter) -> TrainingState:
    """Train as a job says on the given data, and leave nothing on disk.

    Without a ledger: a real device, whose results must be recorded, is refused.

    Raises:
        QRNNError: saying what does not fit.
    """
    setup = make_setup(job, splits)
    optimizer = OPTIMIZERS.build(job.optimizer.name, job.optimizer.options)
    check_budget(setup)
    account = Account(setup)
    evaluator = make_evaluator(setup, charge=account.charge)
    with TemporaryDirectory(prefix="qrnn-") as folder:
        directory = RunDirectory.create(Path(folder) / "run", {})
        return Training(setup, evaluator, account, directory, reporter).run(optimizer)
