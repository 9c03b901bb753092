"""Data sheets of Intel's processors and their GPUs, which run OpenVINO.

Run by us were CPUs of servers alone; `inferred` is what nobody has checked yet.
"""

from typing import Mapping, Optional, Tuple

from sam2lite.targets.processors import (
    ALL_CORES,
    ANY_BANDWIDTH,
    ANY_MEMORY,
    FP16_STORED,
    INT8_SATURATES,
    PYTHON,
    RAPL,
    VNNI,
    X86_MACHINES,
)
from sam2lite.targets.profile import (
    Detection,
    Fact,
    OpenVino,
    Precision,
    QdqStyle,
    TargetProfile,
    data_sheet,
)

_CPU_DEVICE = "docs.openvino.ai, CPU device"
_GPU_DEVICE = "docs.openvino.ai, GPU device"
_ONEDNN = "oneDNN developer guide, nuances of int8 computations"
_N_SERIES = "notebookcheck.net, Intel Processor N100 and N97"
_RUN = "run on Xeons with AVX-512 VNNI, BF16 and AMX"

_FP32 = Precision(
    "fp32",
    in_silicon=True,
    served=True,
    note="the reference; asked for by name, for OpenVINO's own choice is less exact",
    source=_CPU_DEVICE + ", floating point data types specifics",
)
_FP16_STORAGE = Precision(
    "fp16",
    in_silicon=False,
    served=True,
    note=FP16_STORED,
    source="sam2lite: CPUs with FP16 arithmetic are too few to be a target",
)
_FP16_GPU = Precision(
    "fp16",
    in_silicon=True,
    served=True,
    note="all weights, and the arithmetic of the image encoder; what overflows was not looked for",
    source=_GPU_DEVICE + ", supported inference data types; not run",
)
_BF16 = Precision(
    "bf16",
    in_silicon=False,
    served=True,
    note="FP32's graphs, the image encoder computed in BF16 where the CPU has it (avx512_bf16 or "
    "amx_bf16); the others in FP32, for OpenVINO 2026.4 computes mask decoders wrongly in BF16",
    source=_CPU_DEVICE + ", floating point data types specifics; " + _RUN,
)
_NO_BF16 = _BF16._replace(
    served=False,
    note="the chip has no BF16 arithmetic",
    source="its flags have neither avx512_bf16 nor amx_bf16; inferred for the GPU",
    instead="fp32",
)
_INT8 = Precision(
    "int8",
    in_silicon=True,
    served=True,
    note="convolutions and linear layers in INT8, the rest in FP32",
    source=_RUN,
)
_INT8_N = _INT8._replace(
    note="the cores have AVX-VNNI; a speed-up is usual, and was not measured",
    source="inferred: as on CPUs with AVX-512 VNNI",
)
_INT8_AVX2 = _INT8._replace(
    note=INT8_SATURATES,
    source=_ONEDNN,
)
_INT8_GPU = _INT8._replace(
    note="convolutions and linear layers in INT8, the rest of the image encoder in FP16; before "
    "Xe, GPUs had no dot products of bytes",
    source=_GPU_DEVICE + "; not run",
)

_U8S8 = QdqStyle("uint8", None, "int8", weight_bits=8, per_channel=True)
_QDQ = Fact(
    _U8S8,
    "measured: with OpenVINO 2026.4 all layers that are quantized compute in INT8, as they do with "
    "signed activations (docs/openvino.md)",
)
_QDQ_AVX2 = Fact(_U8S8._replace(weight_bits=7), _ONEDNN)
_QDQ_GPU = Fact(_U8S8, "inferred: as on CPUs")

_WHEELS = "tags of the openvino 2026.4.1 wheels on PyPI: glibc 2.28 or newer"
_RUNTIME = Fact(
    "openvino 2025.0 or newer", "the oldest that was tried; 2026.4.1 is what it is tested with"
)
_OPSET = Fact(17, "as for ONNX Runtime, which runs these graphs, too")
_NO_ARENA = Fact(False, "by definition: OpenVINO has no arena of ONNX Runtime's")
_FLOAT_TYPES = {"fp32": "f32", "fp16": "f32", "bf16": "bf16", "int8": "f32"}
_FLOAT_TYPES_GPU = {"fp32": "f32", "fp16": "f16", "int8": "f16"}


def _intel(
    name: str,
    title: str,
    precisions: Tuple[Precision, ...],
    detection: Optional[Detection],
    device: str,
    float_types: Mapping[str, str],
    chip: Fact,
    qdq: Fact,
    memory_mb: Fact = ANY_MEMORY,
    bandwidth_gb_s: Fact = ANY_BANDWIDTH,
    threads: Fact = ALL_CORES,
) -> TargetProfile:
    sheet = data_sheet(
        name,
        title,
        backend="openvino",
        precisions=precisions,
        detection=detection,
        chip=chip,
        architecture=Fact("x86_64", "by definition"),
        memory_mb=memory_mb,
        bandwidth_gb_s=bandwidth_gb_s,
        os=Fact("Linux", _WHEELS),
        runtime=_RUNTIME,
        python=PYTHON,
        opset=_OPSET,
        qdq=qdq,
        threads=threads,
        arena=_NO_ARENA,
        power_sensor=RAPL,
    )
    return sheet._replace(
        openvino=OpenVino(
            device,
            float_types,
            sources={
                "device": "by definition",
                "float_types": "what each precision promises; "
                + _CPU_DEVICE
                + ": where nothing is "
                "asked for, what computes fastest is taken",
            },
        )
    )


INTEL_N100 = _intel(
    "intel-n100",
    "Intel N100 and N97 (Alder Lake-N), the CPU",
    precisions=(_FP32, _FP16_STORAGE, _INT8_N, _NO_BF16),
    detection=Detection(X86_MACHINES, cpu_flags=("avx_vnni",), models=("N97", "N100")),
    device="CPU",
    float_types=_FLOAT_TYPES,
    chip=Fact("4 x Gracemont, N100 up to 3.4 GHz", _N_SERIES + "; AVX2 and AVX-VNNI: Gracemont's"),
    qdq=_QDQ,
    memory_mb=Fact((4096, 8192, 16384), "inferred: what boards and mini PCs are sold with"),
    bandwidth_gb_s=Fact(38.4, "one channel of DDR5-4800 (" + _N_SERIES + "), theoretical"),
    threads=Fact(4, _N_SERIES),
)

INTEL_CPU = _intel(
    "intel-cpu",
    "PC or server in OpenVINO, x86-64 with VNNI",
    precisions=(_FP32, _FP16_STORAGE, _INT8, _BF16),
    detection=Detection(X86_MACHINES, cpu_flags=VNNI),
    device="CPU",
    float_types=_FLOAT_TYPES,
    chip=Fact("any x86-64 with AVX-512 VNNI or AVX-VNNI", "by definition"),
    qdq=_QDQ,
)

INTEL_CPU_AVX2 = _intel(
    "intel-cpu-avx2",
    "PC or server in OpenVINO, x86-64 without VNNI",
    precisions=(_FP32, _FP16_STORAGE, _INT8_AVX2, _NO_BF16),
    detection=Detection(X86_MACHINES),
    device="CPU",
    float_types=_FLOAT_TYPES,
    chip=Fact("any x86-64 with AVX2", "by definition"),
    qdq=_QDQ_AVX2,
)

INTEL_GPU = _intel(
    "intel-gpu",
    "Intel's GPU beside the cores of a processor, or on a card, in OpenVINO",
    precisions=(_FP32, _FP16_GPU, _INT8_GPU, _NO_BF16),
    detection=None,
    device="GPU",
    float_types=_FLOAT_TYPES_GPU,
    chip=Fact("Gen9, Xe or Arc graphics, with Intel's driver for OpenCL", _GPU_DEVICE),
    qdq=_QDQ_GPU,
    threads=Fact(None, "of the frame loop around the graphs; the GPU has none"),
)

# From the most particular to the most general: OpenVINO's `host` is the first one that fits.
INTEL_TARGETS = (INTEL_N100, INTEL_CPU, INTEL_CPU_AVX2, INTEL_GPU)
