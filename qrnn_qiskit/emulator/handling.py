"""What handlers are given: the parts of the service, and a request whose path was recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

from qrnn_qiskit.emulator.faults import Fault
from qrnn_qiskit.emulator.instances import Instances
from qrnn_qiskit.emulator.replies import Reply
from qrnn_qiskit.emulator.state import State
from qrnn_qiskit.emulator.tokens import Tokens


@final
@dataclass(frozen=True)
class Parts:
    """The parts of a service."""

    state: State
    tokens: Tokens
    instances: Instances


@final
@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        route: its name in `routes.ROUTES`.
        id: of the job, session or backend in its path; "" without one.
        instance: who asks; "" where no token is needed.
        query: values by name.
        body: as sent.
        faults: that it meets.
    """

    route: str
    id: str
    instance: str
    query: Mapping[str, list[str]]
    body: bytes
    faults: Sequence[Fault]


Handler: TypeAlias = Callable[[Parts, Request], Reply]
