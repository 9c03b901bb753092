"""A client of the page's server as a program would write one."""

import http.client
import json
import socket
from collections.abc import Generator
from typing import Any, NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The one sentence of a refusal."""
        (sentence,) = json.loads(self.body).values()
        assert "\n" not in sentence
        return str(sentence)


class Part(NamedTuple):
    headers: dict[str, str]
    body: bytes


class Client:
    """Asks a server; a connection each."""

    def __init__(self, host: str, port: int, token: str | None = None) -> None:
        self.host, self.port, self.token = host, port, token

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str | None
    ) -> Answer:
        """Ask for anything; a header that is None is left out."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            given.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None:
            given.setdefault("Content-Type", "application/json")
        kept = {name: value for name, value in given.items() if value is not None}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            connection.request(method, path, body, kept)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str | None) -> Answer:
        return self.ask("GET", path, None, **headers)

    def post(self, path: str, **body: Any) -> Answer:
        return self.ask("POST", path, json.dumps(body).encode())

    def raw(self, text: bytes, timeout_s: float = 10.0) -> socket.socket:
        """Send bytes and return the connection."""
        connection = socket.create_connection((self.host, self.port), timeout_s)
        connection.sendall(text)
        return connection

    def parts(self, path: str) -> Generator[Part, None, None]:
        """Give the parts of a stream as they come; close the iterator to go away."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            boundary = answer.headers["Content-Type"].partition("boundary=")[2].encode()
            assert answer.readline() == b"--" + boundary + b"\r\n"
            while True:
                found = {}
                line = answer.readline()
                while line not in (b"\r\n", b""):
                    name, _, value = line.decode().partition(": ")
                    found[name] = value.strip()
                    line = answer.readline()
                if not line:
                    return
                body = answer.read(int(found["Content-Length"]))
                yield Part(found, body)
                # The boundary stands right behind its part; what follows it comes with the next.
                assert answer.read(len(boundary) + 4) == b"\r\n--" + boundary
                if answer.read(2) != b"\r\n":
                    return
        finally:
            connection.close()
