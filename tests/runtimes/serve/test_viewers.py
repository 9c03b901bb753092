"""Viewers get the newest picture, encoded once, and none of them holds up the loop."""

import json
import socket
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite.errors import OutputError
from sam2lite.runtimes.serve import board as board_module
from sam2lite.runtimes.serve import handler as handler_module
from sam2lite.runtimes.serve import picture as picture_module
from sam2lite.runtimes.serve import viewing as viewing_module
from sam2lite.runtimes.serve.board import MOST_VIEWERS, Board
from sam2lite.runtimes.serve.picture import Picture
from sam2lite.runtimes.serve.result_lines import ResultLines, line_of
from sam2lite.runtimes.serve.shown_frames import ShownFrames
from sam2lite.runtimes.serve.viewing import LIVE, STREAM
from sam2lite.runtimes.video.colours import ObjectColours
from tests.runtimes.serve.client import Part
from tests.runtimes.serve.conftest import Served, frame_of, index_of
from tests.runtimes.serve.test_orders import ask_with_frames, eventually, play


def decoded(part: Part) -> np.ndarray:
    image_bgr = cv2.imdecode(np.frombuffer(part.body, np.uint8), cv2.IMREAD_COLOR)
    assert image_bgr is not None
    return image_bgr


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The frames that were encoded, in order."""
    found: list[int] = []
    usual = picture_module._jpeg

    def counted(image_bgr: np.ndarray) -> bytes:
        found.append(index_of(image_bgr))
        return usual(image_bgr)

    monkeypatch.setattr(picture_module, "_jpeg", counted)
    return found


def test_a_frame_is_encoded_once_for_all_and_not_at_all_for_nobody(
    served: Served, encoded: list[int]
) -> None:
    play(served, 3)
    assert encoded == []
    viewers = [served.client.parts(LIVE) for _ in range(3)]
    served.loop.board._due_s = 0.0
    play(served, 1)
    for viewer in viewers:
        shown = [index_of(decoded(part)) for part in (next(viewer), next(viewer))[1:]]
        assert shown[0] in (0, 3)
    eventually(lambda: served.client.get("/state").json["viewers"] == 3)
    for viewer in viewers:
        viewer.close()
    assert len(encoded) == len(set(encoded)) <= 2


def test_a_stream_of_plain_pictures_has_the_masks_drawn_in(served: Served) -> None:
    play(served, 1)
    ask_with_frames(served, "/prompt", object=1, points=[[40, 30]])
    play(served, 1)
    ask_with_frames(served, "/pause", paused=True)
    drawn = served.client.parts(STREAM)
    part = next(drawn)
    index = int(part.headers["X-Frame-Index"])
    drawn.close()
    assert np.ptp(decoded(part)) > 50  # the frame itself is grey
    # A click on it finds the frame, without what was drawn.
    assert served.client.post("/prompt", object=2, frame=index, points=[[9, 9]]).status == 200
    assert np.ptp(served.segmenter.prompts[-1][3]) == 0


def test_objects_are_drawn_in_colours_that_the_picture_does_not_have(served: Served) -> None:
    play(served, 1)
    ask_with_frames(served, "/prompt", object=1, points=[[40, 30]])
    ask_with_frames(served, "/pause", paused=True)
    ((object_id, colour_bgr),) = ObjectColours().of(frame_of(1), served.segmenter.objects).items()
    viewer = served.client.parts(LIVE)
    told = json.loads(next(viewer).body)["state"]["colours"]
    assert told == {str(object_id): "#{2:02x}{1:02x}{0:02x}".format(*colour_bgr)}
    viewer.close()
    drawn = served.client.parts(STREAM)
    within_bgr = decoded(next(drawn))[36, 36].astype(int)  # of a JPEG, beside the number
    assert np.abs(within_bgr - (frame_of(1)[0, 0] / 2 + np.array(colour_bgr) / 2)).max() < 30
    drawn.close()
    assert served.client.post("/remove", object=1).status == 200
    viewer = served.client.parts(LIVE)
    assert json.loads(next(viewer).body)["state"]["colours"] == {}
    viewer.close()


def test_a_picture_stays_until_there_is_another(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewing_module, "_STILL_S", 0.05)
    viewer = served.client.parts(STREAM)
    play(served, 1)
    shown = [part.headers["X-Frame-Index"] for part, _ in zip(viewer, range(3), strict=False)]
    assert shown == ["0", "0", "0"]  # which is how a viewer that is gone is noticed


def test_a_client_that_never_reads_is_let_go_and_holds_nobody_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler_module.Handler, "timeout", 0.3)
    monkeypatch.setattr(handler_module, "_SEND_BUFFER_BYTES", 4096)
    monkeypatch.setattr(picture_module, "_jpeg", lambda image_bgr: b"x" * 3_000_000)
    monkeypatch.setattr(board_module, "PICTURE_PERIOD_S", 0.0)
    request = f"GET {LIVE} HTTP/1.1\r\nHost: localhost:{served.server.port}\r\n\r\n"
    with served.client.raw(request.encode()) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        eventually(lambda: served.loop.board.viewers == 1)
        started = time.monotonic()
        play(served, 20)
        assert time.monotonic() - started < 2
        eventually(lambda: served.loop.board.viewers == 0)
    assert served.client.get("/state").status == 200


def test_viewers_are_limited_in_number(served: Served) -> None:
    play(served, 1)
    viewers = [served.client.parts(LIVE) for _ in range(MOST_VIEWERS)]
    for viewer in viewers:
        next(viewer)
    answer = served.client.get(LIVE)
    assert (answer.status, answer.error) == (
        503,
        "8 viewers are the most at a time; close another page first",
    )
    for viewer in viewers:
        viewer.close()


def picture(serial: int, index: int | None = None) -> Picture:
    index = serial if index is None else index
    return Picture(serial, index, frame_of(index), {}, b"{}", {})


def test_a_slow_viewer_misses_pictures() -> None:
    board = Board(period_s=0.0)
    for serial in range(5):
        board.put(picture(serial))
    newest = board.wait(1, 1.0)
    assert newest is not None
    assert newest.serial == 4
    assert board.wait(4, 0.01) is None


def test_pictures_are_not_put_up_more_often_than_they_are_due() -> None:
    board = Board(period_s=0.05)
    assert board.is_due()
    board.put(picture(0))
    board.put(picture(1))
    assert not board.is_due()
    time.sleep(0.12)
    assert board.is_due()


def test_shown_frames_are_bounded_in_number_and_bytes() -> None:
    frames = ShownFrames(most_frames=3, most_bytes=10_000)
    for index in range(5):
        frames.keep(index, picture(index).jpeg(False))
    kept = [index for index in range(5) if frames.find(index) is not None]
    assert kept == [2, 3, 4]
    found = frames.find(3)
    assert found is not None
    assert index_of(found) == 3
    frames.keep(9, b"x" * 9_990)
    assert frames.find(4) is None
    frames.keep(9, b"x" * 20_000)
    assert list(frames._jpegs) == [9]
    assert frames._bytes == 20_000


def test_results_can_be_downloaded_at_any_time(served: Served) -> None:
    play(served, 3)
    answer = served.client.get("/results.jsonl")
    assert answer.headers["Content-Disposition"] == "attachment"
    header, *records = [json.loads(line) for line in answer.body.splitlines()]
    assert header == {"sam2lite_version": "0"}
    assert [record["index"] for record in records] == [0, 1, 2]
    assert [record["pts_ms"] for record in records] == [0.0, 40.0, 80.0]
    assert {"source_index", "capture_ms", "compute_ms", "latency_ms", "objects"} <= set(records[0])


def test_what_viewers_did_is_among_the_results(served: Served) -> None:
    play(served, 1)
    ask_with_frames(served, "/prompt", object=2, box=[1, 2, 30, 40])
    ask_with_frames(served, "/remove", object=2)
    body = served.client.get("/results.jsonl").body
    events = [json.loads(line) for line in body.splitlines() if b'"event"' in line]
    assert [event["event"] for event in events] == ["prompt", "remove"]
    assert events[0]["box"] == [1, 2, 30, 40]


def test_temporary_results_are_bounded_and_those_in_a_folder_are_not(tmp_path: Path) -> None:
    with (
        ResultLines({"run": 1}, most_bytes=1000) as short,
        ResultLines({"run": 1}, tmp_path) as whole,
    ):
        for index in range(200):
            for each in (short, whole):
                each.write(line_of({"index": index}))
            assert short.size_bytes <= 1000
        with short.reading() as pieces:
            header, *kept = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert header == {"run": 1}
    assert [record["index"] for record in kept] == list(range(200))[-len(kept) :]
    assert 20 < len(kept) < 200
    written = (tmp_path / "results.jsonl").read_text().splitlines()
    assert [json.loads(line).get("index") for line in written] == [None, *range(200)]


def test_half_a_line_is_cut_off(tmp_path: Path) -> None:
    with ResultLines({"run": 1}, tmp_path) as lines:
        lines.write(line_of({"index": 0}))
        lines._parts[-1].write(b'{"index"')  # a signal comes in the middle of a line
    assert (tmp_path / "results.jsonl").read_bytes() == b'{"run":1}\n{"index":0}\n'


def test_a_full_disk_is_one_sentence() -> None:
    class FullDisk:
        closed = False

        def seek(self, place: int) -> None:
            raise OSError(28, "No space left on device")

    with ResultLines({"run": 1}) as lines:
        kept, lines._parts = lines._parts, [FullDisk()]  # type: ignore[list-item]
        with pytest.raises(OutputError, match="No space left on device; choose a folder"):
            lines.write(b"{}\n")
        lines._parts = kept


def test_two_ask_at_once_and_both_are_answered(served: Served) -> None:
    play(served, 1)
    answers: list[int] = []

    def ask(number: int) -> None:
        answers.append(served.client.post("/prompt", object=number, points=[[9, 9]]).status)

    threads = [threading.Thread(target=ask, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    until_s = time.monotonic() + 5
    while len(answers) < 3 and time.monotonic() < until_s:
        served.source.give()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert answers == [200] * 3
    assert sorted(served.segmenter.objects) == [1, 2, 3]
