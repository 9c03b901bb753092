"""Pass `simplify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.errors import ExportError

if TYPE_CHECKING:
    import onnx

# On 3-D tensors the first two make Reshape-Gemm-Reshape of MatMul-Add, the third makes one product
# of q, k and v, and the last merges crops. 106 of the mask decoder's 427 nodes would lose their
# module path, by which calibration finds them, for half a percent: 5.74 ms with these optimizers,
# 5.77 without (Tiny at 480 px, opset 17, onnxruntime 1.31 on one thread of an AMD EPYC, medians of
# 200 interleaved runs; at 240 px and opset 13: 1.87 and 1.89).
SKIPPED_OPTIMIZERS = [
    "fuse_matmul_add_bias_into_gemm",
    "fuse_matmul_add_bias_into_gemm_batched",
    "fuse_qkv",
    "fuse_consecutive_slices",
]


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold what does not depend on the inputs, and merge what is there twice, with onnxsim.

    **Given:**

        %table = Resize(position, sizes)
        %y = Add(%x, %table)
        %z = Add(%x, %table_again)

    **Result:**

        table = initializer(...)
        %y = Add(%x, table), which also stands for %z

    Parity: exact on all 99 graphs of benchmarks/results/graph_parity.json, because onnxsim folds
    with onnxruntime.

    Raises:
        ExportError: onnxsim failed.
    """
    import onnxsim

    simplified: onnx.ModelProto
    try:
        simplified, _ = onnxsim.simplify(model, skipped_optimizers=SKIPPED_OPTIMIZERS)
    except (RuntimeError, ValueError) as error:
        raise ExportError(
            f"onnxsim failed: {str(error).strip().splitlines()[0]}; if this process has called "
            "share_threads, onnxsim cannot use onnxruntime in it: export before that"
        ) from error
    # Newer versions log there what they did.
    del simplified.metadata_props[:]
    return simplified
