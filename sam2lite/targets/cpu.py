"""Data sheets of the CPU targets, which run on ONNX Runtime's CPU provider.

A source is a document, an issue in another project, a measurement of this project, or `inferred`
where nobody has checked yet. Nothing here was run on a Raspberry Pi.
"""

from sam2lite.targets.processors import (
    ALL_CORES,
    ANY_BANDWIDTH,
    ANY_MEMORY,
    ARM_MACHINES,
    FP16_STORED,
    FP32_REFERENCE,
    INT8_SATURATES,
    PYTHON,
    RAPL,
    VNNI,
    X86_MACHINES,
)
from sam2lite.targets.profile import Detection, Fact, Precision, QdqStyle, data_sheet

_ORT_QUANTIZATION = "onnxruntime.ai, Quantize ONNX Models"
_PI_5_BRIEF = "Raspberry Pi 5 product brief"
_PI_4_BRIEF = "Raspberry Pi 4 Model B product brief"

_OPSET = Fact(
    17,
    "the first opset with LayerNormalization; ONNX Runtime implements it since 1.12 "
    "(onnxruntime.ai, Compatibility)",
)
_RUNTIME = Fact(
    "onnxruntime 1.20 or newer", "what sam2lite requires; 1.31.1 is what it is tested with"
)
_GLIBC = "glibc 2.28 or newer: tag of the onnxruntime 1.31.1 wheels on PyPI"
_ARENA_OFF = Fact(
    False,
    "all sessions of a process share one arena; one for each would hold the memory of every graph "
    "that is open (benchmarks/arena.py)",
)

_FP32 = Precision("fp32", True, True, FP32_REFERENCE, "by definition")
_FP16_STORAGE = Precision(
    "fp16",
    in_silicon=False,
    served=True,
    note=FP16_STORED + ", because ONNX Runtime's CPU provider casts FP16 to FP32 and back around "
    "most operators",
    source="microsoft/onnxruntime issues 11831 and 16778",
)
_FP16_PI_5 = _FP16_STORAGE._replace(
    in_silicon=True,
    note="FP16 is storage only: the cores have FP16 arithmetic, but ONNX Runtime casts most "
    "operators to FP32 and back, and one user measured a quarter of the speed of FP32",
    source="microsoft/onnxruntime issue 25824",
)
_INT8_VNNI = Precision(
    "int8",
    in_silicon=True,
    served=True,
    note="matrix products reach 4 times the rate of FP32 on one core, whole networks less; "
    "activations must be unsigned, signed ones cost up to a factor of 10",
    source="measured on a server core with AVX-512 VNNI",
)
_INT8_X86 = Precision(
    "int8",
    in_silicon=True,
    served=True,
    note=INT8_SATURATES,
    source=_ORT_QUANTIZATION + ": reduce-range; performance on old devices",
)
_INT8_PI_5 = Precision(
    "int8",
    in_silicon=True,
    served=True,
    note="the cores have dot-product instructions, with which a speed-up is usual; not measured "
    "yet",
    source=_ORT_QUANTIZATION + ": performance FAQ",
)
_INT8_PI_4 = _INT8_PI_5._replace(
    note="runs, but without dot-product instructions a speed-up is not assured: benchmark it "
    "against FP32",
)
_INT8_ARM64 = _INT8_PI_5._replace(
    note="a speed-up is usual on chips with dot-product instructions (asimddp in /proc/cpuinfo) "
    "and not assured on others: benchmark it against FP32",
)

_W4 = Precision(
    "w4",
    in_silicon=False,
    served=True,
    note="four bits for the weights of linear layers, unpacked as they are multiplied; smaller, "
    "not faster: FP32 arithmetic",
    source="measured: benchmarks/four_bits.py",
)
_W4A8 = _W4._replace(
    name="w4a8",
    note="four bits for the weights of linear layers, their activations rounded to eight bits "
    "block by block; smaller than INT8, and slower where INT8 is fast",
)
_FOUR_BITS = (_W4, _W4A8)

_QDQ_VNNI = Fact(
    QdqStyle("uint8", None, "int8", weight_bits=8, per_channel=True),
    "measured: 315 to 440 GOP/s with unsigned activations, 28 to 34 with signed ones",
)
_QDQ_X86 = Fact(
    QdqStyle("uint8", None, "int8", weight_bits=7, per_channel=True),
    _ORT_QUANTIZATION + ": reduce-range goes with per-channel where there is no VNNI",
)
_QDQ_ARM64 = Fact(
    QdqStyle("int8", 0, "int8", weight_bits=8, per_channel=True),
    _ORT_QUANTIZATION + ": S8S8 is the first choice and does not saturate on ARM; per-channel "
    "is inferred",
)

X86_64_VNNI = data_sheet(
    "x86-64-vnni",
    "PC or server, x86-64 with VNNI",
    backend="ort",
    precisions=(_FP32, _FP16_STORAGE, _INT8_VNNI, *_FOUR_BITS),
    detection=Detection(X86_MACHINES, cpu_flags=VNNI),
    chip=Fact("any x86-64 with AVX-512 VNNI or AVX-VNNI", "by definition"),
    architecture=Fact("x86_64", "by definition"),
    memory_mb=ANY_MEMORY,
    bandwidth_gb_s=ANY_BANDWIDTH,
    os=Fact("Linux", _GLIBC),
    runtime=_RUNTIME,
    python=PYTHON,
    opset=_OPSET,
    qdq=_QDQ_VNNI,
    threads=ALL_CORES,
    arena=_ARENA_OFF,
    power_sensor=RAPL,
)

X86_64 = data_sheet(
    "x86-64",
    "PC or server, x86-64 without VNNI",
    backend="ort",
    precisions=(_FP32, _FP16_STORAGE, _INT8_X86, *_FOUR_BITS),
    detection=Detection(X86_MACHINES),
    chip=Fact("any x86-64; AVX2 or AVX-512 for speed", "by definition"),
    architecture=Fact("x86_64", "by definition"),
    memory_mb=ANY_MEMORY,
    bandwidth_gb_s=ANY_BANDWIDTH,
    os=Fact("Linux", _GLIBC),
    runtime=_RUNTIME,
    python=PYTHON,
    opset=_OPSET,
    qdq=_QDQ_X86,
    threads=ALL_CORES,
    arena=_ARENA_OFF,
    power_sensor=RAPL,
)

RASPBERRY_PI_5 = data_sheet(
    "raspberry-pi-5",
    "Raspberry Pi 5, 500 and Compute Module 5",
    backend="ort",
    precisions=(_FP32, _FP16_PI_5, _INT8_PI_5, *_FOUR_BITS),
    detection=Detection(ARM_MACHINES, compatible="brcm,bcm2712"),
    chip=Fact("Broadcom BCM2712, 4 x Cortex-A76 at 2.4 GHz", _PI_5_BRIEF),
    architecture=Fact("aarch64", _PI_5_BRIEF),
    memory_mb=Fact((1024, 2048, 4096, 8192, 16384), _PI_5_BRIEF + "; 1 GiB is inferred"),
    bandwidth_gb_s=Fact(17.1, "32 bits of LPDDR4X-4267 (" + _PI_5_BRIEF + "), theoretical"),
    os=Fact("Raspberry Pi OS, 64 bit", _GLIBC),
    runtime=_RUNTIME,
    python=Fact("3.11 (Bookworm) or 3.13 (Trixie)", "Debian 12 and 13; what sam2lite requires"),
    opset=_OPSET,
    qdq=_QDQ_ARM64,
    threads=Fact(4, _PI_5_BRIEF),
    arena=_ARENA_OFF,
    power_sensor=Fact(
        "vcgencmd pmic_read_adc", "Raspberry Pi documentation; the board's own rails"
    ),
)

RASPBERRY_PI_4 = data_sheet(
    "raspberry-pi-4",
    "Raspberry Pi 4, 400 and Compute Module 4",
    backend="ort",
    precisions=(_FP32, _FP16_STORAGE, _INT8_PI_4, *_FOUR_BITS),
    detection=Detection(ARM_MACHINES, compatible="brcm,bcm2711"),
    chip=Fact("Broadcom BCM2711, 4 x Cortex-A72 at 1.5 or 1.8 GHz", _PI_4_BRIEF),
    architecture=Fact("aarch64", _PI_4_BRIEF),
    memory_mb=Fact((1024, 2048, 4096, 8192), _PI_4_BRIEF),
    bandwidth_gb_s=Fact(12.8, "32 bits of LPDDR4-3200 (" + _PI_4_BRIEF + "), theoretical"),
    os=Fact("Raspberry Pi OS, 64 bit", _GLIBC),
    runtime=_RUNTIME,
    python=Fact("3.11 (Bookworm) or 3.13 (Trixie)", "Debian 12 and 13; what sam2lite requires"),
    opset=_OPSET,
    qdq=_QDQ_ARM64,
    threads=Fact(4, _PI_4_BRIEF),
    arena=_ARENA_OFF,
    power_sensor=Fact(None, "its power controller does not measure current"),
)

ARM64 = data_sheet(
    "arm64",
    "any other 64-bit ARM board or server",
    backend="ort",
    precisions=(_FP32, _FP16_STORAGE, _INT8_ARM64, *_FOUR_BITS),
    detection=Detection(ARM_MACHINES),
    chip=Fact("any ARMv8-A or newer", "by definition"),
    architecture=Fact("aarch64", "by definition"),
    memory_mb=ANY_MEMORY,
    bandwidth_gb_s=ANY_BANDWIDTH,
    os=Fact("Linux", _GLIBC),
    runtime=_RUNTIME,
    python=PYTHON,
    opset=_OPSET,
    qdq=_QDQ_ARM64,
    threads=ALL_CORES,
    arena=_ARENA_OFF,
    power_sensor=Fact(None, "differs from board to board"),
)

# From the most particular to the most general: `host` is the first one that fits.
CPU_TARGETS = (X86_64_VNNI, X86_64, RASPBERRY_PI_5, RASPBERRY_PI_4, ARM64)
