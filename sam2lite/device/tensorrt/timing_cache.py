"""What TensorRT measured of its kernels, kept so that the next graph need not measure it again.

One file: a line that says what it is, then TensorRT's bytes. TensorRT is shown only what this user
wrote on this machine and fits, because what it does with other bytes is not documented.
"""

import os
from typing import TYPE_CHECKING, NamedTuple, Optional

from sam2lite.errors import BundleError
from sam2lite.files.atomic import write_atomically
from sam2lite.files.reading import read_bytes
from sam2lite.runtimes.backends.tensorrt.engines import engine_path
from sam2lite.runtimes.backends.tensorrt.machine_secret import is_sealed, seal

if TYPE_CHECKING:
    from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice

TIMING_CACHE_FILE = "timing.cache"
SET_ASIDE_SUFFIX = ".damaged"
_MARK = b"SAM2-Lite timing cache 2 "
_OLD_MARK = b"SAM2-Lite timing cache 1 "  # anybody could have written those
_MAX_BYTES = 256 << 20


class Maker(NamedTuple):
    """Who measured; a cache is of no use to others."""

    tensorrt: str
    device: str
    compute_capability: str


def maker(tensorrt_version: str, device: "CudaDevice") -> Maker:
    """Return who measures here."""
    return Maker(tensorrt_version, device.name, device.compute_capability)


def read_timing_cache(bundle_path: str, here: Maker, secret: bytes) -> Optional[bytes]:
    """Return TensorRT's bytes, or None where there are none from this TensorRT and device.

    Args:
        bundle_path: the bundle.
        here: who asks.
        secret: of this user on this machine; what others wrote is not for TensorRT to read.

    Raises:
        BundleError: the file is damaged, or somebody else's. It was set aside, so that building can
            go on.
    """
    path = engine_path(bundle_path, TIMING_CACHE_FILE)
    if not os.path.lexists(path):
        return None
    raw = read_bytes(path, _MAX_BYTES, BundleError, "delete it")
    head, _, content = raw.partition(b"\n")
    if head.startswith(_OLD_MARK):
        return None
    said, _, whose = head[len(_MARK) :].partition(b" ")
    if not head.startswith(_MARK) or not is_sealed(
        secret, whose + b"\n" + content, said.decode("ascii", "replace")
    ):
        raise set_aside(bundle_path, "it is not as this user wrote it on this machine")
    return content if whose == _whose(here) else None


def set_aside(bundle_path: str, reason: str) -> BundleError:
    """Rename the file and return what to tell the user."""
    path = engine_path(bundle_path, TIMING_CACHE_FILE)
    os.replace(path, path + SET_ASIDE_SUFFIX)
    return BundleError(
        "the timing cache is damaged ({}); it was moved to {} and a new one is begun, so building "
        "takes longer".format(reason, path + SET_ASIDE_SUFFIX)
    )


def write_timing_cache(bundle_path: str, here: Maker, content: bytes, secret: bytes) -> None:
    """Write TensorRT's bytes in one step.

    Raises:
        OSError: `engines/` cannot be written.
    """
    path = engine_path(bundle_path, TIMING_CACHE_FILE)
    whose = _whose(here)
    said = seal(secret, whose + b"\n" + content).encode("ascii")
    write_atomically(path, _MARK + said + b" " + whose + b"\n" + content)


def _whose(here: Maker) -> bytes:
    return " | ".join(here).encode("utf-8")
