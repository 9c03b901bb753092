"""Trace one module to ONNX at a fixed shape.

The TorchScript-based exporter is used for every opset: it gives the opset that was asked for, 13
included, keeps the module path in node names, and is quicker: ADR 0002 in docs/adr.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from sam2lite.contracts.loop import MASKED_BIAS
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.contracts.values import Values
from sam2lite.errors import ArgumentError, ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    import torch
    from torch import nn

    from sam2lite.exporter.verify.selection import Arrays

# What the networks use exists since 13, and nothing newer than 20 changes it.
OPSETS = tuple(range(13, 21))


def example_inputs(spec: GraphSpec, seed: int = 0) -> list[torch.Tensor]:
    """Return seeded tensors that fit a bound spec and take the values that its inputs take."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return [_example(tensor, spec.values(tensor.name), generator) for tensor in spec.inputs]


def _example(tensor: TensorSpec, values: Values, generator: torch.Generator) -> torch.Tensor:
    import torch

    shape = [int(dim) for dim in tensor.shape]
    dtype: torch.dtype = getattr(torch, tensor.dtype)
    uniform = torch.rand(shape, generator=generator)
    if values.kind == "image":
        return (256.0 * uniform).to(torch.uint8).to(dtype)
    if values.kind == "label":
        return (values.labels * uniform).to(dtype)
    if values.kind == "bias":
        return torch.where(uniform < 0.5, MASKED_BIAS, 0.0)
    if values.kind == "flag":
        return torch.ones(shape)
    if values.kind in ("xy", "unit"):
        for column, value in values.columns:
            uniform[..., column] = value
        return uniform
    return torch.randn(shape, generator=generator)


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
