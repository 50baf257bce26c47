"""The paths that the client asks for, and the names that faults and counters know them by."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

API: Final = "/api/v1"
PLAN_ID: Final = "emulated-plan"

ROUTES: Final[dict[str, str]] = {
    "POST /identity/token": "/identity/token",
    "POST /v3/resources/search": "/v3/resources/search",
    "GET /catalog": f"{API}/{PLAN_ID}",
    "GET /instances/usage": f"{API}/instances/usage",
    "GET /backends": f"{API}/backends",
    "GET /backends/{id}/configuration": f"{API}/backends/{{id}}/configuration",
    "GET /backends/{id}/properties": f"{API}/backends/{{id}}/properties",
    "GET /backends/{id}/status": f"{API}/backends/{{id}}/status",
    "POST /jobs": f"{API}/jobs",
    "GET /jobs": f"{API}/jobs",
    "GET /jobs/{id}": f"{API}/jobs/{{id}}",
    "DELETE /jobs/{id}": f"{API}/jobs/{{id}}",
    "GET /jobs/{id}/results": f"{API}/jobs/{{id}}/results",
    "GET /jobs/{id}/logs": f"{API}/jobs/{{id}}/logs",
    "GET /jobs/{id}/metrics": f"{API}/jobs/{{id}}/metrics",
    "POST /jobs/{id}/cancel": f"{API}/jobs/{{id}}/cancel",
    "PUT /jobs/{id}/tags": f"{API}/jobs/{{id}}/tags",
    "POST /sessions": f"{API}/sessions",
    "GET /sessions/{id}": f"{API}/sessions/{{id}}",
    "PATCH /sessions/{id}": f"{API}/sessions/{{id}}",
    "DELETE /sessions/{id}/close": f"{API}/sessions/{{id}}/close",
}
"""Route names and the paths they stand for."""

_PATTERNS: Final = [
    (name, name.partition(" ")[0], re.compile(path.replace("{id}", "([^/]+)")))
    for name, path in ROUTES.items()
]


def match(method: str, url: str) -> tuple[str, str] | None:
    """Route name and the id in the path ("" without one), or None for an unknown path.

    Args:
        method: of the request.
        url: path, or the whole address that a proxy is asked for.
    """
    path = urlsplit(url).path
    for name, verb, pattern in _PATTERNS:
        found = pattern.fullmatch(path)
        if found and verb == method:
            return name, found[1] if pattern.groups else ""
    return None
