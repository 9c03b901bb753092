"""How FP16 and INT8 are told to a version of TensorRT: by types and Q/DQ in the graph, or by flags.

From TensorRT 10 on, a network is built with the types that stand in its graph; 11 knows nothing
else. Before, graphs stay in FP32, a flag lets the builder choose FP16 kernels, and the build plan
names the nodes that must not have them. INT8 is Q/DQ in either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2lite.contracts.build_plan import FP16, INT8
from sam2lite.exporter.precision.fp16 import Fp16
from sam2lite.exporter.precision.int8 import Int8, all_layers, quantized, unmeasured
from sam2lite.exporter.precision.scheme import PrecisionScheme, Rendered
from sam2lite.exporter.precision.schemes import Making
from sam2lite.targets.profile import TensorRt
from sam2lite.targets.tensorrt.ops import QDQ_SINCE, STRONGLY_TYPED_SINCE, read_version

if TYPE_CHECKING:
    import onnx

    from sam2lite.calibration.assignment import PrecisionAssignment
    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.models.loaded import LoadedModel

# Builder flags by the precision of a graph, where types do not stand in it.
FLAGS: dict[str, tuple[str, ...]] = {"fp32": (), "fp16": (FP16,), "int8": (INT8, FP16)}

# FP16 moves some values across a rounding border of INT8; clips say what that costs, not this.
LEAST_SQNR_BESIDE_INT8_DB = 15.0


def strongly_typed(tensorrt: TensorRt) -> bool:
    """Return whether types in the graphs say what TensorRT computes in."""
    return read_version(tensorrt.version) >= STRONGLY_TYPED_SINCE


def form_of(tensorrt: TensorRt) -> str:
    """Return the form of `Fp16` that a version of TensorRT takes."""
    return "typed" if strongly_typed(tensorrt) else "plan"


def fp16(making: Making) -> Fp16:
    """Return the scheme of FP16, in the form that the target's TensorRT takes."""
    form = form_of(_sheet(making))
    return Fp16(*making.footage, form, also_pinned=making.also_pinned)


def rounded_fp16(making: Making) -> Fp16:
    """Return the scheme of what all forms of FP16 compute, every value rounded."""
    return Fp16(*making.footage, "rounded", also_pinned=making.also_pinned)


def beside_fp16(making: Making) -> PrecisionScheme:
    """Return the scheme of INT8 with FP16 where layers stay in float."""
    tensorrt, int8 = _sheet(making), quantized(making)
    if read_version(tensorrt.version) < QDQ_SINCE:
        return ImplicitInt8(int8, Fp16(*making.footage, "plan"))
    return Int8BesideFp16(int8, Fp16(*making.footage, form_of(tensorrt), LEAST_SQNR_BESIDE_INT8_DB))


def rounded_beside(making: Making) -> PrecisionScheme:
    """Return the scheme of what all of these compute: INT8 by Q/DQ, the rest rounded to FP16."""
    rounded = Fp16(*making.footage, "rounded", LEAST_SQNR_BESIDE_INT8_DB)
    return Int8BesideFp16(unmeasured(making), rounded)


def layers(making: Making) -> PrecisionAssignment:
    """Return the assignment that puts every layer in INT8 but those that take an image.

    TensorRT has been seen without any INT8 kernel for a convolution of an image's three channels,
    which fails the build. It is a hundredth of the work, and exact in float.

    Raises:
        UnknownNameError: a pattern of `keep_float` matches no layer.
    """
    first = on_image(making.loaded)
    return all_layers(making).without(first, "TensorRT may have no INT8 kernel for three channels")


def on_image(loaded: LoadedModel) -> list[str]:
    """Return the paths of the layers whose convolution an image's channels go into."""
    from torch import nn

    graph = loaded.family.image_encoder
    channels = next(tensor.shape[1] for tensor in graph.inputs if tensor.name == graph.image)
    return [
        path
        for path, layer in loaded.quantized_layers().items()
        if path.startswith(f"{graph.name}.")
        and any(
            isinstance(part, nn.Conv2d) and part.in_channels == channels for part in layer.modules()
        )
    ]


def _sheet(making: Making) -> TensorRt:
    assert making.target.tensorrt is not None  # by the backend
    return making.target.tensorrt


@dataclass(frozen=True)
class Int8BesideFp16:
    """A scheme for INT8 in which what stays in float computes in FP16.

    Attributes:
        int8: layers to INT8.
        fp16: the rest.
    """

    int8: Int8
    fp16: Fp16

    @property
    def calibration(self) -> dict[str, Any]:
        """See `PrecisionScheme`."""
        return {**self.fp16.calibration, **self.int8.calibration}

    def render(self, model: onnx.ModelProto, spec: GraphSpec, rung: int) -> Rendered:
        """See `PrecisionScheme`; raises as `Int8` and `Fp16` do.

        The report has both SQNRs: of INT8 against float, of FP16 against the same graph in FP32.
        """
        quantized = self.int8.render(model, spec, rung)
        rendered = self.fp16.render(quantized.model, spec, rung)
        report = {**rendered.report, **quantized.report}
        if "sqnr_db" in rendered.report:
            report["fp16_sqnr_db"] = rendered.report["sqnr_db"]
        either = quantized if quantized.precision == "int8" else rendered
        return Rendered(rendered.model, either.precision, report)


class ImplicitInt8(Int8BesideFp16):
    """The same for parsers that are not given Q/DQ: float graphs, and scales beside them.

    The report has `tensor_scales`. What INT8 costs is measured on the same layers with Q/DQ.
    """

    def render(self, model: onnx.ModelProto, spec: GraphSpec, rung: int) -> Rendered:
        """See `PrecisionScheme`; raises as `Int8` and `Fp16` do."""
        rendered = self.fp16.render(model, spec, rung)
        copy = type(model)()
        copy.CopyFrom(model)
        quantized = self.int8.render(copy, spec, rung)
        if quantized.precision != "int8":
            return rendered
        kept = dict.fromkeys(self.int8.kept_nodes(model, spec), "kept in float")
        report = {
            **rendered.report,
            **quantized.report,
            "pinned": {**kept, **rendered.report["pinned"]},
            "fp16_sqnr_db": rendered.report["sqnr_db"],
            "tensor_scales": self.int8.scales(model, spec),
        }
        return Rendered(rendered.model, "int8", report)
