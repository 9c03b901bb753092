"""Cameras on the CSI port of a Jetson: `csi:0` as a GStreamer pipeline, and why one stays shut.

The element nvarguscamerasrc, its property sensor-id and its NVMM memory are those of NVIDIA's
Accelerated GStreamer guide; JetsonHacks' CSI-Camera (simple_camera.py) opens cameras from OpenCV
with the same chain of elements. It was not tried with a camera.
"""

import re
from typing import Any, NamedTuple

from sam2lite.errors import ArgumentError
from sam2lite.targets.registry import jetson_host

PREFIX = "csi:"
FORM = "csi:SENSOR[,WIDTHxHEIGHT[@FPS]]"
_SPEC = re.compile(r"csi:([0-9]+)(?:,([0-9]+)x([0-9]+)(?:@([0-9]+))?)?")
# The camera's own processor gives NV12; nvvidconv cannot make BGR of it, so videoconvert ends it.
# One buffer that is replaced: what comes too fast is dropped here too, uncounted.
_PIPELINE = (
    "nvarguscamerasrc sensor-id={sensor} "
    "! video/x-raw(memory:NVMM),width={width},height={height},format=NV12,framerate={fps}/1 "
    "! nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR "
    "! appsink drop=true max-buffers=1 sync=false"
)


class CsiCamera(NamedTuple):
    """A camera, and what is asked of it.

    Attributes:
        sensor: which of the board's cameras, from 0 on.
        width: of its frames, px.
        height: of its frames, px.
        fps: frames a second.
    """

    sensor: int
    width: int = 1280
    height: int = 720
    fps: int = 30

    @property
    def pipeline(self) -> str:
        """The GStreamer pipeline that gives its frames in BGR."""
        return _PIPELINE.format(**self._asdict())


def parse_csi(text: str) -> CsiCamera:
    """Read `csi:SENSOR[,WIDTHxHEIGHT[@FPS]]`.

    Raises:
        ArgumentError: it has another form, or asks for nothing.
    """
    found = _SPEC.fullmatch(text)
    numbers = [int(number) for number in found.groups() if number] if found else []
    if not numbers or 0 in numbers[1:]:
        raise ArgumentError(
            "cannot read the camera '{}'; the form is {}, all but the sensor above 0, such as "
            "csi:0 or csi:1,1920x1080@30".format(text, FORM)
        )
    return CsiCamera(*numbers)


def reason_closed(text: str, cv2: Any) -> str:
    """Say why a camera could not be opened, and what to do about it.

    Args:
        text: how the camera was named.
        cv2: the OpenCV that tried.
    """
    if jetson_host() is None:
        return (
            "camera '{}' is on the CSI port of a Jetson, and this machine is none; name a USB "
            "camera as 0 or /dev/video0, or give a GStreamer pipeline of your own".format(text)
        )
    if not has_gstreamer(cv2.getBuildInformation()):
        return (
            "camera '{}' needs an OpenCV with GStreamer, and {} here has none, like all that pip "
            "installs; use JetPack's own: python3 -m pip uninstall opencv-python "
            "opencv-python-headless".format(text, cv2.__version__)
        )
    return (
        "camera '{}' cannot be opened; check that it is plugged in, that it can give that size and "
        "rate, and that no other program uses it, then: sudo systemctl restart "
        "nvargus-daemon".format(text)
    )


def has_gstreamer(build_information: str) -> bool:
    """Return whether the text of cv2.getBuildInformation() says `GStreamer: YES`."""
    return re.search(r"GStreamer:\s*YES", build_information) is not None
