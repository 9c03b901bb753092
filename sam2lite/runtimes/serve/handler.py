"""One request: checked, looked up in a fixed table, and answered; a refusal is one sentence."""

import json
import socket
import sys
from http.server import BaseHTTPRequestHandler
from typing import Any, Callable, Dict, Mapping, Optional, Tuple
from urllib.parse import unquote

from sam2lite.errors import ArgumentError, Sam2LiteError
from sam2lite.files.reading import printable
from sam2lite.runtimes.serve.refused import RefusedError
from sam2lite.runtimes.serve.viewing import LIVE, STREAM, parts_of
from sam2lite.runtimes.serve.wishes import Wish, read_pause, read_prompt, read_remove

MOST_BODY_BYTES = 1 << 16
TIMEOUT_S = 10.0  # for a client to send something, or to take what it is sent
_DRAINED_BYTES = 1 << 20
_SEND_BUFFER_BYTES = 1 << 17
_TOKEN = "token="
_JSON = "application/json"

_WISHES: Dict[str, Callable[[bytes], Wish]] = {
    "/prompt": read_prompt,
    "/remove": read_remove,
    "/pause": read_pause,
}
# Nothing of another page's can be loaded into this one, nor this one into another.
_HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)


class Handler(BaseHTTPRequestHandler):
    """Answers one request of one connection; `server` is a `PageServer`."""

    protocol_version = "HTTP/1.1"
    server_version = "sam2lite"
    sys_version = ""
    disable_nagle_algorithm = True  # pictures are not to wait for one another
    timeout = TIMEOUT_S  # of the socket; `sendall` keeps to it as a whole
    server: Any

    def do_GET(self) -> None:  # as the standard library looks it up
        """Answer with the page, the state, the results or a stream of pictures."""
        self._guarded(self._get)

    def do_POST(self) -> None:
        """Have the loop do something."""
        self._guarded(self._post)

    def handle_expect_100(self) -> bool:
        """Let a client that asks first be refused before it sends anything."""
        return True

    def send_error(
        self, code: int, message: Optional[str] = None, explain: Optional[str] = None
    ) -> None:
        """Answer what is no proper request, in the form of all other refusals."""
        self._answer(int(code), {"error": printable(str(message or "the request is malformed"))})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as inherited
        """Keep the terminal quiet."""

    def _guarded(self, answer: Callable[[str], None]) -> None:
        self._has_begun = False
        path, _, query = self.path.partition("?")
        try:
            opens = path == "/" and query.startswith(_TOKEN)
            given = unquote(query[len(_TOKEN) :]) if opens else None
            self.server.guard.check(self.headers, self.client_address[0], given)
            answer(path)
        except RefusedError as refusal:
            self._refuse(refusal.status, refusal.sentence)
        except Sam2LiteError as error:
            self._refuse(400 if isinstance(error, ArgumentError) else 500, str(error))
        except (OSError, socket.timeout):
            pass  # the client is gone, or reads nothing
        except Exception as error:
            sys.stderr.write("error: {} {}: {!r}\n".format(self.command, printable(path), error))
            self._refuse(500, "this could not be answered; the terminal of `serve` says why")

    def _get(self, path: str) -> None:
        self.server.has_asked(self.connection)
        files = self.server.page_files
        if path in files:
            self._send(200, files[path].content, files[path].content_type, self._cookie(path))
        elif path == "/state":
            self._answer(200, self.server.state())
        elif path == "/results.jsonl":
            self._send_results()
        elif path in (LIVE, STREAM):
            self._send_pictures(path)
        else:
            raise self._unknown(path, _WISHES, "POST")

    def _post(self, path: str) -> None:
        if path not in _WISHES:
            raise self._unknown(path, (*self.server.page_files, LIVE, STREAM), "GET")
        if self.headers.get("Content-Type", "").partition(";")[0].strip().lower() != _JSON:
            # A form of another page's cannot say so without being asked first.
            raise RefusedError(415, "the request must be JSON, with Content-Type: {}".format(_JSON))
        wish = _WISHES[path](self._body())
        self.server.has_asked(self.connection)
        self._answer(200, self.server.loop.orders.ask(wish))

    def _unknown(self, path: str, others: Any, method: str) -> RefusedError:
        if path in others:
            return RefusedError(405, "{} takes {} only".format(path, method))
        return RefusedError(404, "there is nothing at '{}'".format(printable(path[:80])))

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isdecimal() and "Transfer-Encoding" not in self.headers):
            raise RefusedError(411, "the request must say its length, as Content-Length")
        if len(length) > 9 or int(length) > MOST_BODY_BYTES:
            raise RefusedError(413, "the request is longer than {} bytes".format(MOST_BODY_BYTES))
        return bytes(self.rfile.read(int(length)))

    def _cookie(self, path: str) -> Tuple[Tuple[str, str], ...]:
        """Return what has a browser keep the token: the page is opened with it once."""
        guard = self.server.guard
        if guard.token is None or path != "/":
            return ()
        value = "{}={}; Path=/; HttpOnly; SameSite=Strict".format(guard.cookie, guard.token)
        return (("Set-Cookie", value),)

    def _send_results(self) -> None:
        with self.server.lines.reading() as pieces:
            self._begin(200, "application/x-ndjson", (("Content-Disposition", "attachment"),))
            for piece in pieces:
                self.wfile.write(piece)

    def _send_pictures(self, path: str) -> None:
        loop = self.server.loop
        with loop.board.watching():
            # What waits in the kernel grows old.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            content_type, parts = parts_of(path, loop)
            self._begin(200, content_type)
            for part in parts:
                self.wfile.write(part)

    def _answer(self, status: int, body: Mapping[str, Any]) -> None:
        text = json.dumps(body, separators=(",", ":"), allow_nan=False)
        self._send(status, text.encode("utf-8") + b"\n", _JSON)

    def _refuse(self, status: int, sentence: str) -> None:
        if self._has_begun:
            return  # a stream that ends
        try:
            self._answer(status, {"error": sentence})
            self._drain()
        except OSError:
            pass

    def _drain(self) -> None:
        """Read what the client is still sending: if it were cut off, it would miss the answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(1.0)
        left = _DRAINED_BYTES
        while left > 0:
            piece = self.connection.recv(min(left, 1 << 16))
            if not piece:
                return
            left -= len(piece)

    def _send(
        self, status: int, body: bytes, content_type: str, more: Tuple[Tuple[str, str], ...] = ()
    ) -> None:
        self._begin(status, content_type, (*more, ("Content-Length", str(len(body)))))
        self.wfile.write(body)

    def _begin(
        self, status: int, content_type: str, more: Tuple[Tuple[str, str], ...] = ()
    ) -> None:
        self._has_begun = self.close_connection = True
        self.send_response(status)
        for name, value in (("Content-Type", content_type), *more, *_HEADERS):
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
