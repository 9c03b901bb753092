"""Core ML adapter: packages on macOS, by coremltools; nothing of it was run yet.

Elsewhere there is no Core ML. Commands that ask for accuracy alone hand in a simulation, see
`Bundle.simulate`; nothing here knows of it.
"""

import platform
import sys
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

import numpy as np

from sam2lite.contracts.fields import record, table, text
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import BundleError, SessionError
from sam2lite.runtimes.backends.coreml.package_check import check_package
from sam2lite.runtimes.session import Session

if TYPE_CHECKING:
    from sam2lite.runtimes.bundle import Bundle

_TARGET = record(
    {"coreml": record({"compute_units": table(text, most=256)}, others=True)}, others=True
)


def is_available() -> Tuple[bool, str]:
    """Say whether Core ML can be used, and through what or why not."""
    if sys.platform != "darwin":
        return False, (
            "Core ML is a part of macOS and iOS, and this is {}; here `sam2lite track`, `eval` and "
            "`verify` simulate a bundle, for accuracy and not for time".format(platform.system())
        )
    try:
        import coremltools
        import PIL
    except ImportError as error:
        return False, "{}; run: pip install coremltools==9.0 pillow".format(error)
    return True, "coremltools {}, pillow {}".format(coremltools.__version__, PIL.__version__)


def open_session(
    bundle: "Bundle", key: str, threads: Optional[int] = None, provider: Optional[str] = None
) -> "CoremlSession":
    """Open one graph of a bundle for Core ML.

    Args:
        bundle: for Core ML.
        key: of the graph in the manifest.
        threads: not used; they are Core ML's own.
        provider: where it may run, as coremltools' `ComputeUnit` calls it; as the bundle's target
            says if not given.

    Raises:
        BundleError: the package leads out of itself, or the manifest does not say where the graph
            may run.
        SessionError: Core ML is not there, or refuses the package.
    """
    entry = bundle.manifest.graphs[key]
    units = provider or _compute_units(bundle.manifest.target, entry.spec)
    return CoremlSession(entry.spec, check_graph(bundle, key), entry.function, units)


def check_graph(bundle: "Bundle", key: str) -> str:
    """Return the path of a graph's package, which may be loaded.

    Args:
        bundle: for Core ML.
        key: of the graph in the manifest.

    Raises:
        BundleError: the package leads out of itself.
    """
    path = bundle.graph_path(key)
    check_package(path)
    return path


def _compute_units(target: Mapping[str, Any], spec: GraphSpec) -> str:
    """Return where a graph may run. Bundles of schema 1 say it by the name of each graph."""
    try:
        _TARGET(target, "target")
        units = target["coreml"]["compute_units"]  # type: Mapping[str, str]
        return units.get(spec.name) or units["ranks" if spec.ranks else "others"]
    except (KeyError, ValueError) as error:
        raise BundleError(
            "the manifest does not say where {} may run ({}); export the bundle again".format(
                spec.name, error
            )
        ) from None


class CoremlSession(Session):
    """One function of a package, on Core ML."""

    def __init__(
        self, spec: GraphSpec, path: str, function: Optional[str], compute_units: str
    ) -> None:
        """Load and compile a package.

        Args:
            spec: the graph's bound spec.
            path: of the package.
            function: its name; the only one if None.
            compute_units: where it may run, as coremltools' `ComputeUnit` calls it.

        Raises:
            SessionError: Core ML is not there, or refuses the package.
        """
        super().__init__(spec)
        available, reason = is_available()
        if not available:
            raise SessionError(reason)
        import coremltools

        try:
            self._model = coremltools.models.MLModel(
                path,
                compute_units=coremltools.ComputeUnit[compute_units],
                function_name=function,
            )
        except Exception as error:  # Core ML's own errors share no base class
            raise SessionError("Core ML cannot load {}: {}".format(path, error))

    def _describe(self, value: Any) -> Tuple[str, Tuple[int, ...]]:
        return value.dtype.name, value.shape

    def _run(self, inputs: Mapping[str, Any]) -> Dict[str, Any]:
        feeds = {
            name: _picture(value) if name == self.spec.image else value
            for name, value in inputs.items()
        }
        try:
            given = self._model.predict(feeds)
        except Exception as error:  # Core ML's own errors share no base class
            raise SessionError("Core ML failed in {}: {}".format(self.spec.name, error))
        return {
            tensor.name: np.asarray(given[tensor.name]).astype(tensor.dtype)
            for tensor in self.spec.outputs
        }

    def _close(self) -> None:
        del self._model


def _picture(image_bchw: np.ndarray) -> Any:
    """Return an RGB image as coremltools takes one."""
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(image_bchw[0].transpose(1, 2, 0)))
