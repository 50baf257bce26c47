"""How the real client reaches an emulated service, in this process or another."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, final

from qrnn_qiskit.emulator.routes import API

TOKEN: Final = "rehearsal"
CHANNEL: Final = "ibm_quantum_platform"
PROXIED: Final = "emulator.test"  # never resolved: the proxy answers for it


class Reachable(ABC):
    """Something at an address that the client can be pointed at."""

    @property
    @abstractmethod
    def base_url(self) -> str:
        """Where the service listens."""

    @property
    @abstractmethod
    def instance(self) -> str:
        """Resource name of the instance that pays."""

    def client_kwargs(self, token: str = TOKEN) -> dict[str, Any]:
        """Arguments of `QiskitRuntimeService` for the way through `url_resolver`.

        They need the variables of `client_environment`.

        Args:
            token: API key; any is accepted.
        """
        url = self.base_url + API
        return {
            "channel": CHANNEL,
            "token": token,
            "instance": self.instance,
            "url_resolver": lambda *_: url,
        }

    @property
    def client_environment(self) -> dict[str, str]:
        """Environment variables that go with `client_kwargs`."""
        return {"IAM_URL": self.base_url, "QISKIT_FUNCTIONS_EXPERIMENTAL": "1"}

    def proxy_kwargs(self, token: str = TOKEN) -> dict[str, Any]:
        """Arguments of `QiskitRuntimeService` (or `save_account`) for the way through a proxy.

        They need the variables of `proxy_environment`; nothing in the client is replaced. The
        client retries a dropped `POST` in this way, which it does not do in the other.

        Args:
            token: API key; any is accepted.
        """
        return {
            "channel": CHANNEL,
            "token": token,
            "instance": self.instance,
            "url": f"http://{PROXIED}",
            "proxies": {"urls": {"http": self.base_url}},
        }

    @property
    def proxy_environment(self) -> dict[str, str]:
        """Environment variables that go with `proxy_kwargs`."""
        return {"IAM_URL": f"http://iam.{PROXIED}"}

    def account_environment(self, token: str = TOKEN) -> dict[str, str]:
        """Environment variables that make this service the account of any process.

        The way through a proxy, without a saved account: for commands in a terminal.

        Args:
            token: API key; any is accepted.
        """
        return {
            "QISKIT_IBM_CHANNEL": CHANNEL,
            "QISKIT_IBM_TOKEN": token,
            "QISKIT_IBM_INSTANCE": self.instance,
            "QISKIT_IBM_URL": f"http://{PROXIED}",
            "HTTP_PROXY": self.base_url,
            "http_proxy": self.base_url,
            **self.proxy_environment,
        }

    @contextmanager
    def environment(self, proxy: bool = False) -> Iterator[None]:
        """Set the environment variables of either way, and put back what was there.

        Args:
            proxy: which way.
        """
        wanted = self.proxy_environment if proxy else self.client_environment
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@final
@dataclass(frozen=True)
class Address(Reachable):
    """The address of a service in another process, as `python -m qrnn_qiskit.emulator` prints it.

    Attributes:
        url: where it listens.
        crn: resource name of the instance that pays.
    """

    url: str
    crn: str

    @property
    def base_url(self) -> str:
        """Where the service listens."""
        return self.url

    @property
    def instance(self) -> str:
        """Resource name of the instance that pays."""
        return self.crn
