"""Weights stored in FP16 and computed with in FP32: half the size, and nothing else gained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.errors import VerificationError
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.exporter.precision.scheme import Rendered
from sam2lite.exporter.verify.parity import compare, run_onnx

if TYPE_CHECKING:
    import onnx

    from sam2lite.contracts.tensors import GraphSpec

LEAST_BYTES = 4096  # smaller tensors are not worth a Cast
LARGEST = float(np.finfo(np.float16).max)
LEAST_SQNR_DB = 40.0  # of every output; 11 bits of mantissa alone give some 66 dB


def store_in_fp16(model: onnx.ModelProto) -> int:
    """Store the large float constants of a graph in FP16, in place; return how many.

    Each gets a Cast to FP32, which runtimes fold when they load the graph. What FP16 cannot hold
    stays as it is.
    """
    from onnx import TensorProto, helper, numpy_helper

    # Scales are read by name when a runtime fuses Q/DQ into INT8 kernels; they stay as they are.
    scales = {
        name
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
        for name in node.input
    }
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or tensor.name in scales:
            continue
        values = numpy_helper.to_array(tensor)
        if values.nbytes < LEAST_BYTES or np.abs(values).max() > LARGEST:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.fp16"))
        casts.append(
            helper.make_node("Cast", [tensor.name], [name], f"{name}.cast", to=TensorProto.FLOAT)
        )
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    return len(casts)


class Fp16Storage:
    """The scheme of `--fp16` for backends that do not compute in FP16."""

    calibration = None

    def render(self, model: onnx.ModelProto, spec: GraphSpec, rung: int) -> Rendered:
        """See `PrecisionScheme`.

        Raises:
            VerificationError: an output is further from FP32 than `LEAST_SQNR_DB`.
        """
        if spec.ranks:
            return Rendered(model, "fp32")
        before = type(model)()
        before.CopyFrom(model)
        tensors = store_in_fp16(model)
        feeds = feeds_of(spec, example_inputs(spec))
        expected, actual = run_onnx(before, feeds), run_onnx(model, feeds)
        ratios: dict[str, Any] = {}
        for name in expected:
            ratios[name] = compare(actual[name], expected[name]).to_json()["sqnr_db"]
            if ratios[name] is not None and ratios[name] < LEAST_SQNR_DB:
                raise VerificationError(
                    f"with weights in FP16, {name} of {spec.name} at {rung} px is at "
                    f"{ratios[name]:.1f} dB of FP32's; {LEAST_SQNR_DB:g} dB are asked for: use "
                    "--precision fp32"
                )
        return Rendered(model, "fp16", {"sqnr_db": ratios, "fp16_tensors": tensors})
