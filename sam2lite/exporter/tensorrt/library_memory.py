"""What a process takes before its first engine: Python, CUDA and TensorRT's libraries, by version.

The numbers are lines of logs that others published, which TensorRT writes when it loads a library.
On a Jetson, GPU and CPU share the memory, and where both are logged the larger one counts. A graph
has next to no part in them, and on small boards they are most of what is taken.
"""

from typing import NamedTuple

from sam2lite.targets.tensorrt.limits import Version

# Python with NumPy, before CUDA: the logs of wang-xinyu/tensorrtx issue 1145 (271 less 197), with
# OpenCV (23) and frames; measured on x86-64, the runtime with both imported is 48.
_PROCESS_MB = 100
_CUDA_MB = 229
_CUDA_SOURCE = "CUDA 229 MiB, NVIDIA/TensorRT issue 2217"


class LibraryMemory(NamedTuple):
    """Memory that no graph has a part in, MiB.

    Attributes:
        since: the first TensorRT that this is about.
        run_mb: of a process that runs engines.
        build_mb: of a process that builds them.
        system_mb: of a board without a desktop, before the process.
        source: where these come from.
    """

    since: Version
    run_mb: int
    build_mb: int
    system_mb: int
    source: str


_DESKTOP = "system without a desktop 300 to 500 MiB, microsoft/onnxruntime issue 4259"
_WITHOUT_CUDNN = (
    "no cuDNN and cuBLAS from 8.6 on: NVIDIA, release notes of TensorRT 8.5.2; system is inferred"
)
LIBRARIES = (
    LibraryMemory(
        (8, 2),
        run_mb=_PROCESS_MB + _CUDA_MB + 182 + 241,
        build_mb=1050,
        system_mb=500,
        source=_CUDA_SOURCE + ", with cuBLAS 182 and cuDNN 241; building: "
        "sergeev917/jetson-nano-jetpack4.6-repro (304 at the start, 841 more at the end, 91 of "
        "them the engine's); " + _DESKTOP,
    ),
    LibraryMemory(
        (8, 4),
        run_mb=_PROCESS_MB + _CUDA_MB + 409 + 79,
        build_mb=_PROCESS_MB + _CUDA_MB + 409 + 79 + 450,
        system_mb=700,
        source=_CUDA_SOURCE + "; cuBLAS 409 and cuDNN 79, mit-han-lab/efficientvit issue 65 (Orin "
        "NX, JetPack 5.1.1); builder 450 and system are inferred",
    ),
    LibraryMemory(
        (8, 6),
        run_mb=_PROCESS_MB + _CUDA_MB,
        build_mb=_PROCESS_MB + _CUDA_MB + 1310,
        system_mb=700,
        source=_CUDA_SOURCE
        + "; builder 1310, NVIDIA/TensorRT issue 3657 (Orin, 8.6.2); "
        + _WITHOUT_CUDNN,
    ),
    LibraryMemory(
        (10, 0),
        run_mb=_PROCESS_MB + _CUDA_MB,
        build_mb=_PROCESS_MB + _CUDA_MB + 1235,
        system_mb=700,
        source=_CUDA_SOURCE + " and inferred here; builder 1235, OE4T/meta-tegra issue 2120 (Thor, "
        "10.13); " + _WITHOUT_CUDNN,
    ),
)


def library_memory(version: Version) -> LibraryMemory:
    """Return what a version of TensorRT takes before the first engine."""
    return [entry for entry in LIBRARIES if entry.since <= version][-1]
