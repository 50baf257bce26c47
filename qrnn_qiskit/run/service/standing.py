"""How a run's jobs stand, in words."""

from __future__ import annotations

from qrnn_qiskit.errors import JobError
from qrnn_qiskit.run.record.ledger import Ledger
from qrnn_qiskit.run.record.ledger_format import ENDED, OPEN


def left_behind(ledger: Ledger) -> str:
    """What an interrupted run leaves at the service."""
    rows = [row for row in ledger.jobs(states=OPEN[1:]) if row.backend]
    if not rows:
        return "no job is under way"
    return (
        f"under way at {' and '.join(sorted({row.backend for row in rows}))}: "
        f"{', '.join(row.job or row.tag for row in rows)} (they go on; to cancel them: qrnn cancel "
        f"{ledger.directory})"
    )


def refuse_ended(ledger: Ledger, address: str) -> None:
    """Refuse to go on with a request of which a job ended without results.

    Raises:
        JobError: if nothing has taken its place; saying how to consent to that.
    """
    for row in ledger.jobs(address, ENDED):
        if not row.replaced:
            paid = "" if row.used is None else f", {row.used:.3g} QPU seconds were charged"
            what = "was paid for and its results are lost" if row.state == "lost" else row.state
            raise JobError(
                f"job {row.job or row.tag} of {address} {what} ({row.reason}){paid}, attempt "
                f"{row.attempt + 1}; to submit its work again: qrnn resolve {ledger.directory} "
                "--again"
            )
