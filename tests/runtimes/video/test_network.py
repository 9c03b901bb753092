"""Streams of the network, from a web server of the test's own."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite.errors import VideoError
from sam2lite.runtimes.video import captures, network
from sam2lite.runtimes.video.network import is_url, public_url
from sam2lite.runtimes.video.source import open_source
from sam2lite.runtimes.video.writer import VideoWriter

HEAD = "multipart/x-mixed-replace; boundary=frame"


class Sender(ThreadingHTTPServer):
    """`/live` is MJPEG that may break, `/clip.mp4` a file, and `/silent` says nothing."""

    daemon_threads = True

    def __init__(self, clip: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.clip = clip.read_bytes()
        self.frames_of_connections = [1000]  # one by one, and the last again and again
        self.connections = 0
        self.stopped = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Answer(BaseHTTPRequestHandler):
    server: Sender

    def do_GET(self) -> None:
        if self.path == "/live":
            self._stream()
        elif self.path == "/clip.mp4":
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.clip)))
            self.end_headers()
            self.wfile.write(self.server.clip)
        elif self.path == "/silent":
            self.server.stopped.wait(20)
        else:
            self.send_error(404)

    def _stream(self) -> None:
        counts = self.server.frames_of_connections
        count = counts[min(self.server.connections, len(counts) - 1)]
        self.server.connections += 1
        self.send_response(200)
        self.send_header("Content-Type", HEAD)
        self.end_headers()
        for index in range(count):
            grey = np.full((48, 64, 3), 4 * index % 256, np.uint8)
            _, jpeg = cv2.imencode(".jpg", grey)
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + jpeg.tobytes() + b"\r\n")
            except OSError:  # whoever looked has left
                return
            if self.server.stopped.wait(0.01):
                return

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing."""


@pytest.fixture
def sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sender]:
    monkeypatch.setattr(network, "_TIMEOUT_MS", 1000)
    monkeypatch.setattr(captures, "_FIRST_WAIT_S", 0.05)
    clip = tmp_path / "clip.mp4"
    with VideoWriter(clip, 25, 64, 48) as writer:
        for index in range(10):
            writer.write(np.full((48, 64, 3), 8 * index, np.uint8))
    sender = Sender(clip)
    yield sender
    sender.stopped.set()
    sender.shutdown()
    sender.server_close()


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        *((f"{scheme}://10.0.0.2/x", True) for scheme in ("rtsp", "RTSPS", "http", "udp", "srt")),
        *((text, False) for text in ("rtsp:/x", "rtsp://", "file:///x", "clip.mp4", "a/http://b")),
    ],
)
def test_urls_are_told_from_paths(text: str, is_one: bool) -> None:
    assert is_url(text) is is_one


def test_nobody_hears_a_password() -> None:
    assert public_url("rtsp://me:p4ss@10.0.0.2:554/a@b") == "rtsp://10.0.0.2:554/a@b"
    with pytest.raises(VideoError) as told:
        open_source("rtsp://me:p4ss@127.0.0.1:1/x")
    assert "p4ss" not in str(told.value)
    assert "rtsp://127.0.0.1:1/x" in str(told.value)


def test_a_stream_is_live(sender: Sender) -> None:
    with open_source(sender.url("/live")) as source:
        assert (source.is_live, source.width, source.height) == (True, 64, 48)
        frames = list(islice(source.captured(), 5))
    assert frames[0].source_index == 0
    assert all(frame.pts_ms is not None for frame in frames)
    assert source.warning is None


def test_a_stream_that_breaks_is_connected_to_again(sender: Sender) -> None:
    sender.frames_of_connections = [5, 0, 1000]
    with open_source(sender.url("/live")) as source:
        for frame in source.captured():
            if sender.connections >= 3 and frame.image_bgr.mean() > 40:
                break
        assert source.warning is not None
        assert "/live' was lost and came back once" in source.warning


def test_a_stream_that_stays_away_ends_the_run(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_GIVE_UP_S", 0.5)
    sender.frames_of_connections = [5, 0]
    with open_source(sender.url("/live")) as source:
        begun_s = time.monotonic()
        with pytest.raises(VideoError, match=r"/live' has delivered no frame for 0\.5 s; "):
            for _ in source.captured():
                pass
        assert time.monotonic() - begun_s < 10


def test_a_file_of_a_web_server_is_no_live_source(sender: Sender) -> None:
    with open_source(sender.url("/clip.mp4")) as source:
        assert (source.is_live, source.frame_count, source.fps) == (False, 10, 25)
        assert [frame.source_index for frame in source.captured()] == list(range(10))


@pytest.mark.parametrize("path", ["/silent", "/nothing"])
def test_what_gives_no_video_is_one_sentence(sender: Sender, path: str) -> None:
    with pytest.raises(VideoError, match=rf"{path}' gives no video, or nothing answered within"):
        open_source(sender.url(path))
