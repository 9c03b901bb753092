"""Which pass a version of TensorRT needs, and in which order they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
from sam2lite.exporter.tensorrt.passes.einsum import einsum
from sam2lite.exporter.tensorrt.passes.explicit.branch_names import branch_names
from sam2lite.exporter.tensorrt.passes.explicit.zero_point import zero_point
from sam2lite.exporter.tensorrt.passes.float_image import float_image
from sam2lite.exporter.tensorrt.passes.gelu import gelu
from sam2lite.exporter.tensorrt.passes.hard_swish import hard_swish
from sam2lite.exporter.tensorrt.passes.int32_border import int32_border
from sam2lite.exporter.tensorrt.passes.is_inf import is_inf
from sam2lite.exporter.tensorrt.passes.layer_norm import layer_norm
from sam2lite.exporter.tensorrt.passes.mod import mod
from sam2lite.exporter.tensorrt.passes.one_hot import one_hot
from sam2lite.exporter.tensorrt.passes.reciprocal import reciprocal
from sam2lite.exporter.tensorrt.passes.resize.antialias_resize import antialias_resize
from sam2lite.exporter.tensorrt.passes.resize.cubic_resize import cubic_resize
from sam2lite.exporter.tensorrt.passes.trilu import trilu
from sam2lite.targets.tensorrt.limits import LIMITS, Version
from sam2lite.targets.tensorrt.ops import BORDER_TYPES, OPERATORS
from sam2lite.targets.tensorrt.types import BYTES_SINCE

if TYPE_CHECKING:
    import onnx


class Rewrite(NamedTuple):
    """When a pass applies.

    Attributes:
        apply: the pass.
        of: the operators or the form that it rewrites, in words.
        below: the first version that needs it no longer; None where all versions do.
        retypes: NumPy's names of the types that it changes at the border.
    """

    apply: Callable[[onnx.ModelProto], onnx.ModelProto]
    of: str
    below: Version | None
    retypes: Mapping[str, str] = {}  # never written to

    def applies_to(self, version: Version) -> bool:
        """Say whether a version of TensorRT needs the pass."""
        return self.below is None or version < self.below


def _lifted(check: str, operator: str = "") -> Version | None:
    """Return the first version without the limit that a check of preflight finds."""
    return next(
        limit.until
        for limit in LIMITS
        if limit.check == check and (not operator or operator in limit.operators)
    )


# After `constants` and `simplify`, before `opset_down` and `shapes`.
REWRITES = (
    Rewrite(float_image, "UINT8 inputs", BYTES_SINCE, {"uint8": "float32"}),
    Rewrite(
        int32_border, "INT64 inputs and outputs", BORDER_TYPES["INT64"].since, {"int64": "int32"}
    ),
    Rewrite(layer_norm, "LayerNormalization", OPERATORS["LayerNormalization"]),
    Rewrite(gelu, "Gelu", OPERATORS["Gelu"]),
    Rewrite(trilu, "Trilu", _lifted("rank_above", "Trilu")),
    Rewrite(mod, "Mod", OPERATORS["Mod"]),
    Rewrite(one_hot, "OneHot", OPERATORS["OneHot"]),
    Rewrite(hard_swish, "HardSwish", OPERATORS["HardSwish"]),
    Rewrite(reciprocal, "Reciprocal", OPERATORS["Reciprocal"]),
    Rewrite(is_inf, "IsInf", OPERATORS["IsInf"]),
    Rewrite(cubic_resize, "Resize, mode=cubic", _lifted("cubic")),
    Rewrite(antialias_resize, "Resize, antialias=1", _lifted("antialias")),
    Rewrite(einsum, "Einsum", _lifted("einsum_form")),
    Rewrite(zero_point, "DequantizeLinear without a zero point", _lifted("no_zero_point")),
    Rewrite(branch_names, "If, both branches naming alike", _lifted("branch_names")),
)


def passes_of(version: Version) -> tuple[GraphPass, ...]:
    """Return the rewrites that a version of TensorRT needs, in order.

    One that finds nothing to rewrite leaves a graph as it is, byte for byte.
    """
    return tuple(
        GraphPass(rewrite.apply.__name__, rewrite.apply, rewrite.retypes)
        for rewrite in REWRITES
        if rewrite.applies_to(version)
    )
