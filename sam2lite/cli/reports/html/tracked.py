"""What a folder of `sam2lite track` shows: how each object went, and its worst frames as pictures.

Nobody knows the truth of a user's video, so that "worst" is the network's own opinion: the lowest
predicted IoU, and where an object begins not to be seen.
"""

import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2

from sam2lite.errors import BundleError, VideoError
from sam2lite.files.reading import printable
from sam2lite.runtimes.commands.track_writer import OVERLAY_FILE, RESULTS_FILE
from sam2lite.runtimes.video.source import open_source

MOST_PICTURES = 6  # of either kind
PICTURE_WIDTH_PX = 480
_JPEG_QUALITY = 82
_APART = 24  # pictures of one kind are at least the video's length by this apart


class Moment(NamedTuple):
    """A frame that is shown, by its place among those that were tracked, and why."""

    frame: int
    words: str


class Picture(NamedTuple):
    """A frame as a `data:` address, and why it is shown."""

    address: str
    moment: Moment


@dataclass(frozen=True)
class Followed:
    """One object over a video.

    Attributes:
        name: its id.
        iou: what the network predicts by frame; None where the object is not seen.
        visible: how many frames show it.
        frames: how many it was followed over.
        lost: how many frames gave numbers that are not finite.
    """

    name: str
    iou: Sequence[tuple[int, float | None]]
    visible: int
    frames: int
    lost: int

    def gaps(self) -> list[tuple[int, int]]:
        """Return where it is not seen: first frame and the one after the last."""
        found: list[tuple[int, int]] = []
        for index, value in self.iou:
            if value is not None:
                continue
            if found and found[-1][1] == index:
                found[-1] = (found[-1][0], index + 1)
            else:
                found.append((index, index + 1))
        return found


def followed(frames: Sequence[Mapping[str, Any]]) -> list[Followed]:
    """Return every object of `results.json`, in the order of their first frames."""
    by_object: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for index, frame in enumerate(frames):
        for name, found in frame["objects"].items():
            by_object.setdefault(name, []).append((index, found))
    return [_followed(name, records) for name, records in by_object.items()]


def _followed(name: str, records: Sequence[tuple[int, Mapping[str, Any]]]) -> Followed:
    return Followed(
        name,
        [(index, found["iou"] if found["visible"] else None) for index, found in records],
        sum(found["visible"] for _, found in records),
        len(records),
        sum(found["lost"] for _, found in records),
    )


def least_sure(objects: Sequence[Followed], length: int) -> list[Moment]:
    """Return the frames with the lowest predicted IoU of a visible object, apart from each other.

    Each object has its share of them, so that one that is all wrong does not hide the others.

    Args:
        objects: that were followed.
        length: frames of the video.
    """
    share = -(-MOST_PICTURES // max(1, len(objects)))
    values = sorted(
        (value, index, each.name)
        for each in objects
        for index, value in each.iou
        if value is not None
    )
    chosen: list[Moment] = []
    shown: Counter[str] = Counter()
    for value, index, name in values:
        apart = all(abs(index - moment.frame) > length // _APART for moment in chosen)
        if apart and shown[name] < share:
            shown[name] += 1
            chosen.append(Moment(index, f"object {name}: predicted IoU {value:.2f}"))
        if len(chosen) == MOST_PICTURES:
            break
    return sorted(chosen)


def gone(objects: Iterable[Followed]) -> list[Moment]:
    """Return the frames on which an object begins not to be seen, of the longest gaps."""
    gaps = [(end - begin, begin, end, each.name) for each in objects for begin, end in each.gaps()]
    longest = sorted(gaps, reverse=True)[:MOST_PICTURES]
    return sorted(
        Moment(begin, f"object {name}: not seen for {length} frames, to {end - 1}")
        for length, begin, end, name in longest
    )


def results_file(folder: Path) -> Path:
    """Return where a folder of `sam2lite track` has its results.

    Raises:
        BundleError: there is no such folder.
    """
    if not folder.is_dir():
        raise BundleError(
            f"there is no folder {printable(folder)}; give what `sam2lite track -o` wrote"
        )
    return folder / RESULTS_FILE


def shown_ms(results: Mapping[str, Any]) -> list[float]:
    """Return when the overlay shows each frame, from its first one on.

    Args:
        results: of `sam2lite track`; those of schema 1 are of videos of an even rate.
    """
    field = "capture_ms" if results.get("live") else "pts_ms"
    frames = results["frames"]
    times = [frame.get(field) for frame in frames]
    if any(each is None for each in times):
        return [1000.0 * index / (results.get("fps") or 1.0) for index in range(len(frames))]
    return [each - times[0] for each in times]


def pictures(
    folder: Path, moments: Iterable[Moment], times_ms: Sequence[float]
) -> list[Picture] | None:
    """Return frames of the overlay video as pictures; None where there is no such video.

    Frames are found by their time: where frames were dropped, a video of an even rate shows the one
    before for longer.

    Args:
        folder: of `sam2lite track`.
        moments: what is wanted.
        times_ms: when the video shows each frame; see `shown_ms`.

    Raises:
        VideoError: the video cannot be read.
    """
    video = folder / OVERLAY_FILE
    if not video.exists():
        return None
    left = sorted(moments, reverse=True)  # the first one last
    found = []
    last: tuple[float, Any] | None = None
    with open_source(str(video)) as source:
        for index, captured in enumerate(source.captured()):
            if not left:
                break
            at_ms = captured.pts_ms
            now = (1000.0 * index / source.fps if at_ms is None else at_ms, captured.image_bgr)
            while left and now[0] >= times_ms[left[-1].frame]:
                found.append(_nearest(left.pop(), times_ms, last or now, now))
            last = now
    if last is not None:
        found += [_nearest(moment, times_ms, last, last) for moment in reversed(left)]
    return found


def _nearest(
    moment: Moment,
    times_ms: Sequence[float],
    before: tuple[float, Any],
    after: tuple[float, Any],
) -> Picture:
    wanted_ms = times_ms[moment.frame]
    nearer = before if wanted_ms - before[0] < after[0] - wanted_ms else after
    return Picture(_address(nearer[1]), moment)


def _address(frame_bgr: Any) -> str:
    height, width = frame_bgr.shape[:2]
    if width > PICTURE_WIDTH_PX:
        size = (PICTURE_WIDTH_PX, max(1, round(height * PICTURE_WIDTH_PX / width)))
        frame_bgr = cv2.resize(frame_bgr, size, interpolation=cv2.INTER_AREA)
    done, jpeg = cv2.imencode(".jpg", frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise VideoError(f"a frame of {width}x{height} cannot be written as a JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")
