"""Clips as files: H.264 video, or the folders of the DAVIS data set."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.clip import Clip
from sam2lite.data.clips.palette_png import encode_palette_png
from sam2lite.errors import ArgumentError, OutputError
from sam2lite.runtimes.video.writer import VideoWriter

_RESOLUTION = "480p"  # the folder's name in DAVIS; its readers expect it whatever the size
_NAME_LIST = Path("ImageSets", "2017", "val.txt")
_JPEG_QUALITY = 95


def write_video(clip: Clip, path: Path, fps: float = 24.0) -> None:
    """Write the frames to an `.mp4` file: H.264 where PyAV is installed, else MPEG-4.

    Raises:
        ArgumentError: the rate is not positive.
        OutputError: the path cannot be written.
    """
    height, width = clip.labels_thw.shape[1:]
    with VideoWriter(path, fps=fps, width=width, height=height) as writer:
        for frame_rgb in clip.frames_rgb_thwc:
            writer.write(cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2BGR))


def write_davis(clip: Clip, root: Path, name: str) -> None:
    """Write the frames as JPEG and the labels as palette PNG, as DAVIS 2017 lays them out.

    They go to `JPEGImages/480p/NAME` and `Annotations/480p/NAME` under `root`, and the name is
    added to `ImageSets/2017/val.txt`.

    Raises:
        ArgumentError: the name is not a plain file name.
        OutputError: a file cannot be written.
    """
    if Path(name).name != name or name in ("", ".."):
        raise ArgumentError(f"clip name {name!r} is not a plain name; leave out any folder")
    images = root / "JPEGImages" / _RESOLUTION / name
    annotations = root / "Annotations" / _RESOLUTION / name
    try:
        for folder in (images, annotations, (root / _NAME_LIST).parent):
            folder.mkdir(parents=True, exist_ok=True)
        for index, (frame_rgb, labels) in enumerate(
            zip(clip.frames_rgb_thwc, clip.labels_thw, strict=True)
        ):
            (images / f"{index:05d}.jpg").write_bytes(_encode_jpeg(frame_rgb))
            (annotations / f"{index:05d}.png").write_bytes(encode_palette_png(labels))
        _add_name(root / _NAME_LIST, name)
    except OSError as error:
        raise OutputError(
            f"cannot write clip '{name}' under '{root}': {error.strerror or error}; "
            "choose a folder that you may write to, and that has room"
        ) from error


def _encode_jpeg(frame_rgb: NDArray[np.uint8]) -> bytes:
    frame_bgr = cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


def _add_name(path: Path, name: str) -> None:
    names = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if name not in names:
        path.write_text("\n".join([*names, name]) + "\n", encoding="utf-8")
