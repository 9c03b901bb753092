"""Where the page is: an address to listen on, who can reach it, and the names it answers to."""

import ipaddress
import socket
from typing import FrozenSet, NamedTuple, Tuple

from sam2lite.errors import ServeError
from sam2lite.files.reading import printable

LOCAL_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))


class Address(NamedTuple):
    """An address to listen on.

    Attributes:
        host: as the user gave it.
        family: of sockets, `AF_INET` or `AF_INET6`.
        place: what a socket is bound to.
        is_local: whether only this machine can reach it.
    """

    host: str
    family: int
    place: Tuple[str, int]
    is_local: bool


def find_address(host: str, port: int) -> Address:
    """Look an address up.

    Args:
        host: a name or a number of this machine; `0.0.0.0` or `::` for all that it has.
        port: 0 for any that is free.

    Raises:
        ServeError: this machine has no such address.
    """
    try:
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
        family, _, _, _, place = found[0]
        number = ipaddress.ip_address(str(place[0]).partition("%")[0])
    except (OSError, UnicodeError, ValueError, IndexError) as error:
        raise ServeError(
            "there is no address '{}' here ({}); give one of this machine, or leave --host "
            "out".format(printable(host), getattr(error, "strerror", None) or error)
        ) from error
    return Address(host, family, (str(place[0]), port), number.is_loopback)


def url_of(address: Address, port: int) -> str:
    """Return what to open in a browser; a machine's name where it listens on all its addresses."""
    host = address.place[0].partition("%")[0]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return "http://{}:{}/".format("[{}]".format(host) if ":" in host else host, port)


def own_names(address: Address) -> FrozenSet[str]:
    """Return the names by which browsers may ask for the page, in lower case.

    A page of somebody else's may have its own name lead here (DNS rebinding). It would then be
    asked for by that name, which is none of these.
    """
    if address.is_local:
        return LOCAL_NAMES | {address.host.lower()}
    machine = socket.gethostname().lower()
    return LOCAL_NAMES | {address.host.lower(), machine, machine + ".local"}
