"""Data sheets of NVIDIA's Jetson boards, which run on TensorRT.

Nothing here was run on a Jetson. A source is a document or another project's table; `inferred` is
what nobody has checked yet. The same chip of one board may differ in clock and in active cores.
"""

from typing import Tuple

from sam2lite.targets.profile import (
    Fact,
    JetPack,
    Precision,
    QdqStyle,
    TargetProfile,
    TensorRt,
    data_sheet,
    tensorrt_sheet,
)

_STATS = "rbonghi/jetson_stats, jetson_variables.py (f41d5ca)"
_CONTAINERS = "dusty-nv/jetson-containers, l4t_version.py and cudastack/config.py (dd206bf)"
_PARSER = "onnx/onnx-tensorrt, docs/operators.md at "
_MODEL_OPTIMIZER = "NVIDIA Model Optimizer, support matrix"
_TORCH2TRT = "torch2trt, table of supported devices"
_MIGRATION = "docs.nvidia.com, TensorRT 11.4.1, migration 10.x to 11.x on Jetson"

_QDQ_SYMMETRIC = Fact(
    QdqStyle("int8", 0, "int8", weight_bits=8, per_channel=True, codes_stored=False),
    "onnx/onnx-tensorrt, docs/operators.md: zero points must be 0; UINT8 is refused; "
    "docs/Changelog.md of 8.0: scales per axis; microsoft/onnxruntime#11535 and #14229: parsers of "
    "8.x refuse weights and biases that are stored as codes",
)
_THREADS = Fact(None, "of the frame loop around the engines; the GPU has none")
_ARENA = Fact(False, "by definition: TensorRT has no arena of ONNX Runtime's")
_POWER = Fact("tegrastats", "inferred")
_NO_DLA = Fact(None, _STATS + ": the chip has no NVDLA that TensorRT drives")

_FP32 = Precision("fp32", True, True, "the reference; slow beside fp16", "inferred")
_FP16 = Precision(
    "fp16",
    in_silicon=True,
    served=True,
    note="true FP16 arithmetic; what overflows it must stay in FP32",
    source=_TORCH2TRT,
)
_FP16_TENSOR_CORES = _FP16._replace(
    note="true FP16 arithmetic on tensor cores; what overflows it must stay in FP32",
    source=_TORCH2TRT + "; compute capability 7.0 and newer have tensor cores",
)
_INT8 = Precision(
    "int8",
    in_silicon=True,
    served=True,
    note="signed and symmetric alone; a speed-up over fp16 is not assured: benchmark it there",
    source="onnx/onnx-tensorrt, docs/operators.md; the rest is inferred",
)
_NO_INT8_NANO = Precision(
    "int8",
    in_silicon=False,
    served=False,
    note="its Maxwell GPU (compute capability 5.3) has no INT8 arithmetic that TensorRT uses",
    source=_TORCH2TRT + ": FP16 alone",
    instead="fp16",
)
_NO_INT8_TX2 = _NO_INT8_NANO._replace(
    note="its Pascal GPU (compute capability 6.2) has no INT8 in TensorRT, NVIDIA says",
    source="NVIDIA developer forum, thread 55481; " + _TORCH2TRT + " says otherwise",
)

_JETPACK_4 = JetPack(
    "4.6.6",
    "32.7.6",
    "10.2",
    "8.2.1",
    "8.2.1",
    "3.6",
    source=_STATS + "; versions of 4.6.1 and 4.6.2: gist Tiryoh/2b5dc1f8, inferred for 4.6.6",
)
_JETPACK_5 = JetPack(
    "5.1.6",
    "35.6.4",
    "11.4",
    "8.6.0",
    "8.5.2",
    "3.8",
    source=_STATS + "; " + _CONTAINERS + "; TensorRT 8.5.2 is inferred",
    other_tensorrt="8.6.0",
)
_JETPACK_6 = JetPack(
    "6.2.2",
    "36.5.0",
    "12.6",
    "9.3.0",
    "10.3.0",
    "3.10",
    source=_CONTAINERS + "; pytorch.org, Torch-TensorRT on JetPack (6.1, 6.2)",
    other_tensorrt="10.7",
)
_JETPACK_7_0 = JetPack(
    "7.0",
    "38.2",
    "13.0",
    "9",
    "10.13",
    "3.12",
    source=_STATS + "; all versions but L4T's are inferred",
)
_JETPACK_7_2 = JetPack(
    "7.2",
    "39",
    "13.2",
    "9.21.1",
    "10.16.1",
    "3.12",
    source=_CONTAINERS + "; Python is inferred from Ubuntu 24.04",
)
_JETPACK_7_2_TRT_11 = _JETPACK_7_2._replace(
    source=_JETPACK_7_2.source + "; TensorRT 11.4.1 from 7.2.2 on: " + _MIGRATION,
    other_tensorrt="11.4.1",
)

_TRT_8_2 = Fact("8.2.1", _JETPACK_4.source)
_TRT_8_5 = Fact("8.5.2", "JetPack 5.1, inferred")
_TRT_10_3 = Fact("10.3.0", _CONTAINERS)
_TRT_10_16 = Fact("10.16.1", _CONTAINERS)

_OPSET_8_2 = Fact(
    13, _PARSER + "8.2-GA; LayerNormalization, unknown to it, is written out below 17"
)
_OPSET_8_5 = Fact(16, _PARSER + "8.5-GA: it knows 17, but not its LayerNormalization")
_OPSET_10 = Fact(19, _PARSER + "10.1-GA: it knows 20; from 19 on, scales of Q/DQ may be FP16")


def _jetson(
    name: str,
    title: str,
    precisions: Tuple[Precision, ...],
    tensorrt: TensorRt,
    opset: Fact,
    chip: str,
    memory_mb: Tuple[int, ...],
    bandwidth_gb_s: Fact,
) -> TargetProfile:
    """Build the data sheet of a board from what is its own."""
    releases = tensorrt.jetpacks
    sources = "; ".join(release.source for release in releases)
    return data_sheet(
        name,
        title,
        backend="trt",
        precisions=precisions,
        tensorrt=tensorrt,
        chip=Fact(chip, _STATS),
        architecture=Fact("aarch64", _STATS),
        memory_mb=Fact(memory_mb, _STATS),
        bandwidth_gb_s=bandwidth_gb_s,
        os=Fact(" or ".join("JetPack " + release.name for release in releases), sources),
        runtime=Fact("TensorRT " + tensorrt.version, tensorrt.sources["version"]),
        python=Fact(" or ".join(release.python for release in releases), sources),
        opset=opset,
        qdq=_QDQ_SYMMETRIC,
        threads=_THREADS,
        arena=_ARENA,
        power_sensor=_POWER,
    )


JETSON_NANO = _jetson(
    "jetson-nano",
    "Jetson Nano",
    (_FP32, _FP16, _NO_INT8_NANO),
    tensorrt_sheet(
        (_JETPACK_4,),
        version=_TRT_8_2,
        compute_capability=Fact("5.3", _STATS),
        parser_opset=Fact(13, _PARSER + "8.2-GA"),
        dla=_NO_DLA,
        other_formats=Fact("none: neither INT4 nor FP8", _MODEL_OPTIMIZER),
    ),
    _OPSET_8_2,
    "tegra210, Maxwell GPU",
    (2048, 4096),
    Fact(25.6, "cpu-gpu.alldbin.com, Jetson Nano"),
)

JETSON_TX2 = _jetson(
    "jetson-tx2",
    "Jetson TX2 and TX2 NX",
    (_FP32, _FP16, _NO_INT8_TX2),
    tensorrt_sheet(
        (_JETPACK_4,),
        version=_TRT_8_2,
        compute_capability=Fact("6.2", _STATS),
        parser_opset=Fact(13, _PARSER + "8.2-GA"),
        dla=_NO_DLA,
        other_formats=Fact("none: neither INT4 nor FP8", _MODEL_OPTIMIZER),
    ),
    _OPSET_8_2,
    "tegra186, Pascal GPU",
    (4096, 8192),
    Fact(59.7, "inferred; 51.2 for TX2 NX"),
)

# TensorRT 10.5 dropped this GPU, and JetPack 5 is its last, so it never gets TensorRT 10.
_XAVIER_TENSORRT = tensorrt_sheet(
    (_JETPACK_4, _JETPACK_5),
    version=_TRT_8_5,
    compute_capability=Fact("7.2", _STATS),
    parser_opset=Fact(17, _PARSER + "8.5-GA"),
    dla=Fact("2 x NVDLA 1", _STATS),
    other_formats=Fact("none: neither INT4 nor FP8", _MODEL_OPTIMIZER),
)

JETSON_XAVIER_NX = _jetson(
    "jetson-xavier-nx",
    "Jetson Xavier NX",
    (_FP32, _FP16_TENSOR_CORES, _INT8),
    _XAVIER_TENSORRT,
    _OPSET_8_5,
    "tegra194, Volta GPU",
    (8192, 16384),
    Fact(59.7, "inferred"),
)

JETSON_AGX_XAVIER = _jetson(
    "jetson-agx-xavier",
    "Jetson AGX Xavier",
    (_FP32, _FP16_TENSOR_CORES, _INT8),
    _XAVIER_TENSORRT,
    _OPSET_8_5,
    "tegra194, Volta GPU",
    (16384, 32768, 65536),
    Fact(136.5, "inferred"),
)

_ORIN_TENSORRT = tensorrt_sheet(
    (_JETPACK_6, _JETPACK_7_2),
    version=_TRT_10_3,
    compute_capability=Fact("8.7", _STATS),
    parser_opset=Fact(20, _PARSER + "10.1-GA"),
    dla=_NO_DLA,
    other_formats=Fact(
        "INT4 for weights alone, from TensorRT 10 on; no FP8, which needs compute capability 8.9",
        _MODEL_OPTIMIZER,
    ),
)
_DLA_RELEASES = "TensorRT up to 10.7 drives them"
_DLA_SOURCE = _STATS + "; docs.nvidia.com, TensorRT 11.3: 10.7 was the last release with DLA"

JETSON_ORIN_NANO = _jetson(
    "jetson-orin-nano",
    "Jetson Orin Nano",
    (_FP32, _FP16_TENSOR_CORES, _INT8),
    _ORIN_TENSORRT,
    _OPSET_10,
    "tegra234, Ampere GPU",
    (4096, 8192),
    Fact(
        68.0,
        "NVIDIA data sheet, quoted by brojogopalsapui.com; 34 for the one with 4 GiB; 102 for the "
        "one with 8 GiB in Super mode",
    ),
)

JETSON_ORIN_NX = _jetson(
    "jetson-orin-nx",
    "Jetson Orin NX",
    (_FP32, _FP16_TENSOR_CORES, _INT8),
    _ORIN_TENSORRT._replace(
        dla="1 (8 GiB) or 2 (16 GiB) x NVDLA 2; " + _DLA_RELEASES,
        sources=dict(_ORIN_TENSORRT.sources, dla=_DLA_SOURCE),
    ),
    _OPSET_10,
    "tegra234, Ampere GPU",
    (8192, 16384),
    Fact(102.4, "inferred"),
)

JETSON_AGX_ORIN = _jetson(
    "jetson-agx-orin",
    "Jetson AGX Orin",
    (_FP32, _FP16_TENSOR_CORES, _INT8),
    _ORIN_TENSORRT._replace(
        jetpacks=(_JETPACK_6, _JETPACK_7_2_TRT_11),
        dla="2 x NVDLA 2; " + _DLA_RELEASES + ", and 11.4.1 again",
        sources=dict(_ORIN_TENSORRT.sources, dla=_DLA_SOURCE + "; " + _MIGRATION),
    ),
    _OPSET_10,
    "tegra234, Ampere GPU",
    (32768, 65536),
    Fact(204.8, "inferred"),
)

JETSON_THOR = _jetson(
    "jetson-thor",
    "Jetson AGX Thor",
    (_FP32, _FP16_TENSOR_CORES, _INT8),
    tensorrt_sheet(
        (_JETPACK_7_0, _JETPACK_7_2_TRT_11),
        version=_TRT_10_16,
        compute_capability=Fact("11.0", _STATS + "; CUDA before 13 calls it 10.1"),
        parser_opset=Fact(24, _PARSER + "6bde6596"),
        dla=_NO_DLA,
        other_formats=Fact("INT4 for weights alone, FP8 and FP4", _MODEL_OPTIMIZER),
    ),
    _OPSET_10,
    "tegra264, Blackwell GPU",
    (131072,),
    Fact(273.0, "inferred"),
)

JETSON_TARGETS = (
    JETSON_NANO,
    JETSON_TX2,
    JETSON_XAVIER_NX,
    JETSON_AGX_XAVIER,
    JETSON_ORIN_NANO,
    JETSON_ORIN_NX,
    JETSON_AGX_ORIN,
    JETSON_THOR,
)
