"""What an ONNX file says about itself, for when it is found without its bundle."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import sam2lite
from sam2lite.contracts.tensors import GraphSpec, TensorSpec

if TYPE_CHECKING:
    import onnx

PRODUCER = "sam2lite"


@dataclass(frozen=True)
class GraphMetadata:
    """Where a graph comes from.

    Attributes:
        model: name of the network.
        checkpoint_sha256: of its weights.
        licence: SPDX identifier of the weights' licence.
        rung: side of the input, px; not written where the graph serves every rung.
    """

    model: str
    checkpoint_sha256: str
    licence: str
    rung: int


def write_metadata(
    model: onnx.ModelProto, spec: GraphSpec, opset: int, metadata: GraphMetadata
) -> None:
    """Write provenance and layouts into a model, in place of what its makers left there.

    Every value in `metadata_props` is JSON, and every key starts with `sam2lite.`.
    """
    import onnx

    properties: dict[str, Any] = {
        "version": sam2lite.__version__,
        **asdict(metadata),
        "rung": metadata.rung if spec.per_size else None,
        "graph": spec.name,
        "opset": opset,
        "traced_by": f"{model.producer_name} {model.producer_version}",
        "inputs": [_layout(tensor) for tensor in spec.inputs],
        "outputs": [_layout(tensor) for tensor in spec.outputs],
    }
    onnx.helper.set_model_props(
        model, {f"{PRODUCER}.{key}": json.dumps(value) for key, value in properties.items()}
    )
    model.producer_name = PRODUCER
    model.producer_version = sam2lite.__version__
    model.graph.name = spec.name


def _layout(tensor: TensorSpec) -> dict[str, Any]:
    return {**tensor.to_json(), "layout": tensor.name.rsplit("_", 1)[-1]}
