"""Graphs of a network as saved packages, the plainest way there is."""

import copy
import warnings
from pathlib import Path
from typing import Any

import torch

from sam2lite.contracts.families.sam2lite import FAMILY, graph_dims
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.exporter.onnx.trace import example_inputs
from sam2lite.mil.coremltools_import import import_coremltools
from sam2lite.mil.exact_passes import exact_passes
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.models.sam2lite.positions import resized_table

ct = import_coremltools()

# A slice that takes everything becomes an alias, which coremltools does not know.
DECOMPOSITIONS = {torch.ops.aten.alias.default: lambda x: x}


def bound_spec(network: Sam2Lite, graph: str, rung: int) -> GraphSpec:
    config = network.config
    dims = graph_dims(rung, config.embed_dim, *config.skip_dims, config.budget)
    return next(spec for spec in FAMILY.graphs if spec.name == graph).bind(dims)


def converted(network: Sam2Lite, graph: str, rung: int, target: str, precision: str) -> Any:
    """Return one graph of a network as coremltools' model."""
    spec = bound_spec(network, graph, rung)
    inputs = tuple(x.float() if x.dtype == torch.uint8 else x for x in example_inputs(spec))
    image = ct.ImageType(name=spec.image, shape=(1, 3, rung, rung), color_layout=ct.colorlayout.RGB)
    with exact_passes(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = getattr(_with_tables(network.fused(), rung), graph).eval()
        return ct.convert(
            torch.export.export(module, inputs).run_decompositions(DECOMPOSITIONS),
            inputs=[image] if graph == "image_encoder" else None,
            outputs=[ct.TensorType(name=name) for name in spec.output_names],
            minimum_deployment_target=ct.target[target],
            compute_precision=ct.precision(precision),
            skip_model_load=True,
        )


def _with_tables(network: Sam2Lite, rung: int) -> Sam2Lite:
    """Return a copy whose position tables have this rung's size: there is no bicubic Resize."""
    network = copy.deepcopy(network)
    for index, stage in enumerate(network.image_encoder.stages):
        if stage.position_1chw is not None:
            side = -(-rung // (4 << index))
            table = resized_table(stage.position_1chw.detach(), side)  # type: ignore[operator]
            stage.position_1chw = torch.nn.Parameter(table)
    return network


def saved(model: Any, path: Path) -> Path:
    model.save(str(path))
    return path
