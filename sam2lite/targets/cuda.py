"""Data sheets of NVIDIA's GPUs in PCs and servers, by compute capability, for TensorRT on x86-64.

An engine fits GPUs of one compute capability, so each has its own target. Nothing here was run on
one of them; `inferred` is what nobody has checked yet.
"""

from sam2lite.errors import ArgumentError
from sam2lite.targets.gpu import (
    ARENA,
    FP16_TENSOR_CORES,
    FP32,
    INT8,
    MODEL_OPTIMIZER,
    QDQ_SYMMETRIC,
    THREADS,
)
from sam2lite.targets.profile import Fact, TargetProfile, data_sheet, tensorrt_sheet
from sam2lite.targets.releases import tensorrt_facts
from sam2lite.targets.tensorrt.ops import parser_opset, read_version

# The last of TensorRT 10 and the newest.
_VERSIONS = ("10.16.1", "11.4.0")
_VERSION = Fact(
    _VERSIONS[0],
    "PyPI, tensorrt-cu13-bindings 10.16.1.11 and 11.4.0.106; that each takes this GPU: names of "
    "10.16.2's builder libraries, OE4T/meta-tegra issue 2240; inferred for 11",
)
_MATRIX = "docs.nvidia.com, TensorRT 10.1.0, support matrix"
_CUDA_GPUS = "developer.nvidia.com, CUDA GPUs"
_FORMATS_TURING = Fact("none: neither BF16, INT4 nor FP8", MODEL_OPTIMIZER + "; " + _MATRIX)
_FORMATS_AMPERE = Fact("BF16; INT4 for weights alone; no FP8, which needs 8.9", MODEL_OPTIMIZER)
_FORMATS_ADA = Fact("BF16 and FP8; INT4 for weights alone; no FP4", MODEL_OPTIMIZER)
_FORMATS_BLACKWELL = Fact("BF16, FP8 and FP4; INT4 for weights alone", MODEL_OPTIMIZER)
_INT8 = INT8._replace(
    source=_MATRIX + " up to 9.0; docs.nvidia.com, TensorRT 11.5.0, release notes for 10.3; "
    "inferred for 10.0 and 12.0",
)


def _cuda(compute_capability: str, generation: str, examples: str, formats: Fact) -> TargetProfile:
    number = compute_capability.replace(".", "")
    return data_sheet(
        "cuda-x86-sm" + number,
        "PC or server, {} GPU".format(generation),
        backend="trt",
        precisions=(FP32, FP16_TENSOR_CORES, _INT8),
        detection=None,
        tensorrt=tensorrt_sheet(
            versions=_VERSIONS,
            version=_VERSION,
            compute_capability=Fact(compute_capability, "by definition"),
            parser_opset=parser_opset(read_version(_VERSION.value)),
            dla=Fact(None, "by definition: these are of Jetson and DRIVE"),
            other_formats=formats,
        ),
        chip=Fact("{} GPU, as in {}".format(generation, examples), _CUDA_GPUS),
        architecture=Fact("x86_64", "by definition"),
        memory_mb=Fact((), "depends on the card"),
        bandwidth_gb_s=Fact(None, "depends on the card"),
        os=Fact("Linux", "what sam2lite's adapter for TensorRT is written for"),
        python=Fact("3.11 or newer", "what sam2lite requires"),
        qdq=QDQ_SYMMETRIC,
        threads=THREADS,
        arena=ARENA,
        power_sensor=Fact("nvidia-smi --query-gpu=power.draw", "nvidia-smi --help-query-gpu"),
        **tensorrt_facts(_VERSION),
    )


CUDA_TARGETS = (
    _cuda("7.5", "Turing", "T4 and RTX 20", _FORMATS_TURING),
    _cuda("8.0", "Ampere", "A100 and A30", _FORMATS_AMPERE),
    _cuda("8.6", "Ampere", "A10, A40 and RTX 30", _FORMATS_AMPERE),
    _cuda("8.9", "Ada", "L4, L40 and RTX 40", _FORMATS_ADA),
    _cuda("9.0", "Hopper", "H100 and H200", _FORMATS_ADA),
    _cuda("10.0", "Blackwell", "B200", _FORMATS_BLACKWELL),
    _cuda("12.0", "Blackwell", "RTX 50 and RTX PRO 6000", _FORMATS_BLACKWELL),
)


def cuda_target(compute_capability: str) -> TargetProfile:
    """Return the profile of the GPUs of a compute capability, as in `8.6`.

    Raises:
        ArgumentError: there is no profile for it; the message lists those there are.
    """
    by_capability = {
        profile.tensorrt.compute_capability: profile
        for profile in CUDA_TARGETS
        if profile.tensorrt is not None
    }
    if compute_capability not in by_capability:
        raise ArgumentError(
            "there is no target for GPUs of compute capability {} in a PC or server; there are "
            "some for {}".format(compute_capability, ", ".join(by_capability))
        )
    return by_capability[compute_capability]
