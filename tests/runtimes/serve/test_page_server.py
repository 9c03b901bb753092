"""Who is answered, with what, and how much a client may ask for."""

import json
import socket
import threading
import time

import pytest

from sam2lite.errors import ServeError
from sam2lite.runtimes.serve import server as server_module
from sam2lite.runtimes.serve.address import find_address, url_of
from sam2lite.runtimes.serve.page_files import read_page
from sam2lite.runtimes.serve.rate import MOST_CLIENTS, RateLimit
from sam2lite.runtimes.serve.server import PageServer
from tests.runtimes.serve.conftest import Served
from tests.runtimes.serve.test_orders import eventually

ELSEWHERE = "evil.example"


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the server hangs up."""
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_the_page_is_there_and_asks_nobody_else(served: Served) -> None:
    for path, file in read_page().items():
        answer = served.client.get(path)
        assert (answer.status, answer.body) == (200, file.content)
        assert answer.headers["Content-Type"] == file.content_type
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert b"http://" not in answer.body.replace(b"http://www.w3.org/2000/svg", b"")
        assert b"https://" not in answer.body
        assert b" style=" not in answer.body  # the policy would keep it from working
        assert "Set-Cookie" not in answer.headers


def test_the_state_is_told(served: Served) -> None:
    state = served.client.get("/state").json
    assert (state["video"], state["width"], state["paused"], state["viewers"]) == (
        "fake",
        96,
        False,
        0,
    )


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/../../etc/passwd",
        "/page/../../serve/run.py",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/index.html",
        "/style.css/",
        "/style.css%00",
        "file:///etc/passwd",
        "*",
    ],
)
def test_nothing_but_the_table_is_served(served: Served, path: str) -> None:
    answer = served.client.get(path)
    assert answer.status == 404
    assert answer.error.startswith("there is nothing at '")


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("GET", "/prompt"), ("POST", "/live")])
def test_methods_are_told_apart(served: Served, method: str, path: str) -> None:
    answer = served.client.ask(method, path, b"{}" if method == "POST" else None)
    assert answer.status == 405
    assert answer.error.startswith(f"{path} takes ")


def test_other_methods_are_refused(served: Served) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE"):
        answer = served.client.ask(method, "/pause")
        assert answer.status == 501
        assert method in answer.error


@pytest.mark.parametrize(
    "host",
    [ELSEWHERE, f"{ELSEWHERE}:PORT", "localhost", "localhost:1", "", "127.0.0.1:PORT:PORT", "[::1"],
)
def test_a_name_that_leads_here_by_somebody_elses_doing_is_refused(
    served: Served, host: str
) -> None:
    given = host.replace("PORT", str(served.server.port))
    for path in ("/", "/state", "/live", "/results.jsonl"):
        answer = served.client.get(path, Host=given)
        assert (answer.status, "does not answer to that name" in answer.error) == (403, True)


def test_own_names_are_answered_to(served: Served) -> None:
    for name in ("localhost", "127.0.0.1", "[::1]", "LocalHost"):
        assert served.client.get("/state", Host=f"{name}:{served.server.port}").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": f"http://{ELSEWHERE}"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:PORT"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_page_cannot_ask(served: Served, headers: dict[str, str]) -> None:
    given = {
        name: value.replace("PORT", str(served.server.port)) for name, value in headers.items()
    }
    for method, path in (("GET", "/stream.mjpg"), ("GET", "/state"), ("POST", "/pause")):
        body = b'{"paused":true}' if method == "POST" else None
        answer = served.client.ask(method, path, body, **given)
        assert (answer.status, "another page" in answer.error) == (403, True)
    assert not served.loop.state()["paused"]


def test_the_page_itself_can_ask(served: Served) -> None:
    origin = f"http://127.0.0.1:{served.server.port}"
    assert served.client.get("/state", Origin=origin, Sec_Fetch_Site="same-origin").status == 200


def test_a_form_of_another_page_is_no_request(served: Served) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        answer = served.client.ask("POST", "/pause", b'{"paused":true}', Content_Type=kind)
        assert (answer.status, "Content-Type: application/json" in answer.error) == (415, True)


def test_from_elsewhere_a_token_is_needed(open_to_all: Served) -> None:
    client, token = open_to_all.client, str(open_to_all.client.token)
    assert open_to_all.server.url.endswith(f"/?token={token}")
    assert len(token) >= 32
    for path in ("/", "/state", "/live", "/stream.mjpg", "/results.jsonl", "/nothing"):
        for wrong in (None, "Bearer ", "Bearer x", f"Bearer {token}x", f"Basic {token}", token):
            answer = client.get(path, Authorization=wrong)
            if answer.status == 429:
                time.sleep(1)
                answer = client.get(path, Authorization=wrong)
            assert answer.status == 401
            assert answer.error.startswith("the token is missing or wrong; open the address")
    assert client.get("/state").status == 200


def test_the_url_gives_a_browser_its_cookie(open_to_all: Served) -> None:
    client, token = open_to_all.client, open_to_all.client.token
    answer = client.get(f"/?token={token}", Authorization=None)
    assert answer.status == 200
    cookie, *flags = answer.headers["Set-Cookie"].split("; ")
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    with_cookie = client.get("/state", Authorization=None, Cookie=f"other=1; {cookie}")
    assert with_cookie.status == 200
    assert client.get("/state", Authorization=None, Cookie=cookie[:-1]).status == 401
    assert client.get("/?token=wrong", Authorization=None).status == 401
    assert client.get(f"/state?token={token}", Authorization=None).status == 401


def test_a_number_or_the_machines_name_is_answered_to_with_the_token(open_to_all: Served) -> None:
    port = open_to_all.server.port
    for name in ("192.168.7.9", "[fd00::5]", socket.gethostname(), "localhost"):
        assert open_to_all.client.get("/state", Host=f"{name}:{port}").status == 200
    assert open_to_all.client.get("/state", Host=f"{ELSEWHERE}:{port}").status == 403


def test_a_request_has_a_length_and_not_too_much_of_it(served: Served) -> None:
    for length in ("65537", "99999999999999999999", "-1", "x", "\xb2"):
        answer = served.client.ask("POST", "/pause", b"{}", Content_Length=length)
        assert answer.status == (413 if length[0] in "69" else 411)
    answer = served.client.ask("POST", "/pause", b" " * 900_000)
    assert (answer.status, answer.error) == (413, "the request is longer than 65536 bytes")
    chunked = served.client.ask(
        "POST", "/pause", b"2\r\n{}\r\n0\r\n\r\n", Transfer_Encoding="chunked"
    )
    assert chunked.status == 411


def test_a_head_that_does_not_end_is_refused(served: Served) -> None:
    for head in (
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200,
    ):
        with served.client.raw(head + b"\r\n") as connection:
            answer = read_all(connection)
        assert answer.split()[1] in (b"414", b"431")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def test_what_is_no_http_is_answered_in_a_sentence(served: Served) -> None:
    with served.client.raw(b"\x16\x03\x01 hello there you\r\n\r\n") as connection:
        assert b'{"error":' in read_all(connection)


def test_requests_are_limited_in_rate(served: Served) -> None:
    answers = [served.client.get("/nothing") for _ in range(90)]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert "wait a second" in refused[0].error
    time.sleep(0.2)
    assert served.client.get("/state").status == 200


def test_rates_are_of_each_client_and_bounded_in_number() -> None:
    rate = RateLimit(per_second=1000.0, burst=2)
    assert [rate.takes("a") for _ in range(3)] == [True, True, False]
    assert rate.takes("b")
    time.sleep(0.01)
    assert rate.takes("a")
    for number in range(2 * MOST_CLIENTS):
        rate.takes(str(number))
    assert len(rate._left) == MOST_CLIENTS


def test_connections_are_limited_in_number(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MOST_CONNECTIONS", 3)
    held = [served.client.raw(b"GET /state") for _ in range(3)]
    eventually(lambda: len(served.server._connections) == 3)
    with served.client.raw(b"") as fourth:
        answer = read_all(fourth)
    assert b"503" in answer.split(b"\r\n")[0]
    assert "too many connections" in json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    for connection in held:
        connection.close()
    eventually(lambda: served.client.get("/state").status == 200)


def test_a_client_that_does_not_come_out_with_its_request_is_let_go(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "ASKING_S", 0.1)
    with served.client.raw(b"POST /pause HTTP/1.1\r\nHost: localhost\r\n") as connection:
        assert connection.recv(100) == b""
    eventually(lambda: not served.server._connections)


def test_a_port_in_use_is_one_sentence(served: Served) -> None:
    with pytest.raises(ServeError, match=r"cannot listen on port [0-9]+ of 127.0.0.1: address"):
        PageServer(find_address("127.0.0.1", served.server.port))
    with pytest.raises(ServeError, match="ports are 0 to 65535"):
        PageServer(find_address("127.0.0.1", 70000))


@pytest.mark.parametrize("host", ["nowhere.invalid", "", "256.1.1.1", "a" * 300, "1.2.3.4\n"])
def test_an_address_that_is_not_here_is_one_sentence(host: str) -> None:
    with pytest.raises(ServeError) as found:
        PageServer(find_address(host, 0))
    assert "\n" not in str(found.value)


def test_an_address_of_another_machine_is_not_answered_with_another_port() -> None:
    with pytest.raises(ServeError, match=r"of 192\.0\.2\.1: .*; give an address .*--host: 0\.0"):
        PageServer(find_address("192.0.2.1", 0))  # for documents alone (RFC 5737)


def test_addresses_of_this_machine_alone_are_told_from_others() -> None:
    for host, is_local in (("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("::", False)):
        assert find_address(host, 0).is_local == is_local
    assert url_of(find_address("::1", 0), 80) == "http://[::1]:80/"
    assert socket.gethostname() in url_of(find_address("0.0.0.0", 0), 80)


def test_nothing_is_left_of_a_server_that_ended() -> None:
    before = threading.active_count()
    served = Served()
    viewers = [served.client.parts("/live") for _ in range(2)]
    served.source.give()
    for viewer in viewers:
        next(viewer)
    idle = served.client.raw(b"GET /")
    started = time.monotonic()
    served.end()
    assert time.monotonic() - started < 4
    assert threading.active_count() == before
    for viewer in viewers:
        assert len(list(viewer)) <= 3  # what was on its way
    assert idle.recv(10) == b""
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        served.client.get("/")
