"""Access tokens: any key is accepted; what is checked is that the token is not out of date.

Tokens are JSON web tokens that the client can decode, signed by nobody. Neither keys nor tokens are
kept or written anywhere.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable
from typing import Any, final

from qrnn_qiskit.emulator.replies import Refusal


@final
class Tokens:
    """Issues access tokens and checks them."""

    def __init__(self, lifetime: float, clock: Callable[[], float]) -> None:
        """Make an issuer.

        Args:
            lifetime: of a token in seconds.
            clock: seconds since the epoch.
        """
        self._lifetime = lifetime
        self._clock = clock
        self._lock = threading.Lock()
        self._expired = 0.0

    def issue(self) -> dict[str, Any]:
        """The answer to a request for a token."""
        now = self._clock()
        claims = {"iat": int(now), "exp": int(now + self._lifetime), "issued": now}
        parts = [_encode({"alg": "none", "typ": "JWT"}), _encode(claims), "emulated"]
        return {
            "access_token": ".".join(parts),
            "refresh_token": "not_supported",
            "token_type": "Bearer",
            "expires_in": int(self._lifetime),
            "expiration": claims["exp"],
            "scope": "ibm openid",
        }

    def expire(self) -> None:
        """All tokens issued so far are out of date."""
        with self._lock:
            self._expired = self._clock()

    def check(self, authorization: str) -> None:
        """Check the header of a request.

        Raises:
            Refusal: status 401 if it holds no valid token.
        """
        kind, _, token = authorization.partition(" ")
        if kind != "Bearer":
            raise Refusal(401, "no access token: ask for one with the API key first")
        try:
            claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
            issued, expires = float(claims["issued"]), float(claims["exp"])
        except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
            raise Refusal(401, "the access token cannot be read") from None
        with self._lock:
            if issued <= self._expired or expires <= self._clock():
                raise Refusal(401, "the access token has expired")


def _encode(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()
