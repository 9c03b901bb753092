"""What a viewer is sent: picture after picture, always the newest, for as long as it reads."""

from typing import Any, Iterator, Tuple

from sam2lite.runtimes.serve.loop import ServedLoop

LIVE = "/live"  # the page's own: JSON, then the frame; the masks are in the JSON
STREAM = "/stream.mjpg"  # for an <img> and for programs: frames with their masks drawn in
# A viewer that is gone is noticed when it is sent something.
_STILL_S = 5.0
_BOUNDARY = "frame-of-sam2lite"
_TYPES = {LIVE: "multipart/mixed", STREAM: "multipart/x-mixed-replace"}


def parts_of(path: str, loop: ServedLoop) -> Tuple[str, Iterator[bytes]]:
    """Return the content type of a stream, and what to send: never two pictures at once."""
    content_type = "{}; boundary={}".format(_TYPES[path], _BOUNDARY)
    return content_type, _live(loop) if path == LIVE else _drawn(loop)


def _live(loop: ServedLoop) -> Iterator[bytes]:
    yield b"--" + _BOUNDARY.encode("ascii")
    for picture in _pictures(loop):
        about = _part("application/json", picture.frame_index, picture.about)
        yield about + _part("image/jpeg", picture.frame_index, picture.jpeg(False, loop.shown.keep))


def _drawn(loop: ServedLoop) -> Iterator[bytes]:
    yield b"--" + _BOUNDARY.encode("ascii")
    for picture in _pictures(loop):
        yield _part("image/jpeg", picture.frame_index, picture.jpeg(True, loop.shown.keep))


def _pictures(loop: ServedLoop) -> Iterator[Any]:
    seen = -1
    while True:
        picture = loop.board.wait(seen, _STILL_S) or loop.board.newest
        if picture is not None:
            seen = picture.serial
            yield picture


def _part(content_type: str, frame_index: int, body: bytes) -> bytes:
    """Return a part and the boundary behind it, at which browsers show it."""
    head = "\r\nContent-Type: {}\r\nContent-Length: {}\r\nX-Frame-Index: {}\r\n\r\n".format(
        content_type, len(body), frame_index
    )
    return head.encode("ascii") + body + b"\r\n--" + _BOUNDARY.encode("ascii")
