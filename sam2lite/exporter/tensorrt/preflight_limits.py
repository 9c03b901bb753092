"""Finding, in a graph, the forms of operators that `targets/tensorrt/limits.py` lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sam2lite.exporter.onnx.graph_facts import GraphFacts
from sam2lite.exporter.onnx.walk import attribute_of

if TYPE_CHECKING:
    import onnx


def _input(node: onnx.NodeProto, index: int) -> str:
    return str(node.input[index]) if len(node.input) > index else ""


def _variable_input(node: onnx.NodeProto, facts: GraphFacts, index: int) -> bool:
    name = _input(node, index)
    return bool(name) and not facts.is_constant(name)


def _k_from(node: onnx.NodeProto, facts: GraphFacts, bound: int) -> bool:
    count = facts.array(_input(node, 1))
    return count is not None and int(count.max()) >= bound


def _zero_point(node: onnx.NodeProto, facts: GraphFacts, _: int) -> bool:
    name = _input(node, 2)
    if not name:
        return False
    # What is not a constant cannot be shown to be 0.
    points = facts.array(name)
    return points is None or bool(points.any())


def _unsigned(node: onnx.NodeProto, facts: GraphFacts, _: int) -> bool:
    import onnx

    name = _input(node, 2)
    if not name and node.op_type == "QuantizeLinear":
        return True  # ONNX's default type
    # Without a zero point, DequantizeLinear has the type of what it is given.
    tensor = facts.constant(name or node.input[0])
    return tensor is not None and bool(tensor.data_type == onnx.TensorProto.UINT8)


def _no_zero_point(node: onnx.NodeProto, _: GraphFacts, __: int) -> bool:
    return not _input(node, 2)


def _odd_constant(node: onnx.NodeProto, _: GraphFacts, __: int) -> bool:
    odd = {"sparse_value", "value_string", "value_strings"}
    return any(attribute.name in odd for attribute in node.attribute)


def _training_input(node: onnx.NodeProto, facts: GraphFacts, _: int) -> bool:
    name = _input(node, 2)
    if not name:
        return not attribute_of(node, "is_test", 1)  # of opset 6
    training = facts.array(name)
    return training is None or bool(training.any())


def _training_outputs(node: onnx.NodeProto, facts: GraphFacts, _: int) -> bool:
    """Before opset 14, a BatchNormalization says by its outputs, or by is_test, that it trains."""
    if facts.opset < 7:
        return not attribute_of(node, "is_test", 0)
    return facts.opset < 14 and any(node.output[1:])


def _variable_floats(node: onnx.NodeProto, facts: GraphFacts, _: int) -> bool:
    floats = facts.types.get(_input(node, 0)) in ("FLOAT", "DOUBLE", "FLOAT16")
    return floats and any(_variable_input(node, facts, index) for index in range(3))


def _variable_scales(node: onnx.NodeProto, facts: GraphFacts, _: int) -> bool:
    scales = 2 if facts.opset >= 11 else 1
    return not _input(node, 3) and _variable_input(node, facts, scales)


def _scaled_before_last(node: onnx.NodeProto, facts: GraphFacts, last: int) -> bool:
    """Of a Resize by scales; sizes are taken as they are."""
    if attribute_of(node, "mode", "nearest") != {3: "linear", 2: "cubic"}[last]:
        return False
    scales = 1 if node.op_type == "Upsample" or facts.opset < 11 else 2
    factors = facts.array(_input(node, scales))
    return factors is not None and bool((factors.reshape(-1)[:-last] != 1).any())


def _tf_rounding(node: onnx.NodeProto, _: GraphFacts, __: int) -> bool:
    return bool(
        attribute_of(node, "coordinate_transformation_mode", "half_pixel") == "tf_half_pixel_for_nn"
        and attribute_of(node, "nearest_mode", "round_prefer_floor") != "round_prefer_floor"
    )


def _begin_and_end(node: onnx.NodeProto) -> tuple[list[int], list[int]]:
    pads = list(attribute_of(node, "pads", []))
    return pads[: len(pads) // 2], pads[len(pads) // 2 :]


def _uneven_pads(node: onnx.NodeProto, _: GraphFacts, __: int) -> bool:
    begin, end = _begin_and_end(node)
    return any(after - before not in (0, 1) for before, after in zip(begin, end, strict=True))


def _branches(node: onnx.NodeProto) -> tuple[onnx.GraphProto, onnx.GraphProto] | None:
    found = {attribute.name: attribute.g for attribute in node.attribute}
    if not {"then_branch", "else_branch"} <= set(found):
        return None
    return found["then_branch"], found["else_branch"]


def _branch_ranks(node: onnx.NodeProto, facts: GraphFacts, _: int) -> bool:
    branches = _branches(node)
    if branches is None:
        return False
    ranks = ([facts.rank(value.name) for value in branch.output] for branch in branches)
    return any(None not in (a, b) and a != b for a, b in zip(*ranks, strict=False))


def _branch_names(node: onnx.NodeProto, _: GraphFacts, __: int) -> bool:
    branches = _branches(node)
    if branches is None:
        return False
    return any(
        a.name == b.name for a, b in zip(branches[0].output, branches[1].output, strict=False)
    )


def _rank_of_first(node: onnx.NodeProto, facts: GraphFacts) -> int | None:
    return facts.rank(_input(node, 0))


def _rank_below(node: onnx.NodeProto, facts: GraphFacts, bound: int) -> bool:
    rank = _rank_of_first(node, facts)
    return rank is not None and rank < bound


def _rank_above(node: onnx.NodeProto, facts: GraphFacts, bound: int) -> bool:
    rank = _rank_of_first(node, facts)
    return rank is not None and rank > bound


def _rank_not(node: onnx.NodeProto, facts: GraphFacts, wanted: int) -> bool:
    return _rank_of_first(node, facts) not in (None, wanted)


def _einsum_form(node: onnx.NodeProto, _: GraphFacts, __: int) -> bool:
    equation = attribute_of(node, "equation", "").replace(" ", "")
    terms = equation.split("->")[0].split(",")
    return "..." in equation or any(len(set(term)) < len(term) for term in terms)


Check = Callable[["onnx.NodeProto", GraphFacts, int], bool]
CHECKS: dict[str, Check] = {
    "variable_input": _variable_input,
    "k_from": _k_from,
    "zero_point": _zero_point,
    "unsigned": _unsigned,
    "einsum_form": _einsum_form,
    "unsorted": lambda node, _, __: not attribute_of(node, "sorted", 1),
    "cubic": lambda node, _, __: attribute_of(node, "mode", "nearest") == "cubic",
    "antialias": lambda node, _, __: bool(attribute_of(node, "antialias", 0)),
    "reduction_attribute": lambda node, _, __: attribute_of(node, "reduction", "none") != "none",
    "more_outputs": lambda node, _, __: any(node.output[1:]),
    "rank_not": _rank_not,
    "rank_below": _rank_below,
    "rank_above": _rank_above,
    "no_zero_point": _no_zero_point,
    "odd_constant": _odd_constant,
    "training_input": _training_input,
    "training_outputs": _training_outputs,
    "variable_floats": _variable_floats,
    "variable_scales": _variable_scales,
    "scaled_before_last": _scaled_before_last,
    "tf_rounding": _tf_rounding,
    "uneven_pads": _uneven_pads,
    "negative_begin": lambda node, _, __: min(_begin_and_end(node)[0], default=0) < 0,
    "branch_ranks": _branch_ranks,
    "branch_names": _branch_names,
    "opset_from": lambda _, facts, opset: facts.opset >= opset,
}
