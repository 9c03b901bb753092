"""SAM2-Lite: promptable video segmentation, from PyTorch to a board or a phone.

To make a bundle: `export`, `Recipe`, `verify`, `compare`, `evaluate`. To use one: `open_bundle`,
`VideoSegmenter`, `Prompt`, `Cleaning`. All are imported on first use, so that `import sam2lite`
costs nothing and needs nothing but the standard library.
"""

import os
import sys

__version__ = "0.2.0"

# ONNX Runtime starts an uploader with its first session, which only this stops, and only if it is
# there when ONNX Runtime is imported. Nothing of ours is imported before this file; processes that
# are started from here inherit it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_LAZY = {
    "Cleaning": "sam2lite.runtimes.masks.options",
    "FrameResult": "sam2lite.runtimes.results",
    "Progress": "sam2lite.exporter.progress",
    "Prompt": "sam2lite.runtimes.prompts",
    "Recipe": "sam2lite.exporter.recipe",
    "Sam2LiteError": "sam2lite.errors",
    "VideoSegmenter": "sam2lite.runtimes.segmenter",
    "compare": "sam2lite.bench.compare",
    "errors": "sam2lite",
    "evaluate": "sam2lite.bench.evaluate",
    "export": "sam2lite.exporter.export",
    "open_bundle": "sam2lite.runtimes.bundle",
    "verify": "sam2lite.exporter.verify.check",
}

__all__ = sorted(_LAZY)


def __getattr__(name):  # type: ignore[no-untyped-def]  # PEP 562; device code keeps to Python 3.6
    if name not in _LAZY:
        raise AttributeError("module 'sam2lite' has no attribute {!r}".format(name))
    import importlib

    if name == "errors":
        return importlib.import_module("sam2lite.errors")
    return getattr(importlib.import_module(_LAZY[name]), name)


if sys.version_info < (3, 7):  # that asks no module for __getattr__, but asks its class
    from types import ModuleType

    class _Lazy(ModuleType):
        def __getattr__(self, name):  # type: ignore[no-untyped-def]
            return __getattr__(name)

    sys.modules[__name__].__class__ = _Lazy
