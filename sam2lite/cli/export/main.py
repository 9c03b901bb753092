"""The `sam2lite-export` command."""

from sam2lite.cli.app import make_app, run_app
from sam2lite.cli.export.coreml import coreml
from sam2lite.cli.export.lower import lower
from sam2lite.cli.export.onnx import onnx
from sam2lite.cli.export.openvino import openvino
from sam2lite.cli.export.ort import ort
from sam2lite.cli.export.trt import trt
from sam2lite.cli.export.web import web

app = make_app(
    "Export a network: plain graphs, or a verified bundle.",
    [onnx, ort, trt, coreml, openvino, web, lower],
)


def run() -> None:
    """Entry point of `sam2lite-export`."""
    run_app(app)
