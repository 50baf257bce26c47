"""Requests about the account, its instances and the devices."""

from __future__ import annotations

from typing import Any, Final

from qrnn_qiskit.emulator.handling import Handler, Parts, Request
from qrnn_qiskit.emulator.replies import Reply


def _token(parts: Parts, request: Request) -> Reply:
    return Reply.of(parts.tokens.issue())


def _search(parts: Parts, request: Request) -> Reply:
    return Reply.of(parts.instances.search())


def _plan(parts: Parts, request: Request) -> Reply:
    return Reply.of(parts.instances.plan())


def _usage(parts: Parts, request: Request) -> Reply:
    limit = parts.state.usage_limit
    usage: dict[str, Any] = {
        "instance_id": request.instance,
        "usage_consumed_seconds": parts.state.consumed(request.instance),
        "usage_limit_reached": parts.state.is_spent(request.instance),
    }
    if limit is not None:
        usage |= {"usage_limit_seconds": limit, "usage_allocation_seconds": limit}
    return Reply.of(usage)


def _devices(parts: Parts, request: Request) -> Reply:
    return Reply.of({"devices": [device.listing for device in parts.state.devices.listed()]})


def _configuration(parts: Parts, request: Request) -> Reply:
    return Reply.of(parts.state.devices.get(request.id).configuration)


def _properties(parts: Parts, request: Request) -> Reply:
    return Reply.of(parts.state.devices.get(request.id).properties)


def _status(parts: Parts, request: Request) -> Reply:
    return Reply.of(parts.state.status(request.id))


WITHOUT_TOKEN: Final[dict[str, Handler]] = {
    "POST /identity/token": _token,
    "POST /v3/resources/search": _search,
    "GET /catalog": _plan,
}
HANDLERS: Final[dict[str, Handler]] = {
    "GET /instances/usage": _usage,
    "GET /backends": _devices,
    "GET /backends/{id}/configuration": _configuration,
    "GET /backends/{id}/properties": _properties,
    "GET /backends/{id}/status": _status,
}
