"""One module to one ML program, its tensors named by the contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sam2lite.errors import ExportError
from sam2lite.exporter.coreml.decompositions import DECOMPOSITIONS
from sam2lite.exporter.coreml.forms import Form, in_core_ml_forms
from sam2lite.exporter.coreml.pins import pinned_operators
from sam2lite.exporter.coreml.quiet import quiet
from sam2lite.exporter.onnx.trace import example_inputs

if TYPE_CHECKING:
    from torch import nn

    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.targets.profile import CoreMl


@dataclass(frozen=True)
class Converted:
    """A graph as coremltools' model.

    Attributes:
        takes_image: whether one of its inputs is an image.
        model: `coremltools.models.MLModel`, not loaded; saved in a temporary folder of its own.
        precision: `fp16`, or `fp32` for the graph that ranks memory.
        pinned: operators that compute in FP32 in an FP16 graph, with the reason.
        kept: operators whose weights stay as they are when others are compressed.
    """

    takes_image: bool
    model: Any
    precision: str
    pinned: dict[str, str] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()


def convert(
    module: nn.Module,
    spec: GraphSpec,
    target: CoreMl,
    overflowing: Mapping[str, float] = MappingProxyType({}),
    form: Form | None = None,
) -> Converted:
    """Convert a module in evaluation mode.

    The image is an `ImageType` in RGB, which an app feeds a pixel buffer; it reaches the program as
    0 to 255, and its normalisation is a part of the network.

    Args:
        module: of the network in its form for inference.
        spec: its bound spec for the backend `coreml`.
        target: the iOS that it is for.
        overflowing: tensors that FP16 may be too small for, from `overflowing_in`.
        form: of the network's family, for what no other has.

    Raises:
        DependencyError, SessionError: coremltools is missing, or of an untested version.
        ExportError: torch cannot export the module, or an operator of it does not convert; the
            line is named where that is known.
    """
    import torch

    from sam2lite.mil.coremltools_import import import_coremltools
    from sam2lite.mil.exact_passes import exact_passes

    ct = import_coremltools()
    full = spec.ranks
    pinned: dict[str, str] = {}

    def in_half(op: Any) -> bool:
        if not pinned:  # of the first operator: before the pass has changed anything
            pinned.update(pinned_operators(op.enclosing_block.operations, overflowing))
            pinned.setdefault("", "")  # so that this happens once
        return op.name not in pinned

    inputs = tuple(
        tensor.float() if tensor.dtype == torch.uint8 else tensor for tensor in example_inputs(spec)
    )
    where = f"{spec.name} for {target.deployment_target}"
    try:
        with quiet():
            program = torch.export.export(in_core_ml_forms(module, inputs, form).eval(), inputs)
            program = program.run_decompositions(DECOMPOSITIONS)
    except Exception as error:  # torch's own errors share no base class
        raise ExportError(f"torch cannot export {where}: {_first_line(error)}") from error
    try:
        with exact_passes(), quiet():
            model = ct.convert(
                program,
                inputs=_image_input(ct, spec),
                outputs=[ct.TensorType(name=name) for name in spec.output_names],
                minimum_deployment_target=ct.target[target.deployment_target],
                compute_precision=ct.precision.FLOAT32
                if full
                else ct.transform.FP16ComputePrecision(op_selector=in_half),
                skip_model_load=True,
            )
    except Exception as error:  # coremltools raises whatever its converters stumble over
        raise ExportError(
            f"coremltools {ct.__version__} does not convert {where}: {_first_line(error)}"
            f"{_place_of(error, program)}; write it with operators that MIL has"
        ) from error
    _check_names(model, spec)
    pinned.pop("", None)
    return Converted(spec.image is not None, model, "fp32" if full else "fp16", pinned)


def _image_input(ct: Any, spec: GraphSpec) -> list[Any] | None:
    """Return what says that the only input is an image; None where there is none."""
    if spec.image is None:
        return None
    shape = spec.inputs[0].shape
    return [ct.ImageType(name=spec.image, shape=shape, color_layout=ct.colorlayout.RGB)]


def _check_names(model: Any, spec: GraphSpec) -> None:
    """Raise ExportError unless a model's tensors are those of the contract, in order."""
    description = model.get_spec().description
    for found, wanted in (
        ([feature.name for feature in description.input], spec.input_names),
        ([feature.name for feature in description.output], spec.output_names),
    ):
        if found != wanted:
            raise ExportError(
                f"{spec.name} was converted with the tensors {', '.join(found)}; the contract has "
                f"{', '.join(wanted)}"
            )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".;")


def _place_of(error: Exception, program: Any) -> str:
    """Say in which module and line the operator is that an error names, if it names one."""
    words = set(re.findall(r"\w+", str(error)))
    for node in program.graph.nodes:
        if node.op == "call_function" and (node.name in words or _operator(node) in words):
            places = re.findall(r'File "(.+?)", line (\d+)', node.meta.get("stack_trace") or "")
            if places:
                file, line = places[-1]
                modules = node.meta.get("nn_module_stack") or {}
                path = [path for path, _ in modules.values() if path][-1:]
                return f" ({''.join(f'module {name}, ' for name in path)}{file}, line {line})"
    return ""


def _operator(node: Any) -> str:
    """Return an operator's name as coremltools has it: `aten.view_as_complex.default` in part."""
    return str(node.target).split(".")[-2] if "." in str(node.target) else str(node.target)
