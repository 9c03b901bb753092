"""Which backends an OpenCV has, with a registry that can say so and without."""

import sys
from types import SimpleNamespace

import cv2
import pytest

from sam2lite.runtimes.commands.machine_checks import OK, WARNING, check_video_backends
from sam2lite.runtimes.video.opencv_backends import backends_built_in, read_backends, reads_mp4

# In the form of OpenCV's, with the lines that matter; not recorded on a board.
BUILD_INFORMATION = """
  GUI:
    GTK+:                        YES (ver 2.24.32)

  Video I/O:
    FFMPEG:                      YES
      avcodec:                   YES (57.107.100)
    GStreamer:                   YES (1.14.5)
    v4l/v4l2:                    YES (linux/videodev2.h)
    DC1394:                      NO

  Parallel framework:            pthreads
"""


def old_opencv(text: str) -> SimpleNamespace:
    registry = SimpleNamespace(getBackends=list, getBackendName=str)  # has no hasBackend
    return SimpleNamespace(videoio_registry=registry, getBuildInformation=lambda: text)


def test_an_old_opencv_is_asked_for_its_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", old_opencv(BUILD_INFORMATION))
    check = check_video_backends()
    assert (check.status, check.value) == (OK, "FFMPEG, GSTREAMER, V4L2")

    without = BUILD_INFORMATION.replace("FFMPEG:                      YES", "FFMPEG:      NO")
    monkeypatch.setitem(sys.modules, "cv2", old_opencv(without.replace("YES (1.14.5)", "NO")))
    check = check_video_backends()
    assert (check.status, check.value) == (WARNING, "V4L2; none of them reads MP4")
    assert "opencv-python-headless" in check.remedy


def test_both_ways_agree_here() -> None:
    built_in = backends_built_in(cv2.getBuildInformation())
    assert reads_mp4(built_in)
    assert built_in <= read_backends(cv2)


def test_a_broken_opencv_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert check_video_backends().status == WARNING
