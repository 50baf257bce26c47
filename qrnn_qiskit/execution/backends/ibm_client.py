"""The connection to IBM's service: account, one submission for one call, errors sorted.

The client retries POST on 5xx answers, and a proxy may make it send a dropped one again, so that
one call can become two paid jobs. Submissions therefore leave through an adapter of our own, once,
on a fresh connection; what became of them is read there, where the facts are.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, final
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout, RequestException
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.retry import Retry

from qrnn_qiskit.errors import BackendError, QRNNError
from qrnn_qiskit.execution.service import NotSent, OutcomeUnknown, Refused, Unreachable

if TYPE_CHECKING:
    from qiskit_ibm_runtime import QiskitRuntimeService

Answer = TypeVar("Answer")

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
POST_TIMEOUT_S = 300.0
MAX_UNAUTHORIZED: Final = 5  # answers 401 in a row before giving up
# Arguments of `QiskitRuntimeService` in place of the saved account: a rehearsal's.
arguments: dict[str, Any] = {}
# Answers to a submission that say that it was turned away unread.
_BUSY: Final = (408, 425, 429)
_TOO_LARGE: Final = (413,)
_NEVER_LEFT: Final = (NewConnectionError, NameResolutionError, ConnectTimeoutError)


@final
@dataclass(slots=True)
class Exchange:
    """What is known of a request.

    Attributes:
        left: whether any of it may have reached the other side.
        status: HTTP status of the answer; None without one.
        retry_after: seconds that the answer asks to wait.
        text: of an answer that is an error.
    """

    left: bool = False
    status: int | None = None
    retry_after: float | None = None
    text: str = ""


@final
class OnceAdapter(HTTPAdapter):
    """Sends submissions once; everything else goes the client's way, with a time limit.

    Attributes:
        last: the latest exchange of any kind.
        post: the latest submission; None before one.
        sending: called before a submission leaves.
    """

    def __init__(self, usual: HTTPAdapter) -> None:
        super().__init__(max_retries=Retry(0, read=False))
        self._usual = usual
        self.last = Exchange()
        self.post: Exchange | None = None
        self.sending: Callable[[], None] = lambda: None

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send a request; submissions and new sessions without any retry."""
        self.last = exchange = Exchange()
        once = request.method == "POST" and _is_submission(request.url or "")
        limits = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        if once:
            # A connection that has idled through an hour of queue may be dead, which would look
            # like a lost answer.
            self.close()
            limits = (CONNECT_TIMEOUT_S, POST_TIMEOUT_S)
            self.post = exchange
            self.sending()
        send = super().send if once else self._usual.send
        exchange.left = True
        try:
            response = send(request, stream, limits, verify, cert, proxies)
        except RequestException as error:
            exchange.left = not _never_left(error)
            raise
        exchange.status = response.status_code
        exchange.retry_after = _seconds(response.headers.get("Retry-After"))
        if response.status_code >= 400:
            exchange.text = response.text[:300]
        return response


def _is_submission(url: str) -> bool:
    return urlsplit(url).path.rstrip("/").endswith(("/jobs", "/sessions"))


def _never_left(error: RequestException) -> bool:
    """Whether no connection came about, so that nothing was sent."""
    if isinstance(error, ConnectTimeout):
        return True
    if not isinstance(error, RequestsConnectionError):
        return False
    cause: Any = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), _NEVER_LEFT)


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else max(0.0, float(header))
    except ValueError:  # a date: clocks differ, so the usual delay serves
        return None


@final
class Client:
    """A service of the Runtime client whose submissions leave once."""

    def __init__(self, account: str | None = None, instance: str | None = None) -> None:
        """Connect with a saved account, or with the client's environment variables.

        Args:
            account: name of a saved account; None for the environment's or the default one.
            instance: name or CRN of the instance that is charged; None for the account's.

        Raises:
            BackendError: if there is no account, or it is not accepted.
            Unreachable: if the service does not answer.
        """
        self._adapters: list[OnceAdapter] = []
        self._unauthorized = 0
        self._secrets = [value for value in [os.environ.get("QISKIT_IBM_TOKEN")] if value]
        self.service = self._connect(account, instance)
        self.guard()

    def _connect(self, account: str | None, instance: str | None) -> QiskitRuntimeService:
        from qiskit_ibm_runtime import QiskitRuntimeService
        from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError
        from qiskit_ibm_runtime.exceptions import (
            IBMAccountError,
            IBMInputValueError,
            IBMNotAuthorizedError,
        )

        try:
            if not arguments:
                return QiskitRuntimeService(name=account, instance=instance)
            log = logging.getLogger("qiskit_ibm_runtime")
            level = log.level
            log.setLevel(logging.ERROR)  # it would warn that the saved account is not used
            try:
                return QiskitRuntimeService(**arguments)
            finally:
                log.setLevel(level)
        except AccountNotFoundError:
            named = f" of the name {account!r}" if account else ""
            raise BackendError(
                f"there is no saved account{named}: save one with "
                "QiskitRuntimeService.save_account(token=..., instance=...), or set "
                "QISKIT_IBM_TOKEN; docs/hardware.md says how"
            ) from None
        except (IBMAccountError, IBMInputValueError, IBMNotAuthorizedError) as error:
            raise BackendError(f"IBM's service refuses the account: {self.clean(error)}") from None
        except Exception as error:  # the client and its libraries raise many kinds
            if "api key" in str(error).lower() or "status code: 40" in str(error).lower():
                raise BackendError(
                    f"IBM's service refuses the account: {self.clean(error)}"
                ) from None
            raise Unreachable(f"IBM's service cannot be reached: {self.clean(error)}") from None

    def guard(self) -> None:
        """Put our adapter before every connection that the client has.

        Raises:
            BackendError: if the client does not have its parts where they were.
        """
        try:
            clients = {*self.service._api_clients.values(), self.service._active_api_client}
            for client in clients:
                session = client._session
                for prefix in ("http://", "https://"):
                    usual = session.adapters[prefix]
                    if not isinstance(usual, OnceAdapter):
                        adapter = OnceAdapter(usual)
                        self._adapters.append(adapter)
                        session.mount(prefix, adapter)
                self._secrets.append(client._session.auth.api_key)
        except (AttributeError, KeyError) as error:
            raise BackendError(
                "this version of qiskit-ibm-runtime keeps its connections elsewhere, so that "
                f"double submissions cannot be prevented ({error}): install the version that "
                "qrnn-qiskit was tested with"
            ) from None

    def keep(self, device: Any) -> None:
        """Have the client submit to a device without asking anew what it is.

        In job mode it looks the device up by name before each submission: a request, and a copy of
        all that the device states.
        """
        usual = self.service.backend

        def backend(name: str, *arguments: Any, **options: Any) -> Any:
            if name == device.name and not arguments and not options:
                return device
            return usual(name, *arguments, **options)

        self.service.backend = backend

    def _latest(self) -> OnceAdapter:
        prefix = urlsplit(self.service._active_api_client._session.base_url).scheme + "://"
        adapter = self.service._active_api_client._session.adapters[prefix]
        return adapter if isinstance(adapter, OnceAdapter) else self._adapters[0]

    def clean(self, error: object) -> str:
        """The text of an error on one line, without secrets."""
        text = " ".join(str(error).split())
        for secret in filter(None, self._secrets):
            text = text.replace(secret, "***")
        return text[:500]

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """An answer to a question that changes nothing.

        Raises:
            Unreachable: if it may be asked again.
            BackendError: if the account is not accepted (any more).
            LookupError: where the service does not know what is asked for.
        """
        self._latest().last = Exchange()
        try:
            answer = question()
        except QRNNError:
            raise
        except Exception as error:  # the client and its libraries raise many kinds
            status = self._latest().last.status
            if status == 404:
                raise LookupError(self.clean(error)) from None
            if status in (401, 403):
                self._reauthorize(error)
            raise Unreachable(f"IBM's service does not answer: {self.clean(error)}") from None
        self._unauthorized = 0
        return answer

    def _reauthorize(self, error: Exception) -> None:
        """Ask for a new access token next time; give up after some."""
        self._unauthorized += 1
        if self._unauthorized >= MAX_UNAUTHORIZED:
            raise BackendError(
                f"IBM's service does not accept the account any more: {self.clean(error)}; renew "
                "the API key (QiskitRuntimeService.save_account), then run again"
            ) from None
        manager = getattr(self.service._active_api_client._session.auth, "tm", None)
        if manager is not None:
            manager.expire_time = manager.refresh_time = 0

    @contextmanager
    def submitting(self, sending: Callable[[], None]) -> Iterator[None]:
        """Sort what goes wrong with the one submission made inside.

        Raises:
            NotSent, Refused, OutcomeUnknown: as `JobService.submit_block`.
        """
        self.guard()
        for adapter in self._adapters:
            adapter.post, adapter.sending, adapter.last = None, sending, Exchange()
        try:
            yield
        except QRNNError:
            raise
        except Exception as error:  # the client and its libraries raise many kinds
            posts = [adapter.post for adapter in self._adapters if adapter.post is not None]
            raise self._sorted(posts[0] if posts else None, error) from None
        finally:
            for adapter in self._adapters:
                adapter.sending = lambda: None

    def _sorted(self, post: Exchange | None, error: Exception) -> Exception:
        text = self.clean(error)
        if post is None:
            status = self._latest().last.status
            if status in (401, 403):
                self._reauthorize(error)
            if status is None or type(error).__name__ == "IBMInputValueError":
                return Refused(f"the client refuses the job: {text}")
            return NotSent(f"IBM's service does not answer: {text}")
        if not post.left:
            return NotSent(f"IBM's service cannot be reached: {text}")
        status = post.status
        if status is None:
            return OutcomeUnknown(f"the answer to a submission was lost: {text}")
        if status in _BUSY:
            return NotSent(f"IBM's service is busy (status {status})", post.retry_after)
        if status == 401:
            self._reauthorize(error)
            return NotSent("IBM's service did not accept the access token")
        if 400 <= status < 500:
            return Refused(
                f"IBM's service refuses the job (status {status}): {self.clean(post.text or text)}",
                too_large=status in _TOO_LARGE or says_too_large(post.text),
            )
        return OutcomeUnknown(f"the answer to a submission was no use (status {status}): {text}")


def says_too_large(text: str) -> bool:
    """Whether the service's words say that a smaller job might pass."""
    words = text.lower()
    return any(
        phrase in words
        for phrase in ("too large", "too big", "too many", "exceeds the", "exceeded the")
    ) and not any(phrase in words for phrase in ("too many requests", "time limit", "usage limit"))
