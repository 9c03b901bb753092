"""How the packages that tracking needs are installed, by kind of machine."""

from typing import NamedTuple


class Installs(NamedTuple):
    """What to run where a package is missing or broken.

    Attributes:
        numpy: for NumPy.
        opencv: for OpenCV with a reader of videos.
        onnxruntime: for ONNX Runtime.
    """

    numpy: str
    opencv: str
    onnxruntime: str


PIP = Installs(
    numpy="pip install --force-reinstall numpy",
    opencv="pip install --force-reinstall opencv-python-headless",
    onnxruntime="pip install --force-reinstall onnxruntime",
)
# On a Jetson, what pip installs hides what JetPack brought: its OpenCV has no GStreamer, and so no
# CSI cameras, and its NumPy on JetPack 4 may end in an illegal instruction (docs/jetson.md).
# --force-reinstall would bring that NumPy along with ONNX Runtime.
JETPACK = Installs(
    numpy="sudo apt install python3-numpy; not pip",
    opencv="sudo apt install nvidia-jetpack; not pip, whose OpenCV has no GStreamer and hides "
    "JetPack's: python3 -m pip uninstall opencv-python opencv-python-headless",
    onnxruntime="python3 -m pip install onnxruntime",
)
