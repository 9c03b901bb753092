"""Data sheets of iPhones by the oldest iOS that a bundle is for, which run Core ML.

Which operators and compressions a package may use depends on that iOS, not on the chip. Nothing
here was run on one of them; `inferred` is what nobody has checked yet.
"""

from typing import Tuple

from sam2lite.targets.profile import CoreMl, Fact, Precision, QdqStyle, TargetProfile, data_sheet

_GUIDE = "apple.github.io/coremltools, guide"
_OPTIMISATION = "apple.github.io/coremltools, optimization overview"
_TABLE = "coremltools 9.0, ct.target and the specification versions that it writes"
_NEVER_RUN = "inferred; no Core ML has run these packages"

# Where a graph may run. FP32 does not run on the Neural Engine, and neither do TopK and gather, so
# that a graph which ranks stays on the CPU.
_COMPUTE_UNITS = {"ranks": "CPU_ONLY", "others": "CPU_AND_NE"}

_FP32 = Precision(
    "fp32",
    in_silicon=False,
    served=False,
    note="the Neural Engine has no FP32, and packages would be twice as large",
    source=_GUIDE + ", typed execution",
    instead="fp16",
)
_FP16 = Precision(
    "fp16",
    in_silicon=True,
    served=True,
    note="computes in FP16, but coordinates and whatever would overflow, and the ranking of memory",
    source=_GUIDE + ", typed execution",
)
_INT8 = Precision(
    "int8",
    in_silicon=False,
    served=True,
    note="weights alone, one scale per channel: half the size, and the arithmetic of fp16",
    source=_OPTIMISATION,
)
_W8A8 = Precision(
    "w8a8",
    in_silicon=False,
    served=True,
    note="weights, and activations of the image encoder; faster than fp16 from the A17 Pro and M4 "
    "on and slower on some others, less accurate than int8 everywhere",
    source=_OPTIMISATION + "; accuracy: measured by simulation",
)
_INT4 = Precision(
    "int4",
    in_silicon=False,
    served=True,
    note="weights in blocks of 16 with a scale each; not offered by default, for its accuracy",
    source=_OPTIMISATION + "; accuracy: measured by simulation",
)
_PALETTE6 = Precision(
    "palette6",
    in_silicon=False,
    served=True,
    note="weights from a table of 64 values; not offered by default, for its accuracy",
    source=_OPTIMISATION + "; accuracy: measured by simulation",
)
_PALETTE4 = _PALETTE6._replace(
    name="palette4",
    note="weights from a table of 16 values; not offered by default, for its accuracy",
)
_ALL = (_FP32, _FP16, _INT8, _W8A8, _INT4, _PALETTE6, _PALETTE4)

_MISSING = {
    "w8a8": "activations can be quantized from iOS 17 on",
    "int4": "weights in blocks exist from iOS 18 on",
}


def _precisions(lacking: Tuple[str, ...]) -> Tuple[Precision, ...]:
    """Return every precision, those that an iOS lacks as refused."""
    return tuple(
        entry._replace(
            served=False, note=_MISSING[entry.name], source=_OPTIMISATION, instead="int8"
        )
        if entry.name in lacking
        else entry
        for entry in _ALL
    )


def _ios(version: int, specification: int, chip: Fact, lacking: Tuple[str, ...]) -> TargetProfile:
    sheet = data_sheet(
        "ios{}".format(version),
        "iPhone with iOS {} or newer".format(version),
        backend="coreml",
        precisions=_precisions(lacking),
        chip=chip,
        architecture=Fact("arm64", "by definition"),
        memory_mb=Fact((), "depends on the device; an app may use part of it"),
        bandwidth_gb_s=Fact(None, "depends on the device"),
        os=Fact("iOS {}".format(version), "by definition"),
        runtime=Fact("Core ML, part of the system", "by definition"),
        python=Fact("none; the loop is the app's", "by definition"),
        opset=Fact(specification - 1, _TABLE + ": MIL's, not ONNX's; CoreML7 is iOS 17's"),
        qdq=Fact(
            QdqStyle("int8", 0, "int8", weight_bits=8, per_channel=True),
            _GUIDE + ", quantization: linear_symmetric",
        ),
        threads=Fact(None, "Core ML's own"),
        arena=Fact(False, "by definition: Core ML has no arena of ONNX Runtime's"),
        power_sensor=Fact(None, "no figure that an app can read"),
    )
    return sheet._replace(
        coreml=CoreMl(
            deployment_target="iOS{}".format(version),
            specification=specification,
            multifunction=version >= 18,
            compute_units=_COMPUTE_UNITS,
            sources={
                "deployment_target": _TABLE,
                "specification": _TABLE,
                "multifunction": _GUIDE + ", multifunction models: from iOS 18 on",
                "compute_units": _NEVER_RUN,
            },
        )
    )


_APPLE_LIST = "support.apple.com, models compatible with iOS"
APPLE_TARGETS = (
    _ios(18, 9, Fact("iPhones: A12 Bionic or newer", _APPLE_LIST + " 18"), ()),
    _ios(17, 8, Fact("iPhones: A12 Bionic or newer", _APPLE_LIST + " 17"), ("int4",)),
    _ios(16, 7, Fact("iPhones: A11 Bionic or newer", _APPLE_LIST + " 16"), ("w8a8", "int4")),
)
