"""Whether this board is a Jetson, and what only Jetsons are checked for."""

import os

from sam2lite.device.sensors.sysfs import ROOT, read_text
from sam2lite.runtimes.commands.installs import JETPACK
from sam2lite.runtimes.commands.machine_checks import OK, WARNING, Check
from sam2lite.runtimes.video.csi_camera import has_gstreamer

_RELEASE = "etc/nv_tegra_release"  # JetPack's; containers may lack it
_COMPATIBLE = "proc/device-tree/compatible"


def is_jetson(root: str = ROOT) -> bool:
    """Return whether JetPack's release file is there, or the device tree names a Tegra chip.

    Args:
        root: the folder that stands for `/`.
    """
    compatible = read_text(os.path.join(root, _COMPATIBLE)).split("\0")
    named = any(name.startswith("nvidia,tegra") for name in compatible)
    return named or os.path.exists(os.path.join(root, _RELEASE))


def check_gstreamer() -> Check:
    """See whether OpenCV has GStreamer, which cameras on the CSI port need."""
    try:
        import cv2

        found = has_gstreamer(cv2.getBuildInformation())
    except Exception as error:  # no OpenCV, or a broken one
        return Check("GStreamer", WARNING, "unknown: {}".format(error))
    if found:
        return Check("GStreamer", OK, "in OpenCV {}".format(cv2.__version__))
    value = "not in OpenCV {}; csi: cameras and pipelines need it".format(cv2.__version__)
    return Check("GStreamer", WARNING, value, JETPACK.opencv)
