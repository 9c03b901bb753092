"""What is done to a converted FP16 graph to make it smaller: one function a precision.

What each costs was measured on Tiny: docs/coreml.md. Weights of convolutions and linear layers
are compressed, in INT8 position tables as well; the matrices of resampling stay as they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sam2lite.errors import ExportError
from sam2lite.exporter.coreml.palette import palette
from sam2lite.exporter.coreml.pins import OVERFLOW
from sam2lite.exporter.coreml.quiet import quiet
from sam2lite.mil.archive import operations

if TYPE_CHECKING:
    from sam2lite.exporter.coreml.convert import Converted
    from sam2lite.exporter.verify.selection import Arrays

_LAYERS = {"conv": ("weight",), "linear": ("weight",)}
# Position tables, and weights that are factors of products, too: all that may be compressed.
COMPRESSIBLE: Mapping[str, tuple[str, ...]] = {**_LAYERS, "add": ("x", "y"), "matmul": ("x", "y")}
# Depthwise kernels, of 4608 at most, stay: each is a one with small numbers around it, the identity
# that was folded in. In INT8 they save half of a percent of Tiny and cost its features 8 to 14 dB.
_LEAST_ELEMENTS = 5000
_BLOCK = 16  # of input channels; larger ones do not divide all of ours

Compression = Callable[["Converted", "Sequence[Arrays]"], Any]


class Compressed(NamedTuple):
    """A precision of weights, or of weights and activations.

    Attributes:
        name: as in `--precision`.
        apply: from a converted graph, and inputs of recorded calls, to a compressed model.
        least_sqnr_db: of every output on recorded calls; None where it is only reported.
        least_iou: mean over a clip, against PyTorch; None where it is only reported.
        block_size: how many input channels share a scale; None where all of them do.
        chooses: whether layers stay in FP16 where an output misses its bound.
    """

    name: str
    apply: Compression
    least_sqnr_db: float | None = None
    least_iou: float | None = None
    block_size: int | None = None
    chooses: bool = False


def _constants(converted: Converted, parameters: Mapping[str, tuple[str, ...]], how: Any) -> Any:
    """Return the configuration that compresses some constants, each by its name.

    Told types of operators instead, coremltools refuses a graph in which a layer shares any
    constant, such as a bias of zeros, with an operator of another type.

    Args:
        converted: the graph. What its coordinates and choices are computed from stays as it is, and
            so do the layers that it keeps.
        parameters: that are compressed, by type of operator.
        how: a configuration of coremltools for one operator.
    """
    from coremltools.optimize.coreml import OptimizationConfig

    exact = {name for name, reason in converted.pinned.items() if not reason.startswith(OVERFLOW)}
    exact |= converted.kept
    (function,) = converted.model.get_spec().mlProgram.functions.values()
    stored: set[str] = set()
    chosen: set[str] = set()
    kept: set[str] = set()
    for operation in operations(function):
        name = operation.outputs[0].name
        if operation.type == "const":
            stored.add(name)
        for parameter in parameters.get(operation.type, ()):
            used = {binding.name for binding in operation.inputs[parameter].arguments}
            (kept if name in exact else chosen).update(used)
    return OptimizationConfig(op_name_configs=dict.fromkeys(sorted(stored & chosen - kept), how))


def _as_it_is(converted: Converted, calls: Sequence[Arrays]) -> Any:
    return converted.model


def _linear(parameters: Mapping[str, tuple[str, ...]], **how: Any) -> Compression:
    def compressed(converted: Converted, calls: Sequence[Arrays]) -> Any:
        from coremltools.optimize import coreml

        config = coreml.OpLinearQuantizerConfig(
            mode="linear_symmetric", weight_threshold=_LEAST_ELEMENTS, **how
        )
        return coreml.linear_quantize_weights(
            converted.model, _constants(converted, parameters, config)
        )

    return compressed


def _palette(bits: int) -> Compression:
    def compressed(converted: Converted, calls: Sequence[Arrays]) -> Any:
        from coremltools.optimize import coreml

        config = coreml.OpPalettizerConfig(
            mode="custom",
            lut_function=lambda weight: palette(weight, 2**bits),
            weight_threshold=_LEAST_ELEMENTS,
        )
        return coreml.palettize_weights(converted.model, _constants(converted, _LAYERS, config))

    return compressed


_INT8 = _linear(COMPRESSIBLE, dtype="int8", granularity="per_channel")


def _with_activations(converted: Converted, calls: Sequence[Arrays]) -> Any:
    # With activations of the other graphs in INT8 as well, Tiny loses its objects: mean IoU 0.08
    # over a clip. The graph that takes the image is most of the work.
    if not converted.takes_image:
        return _INT8(converted, calls)
    from coremltools.optimize.coreml import OptimizationConfig
    from coremltools.optimize.coreml.experimental import OpActivationLinearQuantizerConfig

    from sam2lite.mil.activation_stats import quantize_activations

    how = OpActivationLinearQuantizerConfig(mode="linear_symmetric")
    config = OptimizationConfig(
        op_type_configs=dict.fromkeys(_LAYERS, how),
        op_name_configs=dict.fromkeys(converted.pinned),  # None: not these
    )
    model = quantize_activations(converted.model, config, list(calls))
    return _INT8(dataclasses.replace(converted, model=model), calls)


PRECISIONS: Mapping[str, Compressed] = {
    precision.name: precision
    for precision in (
        Compressed("fp16", _as_it_is, 55.0, 0.99),
        Compressed("int8", _INT8, 35.0, chooses=True),
        Compressed("w8a8", _with_activations),
        Compressed(
            "int4",
            _linear(_LAYERS, dtype="int4", granularity="per_block", block_size=_BLOCK),
            block_size=_BLOCK,
        ),
        Compressed("palette6", _palette(6)),
        Compressed("palette4", _palette(4)),
    )
}


def compress(
    converted: Converted, precision: Compressed, calls: Sequence[Arrays], where: str
) -> Any:
    """Return a converted graph in a precision; its model may be changed.

    Args:
        converted: in FP16.
        precision: one that the iOS of the model has.
        calls: inputs of recorded calls, by name; images are uint8.
        where: graph and rung, for messages.

    Raises:
        ExportError: coremltools cannot compress the model.
    """
    from sam2lite.mil.exact_passes import exact_passes

    try:
        with exact_passes(), quiet():
            return precision.apply(converted, calls)
    except Exception as error:  # coremltools raises whatever its passes stumble over
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(
            f"coremltools cannot make {where} {precision.name}: {first_line}"
        ) from error
