"""The HTTP server: a bounded number of threads, none of which outlives it."""

import contextlib
import errno
import os
import socket
import socketserver
import sys
import threading
import time
from typing import Any, Dict, Optional, Tuple

from sam2lite.errors import ServeError
from sam2lite.runtimes.serve.address import Address, own_names, url_of
from sam2lite.runtimes.serve.guard import Guard
from sam2lite.runtimes.serve.handler import Handler
from sam2lite.runtimes.serve.loop import ServedLoop
from sam2lite.runtimes.serve.page_files import read_page
from sam2lite.runtimes.serve.result_lines import ResultLines

MOST_CONNECTIONS = 32
ASKING_S = 15.0  # a client has to send its request
_LEAVE_S = 5.0
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b'\r\n{"error":"there are too many connections; close another page first"}\n'
)


class PageServer(socketserver.TCPServer):
    """Listens from the start, and answers from `begin` to `end`; a thread a connection.

    Attributes:
        guard: says who is answered.
        url: to open, with the token if there is one.
        page_files: by the paths of their URLs.
        loop, lines, facts: what is served, from `begin` on.
    """

    allow_reuse_address = os.name == "posix"
    request_queue_size = MOST_CONNECTIONS
    loop: ServedLoop
    lines: ResultLines
    facts: Dict[str, Any]

    def __init__(self, address: Address) -> None:
        """Listen.

        Raises:
            ServeError: the port is in use, or may not be used.
        """
        self.address_family = address.family
        self.page_files = read_page()
        self._connections: Dict[socket.socket, Tuple[threading.Thread, Optional[float]]] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="serve", daemon=True)
        try:
            super().__init__(address.place, Handler)
        except (OSError, OverflowError) as error:
            raise ServeError(
                "cannot listen on port {} of {}: {}; {}".format(
                    address.place[1], address.host, _reason(error), _remedy(error)
                )
            ) from error
        self.port: int = self.server_address[1]
        self.guard = Guard(own_names(address), self.port, not address.is_local)
        self.url = url_of(address, self.port)
        if self.guard.token is not None:
            self.url += "?token=" + self.guard.token

    def begin(self, loop: ServedLoop, lines: ResultLines, facts: Dict[str, Any]) -> None:
        """Answer requests from now on.

        Args:
            loop: that is run by the caller.
            lines: what it has found.
            facts: of the run, for `/state`.
        """
        self.loop, self.lines, self.facts = loop, lines, facts
        self._thread.start()

    def end(self) -> None:
        """Stop listening, let all connections go, and wait for their threads."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join(_LEAVE_S)
            self.loop.board.close()
            self.loop.orders.close()
        self.server_close()
        with self._lock:
            left = list(self._connections.items())
        for connection, _ in left:
            _hang_up(connection)
        for _, (thread, _) in left:
            thread.join(_LEAVE_S)

    def state(self) -> Dict[str, Any]:
        """Return what `/state` tells."""
        return dict(self.facts, **self.loop.state())

    def has_asked(self, connection: socket.socket) -> None:
        """Note that a request is complete, so that its connection may last."""
        with self._lock:
            thread, _ = self._connections[connection]
            self._connections[connection] = (thread, None)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own, if there are not too many."""
        with self._lock:
            is_full = len(self._connections) >= MOST_CONNECTIONS
            if not is_full:
                thread = threading.Thread(
                    target=self._answer, args=(request, client_address), name="serve-client"
                )
                thread.daemon = True
                self._connections[request] = (thread, time.monotonic() + ASKING_S)
                thread.start()
        if is_full:
            request.settimeout(0.1)
            try:
                request.sendall(_BUSY)
            finally:
                self.shutdown_request(request)

    def service_actions(self) -> None:
        """Let go of clients that do not come out with their request."""
        now_s = time.monotonic()
        with self._lock:
            slow = [
                c for c, (_, until_s) in self._connections.items() if until_s and until_s < now_s
            ]
        for connection in slow:
            _hang_up(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in a line what a handler did not expect; a client that went away is nothing."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            sys.stderr.write("error: a request failed: {!r}\n".format(error))

    def _serve(self) -> None:
        self.serve_forever(poll_interval=0.2)

    def _answer(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)
            with self._lock:
                del self._connections[request]


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may have gone already
        connection.shutdown(socket.SHUT_RDWR)


def _remedy(error: Exception) -> str:
    if getattr(error, "errno", None) == errno.EADDRNOTAVAIL:
        return "give an address of this machine with --host: 0.0.0.0 for all that it has"
    return "choose another with --port, or 0 for one that is free"


def _reason(error: Exception) -> str:
    if isinstance(error, OverflowError):
        return "ports are 0 to 65535"
    return str(getattr(error, "strerror", None) or error).lower()
