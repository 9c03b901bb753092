"""Trace one module to ONNX at a fixed shape.

The TorchScript-based exporter is used for every opset: it gives the opset that was asked for, 13
included, keeps the module path in node names, and is quicker: ADR 0002 in docs/adr.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from sam2lite.contracts.graphs import IMAGE
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import ArgumentError, ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    import torch
    from torch import nn

    from sam2lite.exporter.selection import Arrays

# What the networks use exists since 13, and nothing newer than 20 changes it.
OPSETS = tuple(range(13, 21))


def example_inputs(spec: GraphSpec, seed: int = 0) -> list[torch.Tensor]:
    """Return seeded tensors that fit a bound spec and lie where its inputs lie.

    Biases are 0 or masked, labels are real labels, coordinates and ages are in 0..1.
    """
    import torch

    from sam2lite.contracts import loop

    generator = torch.Generator().manual_seed(seed)

    def example(tensor: TensorSpec) -> torch.Tensor:
        shape = [int(dim) for dim in tensor.shape]
        uniform = torch.rand(shape, generator=generator)
        if tensor.name == IMAGE:
            return (256.0 * uniform).to(torch.uint8).to(getattr(torch, tensor.dtype))
        if tensor.name == "prompt_label_bp":
            return (loop.LABEL_PAD * uniform).to(torch.int32)
        if "bias" in tensor.name:
            return torch.where(uniform < 0.5, loop.MASKED_BIAS, 0.0)
        if "flag" in tensor.name:
            return torch.ones(shape)
        if "norm" in tensor.name or "age" in tensor.name:
            return uniform
        if tensor.name == "candidate_meta_bnc":
            # No anchors and no empty slots: among those TopK would choose between exact ties.
            uniform[..., loop.META_ANCHOR] = 0.0
            uniform[..., loop.META_VALID] = 1.0
            return uniform
        return torch.randn(shape, generator=generator)

    return [example(tensor) for tensor in spec.inputs]


def feeds_of(spec: GraphSpec, tensors: Sequence[torch.Tensor]) -> Arrays:
    """Return tensors as the arrays that a graph takes, by name and in the spec's types."""
    return {
        entry.name: tensor.numpy().astype(entry.dtype, copy=False)
        for entry, tensor in zip(spec.inputs, tensors, strict=True)
    }


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the default operator set that a model really declares."""
    default = ("", "ai.onnx")
    return next(int(entry.version) for entry in model.opset_import if entry.domain in default)


def check_opset(opset: int) -> None:
    """Raise ArgumentError unless the exporter can write the opset."""
    if opset not in OPSETS:
        raise ArgumentError(
            f"opset {opset} is not supported; choose one of {OPSETS[0]} to {OPSETS[-1]}"
        )


def trace(module: nn.Module, spec: GraphSpec, opset: int) -> onnx.ModelProto:
    """Trace a module in evaluation mode to ONNX, its tensors named by a bound spec.

    Raises:
        ArgumentError: the opset is not one of `OPSETS`.
        ExportError: the exporter failed, or what it wrote declares another opset than was asked
            for.
    """
    import onnx
    import torch

    check_opset(opset)
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # Shapes are static by design, so a Python number taken from one is what we want.
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", UserWarning)
            torch.onnx.export(
                module.eval(),
                tuple(example_inputs(spec)),
                buffer,  # type: ignore[arg-type]  # a stream does, whatever the stub says
                dynamo=False,
                opset_version=opset,
                input_names=spec.input_names,
                output_names=spec.output_names,
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise ExportError(f"tracing {spec.name} at opset {opset} failed: {first_line}") from error
    model = onnx.load_from_string(buffer.getvalue())
    if opset_of(model) != opset:
        raise ExportError(
            f"tracing {spec.name}: asked for opset {opset}, the exporter wrote {opset_of(model)}"
        )
    return model
