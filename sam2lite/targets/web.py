"""Data sheet of browsers, which run graphs by ONNX Runtime's build in WebAssembly."""

from sam2lite.targets.processors import FP32_REFERENCE
from sam2lite.targets.profile import Fact, Precision, QdqStyle, data_sheet

_MEASURED = "measured: benchmarks/web_speed.py, headless Chromium on x86-64, one thread"
_RUNTIME = "onnxruntime-web 1.30.0"

_FP32 = Precision("fp32", True, True, FP32_REFERENCE, "by definition")
_FP16_STORAGE = Precision(
    "fp16",
    in_silicon=False,
    served=True,
    note="FP16 is storage only: half of FP32's download, and its arithmetic",
    source=_MEASURED,
)
_INT8 = Precision(
    "int8",
    in_silicon=False,
    served=True,
    note="less than a third of FP32's download, and a little faster; WebAssembly has no dot "
    "products of bytes, so that the gain of processors which do is not to be had",
    source=_MEASURED,
)

WEB = data_sheet(
    "web",
    "a browser, by onnxruntime-web",
    backend="web",
    precisions=(_FP32, _FP16_STORAGE, _INT8),
    detection=None,
    chip=Fact("any that a browser runs on; WebGPU where it is faster", "by definition"),
    architecture=Fact("wasm32 with SIMD", "how " + _RUNTIME + " is built"),
    memory_mb=Fact((), "depends on the machine"),
    bandwidth_gb_s=Fact(None, "depends on the machine"),
    os=Fact("Chrome, Edge, Firefox, Safari", "inferred: run in Chromium 150 alone"),
    runtime=Fact(_RUNTIME, "what the exporter takes, by its hashes"),
    python=Fact("none", "by definition"),
    opset=Fact(17, "as for ONNX Runtime, which runs these graphs, too"),
    qdq=Fact(
        QdqStyle("uint8", None, "int8", weight_bits=8, per_channel=True),
        "measured: signed activations take three times as long in WebAssembly",
    ),
    threads=Fact(None, "the browser's: half of its processors, four at most, as onnxruntime-web"),
    arena=Fact(False, "as for ONNX Runtime"),
    power_sensor=Fact(None, "browsers have none"),
)

WEB_TARGETS = (WEB,)
