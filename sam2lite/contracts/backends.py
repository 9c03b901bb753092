"""Backends: what runs a bundle's graphs, as data and doors.

A backend's adapter (`runtimes/backends`) runs graphs, its exporter (`exporter/`) makes them. These
doors are import strings, so that knowing a backend imports nothing of it.
"""

from typing import Dict, List, NamedTuple, Optional, Tuple

from sam2lite.errors import UnknownNameError


class Backend(NamedTuple):
    """One backend.

    Attributes:
        name: as in the manifest and in `--backend`.
        title: that people know.
        image_dtype: of the image that its graphs take, by NumPy's name.
        run_by: the backends that run its bundles, its own first; empty for graphs alone.
        adapter: module that runs them, see `runtimes.backends.adapter`; None for graphs alone.
        exporter: `module:name` of its `exporter.backends.BackendExporter`.
        doctor: module of what `device.doctor` checks of a machine that runs its bundles; None where
            none of them runs on a board.
        simulator: `module:name` of what opens its graphs where the backend is not there, for
            accuracy and not for time; None where there is nothing.
        packages: that export needs for it beside the usual ones, in the extra of its name.
        next_step: what to do with a new bundle, `{}` its path; empty where there is nothing to say.
        checked_by: the backends that a new bundle is checked with, the first that is here or else
            the last; those of `run_by` if None. What is built on a device is checked as its graphs.
        extra: of sam2lite that installs its runtime, which tracking does without elsewhere; empty
            where there is none.
    """

    name: str
    title: str
    image_dtype: str
    run_by: Tuple[str, ...]
    adapter: Optional[str]
    exporter: str
    doctor: Optional[str] = None
    simulator: Optional[str] = None
    packages: Tuple[str, ...] = ()
    next_step: str = ""
    checked_by: Optional[Tuple[str, ...]] = None
    extra: str = ""

    @property
    def checkers(self) -> Tuple[str, ...]:
        """The backends that a new bundle is checked with, whose bounds hold for them all."""
        return self.run_by if self.checked_by is None else self.checked_by


# The next step with a bundle that runs here.
TRACK = "sam2lite track --bundle {} --video FILE --point X,Y -o DIR"

# With one that runs elsewhere, with and without device.pyz in it.
TRACK_ON_BOARD = (
    "copy {} to the board and run there: python3 device.pyz track --video FILE --point X,Y -o DIR"
)
TRACK_ELSEWHERE = "copy {} to a machine with sam2lite and run there: " + TRACK.format("BUNDLE")

DEFAULT_BACKEND = "ort"  # of an export that names none: it runs on the machine that exports

_BACKENDS: Dict[str, Backend] = {}


def register_backend(backend: Backend) -> None:
    """Make a backend known; those of the package are known already."""
    _BACKENDS[backend.name] = backend


def backend_names() -> List[str]:
    """Return the names of all backends that run bundles."""
    return [backend.name for backend in _BACKENDS.values() if backend.run_by]


def get_backend(name: str) -> Backend:
    """Return a backend by its name.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in _BACKENDS:
        raise UnknownNameError("backend", name, _BACKENDS)
    return _BACKENDS[name]


register_backend(
    Backend(
        name="onnx",
        title="plain ONNX graphs",
        image_dtype="uint8",
        run_by=(),
        adapter=None,
        exporter="sam2lite.exporter.onnx.backend:EXPORTER",
    )
)
register_backend(
    Backend(
        name="ort",
        title="ONNX Runtime",
        image_dtype="uint8",
        run_by=("ort",),
        adapter="sam2lite.runtimes.backends.ort.session",
        exporter="sam2lite.exporter.ort.backend:EXPORTER",
        doctor="sam2lite.device.ort.checks",
        next_step=TRACK,
    )
)
# TensorRT 8.2 has no uint8 inputs, and its later releases nothing to gain from one. Its graphs are
# plain ONNX, which ONNX Runtime runs, too.
register_backend(
    Backend(
        name="trt",
        title="TensorRT",
        image_dtype="float32",
        run_by=("trt", "ort"),
        adapter="sam2lite.runtimes.backends.tensorrt.session",
        exporter="sam2lite.exporter.tensorrt.backend:EXPORTER",
        doctor="sam2lite.device.tensorrt.checks",
        packages=("polygraphy",),
        checked_by=("ort",),
        next_step="copy {} to the board and run there: python3 device.pyz build",
    )
)
register_backend(
    Backend(
        name="coreml",
        title="Core ML",
        image_dtype="uint8",
        run_by=("coreml",),
        adapter="sam2lite.runtimes.backends.coreml.session",
        exporter="sam2lite.exporter.coreml.backend:EXPORTER",
        simulator="sam2lite.mil.session:open_simulated",
        packages=("coremltools",),
        next_step="add the packages to an Xcode project, or, by simulation unless on macOS: "
        + TRACK,
    )
)
# Its graphs are plain ONNX, which ONNX Runtime computes, too, where there is no OpenVINO.
register_backend(
    Backend(
        name="openvino",
        title="OpenVINO",
        image_dtype="uint8",
        run_by=("openvino", "ort"),
        adapter="sam2lite.runtimes.backends.openvino.session",
        exporter="sam2lite.exporter.openvino.backend:EXPORTER",
        extra="openvino",
        next_step=TRACK,
    )
)
# What runs it in a browser is JavaScript beside its graphs; here ONNX Runtime runs the same graphs.
register_backend(
    Backend(
        name="web",
        title="browsers",
        image_dtype="uint8",
        run_by=("web",),
        adapter="sam2lite.runtimes.backends.ort.session",
        exporter="sam2lite.exporter.web.backend:EXPORTER",
        next_step="serve the folder: python3 -m http.server -d {} 8000, and open "
        "http://localhost:8000",
    )
)
