"""A run from its job file to its finished directory: started, or continued after a kill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from qrnn_qiskit.circuit.export import to_qasm
from qrnn_qiskit.errors import BudgetError, PendingError, RunError, SpecError
from qrnn_qiskit.learning.plugins import OPTIMIZERS
from qrnn_qiskit.markup import html_records, html_table
from qrnn_qiskit.run.baselines import check_baselines
from qrnn_qiskit.run.cost.account import Account
from qrnn_qiskit.run.cost.plan import check_budget
from qrnn_qiskit.run.forecast import compare
from qrnn_qiskit.run.record import checkpoint
from qrnn_qiskit.run.record.directory import (
    SCRIPT,
    RunDirectory,
    check_writable,
    default_path,
    is_run,
)
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.place import check_local, ledger_folder, put_ledger
from qrnn_qiskit.run.record.provenance import provenance
from qrnn_qiskit.run.reporter import Reporter, Silent
from qrnn_qiskit.run.reservoir import check_reservoir
from qrnn_qiskit.run.service.hardware import (
    keep_circuit,
    open_submission,
    session_held,
    use_kept_circuit,
    with_device,
)
from qrnn_qiskit.run.service.tile_report import check_crosstalk, tile_places
from qrnn_qiskit.run.setup import Setup, describe, make_evaluator, make_setup
from qrnn_qiskit.run.train import Training
from qrnn_qiskit.spec.compose import job_from_dict, job_to_dict, load_job, override_job
from qrnn_qiskit.spec.job import Job

_CHANGED = {
    "cell_digest": "the cell has changed",
    "data_digest": "the data have changed",
    "initial_digest": "the initial weights have changed",
}
_LOCAL = "give --ledger-dir DIR, a folder on a local disk; all else may stay where it is"


@final
@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run left.

    Attributes:
        run_dir: its directory.
        table: the comparison with baselines; empty without held-out data.
        summary: steps, losses, shots, the verdict and the paper's figure, as JSON-able values.
    """

    run_dir: Path
    table: list[dict[str, Any]]
    summary: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"run_dir": str(self.run_dir), **self.summary, "table": self.table}

    def _repr_html_(self) -> str:
        """For notebooks: what came out, and the comparison with baselines."""
        parts = [html_table(("run", str(self.run_dir)), self.summary.items())]
        if self.table:
            parts.append(html_records(self.table, "held-out data"))
        return "\n".join(parts)


def run_job(
    source: str | Path,
    *,
    overrides: Sequence[str] = (),
    run_dir: Path | None = None,
    ledger_dir: Path | None = None,
    wait: bool = True,
    reporter: Reporter | None = None,
) -> RunResult:
    """Train as a job file says, or continue a run.

    Args:
        source: a job file (or its name in the library), or a run directory.
        overrides: `key=value` settings; for a run only those of `budget`.
        run_dir: where a new run is kept; `runs/<date>-<job>-<id>` by default.
        ledger_dir: where the ledger is kept, if not in the run's directory; for a run, where its
            ledger has been copied to.
        wait: wait for pending jobs instead of raising `PendingError`.
        reporter: receives progress.

    Raises:
        QRNNError: one line saying what is wrong and how to mend it.
    """
    reporter = reporter or Silent()
    if is_run(source):
        if run_dir is not None:
            raise SpecError("--run-dir is for new runs; a run continues where it is")
        directory = RunDirectory.open(Path(source))
        if ledger_dir is not None:
            _move_ledger(directory, ledger_dir)
        return _continue(directory, overrides, wait, reporter)
    if Path(source).is_dir():
        raise RunError(
            f"{source} is no run directory: it has no run.json; name a job file, or a run that "
            "qrnn status lists"
        )
    job = load_job(source, overrides)
    _check_kind(job, source)
    path = Path(run_dir or default_path(job.name or Path(source).stem))
    check_writable(path)
    if job.backend.is_service:
        check_local(ledger_dir or path, _LOCAL)
    setup = make_setup(job)
    job = setup.job
    OPTIMIZERS.build(job.optimizer.name, job.optimizer.options)
    if setup.solves_readout:
        check_reservoir(setup)
    check_baselines(job.training.baselines)
    if job.training.patience is not None and not setup.splits.validation.num_sequences:
        raise SpecError(
            f"training.patience = {job.training.patience}: the data have no validation part to "
            "judge by; add one (data.split, or validation_ arrays), or leave it out"
        )
    check_budget(setup)
    directory = RunDirectory.create(
        path,
        {
            "job": job_to_dict(with_device(job, setup)),
            "state": "running",
            "target_names": list(setup.splits.target_names),
            "data": setup.splits.info.to_dict(),
            "forecast_shots": setup.test_shots,
            "work": describe(setup),
            "tiles": tile_places(setup),
            "provenance": provenance(),
        },
    )
    reporter.message(f"run directory {path}")
    with directory.locked():
        if ledger_dir is not None:
            put_ledger(path, ledger_dir)
        keep_circuit(setup, directory)
        return _train(setup, directory, wait, reporter)


def _move_ledger(directory: RunDirectory, folder: Path) -> None:
    """Use the copy of a run's ledger in another folder."""
    if not (folder / "ledger.sqlite").is_file():
        raise RunError(f"--ledger-dir {folder}: it holds no ledger.sqlite of a run")
    check_local(folder, _LOCAL)
    with directory.locked():
        put_ledger(directory.path, folder)


def _check_kind(job: Job, source: str | Path) -> None:
    if job.kind != "train":
        raise SpecError(
            f"{source} has kind = {job.kind!r}: qrnn run is for kind = 'train'; use "
            f"qrnn {job.kind} {source}"
        )


def check_no_script(directory: RunDirectory) -> None:
    """Refuse the run of a script, which only the script can continue.

    Raises:
        RunError: saying so.
    """
    if directory.record().get("kind") == SCRIPT:
        raise RunError(
            f"{directory.path} is the run of a script: start the script again, and it goes on from "
            "what is recorded"
        )


def _continue(
    directory: RunDirectory, overrides: Sequence[str], wait: bool, reporter: Reporter
) -> RunResult:
    for override in overrides:
        if not override.startswith(("budget.", "backend.drift")):
            raise RunError(
                f"--set {override}: a run continues as it was started; only budget.* and "
                "backend.drift can change. Start a new run from its weights with: "
                "initial.from = RUN"
            )
    record = directory.record()
    check_no_script(directory)
    _check_kind(job_from_dict(record["job"]), directory.path)
    if record["state"] == "done":
        reporter.message(f"run {directory.path} is finished: nothing to do")
        return _result(directory)
    with directory.locked():
        record = directory.record()
        job = job_from_dict(record["job"])
        if job.backend.is_service:
            check_local(ledger_folder(directory.path), _LOCAL)
        if overrides:
            job = override_job(job, overrides)
        setup = unchanged_setup(job, directory, record["work"])
        if overrides:
            directory.update(job=job_to_dict(job))
        return _train(setup, directory, wait, reporter)


def unchanged_setup(job: Job, directory: RunDirectory, work: dict[str, Any]) -> Setup:
    """The setup of a run, if it still is the work that the run was started with."""
    check_no_script(directory)
    setup = make_setup(
        job, prepare=lambda executor, unrolled: use_kept_circuit(executor, unrolled, directory)
    )
    keep_circuit(setup, directory)
    found = describe(setup)
    for key, recorded in work.items():
        if found.get(key) != recorded:
            what = _CHANGED.get(key, f"{key} is {found.get(key)!r} instead of {recorded!r}")
            raise RunError(
                f"cannot continue {directory.path}: {what} since the run was started; restore the "
                "files that the job names, or start a new run"
            )
    return setup


def _train(setup: Setup, directory: RunDirectory, wait: bool, reporter: Reporter) -> RunResult:
    job = setup.job
    directory.log("started")
    directory.write_text("cell.qasm", to_qasm(setup.cell))
    account = Account(setup)

    def tell(text: str) -> None:
        reporter.message(text)
        directory.log(text)

    ledger = None if setup.forward_shots is None else Ledger(directory.path)
    try:
        submission = None
        if ledger is not None:
            submission = open_submission(setup, ledger, wait=wait, directory=directory, notify=tell)
        with session_held(setup):
            evaluator = make_evaluator(setup, submission=submission, charge=account.charge)
            check_crosstalk(setup, evaluator, directory, tell)
            optimizer = OPTIMIZERS.build(job.optimizer.name, job.optimizer.options)
            state = Training(setup, evaluator, account, directory, reporter).run(optimizer)
            _write_weights(setup, directory, state)
            comparison = compare(setup, evaluator, state.best, directory)
    except PendingError as error:
        raise PendingError(f"{error}: continue later with: qrnn run {directory.path}") from None
    except BudgetError:
        so_far = checkpoint.load(directory)
        if so_far is not None and len(so_far.best):
            _write_weights(setup, directory, so_far)  # to be used without going on
        raise
    finally:
        if ledger is not None:
            ledger.close()
    summary = {
        "steps": state.step,
        "reason": state.reason,
        "best_loss": state.best_loss,
        "best_step": state.best_step,
        "shots": account.shots,
        "qpu_seconds": round(account.qpu_seconds, 3),
        "verdict": None if comparison is None else comparison.verdict,
        "published": job.published,
    }
    directory.update(state="done", summary=summary)
    directory.log(f"done: {state.reason}")
    return _result(directory)


def _write_weights(setup: Setup, directory: RunDirectory, state: checkpoint.TrainingState) -> None:
    last, last_readout = setup.split_parameters(state.parameters)
    best, best_readout = setup.split_parameters(state.best)
    directory.write_json(
        "weights.json",
        {
            "names": list(setup.cell.weight_names),
            "last": last.tolist(),
            "best": best.tolist(),
            "best_step": state.best_step,
            "readout": {
                "names": setup.objective.readout.names(),
                "last": last_readout.tolist(),
                "best": best_readout.tolist(),
            },
            "scaling": setup.splits.info.to_dict()["scaling"],
        },
    )


def _result(directory: RunDirectory) -> RunResult:
    record = directory.record()
    table: list[dict[str, Any]] = []
    if (directory.path / "table.json").exists():
        table = directory.read_json("table.json")["table"]
    return RunResult(directory.path, table, record.get("summary", {}))
