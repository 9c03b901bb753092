"""Which nodes of a graph compute in FP32 whatever their values: the rules, before any range."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

    from sam2lite.contracts.tensors import GraphSpec

SOFTMAX, LAYER_NORM = "softmax", "layer norm"
SELECTION, COORDINATES, PIXELS = "selection", "coordinates", "pixels"

_BY_OPERATOR = {"Softmax": SOFTMAX, "LogSoftmax": SOFTMAX, "LayerNormalization": LAYER_NORM}
_BY_CONSUMER = {"TopK": SELECTION, "Sin": COORDINATES, "Cos": COORDINATES}
# Of inputs, by the kind of their values: nothing is rounded before a product makes features.
_EXACT_INPUTS = {"xy": COORDINATES, "image": PIXELS}
_PRODUCTS = {"MatMul", "Gemm", "Conv"}  # what they make of coordinates is a feature


def kept_by_rule(model: onnx.ModelProto, spec: GraphSpec) -> dict[str, str]:
    """Return the nodes that stay in FP32 by rule, with the name of the rule.

    Softmax and layer norm; TopK and all that feeds it, so that the same tokens are chosen; Sin,
    Cos and all that feeds them, and what is computed from coordinates alone, because beyond column
    64 of a map FP16 knows a place to a sixteenth of a column only. The normalisation of pixels,
    too: where a frame has few colours, their rounding is not noise but a wrong picture.

    Args:
        model: the graph.
        spec: its spec.
    """
    nodes = model.graph.node
    made_by = {name: node for node in nodes for name in node.output}
    reasons = {}
    for node in nodes:
        if node.op_type in _BY_OPERATOR:
            reasons[node.name] = _BY_OPERATOR[node.op_type]
        elif node.op_type in _BY_CONSUMER:
            for name in _with_ancestors(node, made_by):
                reasons.setdefault(name, _BY_CONSUMER[node.op_type])
        for name in _decomposed_norm(node, made_by):
            reasons[name] = LAYER_NORM
    for kind, rule in _EXACT_INPUTS.items():
        exact = {name for name in spec.input_names if spec.values(name).kind == kind}
        for name in _on_inputs(model, exact):
            reasons.setdefault(name, rule)
    return reasons


def _with_ancestors(node: onnx.NodeProto, made_by: dict[str, onnx.NodeProto]) -> set[str]:
    found: set[str] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current.name not in found:
            found.add(current.name)
            waiting += _producers(current.input, made_by)
    return found


def _decomposed_norm(node: onnx.NodeProto, made_by: dict[str, onnx.NodeProto]) -> set[str]:
    """Return the nodes of the layer norm that ends in a node, before opset 17 has an operator.

    x - ReduceMean(x) -> Sub;  Sub / Sqrt(ReduceMean(Sub ^ 2) + epsilon)
    """
    sources = _producers(node.input, made_by)
    if node.op_type != "Div" or [s.op_type for s in sources] != ["Sub", "Sqrt"]:
        return set()
    centred = sources[0]
    norm = [node, centred]
    norm += [s for s in _producers(centred.input, made_by) if s.op_type == "ReduceMean"]
    waiting = sources[1:]
    while waiting:
        current = waiting.pop()
        norm.append(current)
        waiting += [s for s in _producers(current.input, made_by) if s.name != centred.name]
    return {part.name for part in norm}


def _on_inputs(model: onnx.ModelProto, names: set[str]) -> set[str]:
    """Return the nodes before any product that need constants and the named inputs alone."""
    constants = {tensor.name for tensor in model.graph.initializer} | {""}
    exact = set(names)
    found = set()
    for node in model.graph.node:  # in topological order
        taken = set(node.input) - constants
        if taken and taken <= exact and node.op_type not in _PRODUCTS:
            found.add(node.name)
            if node.op_type not in _BY_CONSUMER:  # waves are features again
                exact |= set(node.output)
    return found


def _producers(names: Iterable[str], made_by: dict[str, onnx.NodeProto]) -> list[onnx.NodeProto]:
    return [made_by[name] for name in names if name in made_by]
