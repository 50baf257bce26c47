"""Requests about jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from qrnn_qiskit.emulator.cost import check_limits, qpu_seconds
from qrnn_qiskit.emulator.handling import Handler, Parts, Request
from qrnn_qiskit.emulator.jobs import Fate, Job
from qrnn_qiskit.emulator.programs import read_program
from qrnn_qiskit.emulator.replies import TEXT, Refusal, Reply
from qrnn_qiskit.emulator.requests import (
    JobQuery,
    JobRequest,
    TagsRequest,
    read_body,
    read_query,
)


def _submit(parts: Parts, request: Request) -> Reply:
    asked = read_body(JobRequest, "POST /jobs", request.body)
    device = parts.state.devices.get(asked.backend)
    program = read_program(asked.program_id, asked.params)
    check_limits(program, device)
    fate = Fate()
    for fault in request.faults:
        match fault.action:
            case "hide_job":
                fate.hidden_seconds = fault.seconds
            case "fail_job" | "cancel_job" | "lose_results" | "empty_results" | "wrong_shape":
                fate.end, fate.reason, fate.code = fault.action, fault.reason, fault.reason_code
    job = parts.state.submit(
        asked, request.instance, qpu_seconds(program, device), program.notes, fate
    )
    return Reply.of({"id": job.id, "backend": asked.backend})


def _job(parts: Parts, request: Request) -> Reply:
    with_params = request.query.get("exclude_params", ["false"])[-1].lower() != "true"
    with parts.state.changed:
        job = parts.state.job(request.id, request.instance)
        return Reply.of(job.document(with_params))


def _list(parts: Parts, request: Request) -> Reply:
    query = read_query(request.query)
    after, before = _seconds(query.created_after), _seconds(query.created_before)
    with parts.state.changed:
        now = parts.state.now()
        found = [
            job
            for job in parts.state.jobs()
            if job.instance == request.instance
            and job.created + job.fate.hidden_seconds <= now
            and _fits(job, query)
            and (after is None or job.created >= after)
            and (before is None or job.created <= before)
        ]
        if query.sort == "DESC":
            found.reverse()
        page = found[query.offset : query.offset + query.limit]
        documents = [job.document(not query.exclude_params) for job in page]
    return Reply.of(
        {"jobs": documents, "count": len(found), "limit": query.limit, "offset": query.offset}
    )


def _fits(job: Job, query: JobQuery) -> bool:
    return (
        query.backend in (None, job.request.backend)
        and query.program in (None, job.request.program_id)
        and query.session_id in (None, job.request.session_id)
        and query.pending in (None, not job.is_final)
        and set(query.tags) <= set(job.tags)
    )


def _seconds(moment: str | None) -> float | None:
    if moment is None:
        return None
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError as error:
        raise Refusal(400, f"GET /jobs: {moment!r} is no time") from error


def _delete(parts: Parts, request: Request) -> Reply:
    parts.state.delete(request.id, request.instance)
    return Reply(204)


def _results(parts: Parts, request: Request) -> Reply:
    with parts.state.changed:
        job = parts.state.job(request.id, request.instance)
        if job.status == "Failed":
            return Reply(200, job.reason or "", TEXT)
        if job.results is None:
            raise Refusal(404, f"job {job.id} has no results")
        return Reply(200, job.results) if job.results else Reply(204)


def _logs(parts: Parts, request: Request) -> Reply:
    job = parts.state.job(request.id, request.instance)
    return Reply(200, "".join(f"{line}\n" for line in job.logs), TEXT)


def _metrics(parts: Parts, request: Request) -> Reply:
    with parts.state.changed:
        return Reply.of(parts.state.job(request.id, request.instance).metrics())


def _cancel(parts: Parts, request: Request) -> Reply:
    parts.state.cancel(request.id, request.instance)
    return Reply(204)


def _tags(parts: Parts, request: Request) -> Reply:
    asked = read_body(TagsRequest, "PUT /jobs/{id}/tags", request.body)
    with parts.state.changed:
        job = parts.state.job(request.id, request.instance)
        job.tags = asked.tags
        parts.state.save(job)
    return Reply(204)


HANDLERS: Final[dict[str, Handler]] = {
    "POST /jobs": _submit,
    "GET /jobs": _list,
    "GET /jobs/{id}": _job,
    "DELETE /jobs/{id}": _delete,
    "GET /jobs/{id}/results": _results,
    "GET /jobs/{id}/logs": _logs,
    "GET /jobs/{id}/metrics": _metrics,
    "POST /jobs/{id}/cancel": _cancel,
    "PUT /jobs/{id}/tags": _tags,
}
