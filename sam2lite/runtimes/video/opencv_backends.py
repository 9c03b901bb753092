"""What an OpenCV reads videos and cameras with."""

import re
from typing import Any, Set

_MP4_READERS = ("FFMPEG", "GSTREAMER", "AVFOUNDATION", "MSMF")
# As cv2.getBuildInformation() calls them, and as the registry of newer releases does.
_NAMES = {
    "FFMPEG": "FFMPEG",
    "GStreamer": "GSTREAMER",
    "v4l/v4l2": "V4L2",
    "AVFoundation": "AVFOUNDATION",
    "Media Foundation": "MSMF",
}


def read_backends(cv2: Any) -> Set[str]:
    """Return the names of the backends that work, such as FFMPEG, GSTREAMER and V4L2.

    Args:
        cv2: the module. Where its registry cannot say which backends there are, as in the 4.1.1 of
            JetPack 4, those that it was built with are taken.
    """
    registry: Any = getattr(cv2, "videoio_registry", None)
    if not hasattr(registry, "hasBackend"):
        return backends_built_in(cv2.getBuildInformation())
    return {
        registry.getBackendName(backend)
        for backend in registry.getBackends()
        if registry.hasBackend(backend)
    }


def backends_built_in(build_information: str) -> Set[str]:
    """Return the backends that the text of cv2.getBuildInformation() says YES to."""
    said = re.findall(r"^ +([^:\n]+): +YES", build_information, re.MULTILINE)
    return {_NAMES[name.strip()] for name in said if name.strip() in _NAMES}


def reads_mp4(backends: Set[str]) -> bool:
    """Return whether one of the backends reads MP4 files."""
    return not backends.isdisjoint(_MP4_READERS)
