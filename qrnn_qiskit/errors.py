"""Errors a user can mend. Each message is one line: what was given, what is allowed, what to do."""

from typing import ClassVar


class QRNNError(Exception):
    """Base of all errors raised on purpose; the command line prints it without a traceback."""

    exit_code: ClassVar[int] = 2


class SpecError(QRNNError):
    """A job file, a configuration piece or a `--set` override is wrong."""


class CellError(QRNNError):
    """A cell cannot be read, or cannot be unrolled into a circuit."""


class DataError(QRNNError):
    """Features, targets, weights or a data file do not fit."""


class BackendError(QRNNError):
    """A backend is unknown, or cannot run the circuit that it is asked to run."""


class RunError(QRNNError):
    """A run directory cannot be created, read or continued."""


class PendingError(QRNNError):
    """Results are not there yet; the same command continues later."""

    exit_code: ClassVar[int] = 3


class BudgetError(QRNNError):
    """The work would cost more than the budget allows; nothing was submitted."""

    exit_code: ClassVar[int] = 4


class JobError(QRNNError):
    """A job failed on the backend."""

    exit_code: ClassVar[int] = 5
