"""How jobs are submitted to IBM's service: account, device and the Sampler's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from qrnn_qiskit.execution.backends.ibm_mode import Mode


@final
@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How jobs are submitted.

    Attributes:
        backend: name of a device, or "least_busy".
        account: name of a saved account; None for the environment's or the default one.
        instance: name or CRN of the instance that is charged; None for the account's.
        mode: each job alone, or all of a run in a batch or a session.
        options: of the Sampler, by the client's own names.
    """

    backend: str
    account: str | None = None
    instance: str | None = None
    mode: Mode = "job"
    options: Mapping[str, Any] = field(default_factory=dict)
