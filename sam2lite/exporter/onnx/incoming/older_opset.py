"""Opsets before 7, whose operators say by attributes how they broadcast and whether they train."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.errors import ExportError
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE, compare, run_onnx
from sam2lite.exporter.verify.selection import Arrays

if TYPE_CHECKING:
    import onnx

FIRST_OPSET = 7  # the oldest that parsers and onnxruntime know
CONVERTED_TO = 9


def without_older_opset(model: onnx.ModelProto, feeds: Arrays) -> tuple[onnx.ModelProto, str]:
    """Return a model of an opset that parsers know, or the model as it is and why not.

    onnx.version_converter writes it; what it wrote is compared with the model as it came.

    Args:
        model: with its weights inside.
        feeds: inputs to compare with, by name.
    """
    import onnx

    if opset_of(model) >= FIRST_OPSET:
        return model, ""
    try:
        newer = onnx.version_converter.convert_version(model, CONVERTED_TO)
    except Exception:  # its C++ raises whatever it likes, and names its own source files
        return model, "onnx.version_converter has no way to a newer one"
    try:
        before = run_onnx(model, feeds, optimise=False)
        after = run_onnx(newer, feeds, optimise=False)
    except ExportError:
        return model, "onnxruntime cannot run it, to compare a newer form with it"
    if any(not compare(after[k], before[k]).relative <= GRAPH_TOLERANCE for k in before):
        return model, "what onnx.version_converter makes of it computes something else"
    return newer, ""
