"""Pass `shapes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.errors import ExportError
from sam2lite.exporter.onnx.skeleton import check_model, skeleton

if TYPE_CHECKING:
    import onnx


def shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write down the type and shape of every value, and check the model against the standard.

    ONNX's checker also sees to it that nodes come in topological order and that no value is
    computed twice.

    **Given:**

        %y = Conv(%x, weight)

    **Result:**

        %y: float32[1, 64, 60, 60] = Conv(%x, weight)

    Parity: exact, nothing is computed.

    Raises:
        ExportError: the model is not valid ONNX, or types and shapes contradict each other.
    """
    import onnx

    # Stale shapes from before the other passes would be believed.
    del model.graph.value_info[:]
    graph = model.graph
    try:
        inferred = onnx.shape_inference.infer_shapes(
            skeleton(model), check_type=True, strict_mode=True, data_prop=True
        ).graph
        # Branches have shapes of their own, and outputs may have had none.
        for found, field in (
            (inferred.node, graph.node),
            (inferred.output, graph.output),
            (inferred.value_info, graph.value_info),
        ):
            del field[:]
            field.extend(found)
        check_model(model)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        raise ExportError(f"the graph is not valid ONNX: {str(error).strip()}") from error
    return model
