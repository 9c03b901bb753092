"""What works on this machine, and what to run to mend what does not.

Each check is a function that returns one `Check`; nothing is created, installed or changed.
"""

import functools
import glob
import importlib
import importlib.util
import os
import platform
import shutil
import sys
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

from sam2lite.contracts.backends import backend_names, get_backend
from sam2lite.errors import ArgumentError, BundleError, SessionError, install_extra
from sam2lite.runtimes.backends.adapter import adapter_of
from sam2lite.runtimes.bundle import read_manifest
from sam2lite.runtimes.cache import cache_dir
from sam2lite.runtimes.commands.child_import import describe_signal, fatal_signal, remedy_for
from sam2lite.runtimes.commands.installs import PIP, Installs
from sam2lite.runtimes.video.opencv_backends import read_backends, reads_mp4
from sam2lite.targets.advice.fit import misfits
from sam2lite.targets.machine import parse_meminfo, read_machine
from sam2lite.targets.registry import host_target

OK = "ok"
WARNING = "warning"  # works, but less than it could
MISSING = "missing"
ABSENT = "absent"  # an option that is not there

# Python, NumPy, OpenCV and ONNX Runtime take 60 MiB together when imported; the rest is for the
# graphs of a rung or two, their buffers and the frames.
LOW_MEMORY_MB = 512
LOW_DISK_MB = 512  # the Base checkpoint is 154 MB

# Instruction sets that decide how fast a network runs, as /proc/cpuinfo spells them.
_ISA_FLAGS = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "amx_int8",
    "asimd",
    "asimdhp",
    "asimddp",
    "i8mm",
)
# Packages that only export needs, and the extra that brings each.
_OPTIONAL = dict.fromkeys(("torch", "onnx", "onnxscript", "onnxsim", "safetensors"), "export")
_OPTIONAL.update(
    {package: name for name in backend_names() for package in get_backend(name).packages}
)


class Check(NamedTuple):
    """The outcome of one check.

    Attributes:
        name: what was looked at.
        status: `OK`, `WARNING`, `ABSENT`, or `MISSING` of what is required.
        value: what was found, or why it does not work.
        remedy: what to run or do; empty where nothing needs mending.
        required: whether tracking with a bundle needs it.
    """

    name: str
    status: str
    value: str
    remedy: str = ""
    required: bool = False


def check_python() -> Check:
    """Look at Python: every runtime that bundles use needs a 64-bit one."""
    value = "{} ({})".format(platform.python_version(), sys.executable)
    if sys.maxsize < 2**32:
        remedy = "install a 64-bit system and Python; inference runtimes have no 32-bit packages"
        return Check("Python", MISSING, value + ", 32 bit", remedy, required=True)
    return Check("Python", OK, value, required=True)


def check_numpy(installs: Installs = PIP) -> Check:
    """Import NumPy."""
    return _import_base("NumPy", "numpy", installs.numpy, lambda numpy: str(numpy.__version__))


def check_onnxruntime(installs: Installs = PIP) -> Check:
    """Import ONNX Runtime and look for its CPU provider."""
    remedy = installs.onnxruntime
    return _import_base("ONNX Runtime", "onnxruntime", remedy, _describe_onnxruntime)


def check_opencv(installs: Installs = PIP) -> Check:
    """Import OpenCV."""
    return _import_base("OpenCV", "cv2", installs.opencv, lambda cv2: str(cv2.__version__))


def check_video_backends(installs: Installs = PIP) -> Check:
    """List what OpenCV can read videos and cameras with."""
    try:
        import cv2

        names = read_backends(cv2)
    except Exception as error:  # no OpenCV, or a broken one
        return Check("Video input", WARNING, "unknown: {}".format(error))
    value = ", ".join(sorted(names)) or "no backend"
    if not reads_mp4(names):
        remedy = "track a folder of images, or: " + installs.opencv
        return Check("Video input", WARNING, value + "; none of them reads MP4", remedy)
    return Check("Video input", OK, value)


def check_h264() -> Check:
    """Look for PyAV and its H.264 encoder."""
    remedy = install_extra("video") + "; until then clips are written as mp4v"
    try:
        import av
    except Exception as error:  # absent, or at odds with its libraries
        return Check("H.264 output", ABSENT, str(error), remedy)
    value = "PyAV {}".format(av.__version__)
    if "libx264" not in av.codecs_available:
        return Check("H.264 output", ABSENT, value + " without libx264", remedy)
    return Check("H.264 output", OK, value + ", libx264")


def check_optional(name: str) -> Check:
    """Look for a package that some commands need, without importing it: torch takes seconds."""
    if importlib.util.find_spec(name) is None:
        extra = _OPTIONAL[name]
        purpose = "only export needs it"
        if extra in backend_names():
            purpose = "only export for {} needs it".format(get_backend(extra).title)
        return Check(name, ABSENT, "not installed", install_extra(extra) + "; " + purpose)
    return Check(name, OK, _installed_version(name))


def check_tensorrt() -> Check:
    """See whether TensorRT can be used, to run bundles for it and to build their engines."""
    try:
        from sam2lite.runtimes.backends.tensorrt import session as trt

        usable, value = trt.is_available()
    except Exception as error:  # NumPy, or a TensorRT that does not fit its libraries
        usable, value = False, "{}: {}".format(type(error).__name__, error)
    if not usable:
        remedy = "only bundles for TensorRT need it; `sam2lite export trt` makes them anywhere"
        return Check("TensorRT", MISSING, value.partition(";")[0], remedy)
    return Check("TensorRT", OK, value)


def check_backend(name: str) -> Check:
    """See whether a backend can be used that an extra of sam2lite installs.

    Args:
        name: of the backend.
    """
    backend = get_backend(name)
    try:
        usable, value = adapter_of(name).is_available()
    except Exception as error:  # NumPy is missing, or a package that does not fit its libraries
        usable, value = False, "{}: {}".format(type(error).__name__, error)
    if usable:
        return Check(backend.title, OK, value)
    remedy = "{}; only bundles for {} need it".format(install_extra(backend.extra), backend.title)
    return Check(backend.title, ABSENT, value.partition(";")[0], remedy)


def check_cpu() -> Check:
    """Describe the processor."""
    machine = read_machine()
    flags = [flag for flag in _ISA_FLAGS if flag in machine.cpu_flags]
    value = "{}, {} cores, {}".format(
        machine.model, machine.cores, " ".join(flags) or "no vector instructions listed"
    )
    return Check("CPU", OK, value)


def check_target() -> Check:
    """Find the target profile that `host` stands for."""
    try:
        profile = host_target()
    except ArgumentError as error:
        return Check("Target", WARNING, str(error))
    return Check("Target", OK, "{}: {}".format(profile.id, profile.title))


def check_bundle(path: str) -> Check:
    """Read a bundle's manifest, and see whether it fits the processors that are here."""
    try:
        manifest, _ = read_manifest(path)
    except BundleError as error:
        return Check("Bundle", MISSING, str(error), required=True)
    value = "{} for {}".format(manifest.precision, manifest.target.get("id", "any machine"))
    found = misfits(manifest.target, manifest.precision, read_machine())
    return Check("Bundle", WARNING if found else OK, value, "; ".join(found))


def check_memory(meminfo: str = "/proc/meminfo") -> Check:
    """Read the size of the memory and how much of it is free to use."""
    try:
        with open(meminfo, encoding="utf-8") as file:
            sizes = parse_meminfo(file.read())
        total, available = sizes["MemTotal"], sizes["MemAvailable"]
    except (OSError, KeyError):
        return Check("Memory", WARNING, "unknown: this system has no {}".format(meminfo))
    value = "{} MiB, {} MiB available".format(total, available)
    if available < LOW_MEMORY_MB:
        remedy = "close other programs; below {} MiB a board starts to swap".format(LOW_MEMORY_MB)
        return Check("Memory", WARNING, value, remedy)
    return Check("Memory", OK, value)


def check_cache() -> Check:
    """See whether the cache folder, or the place where it would be made, has room."""
    folder = cache_dir()
    existing = folder
    while not os.path.exists(existing):
        existing = os.path.dirname(existing)
    free = shutil.disk_usage(existing).free // 1024**2
    value = "{}, {} MiB free".format(folder, free)
    if not (os.path.isdir(existing) and os.access(existing, os.W_OK | os.X_OK)):
        remedy = "make {} a folder you can write to, or set XDG_CACHE_HOME".format(existing)
        return Check("Cache folder", WARNING, value + ", not writable", remedy)
    if free < LOW_DISK_MB:
        return Check("Cache folder", WARNING, value, "free some space, or set XDG_CACHE_HOME")
    return Check("Cache folder", OK, value)


def check_cameras(devices: str = "/dev/video*") -> Check:
    """List the video devices of Linux; beside cameras, boards list their decoders there."""
    found = sorted(glob.glob(devices))
    if not found:
        return Check("Cameras", ABSENT, "none", "connect one, or track a video file")
    closed = [device for device in found if not os.access(device, os.R_OK | os.W_OK)]
    if closed:
        remedy = "sudo usermod -aG video $USER, then log in again"
        return Check("Cameras", WARNING, "no permission for " + ", ".join(closed), remedy)
    return Check("Cameras", OK, ", ".join(found))


CHECKS: Tuple[Callable[[], Check], ...] = (
    check_python,
    check_numpy,
    check_onnxruntime,
    check_opencv,
    check_video_backends,
    check_h264,
    *(functools.partial(check_optional, name) for name in _OPTIONAL),
    check_tensorrt,
    *(
        functools.partial(check_backend, name)
        for name in backend_names()
        if get_backend(name).extra
    ),
    check_cpu,
    check_target,
    check_memory,
    check_cache,
    check_cameras,
)


def run_checks(bundle: Optional[str] = None) -> List[Check]:
    """Run every check, in the order in which they are shown.

    Args:
        bundle: a folder that is to be tracked with, looked at last; none if not given.
    """
    checks = [check() for check in CHECKS]
    return checks if bundle is None else [*checks, check_bundle(bundle)]


def can_track(checks: Sequence[Check]) -> bool:
    """Return whether nothing is missing that tracking with a bundle requires."""
    return not _missing(checks)


def sum_up(checks: Sequence[Check], bundle: str) -> str:
    """Return a sentence: whether tracking can run here, or what is to be mended before.

    Args:
        checks: all of them; only those that are required count.
        bundle: what to call it, such as `this bundle`.
    """
    missing = _missing(checks)
    if not missing:
        return "Tracking with {} can run here.".format(bundle)
    return "Tracking cannot run here until this is mended: {}.".format(", ".join(missing))


def _missing(checks: Sequence[Check]) -> List[str]:
    return [check.name for check in checks if check.required and check.status == MISSING]


def _import_base(name: str, module: str, remedy: str, describe: Callable[[Any], str]) -> Check:
    fatal = fatal_signal(module)
    if fatal is not None:
        value = "importing it ends Python by {}".format(describe_signal(fatal))
        remedy = remedy_for(module, fatal) or remedy
        return Check(name, MISSING, value, remedy, required=True)
    try:
        value = describe(importlib.import_module(module))
    except Exception as error:  # a package that does not fit the others fails in any way it likes
        value = "{}: {}".format(type(error).__name__, error)
        return Check(name, MISSING, value, remedy, required=True)
    return Check(name, OK, value, required=True)


def _describe_onnxruntime(onnxruntime: Any) -> str:
    providers = onnxruntime.get_available_providers()
    value = "{}, {}".format(onnxruntime.__version__, ", ".join(providers))
    if "CPUExecutionProvider" not in providers:
        raise SessionError("no CPUExecutionProvider in {}".format(value))
    return value


def _installed_version(distribution: str) -> str:
    try:
        from importlib import metadata  # novm: guarded

        return metadata.version(distribution)
    except ImportError:  # Python 3.6 and 3.7, or a package under another name
        return "installed"
