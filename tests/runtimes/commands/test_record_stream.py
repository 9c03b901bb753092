"""Lines for other programs: fresh, whole, and never waited for."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sam2lite.errors import OutputError
from sam2lite.runtimes.commands import line_writer
from sam2lite.runtimes.commands.line_writer import LineWriter
from sam2lite.runtimes.commands.record_stream import open_stream

PATIENCE_S = 20


def wait_until(done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def test_a_file_has_each_line_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    with open_stream(str(path)) as stream:
        for index in range(3):
            stream.put(json.dumps({"index": index}))
            expected = index + 1
            wait_until(lambda: path.read_text().count("\n") == expected)  # noqa: B023
    assert [json.loads(line)["index"] for line in path.read_text().splitlines()] == [0, 1, 2]
    assert stream.warnings() == []


def test_a_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        open_stream(str(path))
    assert path.read_text() == "mine"
    with open_stream(str(path), force=True) as stream:
        stream.put("{}")
    assert path.read_text() == "{}\n"


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("missing/lines", "No such file"),
        ("unix:missing/socket", "No such file"),
        ("unix:" + "x" * 200, "too long"),
        ("unix:taken", "in use"),
        (".", "is a folder"),
        ("nul\0", "null byte"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    spec: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file of the user's")
    with pytest.raises(OutputError, match=fault):
        open_stream(spec)
    assert (tmp_path / "taken").read_text() == "a file of the user's"


def test_a_pipe_whose_reader_comes_late_or_never(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with open_stream(str(path)) as stream:
        stream.put("early")
        with path.open() as reader:
            assert reader.readline() == "early\n"
            stream.put("late")
            assert reader.readline() == "late\n"
    begun_s = time.monotonic()
    with open_stream(str(path)) as stream:
        stream.put("for nobody")
    assert time.monotonic() - begun_s < 5
    assert "1 lines of the stream were dropped" in stream.warnings()[0]
    with path.open():  # lets the thread that still waits end
        pass


def test_a_reader_who_leaves_is_told_and_ends_nothing() -> None:
    code = (
        "import sys\n"
        "from sam2lite.runtimes.commands.record_stream import open_stream\n"
        "with open_stream('-') as stream:\n"
        "    for index in range(20000):\n"
        "        stream.put('x' * 100)\n"
        "        if index % 100 == 0:\n"
        "            import time; time.sleep(0.001)\n"
        "sys.stderr.write(stream.warnings()[-1])\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "x" * 100 + "\n"
    child.stdout.close()
    assert child.stderr is not None
    assert "the stream ended after" in child.stderr.read()
    assert child.wait(PATIENCE_S) == 0
    child.stderr.close()


def connect(path: Path) -> socket.socket:
    reader = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    reader.settimeout(PATIENCE_S)
    reader.connect(str(path))
    return reader


def test_readers_of_a_socket_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with open_stream(f"unix:{path}") as stream:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with connect(path) as first, first.makefile() as first_lines:
            wait_until(lambda: len(stream._writers) == 1)
            stream.put("one")
            assert first_lines.readline() == "one\n"
            with connect(path) as second, second.makefile() as second_lines:
                wait_until(lambda: len(stream._writers) == 2)
                stream.put("two")
                assert (first_lines.readline(), second_lines.readline()) == ("two\n", "two\n")
        with connect(path) as third, third.makefile() as third_lines:

            def goes_on() -> bool:
                stream.put("three")  # until the two who left are noticed
                return sum(writer.failure is None for writer in stream._writers) == 1

            wait_until(goes_on)
            assert third_lines.readline() == "three\n"
        with pytest.raises(OutputError, match="in use"):
            open_stream(f"unix:{path}")
    assert not path.exists()
    names = {thread.name for thread in threading.enumerate()}
    wait_until(lambda: "stream-readers" not in names or not path.exists())


def test_a_socket_of_a_dead_run_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(path))
    dead.close()
    with open_stream(f"unix:{path}"), connect(path):
        pass


def test_a_reader_who_never_reads_costs_lines_and_no_time(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with open_stream(f"unix:{path}") as stream, connect(path):
        wait_until(lambda: bool(stream._writers))
        begun_s = time.monotonic()
        for _ in range(3000):
            stream.put("x" * 1000)
        assert time.monotonic() - begun_s < 5
        assert stream.dropped > 1000
        ending_s = time.monotonic()
    assert time.monotonic() - ending_s < 5
    assert "were read too slowly" in stream.warnings()[0]


def test_too_many_readers_are_turned_away(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with open_stream(f"unix:{path}") as stream:
        readers = [connect(path) for _ in range(9)]
        assert readers[-1].recv(1) == b""
        assert len(stream._writers) == 8
        for reader in readers:
            reader.close()


class Slow:
    def __init__(self) -> None:
        self.gate = threading.Event()
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.gate.wait(PATIENCE_S)
        self.lines.append(line)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_what_waits_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_writer, "_MOST_WAITING", 4)
    slow = Slow()
    writer = LineWriter(lambda: slow)
    writer.put(b"0")
    wait_until(lambda: not writer._waiting)
    for index in range(1, 10):
        writer.put(b"%d" % index)
    assert writer.dropped == 5
    slow.gate.set()
    writer.close()
    assert slow.lines == [b"0", b"1", b"2", b"3", b"4"]
    assert writer.written == 5
