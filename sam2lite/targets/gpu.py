"""Facts that all targets with TensorRT share."""

from sam2lite.targets.profile import Fact, Precision, QdqStyle

MODEL_OPTIMIZER = "NVIDIA Model Optimizer, support matrix"
TORCH2TRT = "torch2trt, table of supported devices"

QDQ_SYMMETRIC = Fact(
    QdqStyle("int8", 0, "int8", weight_bits=8, per_channel=True),
    "onnx/onnx-tensorrt, docs/operators.md: zero points must be 0; UINT8 is refused; "
    "docs/Changelog.md of 8.0: scales per axis",
)
THREADS = Fact(None, "of the frame loop around the engines; the GPU has none")
ARENA = Fact(False, "by definition: TensorRT has no arena of ONNX Runtime's")

FP32 = Precision("fp32", True, True, "the reference; slow beside fp16", "inferred")
FP16 = Precision(
    "fp16",
    in_silicon=True,
    served=True,
    note="true FP16 arithmetic; what overflows it must stay in FP32",
    source=TORCH2TRT,
)
FP16_TENSOR_CORES = FP16._replace(
    note="true FP16 arithmetic on tensor cores; what overflows it must stay in FP32",
    source=TORCH2TRT + "; compute capability 7.0 and newer have tensor cores",
)
INT8 = Precision(
    "int8",
    in_silicon=True,
    served=True,
    note="signed and symmetric alone; a speed-up over fp16 is not assured: benchmark it there",
    source="onnx/onnx-tensorrt, docs/operators.md; the rest is inferred",
)
