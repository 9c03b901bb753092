"""Clicks, boxes, corrections, removing and pausing, as the page asks for them."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sam2lite.runtimes import rle
from sam2lite.runtimes.serve import orders
from sam2lite.runtimes.serve.refused import RefusedError
from sam2lite.runtimes.serve.viewing import LIVE
from tests.runtimes.serve.conftest import HEIGHT, WIDTH, Served, index_of


def eventually(holds: Callable[[], Any]) -> None:
    for _ in range(2000):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen within 20 s")


def play(served: Served, frames: int) -> None:
    """Have the loop track so many frames more."""
    before = served.loop.state()["frames"]
    served.source.give(frames)
    eventually(lambda: served.loop.state()["frames"] >= before + frames)


def ask_with_frames(served: Served, path: str, **body: Any) -> Any:
    """Ask for something while the stream goes on, since it is done between two frames."""
    answered = threading.Event()

    def go_on() -> None:
        while not answered.wait(0.02):
            served.source.give()

    giver = threading.Thread(target=go_on)
    giver.start()
    try:
        return served.client.post(path, **body)
    finally:
        answered.set()
        giver.join()


def lines(served: Served) -> list[dict[str, Any]]:
    body = served.client.get("/results.jsonl").body
    return [json.loads(line) for line in body.splitlines()]


def test_a_click_lands_on_the_frame_that_was_shown(served: Served) -> None:
    viewer = served.client.parts(LIVE)
    served.source.give()
    about = next(viewer)
    picture = next(viewer)
    assert about.headers["X-Frame-Index"] == picture.headers["X-Frame-Index"] == "0"
    play(served, 4)  # meanwhile the stream goes on
    answer = ask_with_frames(served, "/prompt", object=1, frame=0, points=[[40, 30]])
    viewer.close()
    assert answer.status == 200, answer.body
    (index, object_id, prompt, frame_bgr) = served.segmenter.prompts[0]
    assert (index, object_id, prompt.points_xy.tolist()) == (0, 1, [[40, 30]])
    assert index_of(frame_bgr) == 0
    assert (answer.json["frame"], answer.json["visible"]) == (0, True)
    assert rle.decode(answer.json["rle"])[30, 40]


def test_a_click_without_a_frame_lands_on_the_newest(served: Served) -> None:
    play(served, 3)
    answer = ask_with_frames(served, "/prompt", points=[[40, 30]])
    assert answer.status == 200
    index, object_id, _, frame_bgr = served.segmenter.prompts[0]
    assert answer.json["frame"] == index == index_of(frame_bgr)
    assert object_id == answer.json["object"] == 1


def test_boxes_points_and_objects(served: Served) -> None:
    play(served, 1)
    ask_with_frames(served, "/prompt", object=1, points=[[40, 30]])
    ask_with_frames(served, "/prompt", object=1, points=[[40, 30], [60, 30]], labels=[1, 0])
    ask_with_frames(served, "/prompt", object=2, box=[5, 6, 50, 40])
    first, second, third = (prompt for _, _, prompt, _ in served.segmenter.prompts)
    assert first.labels.tolist() == [1]
    assert second.labels.tolist() == [1, 0]
    assert third.box_xyxy is not None
    assert third.box_xyxy.tolist() == [5, 6, 50, 40]
    play(served, 1)
    assert sorted(lines(served)[-1]["objects"]) == ["1", "2"]


def test_an_object_can_be_removed(served: Served) -> None:
    play(served, 1)
    ask_with_frames(served, "/prompt", object=3, points=[[40, 30]])
    assert ask_with_frames(served, "/remove", object=3).json == {"object": 3}
    play(served, 1)
    assert lines(served)[-1]["objects"] == {}
    answer = ask_with_frames(served, "/remove", object=3)
    assert (answer.status, answer.error) == (400, "there is no object 3 to remove")


def test_a_paused_stream_shows_what_a_click_gives(served: Served) -> None:
    play(served, 2)
    assert ask_with_frames(served, "/pause", paused=True).json == {"paused": True}
    index = served.client.get("/state").json["frames"] - 1
    served.source.give(3)  # nobody takes them
    viewer = served.client.parts(LIVE)
    record = json.loads(next(viewer).body)["record"]
    assert (record["index"], record["objects"]) == (index, {})
    next(viewer)
    served.client.post("/prompt", object=1, frame=index, points=[[40, 30]])
    again = json.loads(next(viewer).body)
    assert again["record"]["index"] == index
    assert again["state"]["paused"]
    assert rle.decode(again["record"]["objects"]["1"]["rle"])[30, 40]
    next(viewer)
    served.client.post("/remove", object=1)
    assert json.loads(next(viewer).body)["record"]["objects"] == {}
    viewer.close()
    frames = served.client.get("/state").json["frames"]
    served.client.post("/pause", paused=False)
    eventually(lambda: served.loop.state()["frames"] >= frames + 3)


def test_a_recording_waits_until_it_is_played() -> None:
    served = Served(waits=True)
    try:
        viewer = served.client.parts(LIVE)
        about = json.loads(next(viewer).body)
        assert (about["record"]["index"], about["state"]["frames"]) == (0, 0)
        assert about["state"]["paused"]
        viewer.close()
        answer = served.client.post("/prompt", frame=0, points=[[40, 30]])
        assert answer.status == 200
        assert [line for line in lines(served) if "index" in line] == []
        served.client.post("/pause", paused=False)
        play(served, 2)
        records = [line for line in lines(served) if "index" in line]
        assert [record["index"] for record in records] == [0, 1]
        assert all("1" in record["objects"] for record in records)
    finally:
        served.end()


def test_the_last_frame_stays_when_the_video_has_ended(served: Served) -> None:
    play(served, 2)
    served.source.end()
    eventually(lambda: served.loop.state()["ended"])
    answer = served.client.post("/prompt", frame=1, points=[[40, 30]])
    assert answer.status == 200
    viewer = served.client.parts(LIVE)
    about = json.loads(next(viewer).body)
    viewer.close()
    assert about["state"]["ended"]
    assert "1" in about["record"]["objects"]


def test_objects_out_of_sight_and_lost_ones_are_told(served: Served) -> None:
    play(served, 1)
    for number in (1, 2):
        ask_with_frames(served, "/prompt", object=number, points=[[40, 30]])
    served.segmenter.hidden, served.segmenter.lost = {1}, {2}
    play(served, 3)
    ask_with_frames(served, "/pause", paused=True)
    viewer = served.client.parts(LIVE)
    about = json.loads(next(viewer).body)
    viewer.close()
    objects = about["record"]["objects"]
    assert [objects[key]["visible"] for key in "12"] == [False, False]
    assert [objects[key]["lost"] for key in "12"] == [False, True]
    assert about["state"]["hidden"]["1"] >= 3


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        (
            "/prompt",
            {"points": [[WIDTH + 4, 3]]},
            f"the click ({WIDTH + 4}, 3) lies outside the frame",
        ),
        ("/prompt", {"points": [[-4, 3]]}, "lies outside the frame"),
        ("/prompt", {"box": [0, 0, 3, HEIGHT + 9]}, "leaves the frame"),
        ("/prompt", {"box": [9, 9, 3, 3]}, "ends left of its start"),
        ("/prompt", {}, "the prompt is empty"),
        ("/prompt", {"points": [[1, 2]], "labels": [2]}, "unknown label 2"),
        ("/prompt", {"points": [[1, 2]] * 9}, "9 clicks need 9 slots"),
        ("/prompt", {"points": [[1, 2]], "object": 0}, "object is 0"),
        ("/prompt", {"points": [[1, 2]], "object": "cup"}, "object is 'cup'"),
        ("/prompt", {"points": [[1, 2]], "frame": -1}, "frame is -1"),
        ("/prompt", {"points": [[1, 2]], "frame": 999}, "frame 999 was not shown"),
        ("/prompt", {"points": [[1, 2]], "mask": 1}, "unknown key 'mask'"),
        ("/prompt", {"points": "here"}, "points 'here' cannot be read"),
        ("/remove", {}, "object is None"),
        ("/pause", {"paused": 1}, "paused is 1; the form is"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    served: Served, path: str, body: dict[str, Any], sentence: str
) -> None:
    play(served, 1)
    answer = ask_with_frames(served, path, **body)
    assert answer.status == 400
    assert sentence in answer.error
    assert served.segmenter.prompts == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b'{"paused":NaN}', b"[" * 9000]
)
def test_what_is_no_json_is_one_sentence(served: Served, body: bytes) -> None:
    answer = served.client.ask("POST", "/pause", body)
    assert answer.status == 400
    assert '{"paused": true}' in answer.error


def test_a_frame_that_nobody_was_shown_is_refused(served: Served) -> None:
    play(served, 5)
    answer = ask_with_frames(served, "/prompt", frame=1, points=[[40, 30]])
    assert (answer.status, served.segmenter.prompts) == (400, [])
    assert answer.error == ("frame 1 was not shown, or too long ago; click on the picture again")


def test_one_thread_has_the_segmenter(served: Served) -> None:
    play(served, 1)
    ask_with_frames(served, "/prompt", points=[[40, 30]])
    play(served, 1)
    assert served.segmenter.threads == {"the loop"}


def test_orders_wait_in_a_bounded_queue(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "PATIENCE_S", 0.01)
    book = served.loop.orders
    for _ in range(orders.MOST_WAITING):
        with pytest.raises(RefusedError, match=r"has not come to it in 0\.01 s"):
            book.ask(lambda loop: {}, 0.01)
    answer = served.client.post("/pause", paused=True)
    assert (answer.status, "try again" in answer.error) == (503, True)
    play(served, 1)
    eventually(lambda: book.next() is None)


def test_pictures_are_the_frames(served: Served) -> None:
    import cv2

    viewer = served.client.parts(LIVE)
    served.source.give()
    next(viewer)
    jpeg = np.frombuffer(next(viewer).body, np.uint8)
    viewer.close()
    picture_bgr = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    assert picture_bgr is not None
    assert picture_bgr.shape == (HEIGHT, WIDTH, 3)
    assert index_of(picture_bgr) == 0
