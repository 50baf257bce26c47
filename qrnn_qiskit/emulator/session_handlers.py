"""Requests about sessions and batches."""

from __future__ import annotations

from typing import Final

from qrnn_qiskit.emulator.handling import Handler, Parts, Request
from qrnn_qiskit.emulator.jobs import Session
from qrnn_qiskit.emulator.replies import Reply
from qrnn_qiskit.emulator.requests import SessionChange, SessionRequest, read_body


def _open(parts: Parts, request: Request) -> Reply:
    asked = read_body(SessionRequest, "POST /sessions", request.body)
    return _shown(parts, parts.state.open_session(asked, request.instance))


def _session(parts: Parts, request: Request) -> Reply:
    return _shown(parts, parts.state.session(request.id, request.instance))


def _change(parts: Parts, request: Request) -> Reply:
    asked = read_body(SessionChange, "PATCH /sessions/{id}", request.body)
    session = parts.state.session(request.id, request.instance)
    if not asked.accepting_jobs:
        parts.state.close_session(session.id)
    return Reply(204)


def _close(parts: Parts, request: Request) -> Reply:
    session = parts.state.session(request.id, request.instance)
    parts.state.close_session(session.id, cancel_jobs=True)
    return Reply(204)


def _shown(parts: Parts, session: Session) -> Reply:
    with parts.state.changed:
        jobs = parts.state.session_jobs(session.id)
        return Reply.of(session.document(jobs, parts.state.now()))


HANDLERS: Final[dict[str, Handler]] = {
    "POST /sessions": _open,
    "GET /sessions/{id}": _session,
    "PATCH /sessions/{id}": _change,
    "DELETE /sessions/{id}/close": _close,
}
