"""Pass `shapes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.errors import ExportError

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
    try:
        inferred = onnx.shape_inference.infer_shapes(
            model, check_type=True, strict_mode=True, data_prop=True
        )
        onnx.checker.check_model(inferred)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        raise ExportError(f"the graph is not valid ONNX: {str(error).strip()}") from error
    return inferred
