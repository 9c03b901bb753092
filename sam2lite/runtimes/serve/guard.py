"""Who is answered: browsers that mean this page, and programs that know the token."""

import hmac
import ipaddress
import secrets
from email.message import Message
from typing import FrozenSet, Optional, Tuple

from sam2lite.runtimes.serve.rate import RateLimit
from sam2lite.runtimes.serve.refused import RefusedError

_SAFE_SITES = (None, "same-origin", "none")  # of Sec-Fetch-Site; None where a program asks
_BEARER = "Bearer "
_TOKEN_BYTES = 24


class Guard:
    """Decides whether a request is answered at all.

    Attributes:
        token: that requests need; None where only this machine can ask.
        cookie: the name under which a browser keeps it. Cookies do not know of ports, so it is in
            the name.
    """

    def __init__(self, names: FrozenSet[str], port: int, needs_token: bool) -> None:
        """Make the token.

        Args:
            names: that the page answers to, in lower case.
            port: it listens on.
            needs_token: whether anybody but this machine can reach it.
        """
        self.token: Optional[str] = secrets.token_urlsafe(_TOKEN_BYTES) if needs_token else None
        self.cookie = "sam2lite_{}".format(port)
        self._names = names
        self._port = port
        self._rate = RateLimit(per_second=20.0, burst=60)

    def check(self, headers: "Message", client: str, given: Optional[str] = None) -> None:
        """Let a request pass, or not.

        Args:
            headers: of it.
            client: the address that it came from.
            given: the token in its URL, if any.

        Raises:
            RefusedError: it comes too soon, asks another name, comes from another page, or has no
                token.
        """
        if not self._rate.takes(client):
            raise RefusedError(429, "these are too many requests; wait a second and ask again")
        host = self._checked_host(headers)
        origin = headers.get("Origin")
        foreign = origin is not None and origin.lower() != "http://" + host
        if foreign or headers.get("Sec-Fetch-Site") not in _SAFE_SITES:
            raise RefusedError(403, "another page asked for this; only the page of this server may")
        if self.token is not None and not self.knows(given or self._shown(headers)):
            raise RefusedError(
                401, "the token is missing or wrong; open the address that `serve` printed"
            )

    def knows(self, token: Optional[str]) -> bool:
        """Return whether a token is the one, in a time that does not tell how much of it is."""
        return hmac.compare_digest(_bytes(token), _bytes(self.token))

    def _checked_host(self, headers: "Message") -> str:
        hosts = headers.get_all("Host") or []
        name, port = _split(hosts[0]) if len(hosts) == 1 else ("", 0)
        # A number cannot be led elsewhere, but away from this machine it needs the token.
        is_known = name in self._names or (self.token is not None and _is_number(name))
        if not is_known or port != self._port:
            raise RefusedError(
                403,
                "this server does not answer to that name; open the address that `serve` printed",
            )
        return str(hosts[0]).lower()

    def _shown(self, headers: "Message") -> Optional[str]:
        header = headers.get("Authorization", "")
        if header.startswith(_BEARER):
            return str(header[len(_BEARER) :].strip())
        for part in headers.get("Cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.cookie:
                return str(value)
        return None


def _bytes(token: Optional[str]) -> bytes:
    return (token or "").encode("utf-8", "replace")


def _split(host: str) -> Tuple[str, int]:
    """Return name and port of a Host header; port 0 if it is not one."""
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host.strip().lower(), "80"
    return name.strip("[]"), int(port) if port.isdecimal() and len(port) < 6 else 0


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
