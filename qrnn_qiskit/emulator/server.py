"""The HTTP side: reads requests, lets faults happen, writes answers."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, final
from urllib.parse import parse_qs, urlsplit

from qrnn_qiskit.emulator import account_handlers, job_handlers, session_handlers
from qrnn_qiskit.emulator.account_handlers import WITHOUT_TOKEN
from qrnn_qiskit.emulator.faults import HANDLED, NOT_HANDLED, SILENT, WAITING, Fault, FaultTable
from qrnn_qiskit.emulator.handling import Handler, Parts, Request
from qrnn_qiskit.emulator.misfortunes import happen_elsewhere
from qrnn_qiskit.emulator.replies import Refusal, Reply
from qrnn_qiskit.emulator.routes import match

HANDLERS: Final[dict[str, Handler]] = (
    account_handlers.HANDLERS | job_handlers.HANDLERS | session_handlers.HANDLERS
)


@final
@dataclass(frozen=True)
class Seen:
    """A request that the service saw. Neither headers nor bodies are kept.

    Attributes:
        route: its name in `routes.ROUTES`, or method and path of an unknown one.
        status: of the answer; None if there was none.
        actions: of the faults that it met.
    """

    route: str
    status: int | None
    actions: tuple[str, ...]


@final
class RequestLog:
    """The requests that a service saw, safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[Seen] = []

    def add(self, seen: Seen) -> None:
        """Remember a request."""
        with self._lock:
            self._seen.append(seen)

    def all(self) -> list[Seen]:
        """All requests so far, in the order of their answers."""
        with self._lock:
            return list(self._seen)


@final
class Server(ThreadingHTTPServer):
    """Listens on loopback."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, parts: Parts, faults: FaultTable, log: RequestLog, port: int) -> None:
        """Bind to a port.

        Args:
            parts: of the service.
            faults: that requests meet.
            log: where requests are counted.
            port: of loopback; 0 takes a free one.
        """
        super().__init__(("127.0.0.1", port), _Connection)
        self.parts = parts
        self.faults = faults
        self.log = log
        self.stopping = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@final
class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = match(self.command, self.path)
        if found is None:
            path = urlsplit(self.path).path
            refusal = Refusal(404, f"{self.command} {path} is not emulated")
            self._send(refusal.reply)
            self.server.log.add(Seen(f"{self.command} {path}", 404, ()))
            return
        route, name = found
        faults = self.server.faults.meeting(route)
        for fault in faults:
            happen_elsewhere(fault, self.server.parts)
        spoiler = next((f for f in faults if f.action in NOT_HANDLED), None)
        reply = Reply(200)
        if spoiler is None:
            reply = self._answer(Request(route, name, "", _query(self.path), body, faults))
            spoiler = next((f for f in faults if f.action in HANDLED), None)
        self._finish(route, reply, spoiler, tuple(fault.action for fault in faults))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _answer(self, request: Request) -> Reply:
        parts = self.server.parts
        try:
            if request.route in WITHOUT_TOKEN:
                return WITHOUT_TOKEN[request.route](parts, request)
            parts.tokens.check(self.headers.get("Authorization", ""))
            instance = parts.instances.check(self.headers.get("Service-CRN", ""))
            return HANDLERS[request.route](parts, replace(request, instance=instance))
        except Refusal as refusal:
            return refusal.reply

    def _finish(
        self, route: str, reply: Reply, spoiler: Fault | None, actions: tuple[str, ...]
    ) -> None:
        action = spoiler.action if spoiler else None
        if spoiler is not None and action in ("status", "status_after"):
            reply = Refusal(spoiler.status, "an emulated fault", spoiler.retry_after).reply
        elif action == "truncate":
            reply = replace(reply, body=reply.body[: len(reply.body) // 2])
        elif action == "empty":
            reply = Reply(200)
        silent = action in SILENT
        # Counted before the answer leaves: a client that has the answer finds it counted.
        self.server.log.add(Seen(route, None if silent else reply.status, actions))
        if spoiler is not None and action in WAITING:
            self.server.stopping.wait(spoiler.seconds)
        if silent:
            self._hang_up(reset=action == "reset")
        else:
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        body = reply.body.encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if reply.status != HTTPStatus.NO_CONTENT:
            self.wfile.write(body)

    def _hang_up(self, reset: bool) -> None:
        self.close_connection = True
        if reset:
            # A lingering time of zero makes the system send a reset instead of a farewell.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: requests hold keys, and `Server.seen` has what matters."""


def _query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, keep_blank_values=True)
