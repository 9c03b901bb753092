"""Data sheets of NVIDIA's Jetson boards, which run on TensorRT.

Nothing here was run on a Jetson. A source is a document or another project's table; `inferred` is
what nobody has checked yet. The same chip of one board may differ in clock and in active cores.
"""

from typing import Tuple

from sam2lite.targets.gpu import (
    ARENA,
    FP16,
    FP16_TENSOR_CORES,
    FP32,
    INT8,
    MODEL_OPTIMIZER,
    QDQ_SYMMETRIC,
    THREADS,
    TORCH2TRT,
)
from sam2lite.targets.jetpack import (
    JETPACK_4,
    JETPACK_5,
    JETPACK_6,
    JETPACK_6_0,
    JETPACK_7_1,
    JETPACK_7_2,
    JETPACK_7_2_TRT_11,
    MIGRATION,
)
from sam2lite.targets.profile import (
    Detection,
    Fact,
    JetPack,
    Precision,
    TargetProfile,
    data_sheet,
    tensorrt_sheet,
)
from sam2lite.targets.releases import release_facts, tensorrt_facts
from sam2lite.targets.tensorrt.ops import parser_opset, read_version

_STATS = "rbonghi/jetson_stats, jetson_variables.py (f41d5ca)"
_POWER = Fact("tegrastats", "inferred")
_NO_DLA = Fact(None, _STATS + ": the chip has no NVDLA that TensorRT drives")

_NO_INT8_NANO = Precision(
    "int8",
    in_silicon=False,
    served=False,
    note="its Maxwell GPU (compute capability 5.3) has no INT8 arithmetic that TensorRT uses",
    source=TORCH2TRT + ": FP16 alone",
    instead="fp16",
)
_NO_INT8_TX2 = _NO_INT8_NANO._replace(
    note="its Pascal GPU (compute capability 6.2) has no INT8 in TensorRT, NVIDIA says",
    source="NVIDIA developer forum, thread 55481; " + TORCH2TRT + " says otherwise",
)

_NO_FORMATS = Fact("none: neither INT4 nor FP8", MODEL_OPTIMIZER)


def _jetson(
    name: str,
    title: str,
    precisions: Tuple[Precision, ...],
    releases: Tuple[JetPack, ...],
    made_for: JetPack,
    detection: Detection,
    gpu: str,
    compute_capability: str,
    memory_mb: Tuple[int, ...],
    bandwidth_gb_s: Fact,
    dla: Fact = _NO_DLA,
    other_formats: Fact = _NO_FORMATS,
) -> TargetProfile:
    """Build the data sheet of a board under one of its releases from what is its own."""
    version = Fact(made_for.tensorrt, made_for.source)
    facts = dict(release_facts(made_for), **tensorrt_facts(version))
    return data_sheet(
        name,
        title,
        backend="trt",
        precisions=precisions,
        detection=detection,
        tensorrt=tensorrt_sheet(
            jetpacks=releases,
            jetpack=made_for.name,
            version=version,
            compute_capability=Fact(compute_capability, _STATS),
            parser_opset=parser_opset(read_version(made_for.tensorrt)),
            dla=dla,
            other_formats=other_formats,
        ),
        chip=Fact("{}, {} GPU".format((detection.compatible or "").split(",")[-1], gpu), _STATS),
        architecture=Fact("aarch64", _STATS),
        memory_mb=Fact(memory_mb, _STATS),
        bandwidth_gb_s=bandwidth_gb_s,
        qdq=QDQ_SYMMETRIC,
        threads=THREADS,
        arena=ARENA,
        power_sensor=_POWER,
        **facts,
    )


def _board(chip: str, *boards: str) -> Detection:
    """Return the marks of a board.

    Sources: rbonghi/jetson_stats (numbers of the modules, `p3767-0003`), NVIDIA/jetson-gpio (names
    that its own Linux gives), torvalds/linux, bindings/arm/tegra.yaml (those of other Linuxes).
    """
    return Detection(("aarch64",), compatible="nvidia," + chip, boards=boards)


# The TX1 has the same chip.
JETSON_NANO = _jetson(
    "jetson-nano",
    "Jetson Nano",
    (FP32, FP16, _NO_INT8_NANO),
    releases=(JETPACK_4,),
    made_for=JETPACK_4,
    detection=_board("tegra210", "jetson-nano", "p3448", "p3450"),
    gpu="Maxwell",
    compute_capability="5.3",
    memory_mb=(2048, 4096),
    bandwidth_gb_s=Fact(25.6, "cpu-gpu.alldbin.com, Jetson Nano"),
)

JETSON_TX2 = _jetson(
    "jetson-tx2",
    "Jetson TX2 and TX2 NX",
    (FP32, FP16, _NO_INT8_TX2),
    releases=(JETPACK_4,),
    made_for=JETPACK_4,
    detection=_board("tegra186"),
    gpu="Pascal",
    compute_capability="6.2",
    memory_mb=(4096, 8192),
    bandwidth_gb_s=Fact(59.7, "inferred; 51.2 for TX2 NX"),
)

# TensorRT 10.5 dropped this GPU, and JetPack 5 is its last, so it never gets TensorRT 10.
_XAVIER_RELEASES = (JETPACK_4, JETPACK_5)
_XAVIER_DLA = Fact("2 x NVDLA 1", _STATS)

JETSON_XAVIER_NX = _jetson(
    "jetson-xavier-nx",
    "Jetson Xavier NX",
    (FP32, FP16_TENSOR_CORES, INT8),
    releases=_XAVIER_RELEASES,
    made_for=JETPACK_5,
    detection=_board("tegra194", "p3668"),
    gpu="Volta",
    compute_capability="7.2",
    memory_mb=(8192, 16384),
    bandwidth_gb_s=Fact(59.7, "inferred"),
    dla=_XAVIER_DLA,
)

JETSON_AGX_XAVIER = _jetson(
    "jetson-agx-xavier",
    "Jetson AGX Xavier",
    (FP32, FP16_TENSOR_CORES, INT8),
    releases=_XAVIER_RELEASES,
    made_for=JETPACK_5,
    detection=_board("tegra194", "p2888", "p2972", "jetson-xavier", "jetson-xavier-industrial"),
    gpu="Volta",
    compute_capability="7.2",
    memory_mb=(16384, 32768, 65536),
    bandwidth_gb_s=Fact(136.5, "inferred"),
    dla=_XAVIER_DLA,
)

_ORIN_RELEASES = (JETPACK_5, JETPACK_6_0, JETPACK_6, JETPACK_7_2)
_ORIN_FORMATS = Fact(
    "INT4 for weights alone, from TensorRT 10 on; no FP8, which needs compute capability 8.9",
    MODEL_OPTIMIZER,
)
_DLA_RELEASES = "TensorRT up to 10.7 drives them"
_DLA_SOURCE = _STATS + "; docs.nvidia.com, TensorRT 11.3: 10.7 was the last release with DLA"

JETSON_ORIN_NANO = _jetson(
    "jetson-orin-nano",
    "Jetson Orin Nano",
    (FP32, FP16_TENSOR_CORES, INT8),
    releases=_ORIN_RELEASES,
    made_for=JETPACK_6,
    detection=_board("tegra234", "p3767-0003", "p3767-0004", "p3767-0005"),
    gpu="Ampere",
    compute_capability="8.7",
    memory_mb=(4096, 8192),
    bandwidth_gb_s=Fact(
        68.0,
        "NVIDIA data sheet, quoted by brojogopalsapui.com; 34 for the one with 4 GiB; 102 for the "
        "one with 8 GiB in Super mode",
    ),
    other_formats=_ORIN_FORMATS,
)

JETSON_ORIN_NX = _jetson(
    "jetson-orin-nx",
    "Jetson Orin NX",
    (FP32, FP16_TENSOR_CORES, INT8),
    releases=_ORIN_RELEASES,
    made_for=JETPACK_6,
    detection=_board("tegra234", "p3767-0000", "p3767-0001"),
    gpu="Ampere",
    compute_capability="8.7",
    memory_mb=(8192, 16384),
    bandwidth_gb_s=Fact(102.4, "inferred"),
    dla=Fact("1 (8 GiB) or 2 (16 GiB) x NVDLA 2; " + _DLA_RELEASES, _DLA_SOURCE),
    other_formats=_ORIN_FORMATS,
)

JETSON_AGX_ORIN = _jetson(
    "jetson-agx-orin",
    "Jetson AGX Orin",
    (FP32, FP16_TENSOR_CORES, INT8),
    releases=(JETPACK_5, JETPACK_6_0, JETPACK_6, JETPACK_7_2_TRT_11),
    made_for=JETPACK_6,
    detection=_board("tegra234", "p3701"),
    gpu="Ampere",
    compute_capability="8.7",
    memory_mb=(32768, 65536),
    bandwidth_gb_s=Fact(204.8, "inferred"),
    dla=Fact(
        "2 x NVDLA 2; " + _DLA_RELEASES + ", and 11.4.1 again", _DLA_SOURCE + "; " + MIGRATION
    ),
    other_formats=_ORIN_FORMATS,
)

JETSON_THOR = _jetson(
    "jetson-thor",
    "Jetson AGX Thor",
    (FP32, FP16_TENSOR_CORES, INT8),
    releases=(JETPACK_7_1, JETPACK_7_2_TRT_11),
    made_for=JETPACK_7_2_TRT_11,
    detection=_board("tegra264"),
    gpu="Blackwell",
    compute_capability="11.0",  # CUDA before 13 calls it 10.1
    memory_mb=(131072,),
    bandwidth_gb_s=Fact(273.0, "inferred"),
    other_formats=Fact("INT4 for weights alone, FP8 and FP4", MODEL_OPTIMIZER),
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
