"""Which of onnxsim's optimizations may run, whatever release of it is installed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

# They drop nodes that do nothing, merge what is there twice, or join two nodes of one operator. Not
# one writes an operator that the graph did not have. Weights are merged into convolutions.
_ALLOWED = """
nop extract_constant_to_initializer
eliminate_common_subexpression eliminate_consecutive_idempotent_ops eliminate_deadend
eliminate_duplicate_initializer eliminate_identity eliminate_if_with_const_cond
eliminate_nop_cast eliminate_nop_concat eliminate_nop_dropout eliminate_nop_expand
eliminate_nop_flatten eliminate_nop_monotone_argmax eliminate_nop_pad eliminate_nop_reshape
eliminate_nop_split eliminate_nop_transpose eliminate_nop_with_unit eliminate_shape_gather
eliminate_shape_op eliminate_slice_after_shape eliminate_unused_initializer
fuse_add_bias_into_conv fuse_bn_into_conv fuse_concat_into_reshape fuse_consecutive_concats
fuse_consecutive_reduce_unsqueeze fuse_consecutive_reshapes fuse_consecutive_squeezes
fuse_consecutive_transposes
fuse_consecutive_unsqueezes fuse_pad_into_conv fuse_transpose_into_gemm
"""
ALLOWED = frozenset(_ALLOWED.split())
# What releases from 0.4.36 to 0.8.1 run beside; of some it is not to be learnt what they run.
# On 3-D tensors the first two make Reshape-Gemm-Reshape of MatMul-Add, the third makes one product
# of q, k and v, and the fourth merges crops. 106 of the mask decoder's 427 nodes would lose their
# module path, by which calibration finds them, for half a percent: 5.74 ms with these optimizers,
# 5.77 without (Tiny at 480 px, opset 17, onnxruntime 1.31 on one thread of an AMD EPYC, medians of
# 200 interleaved runs; at 240 px and opset 13: 1.87 and 1.89). The others write one operator for
# many, some of them onnxruntime's own, which no other runtime has.
_KNOWN = """
fuse_matmul_add_bias_into_gemm fuse_matmul_add_bias_into_gemm_batched fuse_qkv
fuse_consecutive_slices
eliminate_loop_with_const_trip_count eliminate_nop_reduce eliminate_nop_softmax
eliminate_optional_get_element eliminate_optional_has_element
eliminate_reshape_around_elementwise eliminate_reshape_family_on_constant
eliminate_sequence_at_construct eliminate_sequence_length_construct
fuse_attention fuse_consecutive_log_softmax fuse_consecutive_mul fuse_consecutive_reduce
fuse_consecutive_squeeze_unsqueeze fuse_gelu fuse_gqa fuse_layer_norm
fuse_lp_normalization fuse_matmul_into_conv fuse_mul_into_conv fuse_pad_into_pool
fuse_preceding_mul_into_conv fuse_reduce_sum_into_conv fuse_reshape_family fuse_rms_norm
fuse_rope fuse_split_gather_concat replace_einsum_with_matmul
rewrite_arg_reduce_select_last_index rewrite_bool_where rewrite_where
"""
KNOWN = frozenset(_KNOWN.split())


@cache
def skipped_optimizers() -> list[str]:
    """Return every optimization of the installed onnxsim that may not run, by name.

    onnxsim takes names to leave out and no names to take, so those are what it says that it has,
    and what is known of releases that say nothing. It registers some at the first call.
    """
    import onnxsim

    onnxsim.simplify(_one_node())
    core = onnxsim.onnx_simplifier.C
    listed: set[str] = set()
    for listing in ("_list_optimizers", "_list_other_optimizers"):
        listed.update(getattr(core, listing, list)())
    return sorted((listed | KNOWN) - ALLOWED)


def new_operators(before: onnx.ModelProto, after: onnx.ModelProto) -> list[str]:
    """Return operators that a graph has and did not have, in branches and loops, too."""
    added = _operators(after) - _operators(before)
    return sorted("::".join(filter(None, name)) for name in added)


def new_domains(before: onnx.ModelProto, after: onnx.ModelProto) -> list[str]:
    """Return the domains of operators that a graph has and did not have."""
    return sorted({name.split("::")[0] for name in new_operators(before, after) if "::" in name})


def _operators(model: onnx.ModelProto) -> set[tuple[str, str]]:
    from sam2lite.exporter.onnx.walk import graphs_of

    bodies: Iterable[onnx.NodeProto] = (
        node for graph in graphs_of(model.graph) for node in graph.node
    )
    found = {("" if node.domain == "ai.onnx" else node.domain, node.op_type) for node in bodies}
    return found - {("", "Constant")}


def _one_node() -> onnx.ModelProto:
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "one", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
