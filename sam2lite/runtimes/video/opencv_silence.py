"""Keeps OpenCV quiet where our errors say it better."""

import os
from typing import Any, List

import cv2

_LOG_LEVEL_SILENT = 0  # cv::utils::logging::LOG_LEVEL_SILENT; not every release gives it to Python


def silence_opencv() -> None:
    """Keep OpenCV and its FFmpeg from writing to standard error what our errors say better.

    `OPENCV_LOG_LEVEL` and `OPENCV_FFMPEG_LOGLEVEL` in the environment are respected.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read at the first use
    if "OPENCV_LOG_LEVEL" in os.environ:
        return
    # OpenCV 5.0 has it in cv2.utils.logging, 4.5.5 in cv2. Where it is in neither, only a variable
    # that is set before cv2 is imported helps (device/app.py).
    homes: List[Any] = [getattr(getattr(cv2, "utils", None), "logging", None), cv2]
    for home in homes:
        if hasattr(home, "setLogLevel"):
            home.setLogLevel(_LOG_LEVEL_SILENT)
            return
