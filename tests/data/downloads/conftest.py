"""A server of files on this machine, which can be told to misbehave."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sam2lite.data.downloads import transfer


@dataclass
class Served:
    """A file as the server has it.

    Attributes:
        content: all of it.
        etag: sent with it; none if empty.
        cut_at: where the connection ends early, the first so many times, bytes from what is sent.
        cuts: how many times.
        status: instead of the file, if not 200.
        ranges: whether a part can be asked for.
        states_size: whether the answer has a length.
    """

    content: bytes
    etag: str = '"1"'
    cut_at: int = 0
    cuts: int = 0
    status: int = 200
    ranges: bool = True
    states_size: bool = True


@dataclass
class Server:
    """What is served by path, and every request: its path and the range asked for."""

    address: str
    files: dict[str, Served] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"

    def write_list(self, path: Path, *names: str) -> Path:
        lines = [f"{name}\t{self.url(name)}\n" for name in names]
        path.write_text("file_name\tcdn_link\n" + "".join(lines))
        return path


class _Handler(BaseHTTPRequestHandler):
    served: Server

    def do_GET(self) -> None:
        name = self.path.lstrip("/").split("?")[0]
        asked = self.headers.get("Range")
        self.served.requests.append((name, asked))
        file = self.served.files.get(name, Served(b"", status=404))
        if file.status == 302:
            self.send_response(302)
            self.send_header("Location", file.content.decode())
            self.end_headers()
            return
        if file.status != 200:
            self.send_error(file.status)
            return
        condition = self.headers.get("If-Range")
        first = 0
        if asked and file.ranges and condition in (None, file.etag):
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
        total = len(file.content)
        if first >= total > 0:
            self.send_error(416)
            return
        body = file.content[first:]
        self.send_response(206 if first else 200)
        if file.etag:
            self.send_header("ETag", file.etag)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        if file.states_size:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if file.cuts:
            file.cuts -= 1
            body = body[: file.cut_at]
        self.wfile.write(body)

    def log_message(self, form: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose clients do not wait before they try again."""
    monkeypatch.setattr(transfer, "_FIRST_WAIT_S", 0.0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    handler: Any = type("Handler", (_Handler,), {})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.served = Server(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield handler.served
    http.shutdown()
    thread.join()
    http.server_close()
