"""What TensorRT measured of its kernels, kept so that the next graph need not measure it again.

One file: a line that says what it is, then TensorRT's bytes. TensorRT is shown only what was
written here and fits, because what it does with other bytes is not documented.
"""

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple, Optional

from sam2lite.errors import BundleError
from sam2lite.files.atomic import write_atomically
from sam2lite.runtimes.backends.tensorrt.engines import engine_path

if TYPE_CHECKING:
    from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice

TIMING_CACHE_FILE = "timing.cache"
SET_ASIDE_SUFFIX = ".damaged"
_MARK = b"SAM2-Lite timing cache 1 "


class Maker(NamedTuple):
    """Who measured; a cache is of no use to others."""

    tensorrt: str
    device: str
    compute_capability: str


def maker(tensorrt_version: str, device: "CudaDevice") -> Maker:
    """Return who measures here."""
    return Maker(tensorrt_version, device.name, device.compute_capability)


def read_timing_cache(bundle_path: str, here: Maker) -> Optional[bytes]:
    """Return TensorRT's bytes, or None where there are none from this TensorRT and device.

    Raises:
        BundleError: the file is damaged. It was set aside, so that building can go on.
    """
    path = engine_path(bundle_path, TIMING_CACHE_FILE)
    if not os.path.exists(path):
        return None
    with open(path, "rb") as stream:
        head, content = stream.readline(), stream.read()
    if not head.startswith(_MARK) or head[len(_MARK) :].split(b" ")[0] != _sha256(content):
        raise set_aside(bundle_path, "its checksum is wrong")
    return content if head == _head(here, content) else None


def set_aside(bundle_path: str, reason: str) -> BundleError:
    """Rename the file and return what to tell the user."""
    path = engine_path(bundle_path, TIMING_CACHE_FILE)
    os.replace(path, path + SET_ASIDE_SUFFIX)
    return BundleError(
        "the timing cache is damaged ({}); it was moved to {} and a new one is begun, so building "
        "takes longer".format(reason, path + SET_ASIDE_SUFFIX)
    )


def write_timing_cache(bundle_path: str, here: Maker, content: bytes) -> None:
    """Write TensorRT's bytes in one step.

    Raises:
        OSError: `engines/` cannot be written.
    """
    path = engine_path(bundle_path, TIMING_CACHE_FILE)
    write_atomically(path, _head(here, content) + content)


def _head(here: Maker, content: bytes) -> bytes:
    return _MARK + _sha256(content) + " {}\n".format(" | ".join(here)).encode("utf-8")


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode("ascii")
